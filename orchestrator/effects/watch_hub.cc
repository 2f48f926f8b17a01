#include "orchestrator/effects/watch_hub.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace tutti::effects {

WatchHub::Subscription::Subscription(Subscription&& other) noexcept
    : hub_(std::exchange(other.hub_, nullptr)), saga_id_(std::move(other.saga_id_)), id_(other.id_) {}

WatchHub::Subscription& WatchHub::Subscription::operator=(Subscription&& other) noexcept {
  if (this == &other) return *this;
  Cancel();
  hub_ = std::exchange(other.hub_, nullptr);
  saga_id_ = std::move(other.saga_id_);
  id_ = other.id_;
  return *this;
}

void WatchHub::Subscription::Cancel() {
  if (WatchHub* hub = std::exchange(hub_, nullptr)) hub->Unsubscribe(saga_id_, id_);
}

WatchHub::Subscription WatchHub::Subscribe(std::string saga_id, Callback callback) {
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  total_.fetch_add(1, std::memory_order_relaxed);
  Shard& shard = ShardOf(saga_id);
  MutexLock lock(&shard.mu);
  shard.by_saga[saga_id].push_back(Watcher{id, std::make_shared<const Callback>(std::move(callback))});
  // The store's own lock orders this against the publisher's load: whoever reads the store after this and misses a
  // commit has its watcher seen by that commit's Publish.
  shard.watchers.fetch_add(1);
  return Subscription(this, std::move(saga_id), id);
}

void WatchHub::Unsubscribe(const std::string& saga_id, uint64_t id) {
  std::shared_ptr<const Callback> dying;  // its captures are destroyed outside the lock
  Shard& shard = ShardOf(saga_id);
  MutexLock lock(&shard.mu);
  const auto found = shard.by_saga.find(saga_id);
  if (found == shard.by_saga.end()) return;
  std::vector<Watcher>& watchers = found->second;
  const auto watcher =
      std::find_if(watchers.begin(), watchers.end(), [id](const Watcher& candidate) { return candidate.id == id; });
  if (watcher == watchers.end()) return;
  dying = std::move(watcher->callback);
  watchers.erase(watcher);
  if (watchers.empty()) shard.by_saga.erase(found);
  shard.watchers.fetch_sub(1);
  total_.fetch_sub(1, std::memory_order_relaxed);
}

void WatchHub::Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) {
  Shard& shard = ShardOf(record.saga_id());
  if (shard.watchers.load() == 0) return;
  std::vector<std::shared_ptr<const Callback>> callbacks;
  {
    MutexLock lock(&shard.mu);
    const auto found = shard.by_saga.find(record.saga_id());
    if (found == shard.by_saga.end()) return;
    for (const Watcher& watcher : found->second) callbacks.push_back(watcher.callback);
  }
  const auto shared_record = std::make_shared<const storage::v1::SagaRecord>(record);
  const auto shared_history = std::make_shared<const std::vector<v1::HistoryEvent>>(history);
  for (const auto& callback : callbacks) (*callback)(shared_record, shared_history);
}

WatchHub::Shard& WatchHub::ShardOf(absl::string_view saga_id) {
  return shards_[std::hash<std::string_view>()(std::string_view(saga_id.data(), saga_id.size())) % shards_.size()];
}

}  // namespace tutti::effects
