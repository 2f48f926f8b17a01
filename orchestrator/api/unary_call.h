// One unary call, as bytes on both sides. gRPC would parse a request of any size on its own few threads, and keep
// request and answer as objects, which take up to twenty times their bytes, until the client has read the last byte.
#ifndef TUTTI_ORCHESTRATOR_API_UNARY_CALL_H_
#define TUTTI_ORCHESTRATOR_API_UNARY_CALL_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "orchestrator/api/call_budget.h"
#include "orchestrator/api/worker_pool.h"

namespace tutti::api {

// Owns itself until gRPC says that the call is over. Fail or Answer ends it: exactly one of them, once, on any thread,
// and nothing of the call may be touched afterwards.
class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  static constexpr int kLevelsMax = 100;  // as every parser of protobuf takes

  // The budgets must outlive the call. The others are gRPC's, as it handed them to the handler.
  UnaryCall(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request, grpc::ByteBuffer* response,
            CallBudgets* budgets);

  size_t request_bytes() const { return request_bytes_; }
  // The client does not wait any more, so nothing need be done.
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // Runs `work` on the pool, unless the client is gone by then. Refuses the call when the budget or the pool has no
  // room.
  void WorkOn(WorkerPool* pool, std::function<void()> work);
  // The same, but here and now when the request has no more than limits::kInlineRequestBytesMax.
  void Work(WorkerPool* large, std::function<void()> work);

  // INVALID_ARGUMENT (REQUEST_UNREADABLE) when the bytes are no such message, or one of more levels than `levels_max`.
  absl::Status Parse(google::protobuf::Message* request, int levels_max = kLevelsMax) const;

  void Fail(const absl::Status& status);
  // RESOURCE_EXHAUSTED in its place when the budget has no room for it.
  void Answer(const google::protobuf::Message& response);
  // False, and the call goes on without its request, when the budget has no room for it.
  bool TryAnswer(const google::protobuf::Message& response);

  void OnCancel() override { cancelled_.store(true, std::memory_order_relaxed); }
  void OnDone() override;

 protected:
  // At the end of the call, as far as gRPC is concerned.
  void ReturnBytes();

 private:
  // Before anything was done.
  virtual void Refuse(const absl::Status& status) { Fail(status); }

  grpc::CallbackServerContext* const context_;
  const grpc::ByteBuffer* const request_;
  grpc::ByteBuffer* const response_;
  CallBudgets* const budgets_;
  const size_t request_bytes_;
  const bool admitted_;
  size_t held_ = 0;  // of the requests' budget
  std::optional<CallBudget::Unread> unread_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_UNARY_CALL_H_
