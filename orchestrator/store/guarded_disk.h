// The file system under RocksDB, with what RocksDB does not do for itself when a disk is full: room is made before
// anything is written, compactions end before they take the last of it, and its log of its own doings may fail without
// harm.
#ifndef TUTTI_ORCHESTRATOR_STORE_GUARDED_DISK_H_
#define TUTTI_ORCHESTRATOR_STORE_GUARDED_DISK_H_

#include <memory>
#include <string>

#include "orchestrator/store/disk_reserve.h"
#include "rocksdb/file_system.h"

namespace tutti::store {

// Thread-safe.
class GuardedDisk final : public rocksdb::FileSystemWrapper {
 public:
  // `reserve` may be null; it must outlive this.
  GuardedDisk(const std::shared_ptr<rocksdb::FileSystem>& disk, DiskReserve* reserve)
      : FileSystemWrapper(disk), reserve_(reserve) {}
  const char* Name() const override { return "GuardedDisk"; }

  using Status = rocksdb::IOStatus;
  Status NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* debug) override;
  Status NewLogger(const std::string& name, const rocksdb::IOOptions& options, std::shared_ptr<rocksdb::Logger>* result,
                   rocksdb::IODebugContext* debug) override;

 private:
  class File;
  DiskReserve* const reserve_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_GUARDED_DISK_H_
