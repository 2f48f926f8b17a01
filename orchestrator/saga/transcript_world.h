// The small language of testdata/*.txt: one saga, driven by hand, answering every line with what it did.
#ifndef TUTTI_ORCHESTRATOR_SAGA_TRANSCRIPT_WORLD_H_
#define TUTTI_ORCHESTRATOR_SAGA_TRANSCRIPT_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "orchestrator/saga/state_machine.h"

namespace tutti::saga {

// Commands, one a line (see testdata/README.md):
//   saga [timeout=MS]          followed by one line per step: NAME [kind=K] [after=A,B] [barrier] [open] [none] ...
//   start | cancel | recover | restore ID | wait MS (a negative one sets the clock back)
//   times                      when the history says that each of its entries was, and how long it took
//   reply STEP/OP#N CODE [mark=M] [pushback=MS] [body=rejected|garbage]
//   notsent|timeout|grace|backoff STEP/OP#N
//   deadline STEP [N] | sagatimeout
//   mapping STEP/OP breaks|works
//   output STEP breaks
//   retry STEP@SEQUENCE…
//   resolve STEP@SEQUENCE done|undone
class TranscriptWorld final : public ParticipantTraitsSource {
 public:
  // Output ends with a line that describes the record.
  std::string Execute(const std::vector<std::string>& lines);

  ParticipantTraits TraitsOf(absl::string_view participant) const override;

 private:
  class FakeMapper;

  std::string Define(const std::vector<std::string>& lines);
  std::string Step(decltype(Event::body) body);
  std::string Times();

  Settings settings_;
  std::shared_ptr<FakeMapper> mapper_;
  Recipe recipe_;
  storage::v1::SagaRecord record_;
  std::vector<v1::HistoryEvent> history_;
  int64_t now_ms_ = 1'000'000;
};

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_TRANSCRIPT_WORLD_H_
