#include "orchestrator/api/start_check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"
#include "orchestrator/api/fingerprint.h"

namespace tutti::api {
namespace {

constexpr int64_t kMissingRetryMs = 5'000;

// A saga of it would be taken, and then wait for a service that nobody has told us where to find.
absl::Status CheckParticipants(const catalog::Revision& revision, const Definitions& definitions) {
  for (const saga::StepRecipe& step : revision.compiled->recipe()->steps) {
    if (definitions.KnowsParticipant(step.participant)) continue;
    return WithRetryDelay(
        WithReason(absl::UnavailableError(absl::StrCat(
                       "definition: ", revision.record.name(), " calls participant `", step.participant,
                       "`, which is not configured; the operator adds it to participants.yaml and sends SIGHUP")),
                   "PARTICIPANT_NOT_CONFIGURED"),
        kMissingRetryMs);
  }
  return absl::OkStatus();
}

absl::Status FillIn(const std::string& definition, int64_t revision, const google::protobuf::Struct& input,
                    const Definitions& definitions, shard::StartRequest* start) {
  if (definition.empty()) {
    return InvalidArgumentError("NAME_INVALID", {{"definition", "is empty; name the definition to run"}});
  }
  if (absl::Status status = ValidateName(definition, "definition"); !status.ok()) return status;
  if (revision < 0) {
    return InvalidArgumentError("FIELD_INVALID", {{"revision", "must not be negative; 0 means the newest"}});
  }
  if (input.ByteSizeLong() > limits::kInputBytesMax) {
    return InvalidArgumentError("INPUT_INVALID", {{"input", absl::StrCat("has ", input.ByteSizeLong(),
                                                                         " bytes; at most ", limits::kInputBytesMax,
                                                                         " are kept with a saga. Store large content "
                                                                         "elsewhere and pass a reference to it")}});
  }
  auto found = definitions.Get(definition, revision);
  if (!found.ok()) {
    if (absl::IsNotFound(found.status()) && ReasonOf(found.status()).empty()) {
      return WithReason(found.status(), "DEFINITION_NOT_FOUND");
    }
    return found.status();
  }
  if (const auto disablement = definitions.FindDisablement(definition); disablement.has_value()) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "definition: ", definition, " is disabled and takes no new sagas: ", disablement->reason(),
                          disablement->by().empty() ? "" : absl::StrCat(" (", disablement->by(), ")"))),
                      "DEFINITION_DISABLED");
  }
  const catalog::Revision& chosen = **found;
  auto encoded = chosen.compiled->EncodeInput(input);
  if (!encoded.ok()) return encoded.status();
  auto labels = chosen.compiled->MapLabels(*encoded);
  if (!labels.ok()) return labels.status();
  start->revision = chosen.record.revision();
  start->input = *std::move(encoded);
  start->labels = *std::move(labels);
  return CheckParticipants(chosen, definitions);
}

}  // namespace

absl::StatusOr<shard::StartRequest> CheckStart(const std::string& saga_id, const std::string& definition,
                                               int64_t revision, const google::protobuf::Struct& input,
                                               const Definitions& definitions, Admission* admission) {
  if (saga_id.empty()) {
    return InvalidArgumentError(
        "SAGA_ID_INVALID",
        {{"saga_id",
          "is empty; choose one per business transaction, e.g. an order number: it is the idempotency key, so "
          "that a repeated start is the same saga"}});
  }
  if (absl::Status status = ValidateSagaId(saga_id); !status.ok()) return status;
  shard::StartRequest start;
  start.saga_id = saga_id;
  start.definition = definition;
  start.asked_revision = revision;
  start.fingerprint = StartFingerprint(definition, revision, input);
  start.validation = FillIn(definition, revision, input, definitions, &start);
  if (start.validation.ok() && admission != nullptr) start.validation = admission->AdmitStart(start.input.size());
  return start;
}

}  // namespace tutti::api
