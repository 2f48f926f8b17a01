#include "orchestrator/store/watermark.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/store/crc32c.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::store {
namespace {

// Each slot has a page of its own, so that one being written takes none of the others with it. Writes go to one slot
// until a sync begins, and then to the next: of three, one is always on disk and left alone, one may be on its way
// there, and one is written.
constexpr size_t kSlots = 3;
constexpr size_t kSlotBytes = 4096;
constexpr absl::string_view kMagic = "TUTTIWM1";
constexpr size_t kPlainBytes = 40;  // of a slot: magic, counter, sequence, log, log bytes; then 4 bytes of checksum
constexpr size_t kUsedBytes = kPlainBytes + 4;

// What an operator writes into the file to start with what there is.
constexpr absl::string_view kAccepted = "accept";

struct Slot {
  uint64_t counter = 0;
  Watermark watermark;
};

std::string Encode(const Slot& slot) {
  std::string bytes(kMagic);
  AppendBigEndian64(slot.counter, &bytes);
  AppendBigEndian64(slot.watermark.sequence, &bytes);
  AppendBigEndian64(slot.watermark.log, &bytes);
  AppendBigEndian64(slot.watermark.log_bytes, &bytes);
  const uint32_t sum = Crc32c(bytes);
  AppendBigEndian16(static_cast<uint16_t>(sum >> 16), &bytes);
  AppendBigEndian16(static_cast<uint16_t>(sum), &bytes);
  return bytes;
}

std::optional<Slot> Decode(absl::string_view bytes) {
  Slot slot;
  slot.counter = ReadBigEndian64(bytes.substr(8));
  slot.watermark = {.sequence = ReadBigEndian64(bytes.substr(16)),
                    .log = ReadBigEndian64(bytes.substr(24)),
                    .log_bytes = ReadBigEndian64(bytes.substr(32)),
                    .waived = false};
  if (bytes.substr(0, kUsedBytes) != Encode(slot)) return std::nullopt;
  return slot;
}

// The newest one that is whole, and where it lies.
struct Newest {
  Slot slot;
  size_t at = 0;
};
std::optional<Newest> FindNewest(absl::string_view content) {
  std::optional<Newest> newest;
  if (content.size() != kSlots * kSlotBytes) return newest;
  for (size_t at = 0; at < kSlots; ++at) {
    const auto slot = Decode(content.substr(at * kSlotBytes, kSlotBytes));
    if (slot.has_value() && (!newest.has_value() || slot->counter > newest->slot.counter)) newest = {*slot, at};
  }
  return newest;
}

absl::Status FileError(const std::string& path, const rocksdb::Status& status) {
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", status.ToString()));
}

// Whole or not at all: it gets its name when all of it is on disk.
rocksdb::Status Make(rocksdb::Env* env, const std::string& folder, const Slot& first) {
  std::string content = Encode(first);
  content.resize(kSlots * kSlotBytes);
  const std::string path = absl::StrCat(folder, "/", kWatermarkFile);
  const std::string fresh = absl::StrCat(path, ".new");
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->NewWritableFile(fresh, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Append(content);
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  if (status.ok()) status = env->RenameFile(fresh, path);
  std::unique_ptr<rocksdb::Directory> directory;
  if (status.ok()) status = env->NewDirectory(folder, &directory);
  return status.ok() ? directory->Fsync() : status;
}

}  // namespace

absl::StatusOr<std::optional<Watermark>> ReadWatermark(rocksdb::Env* env, const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kWatermarkFile);
  const rocksdb::Status exists = env->FileExists(path);
  if (exists.IsNotFound()) return std::nullopt;
  std::string content;
  const rocksdb::Status status = exists.ok() ? rocksdb::ReadFileToString(env, path, &content) : exists;
  if (!status.ok()) return absl::InternalError(absl::StrCat("cannot read ", path, ": ", status.ToString()));
  if (content.substr(0, kAccepted.size()) == kAccepted && content.size() <= kAccepted.size() + 1)
    return Watermark{.waived = true};
  const auto newest = FindNewest(content);
  if (newest.has_value()) return newest->slot.watermark;
  return absl::DataLossError(absl::StrCat(path, " is damaged: it has ", content.size(), " bytes of ",
                                          kSlots * kSlotBytes, ", and nothing in them can be read"));
}

WatermarkFile::WatermarkFile(std::unique_ptr<rocksdb::RandomRWFile> file, uint64_t counter,
                             std::chrono::milliseconds sync_interval)
    : file_(std::move(file)), sync_interval_(sync_interval), counter_(counter) {}

absl::StatusOr<std::unique_ptr<WatermarkFile>> WatermarkFile::Open(rocksdb::Env* env, const std::string& folder,
                                                                   const Watermark& first,
                                                                   std::chrono::milliseconds sync_interval) {
  const std::string path = absl::StrCat(folder, "/", kWatermarkFile);
  std::string content;
  std::optional<Newest> newest;
  if (rocksdb::ReadFileToString(env, path, &content).ok()) newest = FindNewest(content);
  if (!newest.has_value()) {
    newest = {{.counter = 1, .watermark = first}, 0};
    if (const auto status = Make(env, folder, newest->slot); !status.ok()) return FileError(path, status);
  }
  std::unique_ptr<rocksdb::RandomRWFile> file;
  const auto status = env->NewRandomRWFile(path, &file, rocksdb::EnvOptions());
  if (!status.ok()) return FileError(path, status);
  std::unique_ptr<WatermarkFile> opened(new WatermarkFile(std::move(file), newest->slot.counter, sync_interval));
  // What an earlier life wrote last may not be on disk yet, and that slot is the one to fall back on from here.
  if (absl::Status synced = opened->SyncNow(); !synced.ok()) return synced;
  {
    MutexLock lock(&opened->mu_);
    opened->epoch_ = newest->at + 1;
    if (absl::Status written = opened->WriteSlot(first); !written.ok()) return written;
  }
  if (absl::Status synced = opened->SyncNow(); !synced.ok()) return synced;
  opened->thread_ = std::thread([file = opened.get()] { file->SyncInTheBackground(); });
  return opened;
}

WatermarkFile::~WatermarkFile() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  file_->Close().PermitUncheckedError();
}

absl::Status WatermarkFile::Write(const Watermark& watermark) {
  MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  return WriteSlot(watermark);
}

absl::Status WatermarkFile::WriteSlot(const Watermark& watermark) {
  const rocksdb::Status status =
      file_->Write(epoch_ % kSlots * kSlotBytes, Encode({.counter = ++counter_, .watermark = watermark}));
  if (!status.ok()) return failure_ = FileError(kWatermarkFile, status);
  if (!dirty_) changed_.SignalAll();
  dirty_ = true;
  return absl::OkStatus();
}

absl::Status WatermarkFile::SyncNow() {
  {
    MutexLock lock(&mu_);
    ++epoch_;
    dirty_ = false;
  }
  const rocksdb::Status status = file_->Sync();
  if (status.ok()) return absl::OkStatus();
  MutexLock lock(&mu_);
  return failure_ = FileError(kWatermarkFile, status);
}

void WatermarkFile::SyncInTheBackground() {
  auto next = std::chrono::steady_clock::now();
  while (true) {
    {
      MutexLock lock(&mu_);
      while (!dirty_ && !stopping_) changed_.Wait(&mu_);
      while (!stopping_ && std::chrono::steady_clock::now() < next) changed_.WaitUntil(&mu_, next);
      if (!dirty_ || !failure_.ok()) return;
    }
    next = std::chrono::steady_clock::now() + sync_interval_;
    if (!SyncNow().ok()) return;
  }
}

}  // namespace tutti::store
