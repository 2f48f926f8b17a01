#include "orchestrator/store/fault_disk.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace tutti::store {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

class FaultDisk::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(FaultDisk* disk, std::shared_ptr<Content> content, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), content_(std::move(content)) {}

  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override {
    MutexLock lock(&disk_->mu_);
    bool half = false;
    const IOStatus status = disk_->Next(Call::kAppend, &half);
    if (status.ok()) return FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (half) (void)FSWritableFileOwnerWrapper::Append({data.data(), data.size() / 2}, options, debug);
    return status;
  }
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options, const rocksdb::DataVerificationInfo&,
                  rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus PositionedAppend(const rocksdb::Slice&, uint64_t, const rocksdb::IOOptions&,
                            rocksdb::IODebugContext*) override {
    return IOStatus::NotSupported("positioned appends are not played");
  }
  IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    MutexLock lock(&disk_->mu_);
    const IOStatus status = disk_->Next(Call::kSync);
    if (!status.ok()) content_->sync_failed = true;
    // After a failed sync the system takes the pages for clean: a later one says yes without writing them.
    if (status.ok() && !content_->sync_failed && !disk_->lies_) content_->synced = GetFileSize(options, debug);
    return status;
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  FaultDisk* const disk_;
  const std::shared_ptr<Content> content_;
};

class FaultDisk::InPlaceFile final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  InPlaceFile(FaultDisk* disk, std::shared_ptr<InPlace> content, std::unique_ptr<rocksdb::FSRandomRWFile> file)
      : FSRandomRWFileOwnerWrapper(std::move(file)), disk_(disk), content_(std::move(content)) {}

  IOStatus Write(uint64_t offset, const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                 rocksdb::IODebugContext* debug) override {
    MutexLock lock(&disk_->mu_);
    bool half = false;
    const IOStatus status = disk_->Next(Call::kAppend, &half);
    if (!status.ok() && !half) return status;
    const rocksdb::Slice written(data.data(), half ? data.size() / 2 : data.size());
    if (offset + written.size() > content_->synced.size()) return IOStatus::NotSupported("growth is not played");
    content_->writes.emplace_back(offset, written.ToString());
    const IOStatus done = FSRandomRWFileOwnerWrapper::Write(offset, written, options, debug);
    return half ? status : done;
  }
  IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    MutexLock lock(&disk_->mu_);
    const IOStatus status = disk_->Next(Call::kSync);
    if (!status.ok()) content_->sync_failed = true;
    if (!status.ok() || content_->sync_failed || disk_->lies_) return status;
    for (const auto& [offset, bytes] : content_->writes) content_->synced.replace(offset, bytes.size(), bytes);
    content_->writes.clear();
    return status;
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  FaultDisk* const disk_;
  const std::shared_ptr<InPlace> content_;
};

class FaultDisk::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(FaultDisk* disk, std::unique_ptr<rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), disk_(disk) {}

  IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    MutexLock lock(&disk_->mu_);
    const IOStatus status = disk_->Next(Call::kSync);
    if (status.ok() && !disk_->lies_) disk_->SyncFolder();
    return status;
  }
  IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultDisk* const disk_;
};

FaultDisk::FaultDisk(uint64_t seed, fs::path undone)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), undone_(std::move(undone)), luck_(seed) {}

void FaultDisk::Arm(DiskFault fault, int64_t at_call) {
  MutexLock lock(&mu_);
  fault_ = fault;
  fault_at_ = at_call;
  calls_ = 0;
  syncs_ = 0;
}

int64_t FaultDisk::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

int64_t FaultDisk::syncs() const {
  MutexLock lock(&mu_);
  return syncs_;
}

IOStatus FaultDisk::Next(Call call, bool* half) {
  ++calls_;
  if (call == Call::kSync) ++syncs_;
  const auto injected = [] { return IOStatus::IOError("injected"); };
  switch (fault_) {
    case DiskFault::kNone:
      return IOStatus::OK();
    case DiskFault::kErrorOnce:
      return calls_ == fault_at_ ? injected() : IOStatus::OK();
    case DiskFault::kShortAppend:
      if (calls_ != fault_at_) return IOStatus::OK();
      if (half != nullptr) *half = true;
      return injected();
    case DiskFault::kSyncError:
      return call == Call::kSync && syncs_ == fault_at_ ? injected() : IOStatus::OK();
    case DiskFault::kDiskFull:
      return call == Call::kSync || calls_ < fault_at_ ? IOStatus::OK() : IOStatus::NoSpace("injected");
    case DiskFault::kDead:
      return calls_ < fault_at_ ? IOStatus::OK() : injected();
  }
  return IOStatus::OK();
}

