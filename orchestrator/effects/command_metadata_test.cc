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

std::map<std::string, std::string> MetadataOf(const saga::SendCommand& command, absl::string_view bearer_token = "") {
  const auto list = CommandMetadata(command, 0, bearer_token);
  EXPECT_TRUE(list.ok()) << list.status();
  const std::map<std::string, std::string> metadata(list->begin(), list->end());
  EXPECT_EQ(metadata.size(), list->size());  // nothing twice
  return metadata;
}

TEST(CommandMetadataTest, TheParticipantsTokenIsSentUnlessTheDefinitionHasItsOwn) {
  saga::SendCommand command = Command();
  EXPECT_FALSE(MetadataOf(command).contains("authorization"));
  EXPECT_EQ(MetadataOf(command, "sesame").at("authorization"), "Bearer sesame");
  command.metadata = {{"authorization", "mine"}};
  EXPECT_EQ(MetadataOf(command, "sesame").at("authorization"), "mine");
}

constexpr char kCaller[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

TEST(CommandMetadataTest, TheCallersTraceStateGoesAlongUnlessTheDefinitionHasItsOwn) {
  saga::SendCommand command = Command();
  EXPECT_FALSE(MetadataOf(command).contains("tracestate"));
  command.traceparent = kCaller;
  command.tracestate = "a=1";
  EXPECT_EQ(MetadataOf(command).at("tracestate"), "a=1");
  command.metadata = {{"tracestate", "b=2"}};
  EXPECT_EQ(MetadataOf(command).at("tracestate"), "b=2");
}

TEST(TraceParentTest, ACallersTraceAndFlagsGoOnInSpansOfOurOwn) {
  saga::SendCommand command = Command();
  command.traceparent = kCaller;
  const std::string first = TraceParent(command);
  EXPECT_THAT(first, MatchesRegex("00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00"));
  EXPECT_NE(first, kCaller);
  ++command.attempt.number;
  EXPECT_THAT(TraceParent(command), MatchesRegex("00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00"));
  EXPECT_NE(TraceParent(command), first);
}

TEST(TraceParentTest, AttemptsOfOneSagaShareTheTraceAndHaveTheirOwnSpan) {
  const auto trace = [](const char* uid, int attempt) {
    saga::SendCommand command = Command();
    command.saga_uid = uid;
    command.attempt.number = attempt;
    return TraceParent(command);
  };
  const std::string first = trace("uid-1", 1);
  const std::string second = trace("uid-1", 2);
  const std::string other = trace("uid-2", 1);
  EXPECT_EQ(first.substr(0, 35), second.substr(0, 35));
  EXPECT_NE(first, second);
  EXPECT_NE(first.substr(0, 35), other.substr(0, 35));
  EXPECT_EQ(first, trace("uid-1", 1));
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
