#include "orchestrator/retention/sweeper.h"

#include <algorithm>
#include <utility>

#include "common/logging.h"

namespace tutti::retention {

Sweeper::Progress Sweeper::SweepOnce(int64_t now_ms) {
  if (*outstanding_ > 0) return Progress::kWaiting;
  const int64_t ended_by_ms = now_ms - options_.retention_ms;
  absl::StatusOr<store::EndedPage> page =
      reader_->FindEnded({.ended_by_ms = ended_by_ms, .page_size = options_.page_size, .cursor = cursor_});
  if (!page.ok()) {
    Log(LogLevel::kError, "ended sagas cannot be looked for; trying again", {{"reason", page.status().message()}});
    cursor_.clear();
    first_ended_ms_ = 0;
    return Progress::kFailed;
  }
  cursor_ = std::move(page->next_cursor);
  NoteEnded(page->first_ended_ms);
  *outstanding_ += static_cast<int>(page->saga_ids.size());
  for (std::string& saga_id : page->saga_ids) {
    // Whatever the answer is, the next walk finds what is left.
    expire_(std::move(saga_id), ended_by_ms, [outstanding = outstanding_](const auto&) { --*outstanding; });
  }
  if (!cursor_.empty()) return Progress::kMore;
  overdue_since_ms_ = std::exchange(first_ended_ms_, 0);
  last_finished_ms_ = now_ms;
  return Progress::kDone;
}

void Sweeper::NoteEnded(int64_t first_ended_ms) {
  if (first_ended_ms == 0) return;
  const auto earlier = [first_ended_ms](int64_t so_far) {
    return so_far == 0 ? first_ended_ms : std::min(so_far, first_ended_ms);
  };
  first_ended_ms_ = earlier(first_ended_ms_);
  overdue_since_ms_ = earlier(overdue_since_ms_);
}

Sweeper::Status Sweeper::StatusAt(int64_t now_ms) const {
  const int64_t ended_ms = overdue_since_ms_;
  return {.overdue_ms = ended_ms == 0 ? 0 : std::max<int64_t>(now_ms - options_.retention_ms - ended_ms, 0),
          .last_finished_ms = last_finished_ms_};
}

}  // namespace tutti::retention
