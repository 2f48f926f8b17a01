// Which sagas this process met whose record could not be read. Each is told once in the log; a gauge counts them.
#ifndef TUTTI_ORCHESTRATOR_METRICS_UNREADABLE_RECORDS_H_
#define TUTTI_ORCHESTRATOR_METRICS_UNREADABLE_RECORDS_H_

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "common/process_metrics.h"

namespace tutti::metrics {

// Thread-safe. Nobody mends a record while the process lives, so the count never falls.
class UnreadableRecords {
 public:
  explicit UnreadableRecords(prometheus::Registry* registry);  // must outlive this

  void Report(const std::string& saga_id, absl::string_view why);

 private:
  prometheus::Gauge& count_;
  Mutex mu_;
  absl::flat_hash_set<std::string> ids_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_UNREADABLE_RECORDS_H_
