#include "common/library_logs.h"

#include "common/logging.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "grpc/support/log.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(LineBudgetTest, APlaceWritesItsShareAndTellsWhatWasLeftOut) {
  constexpr char kFile[] = "a.cc";
  LineBudget budget;
  for (int i = 0; i < LineBudget::kLinesMax; ++i) EXPECT_EQ(budget.Admit(kFile, 1, 1000 + i), 0);
  for (int i = 0; i < 1234; ++i) EXPECT_EQ(budget.Admit(kFile, 1, 2000), std::nullopt);
  EXPECT_EQ(budget.Admit(kFile, 2, 2000), 0) << "another line is another place";
  EXPECT_EQ(budget.Admit(kFile, 1, 1000 + LineBudget::kWindowMs - 1), std::nullopt);
  EXPECT_EQ(budget.Admit(kFile, 1, 1000 + LineBudget::kWindowMs), 1235);
  EXPECT_EQ(budget.Admit(kFile, 1, 1001 + LineBudget::kWindowMs), 0);
}

TEST(LibraryLogsTest, WhatALibrarySaysIsALineOfOurs) {
  testing::internal::CaptureStderr();
  InitLogging("test", LogLevel::kInfo);
  TakeOverLibraryLogs();
  gpr_log("src/core/lib/some.cc", 7, GPR_LOG_SEVERITY_ERROR, "a \"bad\"\nhandshake of %s", "ipv4:127.0.0.1:9");
  // Text that is no UTF-8 makes protobuf complain.
  google::protobuf::Value value;
  value.set_string_value("caf\xe9");
  const std::string bytes = value.SerializeAsString();
  const std::string said = testing::internal::GetCapturedStderr();
  std::vector<google::protobuf::Struct> lines;
  std::istringstream text(said);
  for (std::string line; std::getline(text, line);) {
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line, &lines.emplace_back()).ok()) << line;
  }
  ASSERT_EQ(lines.size(), 2u) << said;
  const auto field = [&lines](size_t line, const char* name) { return lines[line].fields().at(name).string_value(); };
  EXPECT_EQ(field(0, "level"), "error");
  EXPECT_EQ(field(0, "library"), "grpc");
  EXPECT_EQ(field(0, "source"), "some.cc:7");
  EXPECT_EQ(field(0, "message"), "a \"bad\"\nhandshake of ipv4:127.0.0.1:9");
  EXPECT_EQ(field(1, "library"), "protobuf");
  EXPECT_THAT(field(1, "message"), testing::HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace tutti
