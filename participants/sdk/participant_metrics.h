// Every metric of a participant's own. Those that any server has are in common/metric_names.h.
#ifndef TUTTI_PARTICIPANTS_SDK_PARTICIPANT_METRICS_H_
#define TUTTI_PARTICIPANTS_SDK_PARTICIPANT_METRICS_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "common/process_metrics.h"
#include "participants/sdk/barrier.h"

namespace tutti::participant {

inline constexpr MetricName kCommandsTotal{"tutti_participant_commands_total", kCounter,
                                           "method, operation, mark, code", "Calls answered"};
inline constexpr MetricName kCommandSeconds{"tutti_participant_command_duration_seconds", kHistogram, "method",
                                            "From a call's arrival to its answer"};
inline constexpr MetricName kCommitSeconds{"tutti_participant_commit_duration_seconds", kHistogram, "",
                                           "Length of a synced commit"};
inline constexpr MetricName kInboxExpiredTotal{"tutti_participant_inbox_expired_total", kCounter, "",
                                               "Inbox rows that were forgotten at the end of their life"};
inline constexpr MetricName kCommitBatchSize{"tutti_participant_commit_batch_size", kHistogram, "",
                                             "Jobs that shared one commit"};

// Thread-safe.
class ParticipantMetrics {
 public:
  explicit ParticipantMetrics(prometheus::Registry* registry);  // must outlive this

  // `operation` is "action", "compensation" or, for calls that are no saga commands, "none"; `code` a gRPC code's name.
  void CountCommand(absl::string_view method, absl::string_view operation, Mark mark, absl::string_view code,
                    double seconds);
  void CountCommit(size_t jobs, double seconds);
  void CountExpired(size_t rows);

 private:
  prometheus::Family<prometheus::Counter>& commands_;
  prometheus::Family<prometheus::Histogram>& command_seconds_;
  prometheus::Counter& inbox_expired_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Histogram& batch_size_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_PARTICIPANT_METRICS_H_
