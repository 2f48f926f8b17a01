// All shards of this process: which one owns a saga, and the doors into it.
#ifndef TUTTI_ORCHESTRATOR_SHARD_SHARD_ROUTER_H_
#define TUTTI_ORCHESTRATOR_SHARD_SHARD_ROUTER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orchestrator/shard/router.h"
#include "orchestrator/shard/shard.h"

namespace tutti::shard {

// Thread-safe once started.
class ShardRouter final : public Router {
 public:
  // Slots are dealt out in `shard_count` equal ranges; keys are laid out by slot, so the count may change at any
  // restart.
  ShardRouter(const ShardContext& context, int shard_count, std::function<void(const absl::Status&)> on_fatal);

  // Recovers every shard, one after another.
  absl::Status Start();

  void Start(StartRequest request, StartDone done) override;
  void Tell(std::string saga_id, SagaWord word, SagaDone done) override;
  // See ExpireMessage. Errors as Router's.
  void Expire(std::string saga_id, int64_t ended_by_ms, ExpireDone done);
  void PostEvent(saga::Event event);

  // Takes no more requests, hears out what participants are working on for at most timeout_ms, then stops.
  void Drain(int64_t timeout_ms);

  size_t mailbox_depth() const;
  // Of the records of all sagas that are kept in memory.
  size_t resident_bytes() const;
  // Of each shard, in order.
  std::vector<MailboxStatus> mailboxes() const;

 private:
  Shard* OwnerOf(const std::string& saga_id) const;

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace tutti::shard

#endif  // TUTTI_ORCHESTRATOR_SHARD_SHARD_ROUTER_H_
