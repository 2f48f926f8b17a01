// A shard with its mailbox and its thread: drain → step → one commit → release, at its own pace.
#ifndef TUTTI_ORCHESTRATOR_SHARD_SHARD_H_
#define TUTTI_ORCHESTRATOR_SHARD_SHARD_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "orchestrator/shard/shard_core.h"
#include "orchestrator/shard/slot_range.h"

namespace tutti::shard {

// What a mailbox looks like right now.
struct MailboxStatus {
  size_t messages = 0;
  double oldest_seconds = 0;  // of the messages that wait; 0: none does
  uint64_t refused = 0;       // requests, because it was full
  size_t resident_bytes = 0;  // of the records of sagas that the shard keeps in memory
};

// Thread-safe.
class Shard {
 public:
  // `on_fatal` runs on the shard's thread when a commit did not end durable; see ShardCore. `on_post` runs on the
  // poster's when a message has come, for those who call Work; it must not call the shard.
  Shard(const ShardContext& context, SlotRange slots, uint64_t seed, std::function<void(const absl::Status&)> on_fatal,
        std::function<void()> on_post = nullptr);
  ~Shard();  // stops

  // Recovers, then works on a thread of its own. Blocks while it reads; what it finds outstanding is committed in the
  // background.
  absl::Status Start();

  // In place of Start, for tests and simulators that are the shard's thread themselves. Recover comes first; Work steps
  // one batch of at most `messages_max`, and is false when nothing waits any more.
  absl::Status Recover() {
    return RecoverWith([] {});
  }
  bool Work(size_t messages_max);

  // Replies, timers and commits always find room.
  void PostEvent(saga::Event event);
  // RESOURCE_EXHAUSTED with a retry delay when limits::kMailboxRequestsMax or kMailboxBytesMax wait already,
  // UNAVAILABLE after StopRequests.
  absl::Status PostRequest(Message message);

  // No request is taken any more; replies still are.
  void StopRequests();
  // Waits until nothing awaits a participant's reply and every commit is durable. False when that took too long.
  bool AwaitQuiet(int64_t timeout_ms);
  // Works off the mailbox and its commits, then ends the thread. Effects of later events are lost, as in a crash.
  void Stop();

  MailboxStatus mailbox() const;

 private:
  struct Posted {
    Message message;
    std::chrono::steady_clock::time_point at;
    size_t bytes = 0;  // of a request
  };

  absl::Status RecoverWith(const std::function<void()>& breathe);
  // Until few of the write sets that recovery makes are under way: they are copies of what is in memory.
  void AwaitCommits();
  void Post(Message message);
  void Announce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Loop();
  // Replies, timers and commits before requests: what is under way comes before what is new.
  std::vector<Message> TakeBatch(size_t messages_max);
  void Process(std::vector<Message> batch);
  Message TakeFirst(std::deque<Posted>* queue) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False when there is nothing left to do and nothing will come.
  bool AwaitMessages();

  const SlotRange slots_;
  ShardObserver* const observer_;
  const std::function<void()> on_post_;
  ShardCore core_;  // only the loop's thread touches it, once started

  mutable Mutex mu_;
  CondVar wake_;
  CondVar quiet_changed_;
  std::deque<Posted> events_ ABSL_GUARDED_BY(mu_);
  std::deque<Posted> requests_ ABSL_GUARDED_BY(mu_);
  size_t request_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // of requests_
  uint64_t refused_ ABSL_GUARDED_BY(mu_) = 0;
  bool takes_requests_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool quiet_ ABSL_GUARDED_BY(mu_) = false;
  int quiet_waiters_ ABSL_GUARDED_BY(mu_) = 0;  // looking for quiet costs a walk over all sagas: only on demand
  size_t resident_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  size_t commits_in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  bool failed_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace tutti::shard

#endif  // TUTTI_ORCHESTRATOR_SHARD_SHARD_H_
