// Inputs and replies as clients and participants may send them. The first byte says which: a google.protobuf.Struct to
// the input codec, or reply bytes to the mappings that read them.
#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/fuzz/shop_definition.h"
#include "tests/fuzz/target.h"

namespace {

using tutti::storage::v1::SagaRecord;

const tutti::definition::CompiledDefinition& Shop() {
  static const auto* const definition =
      new std::shared_ptr<const tutti::definition::CompiledDefinition>(tutti::fuzz::ShopDefinition());
  return **definition;
}

// Errors are allowed; what they may not do is name nothing.
void MapEverything(SagaRecord* record) {
  const auto recipe = Shop().recipe();
  for (int step = 0; step < static_cast<int>(recipe->steps.size()); ++step) {
    for (const auto operation : {tutti::v1::OPERATION_ACTION, tutti::v1::OPERATION_COMPENSATION}) {
      if (operation == tutti::v1::OPERATION_COMPENSATION && !recipe->steps[step].compensation.has_value()) continue;
      const auto request = recipe->mapper->MapRequest(step, operation, "key", *record);
      TUTTI_CHECK(request.ok() || !request.status().message().empty(), "an error says what is wrong");
    }
  }
  google::protobuf::Struct output;
  TUTTI_CHECK(output.ParseFromString(recipe->mapper->MapOutput(*record).bytes), "the output can be read");
}

SagaRecord NewRecord() {
  SagaRecord record;
  record.set_saga_id("s");
  record.set_uid("u");
  for (const auto& step : Shop().recipe()->steps) record.add_steps()->set_name(step.name);
  return record;
}

void FuzzInput(absl::string_view bytes) {
  google::protobuf::Struct input;
  if (!input.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto encoded = Shop().EncodeInput(input);
  if (!encoded.ok()) {
    TUTTI_CHECK(absl::IsInvalidArgument(encoded.status()), encoded.status().ToString().c_str());
    return;
  }
  const auto decoded = Shop().DecodeInput(*encoded);
  TUTTI_CHECK(decoded.ok() || absl::IsResourceExhausted(decoded.status()), "an accepted input can be read back");
  // Not compared with the first: numbers come back as strings, empty lists not at all, NaN in a Struct as a text.
  const auto again = decoded.ok() ? Shop().EncodeInput(*decoded) : decoded.status();
  const auto reread = again.ok() ? Shop().DecodeInput(*again) : decoded;
  const google::protobuf::util::MessageDifferencer same;
  TUTTI_CHECK(!again.ok() || (reread.ok() && same.Equals(*decoded, *reread)), "what is read back means the same");
  Shop().MapLabels(*encoded).IgnoreError();
  SagaRecord record = NewRecord();
  record.set_input(*encoded);
  MapEverything(&record);
}

void FuzzReply(absl::string_view bytes) {
  const auto recipe = Shop().recipe();
  SagaRecord record = NewRecord();
  for (int step = 0; step < record.steps_size(); ++step) {
    const auto verdict = recipe->mapper->JudgeReply(step, tutti::v1::OPERATION_ACTION, bytes).verdict;
    if (verdict != tutti::saga::ReplyVerdict::kAccepted) return;
    record.mutable_steps(step)->set_has_reply(true);
    record.mutable_steps(step)->set_reply(std::string(bytes));
    record.mutable_steps(step)->set_state(tutti::v1::STEP_STATE_SUCCEEDED);
  }
  MapEverything(&record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  data[0] % 2 == 0 ? FuzzInput(rest) : FuzzReply(rest);
  return 0;
}
