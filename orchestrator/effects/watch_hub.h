// Who waits for which saga. Publish is on the way of every commit, so it costs one atomic load while nobody watches.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_WATCH_HUB_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_WATCH_HUB_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "orchestrator/effects/effect_sinks.h"

namespace tutti::effects {

// Thread-safe. Subscribe first, then read the store: a commit that the read does not show is published to the
// subscriber.
class WatchHub final : public Publisher {
 public:
  using Record = std::shared_ptr<const storage::v1::SagaRecord>;
  using History = std::shared_ptr<const std::vector<v1::HistoryEvent>>;
  // Runs on the publisher's thread, outside the hub's locks, in the order of the saga's commits. Must not block. May
  // end its own subscription.
  using Callback = std::function<void(const Record& record, const History& history)>;

  // Ends with its object. A call of the callback that has begun on another thread may still be running after that, so
  // callbacks own what they touch. The hub must outlive it.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription() { Cancel(); }

    void Cancel();

   private:
    friend class WatchHub;
    Subscription(WatchHub* hub, std::string saga_id, uint64_t id) : hub_(hub), saga_id_(std::move(saga_id)), id_(id) {}

    WatchHub* hub_ = nullptr;
    std::string saga_id_;
    uint64_t id_ = 0;
  };

  Subscription Subscribe(std::string saga_id, Callback callback);

  void Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) override;

  int64_t subscriptions() const { return total_.load(std::memory_order_relaxed); }

 private:
  struct Watcher {
    uint64_t id = 0;
    std::shared_ptr<const Callback> callback;
  };
  struct Shard {
    std::atomic<int64_t> watchers{0};
    Mutex mu;
    std::unordered_map<std::string, std::vector<Watcher>> by_saga ABSL_GUARDED_BY(mu);
  };

  Shard& ShardOf(absl::string_view saga_id);
  void Unsubscribe(const std::string& saga_id, uint64_t id);

  std::array<Shard, 64> shards_;
  std::atomic<uint64_t> next_id_{1};
  std::atomic<int64_t> total_{0};
};

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_WATCH_HUB_H_
