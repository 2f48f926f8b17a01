#include "orchestrator/metrics/unreadable_records.h"

#include "common/logging.h"
#include "orchestrator/metrics/metric_names.h"

namespace tutti::metrics {

UnreadableRecords::UnreadableRecords(prometheus::Registry* registry)
    : count_(GaugeFamily(kRecordsUnreadable, registry).Add({})) {}

void UnreadableRecords::Report(const std::string& saga_id, absl::string_view why) {
  {
    MutexLock lock(&mu_);
    if (!ids_.insert(saga_id).second) return;
    count_.Set(static_cast<double>(ids_.size()));
  }
  Log(LogLevel::kError, "a record cannot be read and was stepped over", {{"saga_id", saga_id}, {"reason", why}});
}

}  // namespace tutti::metrics
