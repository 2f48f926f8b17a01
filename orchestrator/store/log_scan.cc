#include "orchestrator/store/log_scan.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "orchestrator/store/crc32c.h"

namespace tutti::store {
namespace {

// Blocks of 32 KiB hold records that never cross them: 4 bytes of masked checksum over type and payload, 2 of length
// (of the payload), 1 of type. Less than a header at a block's end is zeros.
constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;
constexpr unsigned char kLastType = 4;  // zero is nothing; full, first, middle, last

uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

unsigned char ByteAt(absl::string_view bytes, size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

bool AllZero(absl::string_view bytes) {
  return bytes.find_first_not_of('\0') == absl::string_view::npos;
}

// The payload is all that is left of the file, and the length says that there was more. When the checksum fits some of
// what is there, nothing was cut off: the length is not what was written.
bool FitsShorter(absl::string_view type_and_payload, uint32_t checksum) {
  uint32_t sum = Crc32c(type_and_payload.substr(0, 1));
  if (sum == checksum) return true;
  for (size_t at = 1; at < type_and_payload.size(); ++at) {
    sum = ExtendCrc32c(sum, type_and_payload.substr(at, 1));
    if (sum == checksum) return true;
  }
  return false;
}

struct Block {
  size_t good_bytes = 0;
  LogScan::End end = LogScan::End::kWhole;
};

Block ScanBlock(absl::string_view block, bool last) {
  Block scan;
  const auto ended = [&](LogScan::End end) {
    scan.end = end;
    return scan;
  };
  while (block.size() - scan.good_bytes >= kHeaderBytes) {
    const absl::string_view rest = block.substr(scan.good_bytes);
    const uint32_t checksum =
        Unmask(static_cast<uint32_t>(ByteAt(rest, 0)) | static_cast<uint32_t>(ByteAt(rest, 1)) << 8 |
               static_cast<uint32_t>(ByteAt(rest, 2)) << 16 | static_cast<uint32_t>(ByteAt(rest, 3)) << 24);
    const size_t length = ByteAt(rest, 4) | static_cast<size_t>(ByteAt(rest, 5)) << 8;
    const unsigned char type = ByteAt(rest, 6);
    if (AllZero(rest)) return ended(last ? LogScan::End::kTorn : LogScan::End::kDamaged);  // room made, never written
    if (type == 0 || type > kLastType) return ended(LogScan::End::kDamaged);
    if (kHeaderBytes + length > rest.size()) {
      const bool damaged = !last || kHeaderBytes + length > kBlockBytes - scan.good_bytes ||
                           FitsShorter(rest.substr(kHeaderBytes - 1), checksum);
      return ended(damaged ? LogScan::End::kDamaged : LogScan::End::kTorn);
    }
    if (Crc32c(rest.substr(kHeaderBytes - 1, 1 + length)) != checksum) return ended(LogScan::End::kDamaged);
    scan.good_bytes += kHeaderBytes + length;
  }
  const bool full = block.size() == kBlockBytes;
  if (scan.good_bytes < block.size() && !full) return ended(last ? LogScan::End::kTorn : LogScan::End::kDamaged);
  scan.good_bytes = block.size();
  return scan;
}

}  // namespace

absl::StatusOr<LogScan> ScanLog(rocksdb::Env* env, const std::string& path, ScanFrom from) {
  LogScan scan;
  std::unique_ptr<rocksdb::SequentialFile> file;
  rocksdb::Status status = env->GetFileSize(path, &scan.bytes);
  if (status.ok()) status = env->NewSequentialFile(path, &file, rocksdb::EnvOptions());
  if (status.ok() && from == ScanFrom::kLastBlock && scan.bytes > 0) {
    scan.good_bytes = (scan.bytes - 1) / kBlockBytes * kBlockBytes;
    status = file->Skip(scan.good_bytes);
  }
  std::string buffer(kBlockBytes, '\0');
  while (status.ok() && scan.good_bytes < scan.bytes) {
    rocksdb::Slice bytes;
    status = file->Read(kBlockBytes, &bytes, buffer.data());
    if (!status.ok() || bytes.empty()) break;
    const Block block = ScanBlock({bytes.data(), bytes.size()}, scan.good_bytes + bytes.size() >= scan.bytes);
    scan.good_bytes += block.good_bytes;
    scan.end = block.end;
    if (block.end != LogScan::End::kWhole) return scan;
  }
  if (!status.ok()) return absl::InternalError(absl::StrCat("cannot read ", path, ": ", status.ToString()));
  return scan;
}

}  // namespace tutti::store
