#include "common/health_service.h"

#include <utility>

#include "common/check.h"

namespace tutti {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One step at a time: whoever turns `busy_` on, under the service's lock, performs the step after releasing it; the
// call cannot end, and the watcher not die, before that step is over.
class HealthService::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  enum class Action { kNone, kWrite, kFinish };

  Watcher(HealthService* service, std::string name) : service_(service), name_(std::move(name)) {}

  Action NextAction() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_->mu_) {
    if (busy_) return Action::kNone;
    if (cancelled_) {
      busy_ = true;
      return Action::kFinish;
    }
    const auto status = service_->StatusOf(name_);
    if (status != response_.status()) {  // at the end too: a watcher hears the last change before its call is over
      response_.set_status(status);
      busy_ = true;
      return Action::kWrite;
    }
    if (!service_->ended_) return Action::kNone;
    busy_ = true;
    return Action::kFinish;
  }

  void Perform(Action action) {
    if (action == Action::kWrite) StartWrite(&response_);
    if (action == Action::kFinish) Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
  }

  void OnWriteDone(bool ok) override { Continue(/*cancelled=*/!ok, /*step_over=*/true); }
  void OnCancel() override { Continue(/*cancelled=*/true, /*step_over=*/false); }
  void OnDone() override {
    {
      MutexLock lock(&service_->mu_);
      service_->watchers_.erase(this);
    }
    delete this;
  }

 private:
  void Continue(bool cancelled, bool step_over) {
    Action action;
    {
      MutexLock lock(&service_->mu_);
      if (cancelled) cancelled_ = true;
      if (step_over) busy_ = false;
      action = NextAction();
    }
    Perform(action);
  }

  HealthService* const service_;
  const std::string name_;
  bool busy_ ABSL_GUARDED_BY(service_->mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(service_->mu_) = false;
  HealthCheckResponse response_;  // the last one sent; UNKNOWN before the first
};

HealthService::~HealthService() {
  MutexLock lock(&mu_);
  TUTTI_CHECK(watchers_.empty(), "the server must be shut down before its health service goes");
}

void HealthService::SetServices(const std::vector<std::string>& names) {
  {
    MutexLock lock(&mu_);
    names_ = {names.begin(), names.end()};
    names_.insert("");
  }
  Advance();
}

void HealthService::SetServing(bool serving) {
  {
    MutexLock lock(&mu_);
    serving_ = serving;
  }
  Advance();
}

void HealthService::AnswerLiveness() {
  MutexLock lock(&mu_);
  answers_liveness_ = true;
}

void HealthService::SetAlive(bool alive) {
  {
    MutexLock lock(&mu_);
    alive_ = alive;
  }
  Advance();
}

HealthCheckResponse::ServingStatus HealthService::StatusOf(const std::string& name) const {
  if (answers_liveness_ && name == kLivenessService) {
    return alive_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }
  if (names_.count(name) == 0) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void HealthService::EndWatches() {
  {
    MutexLock lock(&mu_);
    ended_ = true;
  }
  Advance();
}

void HealthService::Advance() {
  std::vector<std::pair<Watcher*, Watcher::Action>> steps;
  {
    MutexLock lock(&mu_);
    for (Watcher* watcher : watchers_) steps.emplace_back(watcher, watcher->NextAction());
  }
  for (const auto& [watcher, action] : steps) {
    // A watcher without a step of ours may be gone by now.
    if (action != Watcher::Action::kNone) watcher->Perform(action);
  }
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  auto* reactor = context->DefaultReactor();
  bool known;
  {
    MutexLock lock(&mu_);
    const auto status = StatusOf(request->service());
    known = status != HealthCheckResponse::SERVICE_UNKNOWN;
    response->set_status(status);
  }
  reactor->Finish(known ? grpc::Status::OK : grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service here"));
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext*,
                                                                    const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, request->service());
  Watcher::Action action;
  {
    MutexLock lock(&mu_);
    watchers_.insert(watcher);
    action = watcher->NextAction();
  }
  watcher->Perform(action);
  return watcher;
}

}  // namespace tutti
