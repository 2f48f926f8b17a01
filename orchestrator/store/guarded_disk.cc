#include "orchestrator/store/guarded_disk.h"

#include <sys/time.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "common/mutex.h"

namespace tutti::store {
namespace {

using rocksdb::IOStatus;

// RocksDB's own logger ends the process with an assertion at the line after one that could not be written.
class PatientLogger final : public rocksdb::Logger {
 public:
  explicit PatientLogger(std::FILE* file) : file_(file) {}
  ~PatientLogger() override { std::fclose(file_); }

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::vector<char> text(512);
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
    if (length >= static_cast<int>(text.size())) {
      text.resize(static_cast<size_t>(length) + 1);
      std::vsnprintf(text.data(), text.size(), format, again);
    }
    va_end(again);
    if (length < 0) return;
    MutexLock lock(&mu_);
    const int written = std::fprintf(file_, "%s %s\n", Now().c_str(), text.data());
    std::fflush(file_);
    if (written > 0) bytes_ += static_cast<size_t>(written);
  }
  void Flush() override {}
  size_t GetLogFileSize() const override { return bytes_; }

 private:
  static std::string Now() {
    timeval now{};
    gettimeofday(&now, nullptr);
    std::tm local{};
    localtime_r(&now.tv_sec, &local);
    char text[64];
    const size_t length = std::strftime(text, sizeof(text), "%Y/%m/%d-%H:%M:%S", &local);
    std::snprintf(text + length, sizeof(text) - length, ".%06ld", static_cast<long>(now.tv_usec));
    return text;
  }

  Mutex mu_;  // whole lines
  std::FILE* const file_;
  std::atomic<size_t> bytes_{0};
};

}  // namespace

class GuardedDisk::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(GuardedDisk* disk, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}

  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override {
    IOStatus status = FindRoom(data.size());
    return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : status;
  }
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, rocksdb::IODebugContext* debug) override {
    IOStatus status = FindRoom(data.size());
    return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, info, debug) : status;
  }
  // RocksDB's word for what the file is: a compaction's are of low priority.
  void SetIOPriority(rocksdb::Env::IOPriority priority) override {
    can_wait_ = priority == rocksdb::Env::IO_LOW;
    FSWritableFileOwnerWrapper::SetIOPriority(priority);
  }

 private:
  // A compaction that finds none leaves its inputs as they are; RocksDB tries again later, and works on meanwhile.
  IOStatus FindRoom(uint64_t bytes) {
    if (disk_->reserve_ == nullptr) return IOStatus::OK();
    if (can_wait_) {
      return disk_->reserve_->HasRoomToSpare(bytes)
                 ? IOStatus::OK()
                 : IOStatus::NoSpace("what is left is kept for what cannot wait; a compaction has to");
    }
    disk_->reserve_->MakeRoom(bytes);
    return IOStatus::OK();
  }

  bool can_wait_ = false;
  GuardedDisk* const disk_;
};

IOStatus GuardedDisk::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result,
                                      rocksdb::IODebugContext* debug) {
  if (reserve_ != nullptr) reserve_->MakeRoom(0);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &file, debug);
  if (status.ok()) *result = std::make_unique<File>(this, std::move(file));
  return status;
}

IOStatus GuardedDisk::NewLogger(const std::string& name, const rocksdb::IOOptions&,
                                std::shared_ptr<rocksdb::Logger>* result, rocksdb::IODebugContext*) {
  std::FILE* file = std::fopen(name.c_str(), "we");
  // Without a file it says nothing, and that is no reason not to work.
  if (file == nullptr) file = std::fopen("/dev/null", "we");
  if (file == nullptr) return IOStatus::IOError("cannot open", name);
  *result = std::make_shared<PatientLogger>(file);
  return IOStatus::OK();
}

}  // namespace tutti::store
