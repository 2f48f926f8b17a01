// A participant's own database: one RocksDB with a column family for the domain and one for the barrier's inbox, so
// that both change in one atomic, synced write.
#ifndef TUTTI_PARTICIPANTS_SDK_LOCAL_DB_H_
#define TUTTI_PARTICIPANTS_SDK_LOCAL_DB_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "participants/sdk/view.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/utilities/write_batch_with_index.h"

namespace tutti::participant {

class Transaction;

// Thread-safe, but commits come from one thread: transactions hold no locks.
class LocalDb {
 public:
  // Makes the directory when it is missing. One process per directory: a second one gets UNAVAILABLE. A log damaged
  // anywhere but at its torn end is DATA_LOSS, never silently shortened. `env` is for tests.
  static absl::StatusOr<std::unique_ptr<LocalDb>> Open(const std::string& directory, rocksdb::Env* env = nullptr);
  ~LocalDb();
  LocalDb(const LocalDb&) = delete;
  LocalDb& operator=(const LocalDb&) = delete;

  // Durable domain data as of now. The view must not outlive the database.
  std::unique_ptr<ReadView> Snapshot() const;
  std::unique_ptr<ReadView> InboxSnapshot() const;

  // Synced. An error leaves it open whether the transaction is there; only reopening tells.
  absl::Status Commit(Transaction& transaction);

 private:
  friend class Transaction;
  LocalDb() = default;

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* domain_ = nullptr;
  rocksdb::ColumnFamilyHandle* inbox_ = nullptr;
};

// Writes on top of a LocalDb that are not there yet. Not thread-safe.
class Transaction final : public WriteView {
 public:
  explicit Transaction(const LocalDb& db);

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override;
  absl::Status Scan(absl::string_view prefix, absl::string_view from, const Visitor& visit) const override;
  void Put(absl::string_view key, absl::string_view value) override;

  absl::StatusOr<std::optional<std::string>> GetInbox(absl::string_view key) const;
  void PutInbox(absl::string_view key, absl::string_view value);
  void DeleteInbox(absl::string_view key);

  // Savepoints nest; each is ended by exactly one Keep or RollBack.
  void SetSavepoint();
  void Keep();
  void RollBack();

  bool empty() const;

 private:
  friend class LocalDb;
  absl::StatusOr<std::optional<std::string>> GetFrom(rocksdb::ColumnFamilyHandle* family, absl::string_view key) const;

  const LocalDb& db_;
  mutable rocksdb::WriteBatchWithIndex batch_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_LOCAL_DB_H_
