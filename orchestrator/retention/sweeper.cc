#include "orchestrator/retention/sweeper.h"

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
    return Progress::kFailed;
  }
  cursor_ = std::move(page->next_cursor);
  *outstanding_ += static_cast<int>(page->saga_ids.size());
  for (std::string& saga_id : page->saga_ids) {
    // Whatever the answer is, the next walk finds what is left.
    expire_(std::move(saga_id), ended_by_ms, [outstanding = outstanding_](const auto&) { --*outstanding; });
  }
  return cursor_.empty() ? Progress::kDone : Progress::kMore;
}

}  // namespace tutti::retention
