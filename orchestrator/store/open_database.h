// A RocksDB database that is open, with the handles of our columns.
#ifndef TUTTI_ORCHESTRATOR_STORE_OPEN_DATABASE_H_
#define TUTTI_ORCHESTRATOR_STORE_OPEN_DATABASE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "orchestrator/store/rocksdb_view.h"
#include "orchestrator/store/watermark.h"
#include "rocksdb/db.h"

namespace tutti::store {

class OpenDatabase {
 public:
  OpenDatabase() = default;
  ~OpenDatabase();
  OpenDatabase(const OpenDatabase&) = delete;
  OpenDatabase& operator=(const OpenDatabase&) = delete;

  rocksdb::Status Open(const rocksdb::DBOptions& options, const rocksdb::ColumnFamilyOptions& column_options,
                       const std::string& path);
  // Makes, changes and removes nothing in the folder, given options of OptionsForReading.
  rocksdb::Status OpenToRead(const rocksdb::DBOptions& options, const std::string& path);

  rocksdb::DB* db() const { return db_.get(); }
  const RocksDbView::Handles& handles() const { return handles_; }
  rocksdb::ColumnFamilyHandle* handle(Column column) const { return handles_[static_cast<size_t>(column)]; }
  // Those of columns that RocksDB insists on, too.
  const std::vector<rocksdb::ColumnFamilyHandle*>& all() const { return opened_; }

 private:
  rocksdb::Status Take(const rocksdb::Status& status, rocksdb::DB* db);

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> opened_;
  RocksDbView::Handles handles_{};
};

// How far the database is on disk, when all that was written was synced. `path` is for the error.
absl::StatusOr<Watermark> MarkNow(rocksdb::DB* db, const std::string& path);

// What both ways of opening must agree on.
void SetRecovery(rocksdb::DBOptions* options);
rocksdb::DBOptions OptionsForReading(rocksdb::Env* env);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_OPEN_DATABASE_H_
