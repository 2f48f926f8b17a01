#include "participants/sdk/participant_metrics.h"

namespace tutti::participant {
namespace {

// From a batched commit on a fast disk to a participant that is in trouble.
const prometheus::Histogram::BucketBoundaries kSecondsBuckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};
const prometheus::Histogram::BucketBoundaries kSizeBuckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

}  // namespace

ParticipantMetrics::ParticipantMetrics(prometheus::Registry* registry)
    : commands_(CounterFamily(kCommandsTotal, registry)),
      command_seconds_(HistogramFamily(kCommandSeconds, registry)),
      inbox_expired_(CounterFamily(kInboxExpiredTotal, registry).Add({})),
      commit_seconds_(HistogramFamily(kCommitSeconds, registry).Add({}, kSecondsBuckets)),
      batch_size_(HistogramFamily(kCommitBatchSize, registry).Add({}, kSizeBuckets)) {}

void ParticipantMetrics::CountCommand(absl::string_view method, absl::string_view operation, Mark mark,
                                      absl::string_view code, double seconds) {
  const std::string mark_label = mark == Mark::kNone ? "none" : std::string(ToString(mark));
  commands_
      .Add({{"method", std::string(method)},
            {"operation", std::string(operation)},
            {"mark", mark_label},
            {"code", std::string(code)}})
      .Increment();
  command_seconds_.Add({{"method", std::string(method)}}, kSecondsBuckets).Observe(seconds);
}

void ParticipantMetrics::CountCommit(size_t jobs, double seconds) {
  commit_seconds_.Observe(seconds);
  batch_size_.Observe(static_cast<double>(jobs));
}

void ParticipantMetrics::CountExpired(size_t rows) {
  inbox_expired_.Increment(static_cast<double>(rows));
}

}  // namespace tutti::participant