std::string FaultDisk::Keep(const std::string& name) {
  if (!fs::exists(name)) return "";
  const fs::path kept = undone_ / std::to_string(++kept_);
  fs::create_hard_link(name, kept);
  return kept;
}

void FaultDisk::SyncFolder() {
  for (const Change& change : changes_) {
    if (!change.kept.empty()) fs::remove(change.kept);
  }
  changes_.clear();
}

void FaultDisk::Undo(const Change& change) {
  if (change.what == Change::kRenamed) {
    fs::rename(change.name, change.from);
  } else if (change.what == Change::kMade) {
    fs::remove(change.name);
  }
  if (!change.kept.empty()) fs::rename(change.kept, change.name);
}

void FaultDisk::Restart(bool power_cut) {
  MutexLock lock(&mu_);
  fault_ = DiskFault::kNone;
  if (power_cut) {
    for (const auto& [name, content] : files_) {
      if (!fs::exists(name)) continue;
      const uint64_t size = fs::file_size(name);
      if (size > content->synced) fs::resize_file(name, content->synced + luck_() % (size - content->synced + 1));
    }
    for (const auto& [name, file] : in_place_) CutPower(name, *file);
    size_t undo = luck_() % (changes_.size() + 1);
    for (; undo > 0; --undo) {
      Undo(changes_.back());
      changes_.pop_back();
    }
  }
  SyncFolder();
  files_.clear();
  in_place_.clear();
}

void FaultDisk::CutPower(const std::string& name, const InPlace& file) {
  constexpr size_t kPieceBytes = 16;
  if (!fs::exists(name)) return;
  std::string content = file.synced;
  for (size_t piece = 0; piece < content.size(); piece += kPieceBytes) {
    for (size_t reached = luck_() % (file.writes.size() + 1); const auto& [offset, bytes] : file.writes) {
      if (reached-- == 0) break;
      const size_t begin = std::max<size_t>(piece, offset);
      const size_t end = std::min(piece + kPieceBytes, offset + bytes.size());
      if (begin < end) content.replace(begin, end - begin, bytes, begin - offset, end - begin);
    }
  }
  std::ofstream(name, std::ios::binary) << content;
}

IOStatus FaultDisk::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* debug) {
  MutexLock lock(&mu_);
  IOStatus status = Next(Call::kOther);
  if (!status.ok()) return status;
  const std::string kept = Keep(name);
  if (!kept.empty()) fs::remove(name);  // or the kept one would be cut short with it
  status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
  if (!status.ok()) return status;
  changes_.push_back({Change::kMade, name, "", kept});
  files_[name] = std::make_shared<Content>();
  *result = std::make_unique<File>(this, files_[name], std::move(*result));
  return status;
}

IOStatus FaultDisk::ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                                       std::unique_ptr<rocksdb::FSWritableFile>*, rocksdb::IODebugContext*) {
  return IOStatus::NotSupported("files that grow after a restart are not played");
}

IOStatus FaultDisk::NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* result, rocksdb::IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewRandomRWFile(name, options, result, debug);
  if (!status.ok()) return status;
  MutexLock lock(&mu_);
  auto& file = in_place_[name];
  if (file == nullptr) {  // what an earlier life left is on disk: a restart lies between
    file = std::make_shared<InPlace>();
    std::ifstream content(name, std::ios::binary);
    file->synced.assign(std::istreambuf_iterator<char>(content), {});
  }
  *result = std::make_unique<InPlaceFile>(this, file, std::move(*result));
  return status;
}

IOStatus FaultDisk::NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result, rocksdb::IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewDirectory(name, options, result, debug);
  if (status.ok()) *result = std::make_unique<Directory>(this, std::move(*result));
  return status;
}

IOStatus FaultDisk::RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) {
  MutexLock lock(&mu_);
  IOStatus status = Next(Call::kOther);
  if (!status.ok()) return status;
  const std::string kept = Keep(to);
  status = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  changes_.push_back({Change::kRenamed, to, from, kept});
  const auto file = files_.find(from);
  if (file != files_.end()) {
    files_[to] = file->second;
    files_.erase(file);
  } else {
    files_.erase(to);
  }
  return status;
}

IOStatus FaultDisk::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) {
  MutexLock lock(&mu_);
  IOStatus status = Next(Call::kOther);
  if (!status.ok()) return status;
  const std::string kept = Keep(name);
  status = FileSystemWrapper::DeleteFile(name, options, debug);
  if (status.ok()) changes_.push_back({Change::kDeleted, name, "", kept});
  return status;
}

}  // namespace tutti::store
