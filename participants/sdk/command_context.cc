#include "participants/sdk/command_context.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"

namespace tutti::participant {
namespace {

absl::Status Bad(absl::string_view name, absl::string_view example, absl::string_view what) {
  return InvalidArgumentError(
      "COMMAND_METADATA_INVALID",
      {{absl::StrCat("metadata ", name),
        absl::StrCat(what, "; this method is a saga command, and by hand grpcurl passes it as -H '", name, ": ",
                     example, "'")}});
}

// Reads one entry after another; keeps the first error.
class Reader {
 public:
  explicit Reader(const std::multimap<std::string, std::string>& metadata) : metadata_(metadata) {}

  const absl::Status& status() const { return status_; }

  std::string Optional(const char* name) {
    const auto found = metadata_.find(name);
    return found == metadata_.end() ? "" : found->second;
  }

  std::string Required(const char* name, absl::string_view example) {
    std::string value = Optional(name);
    if (value.empty()) Fail(name, example, "is missing");
    return value;
  }

  std::string Id(const char* name, absl::string_view example) {
    std::string value = Required(name, example);
    if (!value.empty() && !ValidateSagaId(value, name).ok()) {
      Fail(name, example,
           absl::StrCat("must be 1 to ", limits::kSagaIdBytesMax, " printable characters without '/', '|' and spaces"));
    }
    return value;
  }

  int64_t Number(const char* name, absl::string_view example, bool required) {
    const std::string value = required ? Required(name, example) : Optional(name);
    int64_t number = 0;
    if (!value.empty() && (!absl::SimpleAtoi(value, &number) || number < 0)) {
      Fail(name, example, "must be a whole number, not negative");
    }
    return number;
  }

  void Fail(const char* name, absl::string_view example, absl::string_view what) {
    if (status_.ok()) status_ = Bad(name, example, what);
  }

 private:
  const std::multimap<std::string, std::string>& metadata_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<CommandContext> ParseCommandContext(const std::multimap<std::string, std::string>& metadata) {
  Reader reader(metadata);
  CommandContext context;
  context.saga_id = reader.Id("tutti-saga-id", "s-1");
  context.saga_uid = reader.Id("tutti-saga-uid", "u-1");
  context.step = reader.Id("tutti-step", "charge");
  const std::string kind = reader.Required("tutti-kind", "compensatable");
  if (kind == "pivot") {
    context.kind = StepKind::kPivot;
  } else if (kind == "retriable") {
    context.kind = StepKind::kRetriable;
  } else if (kind != "compensatable") {
    reader.Fail("tutti-kind", "compensatable", "must be compensatable, pivot or retriable");
  }
  const std::string operation = reader.Required("tutti-operation", "action");
  if (operation == "compensation") {
    context.operation = Operation::kCompensation;
  } else if (operation != "action") {
    reader.Fail("tutti-operation", "action", "must be action or compensation");
  }
  const int64_t attempt = reader.Number("tutti-attempt", "1", true);
  if (attempt > INT32_MAX) reader.Fail("tutti-attempt", "1", "is too large");
  context.attempt = static_cast<int32_t>(attempt);
  context.idempotency_key = reader.Required("tutti-idempotency-key", "u-1/charge/action");
  context.key_born_ms = reader.Number("tutti-key-born-ms", "1767225600000", true);
  context.step_born_ms = reader.Number("tutti-step-born-ms", "1767225600000", false);
  if (context.step_born_ms == 0) context.step_born_ms = context.key_born_ms;
  context.deadline_ms = reader.Number("tutti-deadline-ms", "1767225605000", false);
  context.traceparent = reader.Optional("traceparent");
  if (!reader.status().ok()) return reader.status();
  return context;
}

}  // namespace tutti::participant
