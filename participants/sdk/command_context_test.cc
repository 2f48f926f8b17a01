#include "participants/sdk/command_context.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::participant {
namespace {

using testing::HasSubstr;
using Metadata = std::multimap<std::string, std::string>;

Metadata Complete() {
  return {{"tutti-saga-id", "s-1"},     {"tutti-saga-uid", "u-1"},     {"tutti-step", "charge"},
          {"tutti-kind", "pivot"},      {"tutti-operation", "action"}, {"tutti-attempt", "3"},
          {"tutti-key-born-ms", "170"}, {"traceparent", "00-1"},       {"tutti-idempotency-key", "u-1/charge/action"}};
}

TEST(CommandContext, ReadsEveryEntry) {
  Metadata metadata = Complete();
  metadata.emplace("tutti-deadline-ms", "180");
  const absl::StatusOr<CommandContext> context = ParseCommandContext(metadata);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(context->saga_id, "s-1");
  EXPECT_EQ(context->saga_uid, "u-1");
  EXPECT_EQ(context->step, "charge");
  EXPECT_EQ(context->kind, StepKind::kPivot);
  EXPECT_EQ(context->operation, Operation::kAction);
  EXPECT_EQ(context->attempt, 3);
  EXPECT_EQ(context->idempotency_key, "u-1/charge/action");
  EXPECT_EQ(context->key_born_ms, 170);
  EXPECT_EQ(context->step_born_ms, 170) << "of the key, where nothing else is said";
  EXPECT_EQ(context->deadline_ms, 180);
  EXPECT_EQ(context->traceparent, "00-1");
}

TEST(CommandContext, AStepMayBeOlderThanItsCompensationsKey) {
  Metadata metadata = Complete();
  metadata.emplace("tutti-step-born-ms", "90");
  EXPECT_EQ(ParseCommandContext(metadata)->step_born_ms, 90);
}

TEST(CommandContext, AMissingEntryIsNamedAndShownForGrpcurl) {
  for (const char* name : {"tutti-saga-id", "tutti-saga-uid", "tutti-step", "tutti-kind", "tutti-operation",
                           "tutti-attempt", "tutti-idempotency-key", "tutti-key-born-ms"}) {
    Metadata metadata = Complete();
    metadata.erase(name);
    const absl::Status status = ParseCommandContext(metadata).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("-H '") + name + ": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr("is missing"));
  }
}

TEST(CommandContext, RefusesValuesItDoesNotUnderstand) {
  const Metadata wrong = {{"tutti-saga-uid", "a/b"},   {"tutti-step", "two words"}, {"tutti-kind", "PIVOT"},
                          {"tutti-operation", "undo"}, {"tutti-attempt", "-1"},     {"tutti-attempt", "4294967296"},
                          {"tutti-key-born-ms", "x"}};
  for (const auto& [name, value] : wrong) {
    Metadata metadata = Complete();
    metadata.erase(name);
    metadata.emplace(name, value);
    const absl::Status status = ParseCommandContext(metadata).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << "=" << value;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

}  // namespace
}  // namespace tutti::participant
