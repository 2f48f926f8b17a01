#include "tools/tuttictl/saga_stream.h"

namespace tutti::ctl {

// One operation is under way at any time, so tags need not tell them apart.
constexpr void* kTag = nullptr;

SagaStream::SagaStream(Session* session) {
  session->SetDeadline(&context_, /*is_single_answer=*/false);
  v1::WatchSagaRequest request;
  request.set_saga_id(session->options().saga_id);
  request.set_from_sequence(session->options().from_sequence);
  reader_ = session->sagas()->AsyncWatchSaga(&context_, request, &queue_, kTag);
}

SagaStream::~SagaStream() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) continue;
}

bool SagaStream::AwaitTag(std::chrono::system_clock::time_point deadline, bool* ok) {
  void* tag;
  return queue_.AsyncNext(&tag, ok, deadline) == grpc::CompletionQueue::GOT_EVENT;
}

SagaStream::Next SagaStream::Await(std::chrono::milliseconds patience, v1::HistoryEvent* event) {
  if (ended_) return Next::kEnded;
  const auto deadline = std::chrono::system_clock::now() + patience;
  bool ok = false;
  if (!AwaitTag(deadline, &ok)) return Next::kNothingYet;
  if (ok && !started_) {
    started_ = true;
    reader_->Read(&response_, kTag);
    if (!AwaitTag(deadline, &ok)) return Next::kNothingYet;
  }
  if (ok) {
    event->Swap(response_.mutable_event());
    reader_->Read(&response_, kTag);
    return Next::kEvent;
  }
  ended_ = true;
  grpc::Status status;
  reader_->Finish(&status, kTag);
  AwaitTag(std::chrono::system_clock::time_point::max(), &ok);
  status_ = FromGrpcStatus(status);
  return Next::kEnded;
}

}  // namespace tutti::ctl
