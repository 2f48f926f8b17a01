#include "tools/tuttictl/timeline.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "google/protobuf/util/time_util.h"

namespace tutti::ctl {
namespace {

struct Headline {
  std::string text;
  Tone tone = Tone::kPlain;
};

template <typename Enum>
std::string NameWithout(absl::string_view prefix, Enum value, const std::string& name) {
  if (name.empty()) return absl::StrCat(static_cast<int>(value));
  return std::string(absl::StripPrefix(name, prefix));
}

std::string Words(std::string name) {
  absl::AsciiStrToLower(&name);
  return absl::StrReplaceAll(name, {{"_", " "}});
}

std::string OutcomeName(v1::Outcome outcome) {
  return NameWithout("OUTCOME_", outcome, v1::Outcome_Name(outcome));
}

std::string OperationText(const v1::HistoryEvent& event) {
  if (event.operation() == v1::OPERATION_UNSPECIFIED) return "";
  std::string text = Words(NameWithout("OPERATION_", event.operation(), v1::Operation_Name(event.operation())));
  if (event.attempt() > 0) absl::StrAppend(&text, " #", event.attempt());
  return text;
}

Tone ToneOf(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_SUCCEEDED:
      return Tone::kGood;
    case v1::OUTCOME_REJECTED:
      return Tone::kBad;
    default:
      return Tone::kDoubt;
  }
}

Headline AttemptHeadline(const v1::HistoryEvent& event) {
  switch (event.type()) {
    case v1::EVENT_TYPE_ATTEMPT_STARTED:
      return {"sending"};
    case v1::EVENT_TYPE_ATTEMPT_FINISHED:
      return {OutcomeName(event.outcome()), ToneOf(event.outcome())};
    case v1::EVENT_TYPE_ATTEMPT_TIMED_OUT:
      return {"timed out", Tone::kDoubt};
    case v1::EVENT_TYPE_ATTEMPT_NOT_SENT:
      return {"not sent", Tone::kDoubt};
    case v1::EVENT_TYPE_ATTEMPT_LOST:
      return {"lost at a restart", Tone::kDoubt};
    case v1::EVENT_TYPE_LATE_RESULT:
      return {absl::StrCat("late ", OutcomeName(event.outcome())),
              event.late_action() == v1::LATE_ACTION_ALARM ? Tone::kBad : Tone::kDoubt};
    case v1::EVENT_TYPE_RETRY_SCHEDULED:
      return {"retry scheduled", Tone::kDoubt};
    case v1::EVENT_TYPE_MAPPING_FAILED:
      return {"mapping failed", Tone::kBad};
    default:
      return {};
  }
}

Headline HeadlineOf(const v1::HistoryEvent& event) {
  if (Headline attempt = AttemptHeadline(event); !attempt.text.empty()) return attempt;
  const std::string name = NameWithout("EVENT_TYPE_", event.type(), v1::EventType_Name(event.type()));
  switch (event.type()) {
    case v1::EVENT_TYPE_STEP_SUCCEEDED:
    case v1::EVENT_TYPE_SAGA_SUCCEEDED:
    case v1::EVENT_TYPE_SAGA_COMMITTED:
      return {name.substr(5), Tone::kGood};
    case v1::EVENT_TYPE_STEP_UNKNOWN:
    case v1::EVENT_TYPE_STEP_COMPENSATING:
    case v1::EVENT_TYPE_STEP_COMPENSATED:
    case v1::EVENT_TYPE_SAGA_COMPENSATED:
      return {name.substr(5), Tone::kDoubt};
    case v1::EVENT_TYPE_STEP_REJECTED:
    case v1::EVENT_TYPE_STEP_PARKED:
    case v1::EVENT_TYPE_SAGA_ABORTED:
      return {name.substr(5), Tone::kBad};
    case v1::EVENT_TYPE_SAGA_STARTED:
    case v1::EVENT_TYPE_SAGA_RECOVERED:
    case v1::EVENT_TYPE_STEP_SKIPPED:
    case v1::EVENT_TYPE_STEP_UNPARKED:
    case v1::EVENT_TYPE_STEP_RETRIED:
    case v1::EVENT_TYPE_STEP_RESOLVED:
      return {name.substr(5)};
    case v1::EVENT_TYPE_STEP_DEADLINE_PASSED:
      return {"deadline passed", Tone::kDoubt};
    case v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL:
      return {"EFFECT AFTER THE END", Tone::kBad};
    case v1::EVENT_TYPE_OUTPUT_FAILED:
      return {"output failed", Tone::kBad};
    default:
      return {absl::StrCat("event ", name)};
  }
}

std::string DetailsOf(const v1::HistoryEvent& event) {
  std::vector<std::string> parts;
  if (!event.code().empty()) parts.push_back(Printable(event.code()));
  // The abort's reason repeats the message.
  if (event.has_abort_reason()) {
    parts.push_back(AbortText(event.abort_reason()));
  } else if (!event.message().empty()) {
    parts.push_back(Printable(event.message()));
  }
  if (event.parking_cause() != v1::PARKING_CAUSE_UNSPECIFIED) {
    parts.push_back(Words(ShortName(event.parking_cause())));
  }
  if (event.late_action() != v1::LATE_ACTION_UNSPECIFIED) {
    parts.push_back(Words(NameWithout("LATE_ACTION_", event.late_action(), v1::LateAction_Name(event.late_action()))));
  }
  if (event.mark() != v1::BARRIER_MARK_UNSPECIFIED) {
    parts.push_back(
        absl::StrCat("[", Words(NameWithout("BARRIER_MARK_", event.mark(), v1::BarrierMark_Name(event.mark()))), "]"));
  }
  if (event.duration_ms() > 0) {
    const bool backoff = event.type() == v1::EVENT_TYPE_RETRY_SCHEDULED;
    parts.push_back(absl::StrCat(backoff ? "in " : "(", DurationText(event.duration_ms()), backoff ? "" : ")"));
  }
  return absl::StrJoin(parts, " ");
}

}  // namespace

