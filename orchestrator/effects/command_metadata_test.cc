#include "orchestrator/effects/command_metadata.h"

#include <map>

#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::effects {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

saga::SendCommand Command() {
  saga::SendCommand command;
  command.saga_id = "booking-1";
  command.saga_uid = "0191e0c6";
  command.kind = v1::STEP_KIND_PIVOT;
  command.attempt = {"charge", v1::OPERATION_ACTION, 2};
  command.key = "0191e0c6/charge/action";
  command.key_born_ms = 1700;
  command.step_born_ms = 1600;
  return command;
}

TEST(CommandMetadataTest, SaysWhatParticipantsAreTold) {
  const auto list = CommandMetadata(Command(), 6789);
  ASSERT_TRUE(list.ok()) << list.status();
  const std::map<std::string, std::string> metadata(list->begin(), list->end());
  EXPECT_EQ(metadata.at("tutti-saga-id"), "booking-1");
  EXPECT_EQ(metadata.at("tutti-saga-uid"), "0191e0c6");
  EXPECT_EQ(metadata.at("tutti-step"), "charge");
  EXPECT_EQ(metadata.at("tutti-kind"), "pivot");
  EXPECT_EQ(metadata.at("tutti-operation"), "action");
  EXPECT_EQ(metadata.at("tutti-attempt"), "2");
  EXPECT_EQ(metadata.at("tutti-idempotency-key"), "0191e0c6/charge/action");
  EXPECT_EQ(metadata.at("tutti-key-born-ms"), "1700");
  EXPECT_EQ(metadata.at("tutti-step-born-ms"), "1600");
  EXPECT_EQ(metadata.at("tutti-deadline-ms"), "6789");
  EXPECT_THAT(metadata.at("traceparent"), MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-01"));
  EXPECT_EQ(metadata.size(), 11u);
}

TEST(CommandMetadataTest, NamesKindsAndOperationsInTheirOwnWords) {
  saga::SendCommand command = Command();
  command.kind = v1::STEP_KIND_RETRIABLE;
  command.attempt.operation = v1::OPERATION_COMPENSATION;
  const auto list = CommandMetadata(command, 0);
  ASSERT_TRUE(list.ok());
  const std::map<std::string, std::string> metadata(list->begin(), list->end());
  EXPECT_EQ(metadata.at("tutti-kind"), "retriable");
  EXPECT_EQ(metadata.at("tutti-operation"), "compensation");
}

TEST(CommandMetadataTest, AddsTheDefinitionsOwn) {
  saga::SendCommand command = Command();
  command.metadata = {{"x-request-id", "abc"}, {"token-bin", std::string("\0\xff", 2)}};
  const auto list = CommandMetadata(command, 0);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->size(), 13u);
}

TEST(CommandMetadataTest, RefusesWhatTheLibraryWouldAbortOn) {
  const std::pair<std::string, std::string> wrong[] = {
      {"X-Upper", "v"},       {"white space", "v"},   {"", "v"},
      {":path", "v"},         {"x", "line\nbreak"},   {"x", "h\xc3\xa9"},
      {"tutti-attempt", "7"}, {"grpc-timeout", "1S"}, {"traceparent", "00"},
  };
  for (const auto& [key, value] : wrong) {
    saga::SendCommand command = Command();
    command.metadata = {{key, value}};
    const auto list = CommandMetadata(command, 0);
    EXPECT_EQ(list.status().code(), absl::StatusCode::kInvalidArgument) << key << "=" << value;
    EXPECT_THAT(std::string(list.status().message()), HasSubstr("metadata"));
  }
}

TEST(TraceParentTest, AttemptsOfOneSagaShareTheTraceAndHaveTheirOwnSpan) {
  const std::string first = TraceParent("uid-1", "key", 1);
  const std::string second = TraceParent("uid-1", "key", 2);
  const std::string other = TraceParent("uid-2", "key", 1);
  EXPECT_EQ(first.substr(0, 35), second.substr(0, 35));
  EXPECT_NE(first, second);
  EXPECT_NE(first.substr(0, 35), other.substr(0, 35));
  EXPECT_EQ(first, TraceParent("uid-1", "key", 1));
}

TEST(StatusMessageTest, IsCutAndMadeValid) {
  EXPECT_EQ(StatusMessage("plain"), "plain");
  EXPECT_EQ(StatusMessage("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(StatusMessage("bad\xff\xc3"), "bad\xef\xbf\xbd\xef\xbf\xbd");
  const std::string longest(limits::kStatusMessageBytesMax, 'x');
  EXPECT_EQ(StatusMessage(longest), longest);
  EXPECT_EQ(StatusMessage(longest + "y"), longest.substr(3) + "...");
}

}  // namespace
}  // namespace tutti::effects
