// The /metrics listener of a process.
#ifndef TUTTI_COMMON_METRICS_H_
#define TUTTI_COMMON_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/limits.h"
#include "prometheus/collectable.h"

namespace tutti {

// Serves `metrics` at http://<address>/metrics to GET and HEAD, one request a connection, compressed for those who take
// gzip. One thread talks to all connections and another one collects, so that whoever says nothing, or little and
// slowly, is in nobody's way; scrapes that come while one is collected share the next collection.
class MetricsListener {
 public:
  struct Options {
    size_t connections_max = limits::kScrapeConnectionsMax;  // beyond, the one that has been silent for longest goes
    // Each from its own beginning; then the connection is closed.
    int64_t request_ms = 10'000;  // until the headers are complete; a body is not waited for
    int64_t collect_ms = 60'000;  // the sources may wait for a disk
    int64_t send_ms = 20'000;     // until the client has taken the whole answer
  };

  // INVALID_ARGUMENT and UNAVAILABLE as ListeningSockets::Bind.
  static absl::StatusOr<std::unique_ptr<MetricsListener>> Start(const std::string& address,
                                                                std::shared_ptr<prometheus::Collectable> metrics,
                                                                const Options& options);
  static absl::StatusOr<std::unique_ptr<MetricsListener>> Start(const std::string& address,
                                                                std::shared_ptr<prometheus::Collectable> metrics) {
    return Start(address, std::move(metrics), Options());
  }
  virtual ~MetricsListener() = default;  // waits for the collection under way
  virtual int port() const = 0;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_METRICS_H_
