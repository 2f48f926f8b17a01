// One WatchSaga: stored history, then live, in order, without gaps or repeats.
#ifndef TUTTI_ORCHESTRATOR_API_WATCH_CALL_H_
#define TUTTI_ORCHESTRATOR_API_WATCH_CALL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "orchestrator/api/waiting_calls.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/store/saga_store.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::api {

// Owns itself from Begin to OnDone. Live events wait in a bounded buffer; a watcher that falls behind it, or a gap, is
// served from the store again.
class WatchCall final : public grpc::ServerWriteReactor<v1::WatchSagaResponse>,
                        public std::enable_shared_from_this<WatchCall> {
 public:
  struct Rooms {
    const store::SagaReader* reader;
    effects::WatchHub* hub;
    WorkerPool* pool;  // each watch has one piece of work there at a time
    WaitingCalls* waiting;
  };

  // SAGA_NOT_FOUND ends the stream.
  static grpc::ServerWriteReactor<v1::WatchSagaResponse>* Begin(const Rooms& rooms, const std::string& saga_id,
                                                                int64_t from_sequence);

  WatchCall(const Rooms& rooms, std::string saga_id, int64_t from_sequence);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class Next { kWrite, kRead, kWait, kFinish };

  void End(const absl::Status& status);
  void OnPublished(const effects::WatchHub::Record& record, const effects::WatchHub::History& history);
  // Writes the next event, or reads more, or rests until something is published. Runs for at most one thread: whoever
  // set busy_.
  void Advance();
  Next Choose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ReadMore();
  void Append(v1::HistoryEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::HistoryEvent TakeFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsFull() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Puts what was read before what was published since; the two must meet.
  void Join(std::vector<v1::HistoryEvent> read) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Rooms rooms_;
  const std::string saga_id_;
  std::shared_ptr<WatchCall> self_;
  v1::WatchSagaResponse message_;  // of the write under way
  absl::Status outcome_;           // what the stream ends with

  Mutex mu_;
  bool busy_ ABSL_GUARDED_BY(mu_) = true;  // advancing or writing
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status ended_by_ ABSL_GUARDED_BY(mu_);  // the client or a drain, while somebody was busy
  bool behind_ ABSL_GUARDED_BY(mu_) = true;     // the store may hold events that events_ does not
  int64_t next_sequence_ ABSL_GUARDED_BY(mu_);
  std::deque<v1::HistoryEvent> events_ ABSL_GUARDED_BY(mu_);
  size_t event_bytes_ ABSL_GUARDED_BY(mu_) = 0;     // of events_
  int64_t last_sequence_ ABSL_GUARDED_BY(mu_) = 0;  // of the newest record seen
  bool complete_ ABSL_GUARDED_BY(mu_) = false;      // nothing can follow last_sequence_
  effects::WatchHub::Subscription subscription_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_WATCH_CALL_H_
