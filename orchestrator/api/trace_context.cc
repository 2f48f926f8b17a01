#include "orchestrator/api/trace_context.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace tutti::api {
namespace {

constexpr size_t kVersion00Bytes = 55;
constexpr unsigned char kKnownFlags = 0x03;  // sampled, random trace id; others must not be passed on

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsZero(absl::string_view text) {
  return text.find_first_not_of('0') == text.npos;
}

// Whole entries from the left, where the newest stand.
std::string CutTraceState(std::string state) {
  if (state.size() <= limits::kTraceStateBytesMax) return state;
  const size_t comma = state.rfind(',', limits::kTraceStateBytesMax);
  state.resize(comma == state.npos ? 0 : comma);
  return state;
}

std::string ReadTraceState(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  std::string state;
  const auto [begin, end] = metadata.equal_range("tracestate");
  for (auto it = begin; it != end; ++it) {
    const absl::string_view part = absl::StripAsciiWhitespace(absl::string_view(it->second.data(), it->second.size()));
    if (!std::all_of(part.begin(), part.end(), [](unsigned char c) { return absl::ascii_isprint(c); })) return "";
    if (!part.empty()) absl::StrAppend(&state, state.empty() ? "" : ",", part);
  }
  return CutTraceState(std::move(state));
}

}  // namespace

std::string NormalTraceParent(absl::string_view text) {
  if (text.size() < kVersion00Bytes || text[2] != '-' || text[35] != '-' || text[52] != '-') return "";
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view trace = text.substr(3, 32);
  const absl::string_view span = text.substr(36, 16);
  const absl::string_view flags = text.substr(53, 2);
  if (!IsLowerHex(version) || version == "ff") return "";
  if (text.size() > kVersion00Bytes && (version == "00" || text[kVersion00Bytes] != '-')) return "";
  if (!IsLowerHex(trace) || IsZero(trace) || !IsLowerHex(span) || IsZero(span) || !IsLowerHex(flags)) return "";
  const auto known = static_cast<unsigned char>(absl::HexStringToBytes(flags)[0] & kKnownFlags);
  return absl::StrCat("00-", trace, "-", span, "-", absl::Hex(known, absl::kZeroPad2));
}

TraceContext ReadTraceContext(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  const auto [begin, end] = metadata.equal_range("traceparent");
  if (begin == end || std::next(begin) != end) return {};
  TraceContext context{.traceparent = NormalTraceParent({begin->second.data(), begin->second.size()})};
  if (!context.traceparent.empty()) context.tracestate = ReadTraceState(metadata);
  return context;
}

void CarryTrace(const TraceContext& trace, shard::StartRequest* start) {
  start->traceparent = trace.traceparent;
  start->tracestate = trace.tracestate;
}

}  // namespace tutti::api
