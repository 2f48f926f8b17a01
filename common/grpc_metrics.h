// Rate, errors and duration of a gRPC server's calls, and its listener.
#ifndef TUTTI_COMMON_GRPC_METRICS_H_
#define TUTTI_COMMON_GRPC_METRICS_H_

#include <array>
#include <memory>
#include <string>

#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/call_observer.h"
#include "common/connection_acceptor.h"
#include "common/mutex.h"
#include "common/process_metrics.h"

namespace tutti {

// Thread-safe.
class GrpcMetrics final : public CallObserver {
 public:
  explicit GrpcMetrics(prometheus::Registry* registry);  // must outlive this

  void OnServed(absl::string_view method) override;
  void OnBegin(absl::string_view method) override;
  void OnEnd(absl::string_view method, int code, double seconds) override;

 private:
  static constexpr int kCodes = 17;  // gRPC's, by number

  struct Series {
    prometheus::Labels labels;
    prometheus::Gauge* in_flight = nullptr;
    prometheus::Histogram* duration = nullptr;
    std::array<prometheus::Counter*, kCodes> requests{};  // made when the code is first answered
  };

  Series& SeriesOf(absl::string_view method) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  prometheus::Counter& RequestsOf(Series& series, int code) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& duration_;
  prometheus::Family<prometheus::Gauge>& in_flight_;
  Mutex mu_;
  absl::node_hash_map<std::string, Series> series_ ABSL_GUARDED_BY(mu_);
};

// For ProcessMetrics::AddSource.
void DescribeListener(const AcceptorStatus& status, Scrape* scrape);

}  // namespace tutti

#endif  // TUTTI_COMMON_GRPC_METRICS_H_
