#include "orchestrator/api/trace_context.h"

#include "common/limits.h"
#include "gtest/gtest.h"

namespace tutti::api {
namespace {

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kSpan[] = "00f067aa0ba902b7";
const std::string kParent = std::string("00-") + kTrace + "-" + kSpan + "-01";

TraceContext Read(const std::multimap<std::string, std::string>& headers) {
  std::multimap<grpc::string_ref, grpc::string_ref> metadata;
  for (const auto& [key, value] : headers) metadata.emplace(key, value);
  return ReadTraceContext(metadata);
}

TEST(TraceContextTest, OneReadableTraceparentIsTakenWithItsState) {
  const TraceContext context = Read({{"traceparent", kParent}, {"tracestate", "a=1,b=2"}});
  EXPECT_EQ(context.traceparent, kParent);
  EXPECT_EQ(context.tracestate, "a=1,b=2");
}

TEST(TraceContextTest, WhatCannotBeReadIsNone) {
  const std::string trace = kTrace;
  const std::string span = kSpan;
  const std::string wrong[] = {
      "",
      "00",
      kParent + "-",
      kParent + "-x",
      kParent.substr(0, 54),
      "ff" + kParent.substr(2),
      "0x" + kParent.substr(2),
      "00-" + std::string(32, '0') + "-" + span + "-01",
      "00-" + trace + "-" + std::string(16, '0') + "-01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + span + "-01",
      "00-" + trace + "-" + span + "-0g",
      "00_" + trace + "-" + span + "-01",
      "01" + kParent.substr(2) + "x",
  };
  for (const std::string& text : wrong) {
    const TraceContext context = Read({{"traceparent", text}, {"tracestate", "a=1"}});
    EXPECT_EQ(context.traceparent, "") << text;
    EXPECT_EQ(context.tracestate, "") << text;
  }
}

TEST(TraceContextTest, SeveralTraceparentsAreNone) {
  EXPECT_EQ(Read({{"traceparent", kParent}, {"traceparent", kParent}}).traceparent, "");
}

TEST(TraceContextTest, LaterVersionsAndUnknownFlagsAreReducedToWhatIsKnown) {
  EXPECT_EQ(NormalTraceParent("cc" + kParent.substr(2)), kParent);
  EXPECT_EQ(NormalTraceParent("01" + kParent.substr(2) + "-what.comes.then"), kParent);
  EXPECT_EQ(NormalTraceParent(kParent.substr(0, 53) + "ff"), kParent.substr(0, 53) + "03");
  EXPECT_EQ(NormalTraceParent(kParent.substr(0, 53) + "00"), kParent.substr(0, 53) + "00");
}

TEST(TraceContextTest, StatesAreJoinedAndCutBetweenEntries) {
  EXPECT_EQ(
      Read({{"traceparent", kParent}, {"tracestate", "a=1"}, {"tracestate", " b=2 "}, {"tracestate", ""}}).tracestate,
      "a=1,b=2");
  const std::string first = "a=" + std::string(limits::kTraceStateBytesMax - 2, 'x');
  EXPECT_EQ(Read({{"traceparent", kParent}, {"tracestate", first + ",b=2"}}).tracestate, first);
  EXPECT_EQ(Read({{"traceparent", kParent}, {"tracestate", first + "x"}}).tracestate, "");
  EXPECT_EQ(Read({{"traceparent", kParent}, {"tracestate", "a=\x01"}}).tracestate, "");
}

TEST(TraceContextTest, NoContextIsNone) {
  EXPECT_EQ(Read({{"tracestate", "a=1"}}).tracestate, "");
}

}  // namespace
}  // namespace tutti::api
