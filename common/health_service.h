// grpc.health.v1.Health from its own proto, so that reflection can describe it; the built-in one cannot be described.
#ifndef TUTTI_COMMON_HEALTH_SERVICE_H_
#define TUTTI_COMMON_HEALTH_SERVICE_H_

#include <set>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace tutti {

// A name that only the listener for probes knows: SERVING unless nothing but a restart would help, so that a drain,
// which is NOT_SERVING to everybody else, does not look like a process that must be restarted.
inline constexpr char kLivenessService[] = "liveness";

// All services of a server share one status; "" stands for the server. Starts NOT_SERVING. Thread-safe.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  ~HealthService() override;

  void SetServices(const std::vector<std::string>& names);
  void SetServing(bool serving);
  // Makes kLivenessService known here. Before the server starts.
  void AnswerLiveness();
  void SetAlive(bool alive);  // what kLivenessService says; true at first
  // Ends every watch, now and later, so that none holds up the server's shutdown.
  void EndWatches();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;

  // SERVICE_UNKNOWN for a name that is not known here.
  grpc::health::v1::HealthCheckResponse::ServingStatus StatusOf(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Lets every watcher that is idle and behind take its next step.
  void Advance();

  mutable Mutex mu_;
  bool answers_liveness_ ABSL_GUARDED_BY(mu_) = false;
  bool alive_ ABSL_GUARDED_BY(mu_) = true;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::set<std::string> names_ ABSL_GUARDED_BY(mu_) = {""};
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);  // each deletes itself when its call is over
};

}  // namespace tutti

#endif  // TUTTI_COMMON_HEALTH_SERVICE_H_
