// For tests that do to a store what no code of ours does.
#ifndef TUTTI_ORCHESTRATOR_STORE_ROCKSDB_TESTING_H_
#define TUTTI_ORCHESTRATOR_STORE_ROCKSDB_TESTING_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rocksdb/db.h"

namespace tutti::store {

// Opens the database past all of our checks and hands out one column. False when it cannot be opened or has no such
// column.
[[nodiscard]] inline bool EditAsRocksDb(const std::string& path, const std::string& column,
                                        const std::function<void(rocksdb::DB*, rocksdb::ColumnFamilyHandle*)>& edit) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &names).ok()) return false;
  std::vector<rocksdb::ColumnFamilyDescriptor> columns;
  for (const auto& name : names) columns.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(rocksdb::DBOptions(), path, columns, &handles, &opened).ok()) return false;
  const std::unique_ptr<rocksdb::DB> db(opened);
  bool found = false;
  for (auto* handle : handles) {
    if (handle->GetName() != column) continue;
    edit(db.get(), handle);
    found = true;
  }
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return found;
}

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_ROCKSDB_TESTING_H_