absl::string_view ColorOf(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kDoubt:
      return "\x1b[33m";
    case Tone::kBad:
      return "\x1b[31m";
    case Tone::kPlain:
      break;
  }
  return "";
}

std::string Timeline::Line(const v1::HistoryEvent& event) {
  const int64_t now_ms = google::protobuf::util::TimeUtil::TimestampToMilliseconds(event.time());
  if (!start_ms_.has_value()) start_ms_ = now_ms;
  const int64_t offset_ms = now_ms - *start_ms_;
  const Headline headline = HeadlineOf(event);
  std::string what = absl::StrFormat("%-20s", headline.text);
  if (color_ && headline.tone != Tone::kPlain) what = absl::StrCat(ColorOf(headline.tone), what, kColorEnd);
  const std::string offset = absl::StrFormat("%+.3fs", static_cast<double>(offset_ms) / 1000.0);
  std::string line =
      absl::StrFormat("%10s  %-16s %-16s %s %s", offset, event.step().empty() ? "-" : Printable(event.step()),
                      OperationText(event), what, DetailsOf(event));
  absl::StripTrailingAsciiWhitespace(&line);
  return line;
}

std::string Printable(absl::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, ' ');
  return out;
}

std::string ShortName(v1::SagaState state) {
  return NameWithout("SAGA_STATE_", state, v1::SagaState_Name(state));
}
std::string ShortName(v1::StepState state) {
  return NameWithout("STEP_STATE_", state, v1::StepState_Name(state));
}
std::string ShortName(v1::StepKind kind) {
  return NameWithout("STEP_KIND_", kind, v1::StepKind_Name(kind));
}
std::string ShortName(v1::ParkingCause cause) {
  return NameWithout("PARKING_CAUSE_", cause, v1::ParkingCause_Name(cause));
}
std::string ShortName(v1::Operation operation) {
  return NameWithout("OPERATION_", operation, v1::Operation_Name(operation));
}

std::string AbortText(const v1::AbortReason& reason) {
  const auto with_message = [&](std::string text) {
    if (!reason.code().empty()) absl::StrAppend(&text, ": ", reason.code());
    if (!reason.message().empty()) absl::StrAppend(&text, reason.code().empty() ? ": " : " ", reason.message());
    return Printable(text);
  };
  switch (reason.cause()) {
    case v1::ABORT_CAUSE_STEP_REJECTED:
      return with_message(absl::StrCat(reason.step(), " was refused"));
    case v1::ABORT_CAUSE_STEP_UNKNOWN:
      return with_message(absl::StrCat(reason.step(), " got no clear answer"));
    case v1::ABORT_CAUSE_SAGA_TIMEOUT:
      return with_message("saga timeout");
    case v1::ABORT_CAUSE_CANCELLED:
      return with_message(reason.by().empty() ? "cancelled" : absl::StrCat("cancelled by ", reason.by()));
    case v1::ABORT_CAUSE_RESOLVED:
      return with_message(absl::StrCat(reason.step(), " was resolved as undone"));
    default:
      return with_message("aborted");
  }
}

std::string DurationText(int64_t ms) {
  if (ms < 1000) return absl::StrCat(ms, " ms");
  if (ms < 60'000) return absl::StrFormat("%.1f s", static_cast<double>(ms) / 1000.0);
  if (ms >= 3'600'000) return absl::StrCat(ms / 3'600'000, " h ", ms % 3'600'000 / 60'000, " min");
  return absl::StrCat(ms / 60'000, " min ", ms % 60'000 / 1000, " s");
}

}  // namespace tutti::ctl
