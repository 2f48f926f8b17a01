#include "orchestrator/definition/decode.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace tutti::definition {
namespace {

// Hands out no more bytes once the arena is too large.
class MeteredStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  MeteredStream(absl::string_view bytes, const google::protobuf::Arena* arena, size_t held_elsewhere)
      : bytes_(bytes), arena_(arena), held_elsewhere_(held_elsewhere) {}

  bool Next(const void** data, int* size) override {
    if (exceeded_ || read_ == bytes_.size()) return false;
    exceeded_ = !CheckSpace(*arena_, held_elsewhere_).ok();
    if (exceeded_) return false;
    // Small enough that what is parsed between two looks at the arena does not matter.
    constexpr size_t kChunkBytes = 512;
    const size_t chunk = std::min(kChunkBytes, bytes_.size() - read_);
    *data = bytes_.data() + read_;
    *size = static_cast<int>(chunk);
    read_ += chunk;
    return true;
  }
  void BackUp(int count) override { read_ -= static_cast<size_t>(count); }
  bool Skip(int count) override {
    const size_t skipped = std::min(static_cast<size_t>(count), bytes_.size() - read_);
    read_ += skipped;
    return skipped == static_cast<size_t>(count);
  }
  int64_t ByteCount() const override { return static_cast<int64_t>(read_); }

  bool exceeded() const { return exceeded_; }

 private:
  const absl::string_view bytes_;
  const google::protobuf::Arena* const arena_;
  const size_t held_elsewhere_;
  size_t read_ = 0;
  bool exceeded_ = false;
};

}  // namespace

absl::Status CheckSpace(const google::protobuf::Arena& arena, size_t held_elsewhere) {
  if (arena.SpaceAllocated() + held_elsewhere <= limits::kDecodedBytesMax) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the messages take more than ", limits::kDecodedBytesMax, " bytes of memory"));
}

absl::Status Decode(absl::string_view bytes, google::protobuf::Message* message, size_t held_elsewhere) {
  TUTTI_CHECK(message->GetArena() != nullptr, "what is decoded lives on an arena");
  MeteredStream stream(bytes, message->GetArena(), held_elsewhere);
  // With the size: where the parser cannot see the end, it believes in the length of a text, and reserves up to 50 MB.
  const bool parsed = message->ParsePartialFromBoundedZeroCopyStream(&stream, static_cast<int>(bytes.size()));
  if (stream.exceeded()) return CheckSpace(*message->GetArena(), held_elsewhere);
  if (parsed) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot be decoded as ", message->GetDescriptor()->full_name()));
}

}  // namespace tutti::definition
