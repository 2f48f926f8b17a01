#include "orchestrator/api/saga_view.h"

#include <utility>

#include "common/limits.h"
#include "common/logging.h"
#include "common/utf8.h"
#include "google/protobuf/io/coded_stream.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::api {
namespace {

void SetTime(int64_t ms, google::protobuf::Timestamp* (v1::Saga::*mutable_time)(), v1::Saga* saga) {
  if (ms != 0) *(saga->*mutable_time)() = ToTimestamp(ms);
}

v1::Step ToStep(const storage::v1::StepRecord& record, const saga::StepRecipe* recipe) {
  v1::Step step;
  step.set_name(record.name());
  step.set_state(record.state());
  if (recipe != nullptr) {
    step.set_kind(recipe->kind);
    step.set_participant(recipe->participant);
  }
  step.set_action_attempts(record.action().attempts());
  step.set_compensation_attempts(record.compensation().attempts());
  if (record.has_parking()) {
    v1::Parking* parking = step.mutable_parking();
    parking->set_cause(record.parking().cause());
    parking->set_message(TruncateUtf8(record.parking().message(), limits::kStatusMessageBytesMax));
    *parking->mutable_since() = ToTimestamp(record.parking().since_ms());
    parking->set_history_sequence(record.parking().history_sequence());
    parking->set_operation(record.parking().operation());
  }
  if (record.started_ms() != 0) *step.mutable_start_time() = ToTimestamp(record.started_ms());
  if (record.finished_ms() != 0) *step.mutable_end_time() = ToTimestamp(record.finished_ms());
  return step;
}

// Only what readers of the answer can parse too: there it stands deeper than here.
bool ParsePayload(const std::string& bytes, google::protobuf::Struct* payload) {
  google::protobuf::io::CodedInputStream decoder(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                 static_cast<int>(bytes.size()));
  decoder.SetRecursionLimit(limits::kJsonLevelsMax);
  return payload->ParseFromCodedStream(&decoder) && decoder.ConsumedEntireMessage();
}

}  // namespace

google::protobuf::Timestamp ToTimestamp(int64_t ms_since_epoch) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(ms_since_epoch / 1000);
  timestamp.set_nanos(static_cast<int32_t>(ms_since_epoch % 1000) * 1'000'000);
  return timestamp;
}

v1::Saga ToSagaWithoutPayloads(const storage::v1::SagaRecord& record, const catalog::Revision* revision) {
  v1::Saga saga;
  saga.set_saga_id(record.saga_id());
  saga.set_uid(record.uid());
  saga.set_definition(record.definition());
  saga.set_revision(record.revision());
  saga.set_state(record.state());
  const saga::Recipe* recipe = nullptr;
  std::shared_ptr<const saga::Recipe> held;
  if (revision != nullptr && revision->compiled != nullptr) {
    held = revision->compiled->recipe();
    recipe = held.get();
  }
  for (int i = 0; i < record.steps_size(); ++i) {
    const bool known = recipe != nullptr && static_cast<size_t>(i) < recipe->steps.size();
    *saga.add_steps() = ToStep(record.steps(i), known ? &recipe->steps[i] : nullptr);
  }
  *saga.mutable_labels() = record.labels();
  if (record.has_abort_reason()) {
    *saga.mutable_abort_reason() = record.abort_reason();
    saga.mutable_abort_reason()->set_message(
        TruncateUtf8(record.abort_reason().message(), limits::kStatusMessageBytesMax));
  }
  SetTime(record.started_ms(), &v1::Saga::mutable_start_time, &saga);
  SetTime(record.committed_ms(), &v1::Saga::mutable_commit_time, &saga);
  SetTime(record.finished_ms(), &v1::Saga::mutable_end_time, &saga);
  saga.set_parked(saga::IsParked(record));
  saga.set_settling(saga::IsTerminal(record.state()) && saga::IsSettling(record));
  saga.set_history_sequence(record.last_sequence());
  return saga;
}

v1::Saga ToSagaWithoutInput(const storage::v1::SagaRecord& record, const catalog::Revision* revision) {
  v1::Saga saga = ToSagaWithoutPayloads(record, revision);
  if (record.has_output() && !ParsePayload(record.output(), saga.mutable_output())) {
    saga.clear_output();
    saga.set_payloads_omitted(true);
  }
  return saga;
}

v1::Saga ToSaga(const storage::v1::SagaRecord& record, const catalog::Revision* revision) {
  v1::Saga saga = ToSagaWithoutInput(record, revision);
  if (revision == nullptr || revision->compiled == nullptr) return saga;
  auto input = revision->compiled->DecodeInput(record.input());
  if (input.ok()) {
    *saga.mutable_input() = *std::move(input);
  } else {
    saga.set_payloads_omitted(true);
    if (absl::IsDataLoss(input.status())) {
      Log(LogLevel::kError, "a saga's input cannot be read back",
          {{"saga_id", record.saga_id()}, {"error", input.status().message()}});
    }
  }
  return saga;
}

void OmitPayloadsBeyond(size_t bytes_max, v1::Saga* saga) {
  if (!(saga->has_input() || saga->has_output()) || saga->ByteSizeLong() <= bytes_max) return;
  saga->clear_input();
  saga->clear_output();
  saga->set_payloads_omitted(true);
}

}  // namespace tutti::api
