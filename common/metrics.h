// The /metrics listener of a process, over prometheus-cpp.
#ifndef TUTTI_COMMON_METRICS_H_
#define TUTTI_COMMON_METRICS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"

namespace tutti {

// Serves `metrics` at http://<address>/metrics. Port 0 picks a free one.
class MetricsListener {
 public:
  static absl::StatusOr<std::unique_ptr<MetricsListener>> Start(const std::string& address,
                                                                std::shared_ptr<prometheus::Collectable> metrics);
  virtual ~MetricsListener() = default;
  virtual int port() const = 0;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_METRICS_H_
