// A saga's history as it comes, without a thread: whoever waits may do something else now and then.
#ifndef TUTTI_TOOLS_TUTTICTL_SAGA_STREAM_H_
#define TUTTI_TOOLS_TUTTICTL_SAGA_STREAM_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "tools/tuttictl/session.h"

namespace tutti::ctl {

// Not thread-safe. Going away ends the call.
class SagaStream {
 public:
  enum class Next { kEvent, kNothingYet, kEnded };

  // From --from on, under the deadline of --timeout.
  explicit SagaStream(Session* session);
  ~SagaStream();
  SagaStream(const SagaStream&) = delete;
  SagaStream& operator=(const SagaStream&) = delete;

  Next Await(std::chrono::milliseconds patience, v1::HistoryEvent* event);
  // Once it has ended: why.
  absl::Status status() const { return status_; }

 private:
  bool AwaitTag(std::chrono::system_clock::time_point deadline, bool* ok);

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::WatchSagaResponse>> reader_;
  v1::WatchSagaResponse response_;
  bool started_ = false;
  bool ended_ = false;
  absl::Status status_;
};

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_SAGA_STREAM_H_
