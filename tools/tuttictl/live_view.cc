#include "tools/tuttictl/live_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/utf8.h"
#include "google/protobuf/util/time_util.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/timeline.h"

namespace tutti::ctl {
namespace {

using google::protobuf::util::TimeUtil;

// Clocks of two machines may disagree.
std::string Since(const google::protobuf::Timestamp& from, int64_t until_ms) {
  return DurationText(std::max<int64_t>(0, until_ms - TimeUtil::TimestampToMilliseconds(from)));
}

int64_t EndOr(bool ended, const google::protobuf::Timestamp& end, int64_t now_ms) {
  return ended ? TimeUtil::TimestampToMilliseconds(end) : now_ms;
}

std::string StepText(const v1::Step& step, int64_t now_ms) {
  std::string text = absl::StrFormat("  %-20s %-13s", step.name(), ShortName(step.state()));
  if (step.action_attempts() > 1) absl::StrAppend(&text, " attempt ", step.action_attempts());
  if (step.compensation_attempts() > 0) absl::StrAppend(&text, " compensation #", step.compensation_attempts());
  if (step.has_parking()) {
    absl::StrAppend(&text, " PARKED for ", Since(step.parking().since(), now_ms), ": ",
                    ShortName(step.parking().cause()), " ", Printable(step.parking().message()));
  } else if (step.has_start_time()) {
    absl::StrAppend(&text, " ", Since(step.start_time(), EndOr(step.has_end_time(), step.end_time(), now_ms)));
  }
  return text;
}

// Bytes are never fewer than columns, so that no line wraps and spoils the count of lines.
std::string Cut(std::string text, int columns) {
  return TruncateUtf8(text, static_cast<size_t>(std::max(columns - 1, 10)));
}

std::string Colored(std::string line, Tone tone, bool color) {
  return color && tone != Tone::kPlain ? absl::StrCat(ColorOf(tone), line, kColorEnd) : line;
}

Tone ToneOfSaga(const v1::Saga& saga) {
  if (saga.parked()) return Tone::kBad;
  if (saga.state() == v1::SAGA_STATE_SUCCEEDED) return Tone::kGood;
  return saga.state() == v1::SAGA_STATE_RUNNING ? Tone::kPlain : Tone::kDoubt;
}

Tone ToneOfStep(const v1::Step& step) {
  if (step.has_parking() || step.state() == v1::STEP_STATE_REJECTED) return Tone::kBad;
  if (step.state() == v1::STEP_STATE_SUCCEEDED) return Tone::kGood;
  const bool waits = step.state() == v1::STEP_STATE_PENDING || step.state() == v1::STEP_STATE_RUNNING ||
                     step.state() == v1::STEP_STATE_SKIPPED;
  return waits ? Tone::kPlain : Tone::kDoubt;
}

}  // namespace

std::vector<std::string> StatusLines(const v1::Saga& saga, int64_t now_ms, const Terminal& terminal) {
  const std::string head =
      absl::StrCat(saga.saga_id(), "  ", saga.definition(), " revision ", saga.revision(), "  ", StateText(saga), "  ",
                   Since(saga.start_time(), EndOr(saga.has_end_time(), saga.end_time(), now_ms)));
  std::vector<std::string> lines = {Colored(Cut(head, terminal.columns), ToneOfSaga(saga), terminal.color)};
  for (const v1::Step& step : saga.steps()) {
    lines.push_back(Colored(Cut(StepText(step, now_ms), terminal.columns), ToneOfStep(step), terminal.color));
  }
  return lines;
}

void LiveView::Draw(const std::string& scrolled, const std::vector<std::string>& status) {
  if (drawn_ > 0) out_ << "\x1b[" << drawn_ << "A\r\x1b[J";
  out_ << scrolled;
  for (const std::string& line : status) out_ << line << "\n";
  out_ << std::flush;
  drawn_ = status.size();
}

}  // namespace tutti::ctl
