#include "orchestrator/shard/shard_router.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::shard {
namespace {

uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

ShardRouter::ShardRouter(const ShardContext& context, int shard_count,
                         std::function<void(const absl::Status&)> on_fatal) {
  TUTTI_CHECK(shard_count >= 1 && shard_count <= static_cast<int>(limits::kSlots), "a shard owns at least one slot");
  for (int shard = 0; shard < shard_count; ++shard) {
    shards_.push_back(std::make_unique<Shard>(context, SlotRangeOf(shard, shard_count), RandomSeed(), on_fatal));
  }
}

absl::Status ShardRouter::Start() {
  for (const auto& shard : shards_) {
    if (absl::Status status = shard->Start(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void ShardRouter::Start(StartRequest request, StartDone done) {
  Shard* owner = OwnerOf(request.saga_id);
  const absl::Status posted = owner->PostRequest(StartMessage{.request = std::move(request), .done = done});
  if (!posted.ok()) done(posted);
}

void ShardRouter::Tell(std::string saga_id, SagaWord word, SagaDone done) {
  Shard* owner = OwnerOf(saga_id);
  const absl::Status posted =
      owner->PostRequest(WordMessage{.saga_id = std::move(saga_id), .word = std::move(word), .done = done});
  if (!posted.ok()) done(posted);
}

void ShardRouter::Expire(std::string saga_id, int64_t ended_by_ms, ExpireDone done) {
  Shard* owner = OwnerOf(saga_id);
  const absl::Status posted =
      owner->PostRequest(ExpireMessage{.saga_id = std::move(saga_id), .ended_by_ms = ended_by_ms, .done = done});
  if (!posted.ok()) done(posted);
}

void ShardRouter::PostEvent(saga::Event event) {
  Shard* owner = OwnerOf(event.saga_id);
  owner->PostEvent(std::move(event));
}

void ShardRouter::Drain(int64_t timeout_ms) {
  for (const auto& shard : shards_) shard->StopRequests();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (const auto& shard : shards_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    shard->AwaitQuiet(std::max<int64_t>(left.count(), 0));
  }
  for (const auto& shard : shards_) shard->Stop();
}

size_t ShardRouter::mailbox_depth() const {
  size_t depth = 0;
  for (const MailboxStatus& mailbox : mailboxes()) depth += mailbox.messages;
  return depth;
}

size_t ShardRouter::resident_bytes() const {
  size_t bytes = 0;
  for (const MailboxStatus& mailbox : mailboxes()) bytes += mailbox.resident_bytes;
  return bytes;
}

std::vector<MailboxStatus> ShardRouter::mailboxes() const {
  std::vector<MailboxStatus> all;
  for (const auto& shard : shards_) all.push_back(shard->mailbox());
  return all;
}

Shard* ShardRouter::OwnerOf(const std::string& saga_id) const {
  return shards_[ShardOfSlot(store::SlotOf(saga_id), static_cast<int>(shards_.size()))].get();
}

}  // namespace tutti::shard
