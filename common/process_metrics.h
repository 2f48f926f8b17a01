// All metrics of one process: what is counted as it happens, and what is worked out when somebody scrapes.
#ifndef TUTTI_COMMON_PROCESS_METRICS_H_
#define TUTTI_COMMON_PROCESS_METRICS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/metric_names.h"
#include "common/mutex.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/metric_family.h"
#include "prometheus/registry.h"

namespace tutti {

prometheus::Family<prometheus::Counter>& CounterFamily(const MetricName& metric, prometheus::Registry* registry);
prometheus::Family<prometheus::Gauge>& GaugeFamily(const MetricName& metric, prometheus::Registry* registry);
prometheus::Family<prometheus::Histogram>& HistogramFamily(const MetricName& metric, prometheus::Registry* registry);

// The values of one scrape. Not thread-safe.
class Scrape {
 public:
  // Of a counter or gauge.
  void Set(const MetricName& metric, const prometheus::Labels& labels, double value);
  // Of a summary without quantiles.
  void SetSummary(const MetricName& metric, const prometheus::Labels& labels, uint64_t count, double sum);

  std::vector<prometheus::MetricFamily> Take();

 private:
  prometheus::ClientMetric& Series(const MetricName& metric, const prometheus::Labels& labels);

  std::map<std::string, prometheus::MetricFamily> families_;
};

// Has process_* and the build of its own accord. Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  using Source = std::function<void(Scrape* scrape)>;

  prometheus::Registry* registry() { return &registry_; }

  // `source` is asked at every scrape, on the listener's thread.
  void AddSource(Source source);
  // When this returns no source runs, and none will: what they look at may go. The rest is served on.
  void DropSources();

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  prometheus::Registry registry_;
  mutable Mutex mu_;  // held while sources run
  std::vector<Source> sources_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti

#endif  // TUTTI_COMMON_PROCESS_METRICS_H_
