#include "orchestrator/store/rocksdb_view.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace tutti::store {
namespace {

absl::Status ReadError(const rocksdb::Status& status) {
  if (status.IsCorruption()) return absl::DataLossError(absl::StrCat("the store is damaged: ", status.ToString()));
  return absl::InternalError(absl::StrCat("the store cannot be read: ", status.ToString()));
}

class RocksDbWalk final : public Walk {
 public:
  RocksDbWalk(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle, rocksdb::ReadOptions options,
              const std::string& begin, std::string end)
      : end_(std::move(end)), end_slice_(end_) {
    if (!end_.empty()) options.iterate_upper_bound = &end_slice_;
    iterator_.reset(db->NewIterator(options, handle));
    iterator_->Seek(begin);
  }
  bool Valid() const override { return iterator_->Valid(); }
  absl::string_view key() const override { return ToView(iterator_->key()); }
  absl::string_view value() const override { return ToView(iterator_->value()); }
  void Next() override { iterator_->Next(); }
  void Seek(absl::string_view key) override { iterator_->Seek(ToSlice(key)); }
  absl::Status status() const override {
    return iterator_->status().ok() ? absl::OkStatus() : ReadError(iterator_->status());
  }

 private:
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

absl::StatusOr<bool> RocksDbView::Show(Column column, absl::string_view key,
                                       const std::function<void(absl::string_view value)>& look) const {
  rocksdb::PinnableSlice value;
  const auto status = db_->Get(Options(), Handle(column), ToSlice(key), &value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return ReadError(status);
  look(ToView(value));
  return true;
}

rocksdb::ReadOptions RocksDbView::Options() const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_;
  options.fill_cache = cache_ == Cache::kFill;
  return options;
}

std::unique_ptr<Walk> RocksDbView::Range(Column column, std::string begin, std::string end) const {
  return std::make_unique<RocksDbWalk>(db_, Handle(column), Options(), begin, std::move(end));
}

}  // namespace tutti::store
