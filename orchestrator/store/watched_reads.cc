#include "orchestrator/store/watched_reads.h"

#include <string>
#include <utility>

namespace tutti::store {

class WatchedReads::File final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSSequentialFile> file, WatchedReads* watched)
      : FSSequentialFileOwnerWrapper(std::move(file)), watched_(watched) {}

  rocksdb::IOStatus Read(size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) override {
    const auto status = FSSequentialFileOwnerWrapper::Read(bytes, options, result, scratch, debug);
    if (!status.ok() || watched_->Count(result->size())) return status;
    return rocksdb::IOStatus::Aborted("the reading was ended");
  }

 private:
  WatchedReads* const watched_;
};

class WatchedReads::System final : public rocksdb::FileSystemWrapper {
 public:
  System(const std::shared_ptr<rocksdb::FileSystem>& below, WatchedReads* watched)
      : FileSystemWrapper(below), watched_(watched) {}
  const char* Name() const override { return "TuttiWatchedReads"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    const auto status = target()->NewSequentialFile(name, options, &file, debug);
    if (status.ok()) *result = std::make_unique<File>(std::move(file), watched_);
    return status;
  }

 private:
  WatchedReads* const watched_;
};

WatchedReads::WatchedReads(rocksdb::Env* env, uint64_t interval, std::function<bool(uint64_t)> watch)
    : interval_(interval),
      watch_(std::move(watch)),
      env_(rocksdb::NewCompositeEnv(std::make_shared<System>(env->GetFileSystem(), this))) {}

void WatchedReads::Begin() {
  MutexLock lock(&mu_);
  begun_ = true;
}

bool WatchedReads::Count(uint64_t bytes) {
  MutexLock lock(&mu_);
  if (!begun_) return true;
  bytes_ += bytes;
  if (bytes_ - told_ < interval_) return !ended_;
  told_ = bytes_;
  ended_ = ended_ || !watch_(bytes_);
  return !ended_;
}

}  // namespace tutti::store
