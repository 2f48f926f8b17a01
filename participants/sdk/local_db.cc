#include "participants/sdk/local_db.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "common/check.h"

namespace tutti::participant {
namespace {

rocksdb::Slice ToSlice(absl::string_view text) {
  return {text.data(), text.size()};
}
absl::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

absl::Status ToStatus(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat(what, ": ", status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsIOError() && absl::StrContains(text, "lock")) {
    return absl::UnavailableError(absl::StrCat(text, " (is another process using this directory?)"));
  }
  return absl::InternalError(text);
}

absl::Status ScanIterator(rocksdb::Iterator* it, absl::string_view prefix, absl::string_view from,
                          const ReadView::Visitor& visit) {
  for (it->Seek(ToSlice(from > prefix ? from : prefix)); it->Valid(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    if (!absl::StartsWith(key, prefix) || !visit(key, ToView(it->value()))) break;
  }
  return ToStatus(it->status(), "scan");
}

class SnapshotView final : public ReadView {
 public:
  SnapshotView(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family)
      : db_(db), family_(family), snapshot_(db->GetSnapshot()) {
    options_.snapshot = snapshot_;
  }
  ~SnapshotView() override { db_->ReleaseSnapshot(snapshot_); }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    std::string value;
    const rocksdb::Status status = db_->Get(options_, family_, ToSlice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return ToStatus(status, "read");
    return std::optional<std::string>(std::move(value));
  }

  absl::Status Scan(absl::string_view prefix, absl::string_view from, const Visitor& visit) const override {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options_, family_));
    return ScanIterator(it.get(), prefix, from, visit);
  }

 private:
  rocksdb::DB* const db_;
  rocksdb::ColumnFamilyHandle* const family_;
  const rocksdb::Snapshot* const snapshot_;
  rocksdb::ReadOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LocalDb>> LocalDb::Open(const std::string& directory, rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // The default mode drops everything behind a flipped byte without a word; this one accepts a torn tail only.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  if (env != nullptr) options.env = env;
  const rocksdb::ColumnFamilyOptions family;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family}, {"domain", family}, {"inbox", family}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  if (rocksdb::Status status = options.env->CreateDirIfMissing(directory); !status.ok()) {
    return ToStatus(status, absl::StrCat("cannot make ", directory));
  }
  const rocksdb::Status status = rocksdb::DB::Open(options, directory, families, &handles, &opened);
  if (!status.ok()) return ToStatus(status, absl::StrCat("cannot open ", directory));
  std::unique_ptr<LocalDb> db(new LocalDb());
  db->db_.reset(opened);
  db->db_->DestroyColumnFamilyHandle(handles[0]);
  db->domain_ = handles[1];
  db->inbox_ = handles[2];
  return db;
}

LocalDb::~LocalDb() {
  if (db_ == nullptr) return;
  db_->DestroyColumnFamilyHandle(domain_);
  db_->DestroyColumnFamilyHandle(inbox_);
}

std::unique_ptr<ReadView> LocalDb::Snapshot() const {
  return std::make_unique<SnapshotView>(db_.get(), domain_);
}

std::unique_ptr<ReadView> LocalDb::InboxSnapshot() const {
  return std::make_unique<SnapshotView>(db_.get(), inbox_);
}

absl::Status LocalDb::Commit(Transaction& transaction) {
  rocksdb::WriteOptions options;
  options.sync = true;
  return ToStatus(db_->Write(options, transaction.batch_.GetWriteBatch()), "commit");
}

Transaction::Transaction(const LocalDb& db)
    : db_(db), batch_(rocksdb::BytewiseComparator(), /*reserved_bytes=*/0, /*overwrite_key=*/true) {}

absl::StatusOr<std::optional<std::string>> Transaction::GetFrom(rocksdb::ColumnFamilyHandle* family,
                                                                absl::string_view key) const {
  std::string value;
  const rocksdb::Status status =
      batch_.GetFromBatchAndDB(db_.db_.get(), rocksdb::ReadOptions(), family, ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return ToStatus(status, "read");
  return std::optional<std::string>(std::move(value));
}

absl::StatusOr<std::optional<std::string>> Transaction::Get(absl::string_view key) const {
  return GetFrom(db_.domain_, key);
}

absl::StatusOr<std::optional<std::string>> Transaction::GetInbox(absl::string_view key) const {
  return GetFrom(db_.inbox_, key);
}

absl::Status Transaction::Scan(absl::string_view prefix, absl::string_view from, const Visitor& visit) const {
  const std::unique_ptr<rocksdb::Iterator> it(
      batch_.NewIteratorWithBase(db_.domain_, db_.db_->NewIterator(rocksdb::ReadOptions(), db_.domain_)));
  return ScanIterator(it.get(), prefix, from, visit);
}

void Transaction::Put(absl::string_view key, absl::string_view value) {
  TUTTI_CHECK(batch_.Put(db_.domain_, ToSlice(key), ToSlice(value)).ok(), "a batch in memory takes every put");
}

void Transaction::PutInbox(absl::string_view key, absl::string_view value) {
  TUTTI_CHECK(batch_.Put(db_.inbox_, ToSlice(key), ToSlice(value)).ok(), "a batch in memory takes every put");
}

void Transaction::DeleteInbox(absl::string_view key) {
  TUTTI_CHECK(batch_.Delete(db_.inbox_, ToSlice(key)).ok(), "a batch in memory takes every deletion");
}

void Transaction::SetSavepoint() {
  batch_.SetSavePoint();
}
void Transaction::Keep() {
  TUTTI_CHECK(batch_.PopSavePoint().ok(), "Keep without SetSavepoint");
}
void Transaction::RollBack() {
  TUTTI_CHECK(batch_.RollbackToSavePoint().ok(), "RollBack without SetSavepoint");
}
bool Transaction::empty() const {
  return batch_.GetWriteBatch()->Count() == 0;
}

}  // namespace tutti::participant
