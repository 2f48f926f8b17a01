#include "orchestrator/api/watch_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::api {

grpc::ServerWriteReactor<v1::WatchSagaResponse>* WatchCall::Begin(const Rooms& rooms, const std::string& saga_id,
                                                                  int64_t from_sequence) {
  const auto call = std::make_shared<WatchCall>(rooms, saga_id, from_sequence);
  call->self_ = call;
  {
    MutexLock lock(&call->mu_);
    call->subscription_ = rooms.hub->Subscribe(
        saga_id, [call](const effects::WatchHub::Record& record, const effects::WatchHub::History& history) {
          call->OnPublished(record, history);
        });
  }
  const absl::Status waits = rooms.waiting->Add(call.get(), [call](const absl::Status& status) { call->End(status); });
  if (!waits.ok()) call->End(waits);
  rooms.pool->Post([call] { call->Advance(); });
  return call.get();
}

WatchCall::WatchCall(const Rooms& rooms, std::string saga_id, int64_t from_sequence)
    : rooms_(rooms), saga_id_(std::move(saga_id)), next_sequence_(std::max<int64_t>(from_sequence, 1)) {}

void WatchCall::OnPublished(const effects::WatchHub::Record& record, const effects::WatchHub::History& history) {
  MutexLock lock(&mu_);
  if (over_) return;
  if (record->last_sequence() >= last_sequence_) {
    last_sequence_ = record->last_sequence();
    complete_ = saga::IsTerminal(record->state()) && !saga::IsSettling(*record);
  }
  for (const v1::HistoryEvent& event : *history) {
    if (behind_ || event.sequence() < next_sequence_) continue;
    const int64_t expected = events_.empty() ? next_sequence_ : events_.back().sequence() + 1;
    if (event.sequence() < expected) continue;
    if (event.sequence() > expected || IsFull()) {
      behind_ = true;
    } else {
      Append(event);
    }
  }
  if (busy_) return;
  busy_ = true;
  rooms_.pool->Post([call = shared_from_this()] { call->Advance(); });
}

WatchCall::Next WatchCall::Choose() {
  if (over_) outcome_ = ended_by_;
  if (over_ || !outcome_.ok()) return Next::kFinish;
  if (!events_.empty()) {
    *message_.mutable_event() = TakeFirst();
    next_sequence_ = message_.event().sequence() + 1;
    return Next::kWrite;
  }
  if (behind_) return Next::kRead;
  if (complete_ && next_sequence_ > last_sequence_) return Next::kFinish;
  return Next::kWait;
}

void WatchCall::Advance() {
  for (;;) {
    Next next = Next::kWait;
    {
      MutexLock lock(&mu_);
      next = Choose();
      if (next == Next::kWait) {
        busy_ = false;
        return;
      }
      if (next == Next::kFinish) over_ = true;
    }
    switch (next) {
      case Next::kWrite:
        StartWrite(&message_);
        return;
      case Next::kFinish:
        Finish(ToAnswer(outcome_));
        return;
      case Next::kRead: {
        outcome_ = ReadMore();
        break;
      }
      case Next::kWait:
        return;
    }
  }
}

absl::Status WatchCall::ReadMore() {
  int64_t from = 0;
  {
    MutexLock lock(&mu_);
    from = next_sequence_;
    // Cleared before the read: what is published from here on is noticed, as a repeat, the next event, or a gap.
    behind_ = false;
  }
  auto record = rooms_.reader->GetSaga(saga_id_);
  if (!record.ok()) return SagaError(record.status(), saga_id_);
  auto history = rooms_.reader->GetHistory(saga_id_, from, static_cast<int>(limits::kWatchBufferMax));
  if (!history.ok()) return history.status();
  if (history->empty() && from <= record->last_sequence()) {
    return WithReason(absl::NotFoundError(absl::StrCat("saga_id: saga ", saga_id_, " has just expired")),
                      "SAGA_NOT_FOUND");
  }

  MutexLock lock(&mu_);
  if (record->last_sequence() >= last_sequence_) {
    last_sequence_ = record->last_sequence();
    complete_ = saga::IsTerminal(record->state()) && !saga::IsSettling(*record);
  }
  if (!history->empty()) Join(*std::move(history));
  return absl::OkStatus();
}

void WatchCall::Join(std::vector<v1::HistoryEvent> read) {
  std::deque<v1::HistoryEvent> published = std::move(events_);
  events_.clear();
  event_bytes_ = 0;
  size_t taken = 0;
  while (taken < read.size() && !IsFull()) Append(std::move(read[taken++]));
  if (taken == read.size()) {
    for (v1::HistoryEvent& event : published) {
      if (event.sequence() == events_.back().sequence() + 1 && !IsFull()) Append(std::move(event));
    }
  }
  if (events_.back().sequence() < last_sequence_) behind_ = true;
}

bool WatchCall::IsFull() const {
  return events_.size() >= limits::kWatchBufferMax || event_bytes_ >= limits::kWatchBufferBytesMax;
}

void WatchCall::Append(v1::HistoryEvent event) {
  event_bytes_ += event.ByteSizeLong();
  events_.push_back(std::move(event));
}

v1::HistoryEvent WatchCall::TakeFirst() {
  v1::HistoryEvent event = std::move(events_.front());
  events_.pop_front();
  event_bytes_ -= event.ByteSizeLong();
  return event;
}

void WatchCall::OnWriteDone(bool ok) {
  if (!ok) {
    MutexLock lock(&mu_);
    over_ = true;
    ended_by_ = absl::CancelledError("the client is gone");
  }
  // Here gRPC's thread would read the store; the pool is for that.
  rooms_.pool->Post([call = shared_from_this()] { call->Advance(); });
}

void WatchCall::End(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (over_) return;
    over_ = true;
    ended_by_ = status;
    if (busy_) return;  // whoever is busy finishes the stream
    busy_ = true;
  }
  Finish(ToAnswer(status));
}

void WatchCall::OnCancel() {
  End(absl::CancelledError("the client is gone"));
}

void WatchCall::OnDone() {
  const std::shared_ptr<WatchCall> last = std::move(self_);
  last->rooms_.waiting->Remove(last.get());
  MutexLock lock(&last->mu_);
  last->over_ = true;
  last->subscription_.Cancel();
}

}  // namespace tutti::api
