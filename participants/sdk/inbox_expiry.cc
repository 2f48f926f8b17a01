#include "participants/sdk/inbox_expiry.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "tutti/participant/v1/inbox.pb.h"

namespace tutti::participant {
namespace {

// Keys of rows hold a slash; this one cannot be theirs.
constexpr char kExpiryKey[] = "expiry";
constexpr uint32_t kExpiryVersion = 1;

bool IsDue(absl::string_view key, absl::string_view bytes, int64_t written_by_ms, v1::InboxRow* row) {
  if (key == kExpiryKey) return false;
  // What cannot be read stays, for whoever sends its command to hear of.
  return row->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) && row->updated_ms() <= written_by_ms;
}

// False: nothing went.
bool RemoveDue(Transaction& transaction, const std::vector<std::string>& keys, int64_t written_by_ms, size_t* removed) {
  absl::StatusOr<int64_t> youngest_ms = YoungestExpiredRow(transaction);
  if (!youngest_ms.ok()) return false;
  for (const std::string& key : keys) {
    const absl::StatusOr<std::optional<std::string>> bytes = transaction.GetInbox(key);
    v1::InboxRow row;
    if (!bytes.ok() || !bytes->has_value() || !IsDue(key, **bytes, written_by_ms, &row)) continue;
    transaction.DeleteInbox(key);
    *youngest_ms = std::max(*youngest_ms, row.updated_ms());
    ++*removed;
  }
  if (*removed == 0) return false;
  v1::InboxExpiry expiry;
  expiry.set_version(kExpiryVersion);
  expiry.set_youngest_expired_ms(*youngest_ms);
  transaction.PutInbox(kExpiryKey, expiry.SerializeAsString());
  return true;
}

}  // namespace

absl::StatusOr<int64_t> YoungestExpiredRow(const Transaction& transaction) {
  const absl::StatusOr<std::optional<std::string>> bytes = transaction.GetInbox(kExpiryKey);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return 0;
  v1::InboxExpiry expiry;
  if (!expiry.ParseFromString(**bytes)) return absl::DataLossError("the inbox's expiry mark is damaged");
  if (expiry.version() > kExpiryVersion) {
    return absl::InternalError("the inbox's expiry mark was written by a newer version of this service");
  }
  return expiry.youngest_expired_ms();
}

bool MayHaveExpired(int64_t born_ms, int64_t youngest_expired_ms) {
  return youngest_expired_ms > 0 && born_ms <= youngest_expired_ms + kClockSkewMsMax;
}

absl::StatusOr<InboxSweeper::Progress> InboxSweeper::SweepOnce(int64_t now_ms) {
  if (*outstanding_) return Progress::kWaiting;
  const int64_t written_by_ms = now_ms - options_.life_ms;
  std::vector<std::string> due;
  size_t scanned = 0;
  bool more = false;
  std::string next;
  v1::InboxRow row;
  const absl::Status status =
      db_->InboxSnapshot()->Scan("", from_, [&](absl::string_view key, absl::string_view bytes) {
        if (++scanned > options_.scan_max || due.size() == options_.batch_max) {
          more = true;
          next = std::string(key);
          return false;
        }
        if (IsDue(key, bytes, written_by_ms, &row)) due.emplace_back(key);
        return true;
      });
  if (!status.ok()) return status;
  if (!due.empty()) {
    const auto removed = std::make_shared<size_t>(0);
    *outstanding_ = true;
    const bool posted = committer_->Post({[due = std::move(due), written_by_ms, removed](Transaction& transaction) {
                                            return RemoveDue(transaction, due, written_by_ms, removed.get());
                                          },
                                          [removed, outstanding = outstanding_, on_expired = options_.on_expired] {
                                            if (on_expired && *removed > 0) on_expired(*removed);
                                            *outstanding = false;
                                          }});
    if (!posted) {
      *outstanding_ = false;
      return Progress::kWaiting;
    }
  }
  from_ = std::move(next);
  return more ? Progress::kMore : Progress::kDone;
}

}  // namespace tutti::participant
