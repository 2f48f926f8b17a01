#include "common/logging.h"

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(LoggingTest, LinesAreJsonWhateverTheFieldsHold) {
  testing::internal::CaptureStderr();
  InitLogging("test", LogLevel::kInfo);
  Log(LogLevel::kWarning, "a \"quoted\" {} %v\nmessage", {{"saga_id", "s\\1"}, {"tab", "\t"}, {"latin", "caf\xe9"}});
  const std::string line = testing::internal::GetCapturedStderr();
  ASSERT_EQ(line.find('\n'), line.size() - 1) << "one line, ended once: " << line;
  google::protobuf::Struct json;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line, &json).ok()) << line;
  EXPECT_EQ(json.fields().at("level").string_value(), "warning");
  EXPECT_EQ(json.fields().at("component").string_value(), "test");
  EXPECT_EQ(json.fields().at("message").string_value(), "a \"quoted\" {} %v\nmessage");
  EXPECT_EQ(json.fields().at("saga_id").string_value(), "s\\1");
  EXPECT_EQ(json.fields().at("tab").string_value(), "\t");
  EXPECT_EQ(json.fields().at("latin").string_value(), "caf\xef\xbf\xbd");
  EXPECT_EQ(json.fields().count("time"), 1u);
}

TEST(LoggingTest, LevelsBelowTheMinimumAreSilent) {
  testing::internal::CaptureStderr();
  InitLogging("test", LogLevel::kError);
  Log(LogLevel::kWarning, "unheard");
  EXPECT_FALSE(LogEnabled(LogLevel::kWarning));
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(LoggingTest, LevelNamesRoundTrip) {
  LogLevel level;
  ASSERT_TRUE(ParseLogLevel("debug", &level));
  EXPECT_EQ(ToString(level), "debug");
  EXPECT_FALSE(ParseLogLevel("loud", &level));
}

}  // namespace
}  // namespace tutti
