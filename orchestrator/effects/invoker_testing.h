// What the invoker's tests share: a participant whose behaviour is a function, and a log of what the invoker posts.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_INVOKER_TESTING_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_INVOKER_TESTING_H_

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "orchestrator/effects/effect_sinks.h"
#include "orchestrator/effects/participant_endpoint.h"

namespace tutti::effects {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

inline constexpr std::chrono::seconds kBound(20);

// Events in the order they were posted; takers wait with a bound.
class EventLog {
 public:
  EventSink sink() {
    return [this](saga::Event event) {
      MutexLock lock(&mu_);
      events_.push_back(std::move(event));
      changed_.SignalAll();
    };
  }

  std::optional<saga::Event> Next() {
    MutexLock lock(&mu_);
    const auto bound = std::chrono::steady_clock::now() + kBound;
    while (events_.empty()) {
      if (!changed_.WaitUntil(&mu_, bound) && events_.empty()) return std::nullopt;
    }
    saga::Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  template <typename Body>
  Body NextOf() {
    const std::optional<saga::Event> event = Next();
    if (!event.has_value() || !std::holds_alternative<Body>(event->body)) {
      ADD_FAILURE() << (event ? "another kind of event, index " + std::to_string(event->body.index()) : "no event");
      return Body();
    }
    return std::get<Body>(event->body);
  }

  size_t size() {
    MutexLock lock(&mu_);
    return events_.size();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::deque<saga::Event> events_ ABSL_GUARDED_BY(mu_);
};

// A participant whose behaviour is a function; held calls are finished by the test.
class FakeParticipant final : public Health::CallbackService {
 public:
  using Handler = std::function<grpc::Status(grpc::CallbackServerContext*, HealthCheckResponse*)>;

  ~FakeParticipant() override { Stop(); }

  void Start(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    builder.SetMaxReceiveMessageSize(-1);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  void Stop() {
    if (server_ == nullptr) return;
    Release(grpc::Status(grpc::StatusCode::ABORTED, "stopped"));
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context, const HealthCheckRequest*,
                                  HealthCheckResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    MutexLock lock(&mu_);
    ++calls_;
    for (const auto& [key, value] : context->client_metadata()) {
      metadata_[std::string(key.data(), key.size())] = std::string(value.data(), value.size());
    }
    if (hold_) {
      held_.push_back(reactor);
    } else {
      reactor->Finish(handler_ ? handler_(context, response) : grpc::Status::OK);
    }
    changed_.SignalAll();
    return reactor;
  }

  void Handle(Handler handler) {
    MutexLock lock(&mu_);
    handler_ = std::move(handler);
  }
  void Hold() {
    MutexLock lock(&mu_);
    hold_ = true;
  }
  void Release(const grpc::Status& status) {
    std::vector<grpc::ServerUnaryReactor*> held;
    {
      MutexLock lock(&mu_);
      hold_ = false;
      held.swap(held_);
    }
    for (grpc::ServerUnaryReactor* reactor : held) reactor->Finish(status);
  }
  bool WaitForCalls(int count) {
    MutexLock lock(&mu_);
    const auto bound = std::chrono::steady_clock::now() + kBound;
    while (calls_ < count) {
      if (!changed_.WaitUntil(&mu_, bound) && calls_ < count) return false;
    }
    return true;
  }
  int calls() {
    MutexLock lock(&mu_);
    return calls_;
  }
  std::map<std::string, std::string> metadata() {
    MutexLock lock(&mu_);
    return metadata_;
  }
  int port() const { return port_; }

 private:
  Mutex mu_;
  CondVar changed_;
  Handler handler_ ABSL_GUARDED_BY(mu_);
  bool hold_ ABSL_GUARDED_BY(mu_) = false;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<grpc::ServerUnaryReactor*> held_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> metadata_ ABSL_GUARDED_BY(mu_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

inline ParticipantEndpoint Endpoint(int port) {
  ParticipantEndpoint endpoint;
  endpoint.name = "payment";
  endpoint.target = "127.0.0.1:" + std::to_string(port);
  return endpoint;
}

inline saga::SendCommand Command(int number = 1) {
  saga::SendCommand command;
  command.saga_id = "booking-1";
  command.saga_uid = "uid-1";
  command.participant = "payment";
  command.method = "grpc.health.v1.Health/Check";
  command.kind = v1::STEP_KIND_COMPENSATABLE;
  command.attempt = {"charge", v1::OPERATION_ACTION, number};
  command.key = "uid-1/charge/action";
  command.timeout_ms = 15'000;
  command.grace_ms = 10'000;
  return command;
}

inline saga::DropCommand DropOf(const saga::SendCommand& command) {
  return {.saga_id = command.saga_id,
          .saga_uid = command.saga_uid,
          .participant = command.participant,
          .attempt = command.attempt};
}

// The port of a server that has just gone, so nobody listens there.
inline int DeadPort() {
  FakeParticipant gone;
  gone.Start();
  return gone.port();
}

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_INVOKER_TESTING_H_
