// The end of inbox rows. A row goes when nothing was written to it for the inbox's life. From then on nobody can tell
// "never came" from "came and was forgotten", so the inbox keeps the write time of the youngest row that ever went: a
// command that may be older than that, and finds no row, is refused for now instead of being taken for a first one.
// That mark does not depend on what the clock says later, so a clock that jumps ahead and back does no harm.
#ifndef TUTTI_PARTICIPANTS_SDK_INBOX_EXPIRY_H_
#define TUTTI_PARTICIPANTS_SDK_INBOX_EXPIRY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "participants/sdk/committer.h"
#include "participants/sdk/local_db.h"

namespace tutti::participant {

// An orchestrator sends nothing older than its command horizon, 7 days unless set otherwise; a day more for what a
// retry may still be under way and for clocks that differ.
inline constexpr int64_t kInboxLifeMsMin = 8LL * 24 * 3600 * 1000;
inline constexpr int64_t kInboxLifeMsDefault = 10LL * 24 * 3600 * 1000;

// How far the clocks of the orchestrator, which dates keys, and of this participant, which dates rows, may differ.
inline constexpr int64_t kClockSkewMsMax = 5LL * 60 * 1000;

// Milliseconds since the epoch; 0: no row ever went.
absl::StatusOr<int64_t> YoungestExpiredRow(const Transaction& transaction);

// A row for a command born then may have been there and gone.
bool MayHaveExpired(int64_t born_ms, int64_t youngest_expired_ms);

// Without thread and time: whoever calls SweepOnce brings both. Not thread-safe.
class InboxSweeper {
 public:
  struct Options {
    int64_t life_ms = kInboxLifeMsDefault;
    size_t scan_max = 4096;                       // rows looked at in one go
    size_t batch_max = 256;                       // rows that go in one job of the committer's
    std::function<void(size_t rows)> on_expired;  // once they are gone for good; on the committer's thread
  };

  enum class Progress {
    kWaiting,  // the committer has not done the last batch yet, or has too much to do
    kMore,
    kDone,  // the end of the inbox; the next call begins anew
  };

  // Both must outlive the sweeper.
  InboxSweeper(const LocalDb* db, Committer* committer, Options options)
      : db_(db), committer_(committer), options_(std::move(options)) {}

  // Looks at some rows, and has those removed that were last written life_ms before now_ms (wall clock) or earlier. The
  // committer's thread looks again, so a command that comes first keeps its row.
  absl::StatusOr<Progress> SweepOnce(int64_t now_ms);

 private:
  const LocalDb* const db_;
  Committer* const committer_;
  const Options options_;
  std::string from_;  // the first key not looked at yet
  const std::shared_ptr<std::atomic<bool>> outstanding_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_INBOX_EXPIRY_H_
