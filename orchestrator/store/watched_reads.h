// A file system whose sequential reads are counted, and can be ended: for long readings that have no end of their own.
#ifndef TUTTI_ORCHESTRATOR_STORE_WATCHED_READS_H_
#define TUTTI_ORCHESTRATOR_STORE_WATCHED_READS_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "common/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace tutti::store {

class WatchedReads {
 public:
  // `watch` is called with the bytes read since Begin, whenever another `interval` of them was, by one thread at a
  // time. False: this and all further reads fail. `env` must outlive it.
  WatchedReads(rocksdb::Env* env, uint64_t interval, std::function<bool(uint64_t)> watch);

  rocksdb::Env* env() { return env_.get(); }
  void Begin();

 private:
  class File;
  class System;

  // False when reading has ended.
  bool Count(uint64_t bytes);

  const uint64_t interval_;
  const std::function<bool(uint64_t)> watch_;
  Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t told_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_WATCHED_READS_H_
