// Every metric of a participant, and no other place that names one. Saga ids are never labels.
#ifndef TUTTI_PARTICIPANTS_SDK_PARTICIPANT_METRICS_H_
#define TUTTI_PARTICIPANTS_SDK_PARTICIPANT_METRICS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "participants/sdk/barrier.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace tutti::participant {

inline constexpr char kCommandsTotal[] = "tutti_participant_commands_total";  // method, operation, mark, code
inline constexpr char kCommandSeconds[] = "tutti_participant_command_duration_seconds";  // method
inline constexpr char kCommitSeconds[] = "tutti_participant_commit_duration_seconds";
inline constexpr char kInboxExpiredTotal[] = "tutti_participant_inbox_expired_total";
inline constexpr char kCommitBatchSize[] = "tutti_participant_commit_batch_size";

// Thread-safe.
class ParticipantMetrics {
 public:
  explicit ParticipantMetrics(std::shared_ptr<prometheus::Registry> registry);

  // `operation` is "action", "compensation" or, for calls that are no saga commands, "none"; `code` a gRPC code's name.
  void CountCommand(absl::string_view method, absl::string_view operation, Mark mark, absl::string_view code,
                    double seconds);
  void CountCommit(size_t jobs, double seconds);
  void CountExpired(size_t rows);

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& commands_;
  prometheus::Family<prometheus::Histogram>& command_seconds_;
  prometheus::Counter& inbox_expired_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Histogram& batch_size_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_PARTICIPANT_METRICS_H_
