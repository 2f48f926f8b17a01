#include "tools/tuttictl/render.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"
#include "tools/tuttictl/timeline.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::ctl {
namespace {

using google::protobuf::util::TimeUtil;

std::string TimeText(const google::protobuf::Timestamp& time) {
  return TimeUtil::ToString(time);
}

std::string DurationOf(const google::protobuf::Timestamp& from, const google::protobuf::Timestamp& to) {
  return DurationText(TimeUtil::TimestampToMilliseconds(to) - TimeUtil::TimestampToMilliseconds(from));
}

std::string RenderSteps(const v1::Saga& saga) {
  std::vector<std::vector<std::string>> rows = {
      {"STEP", "KIND", "STATE", "PARTICIPANT", "ACTIONS", "COMPENSATIONS", "PARKED"}};
  for (const auto& step : saga.steps()) {
    std::string parking;
    if (step.has_parking()) {
      parking = absl::StrCat(ShortName(step.parking().cause()), " since ", TimeText(step.parking().since()), ": ",
                             Printable(step.parking().message()));
    }
    rows.push_back({step.name(), ShortName(step.kind()), ShortName(step.state()), step.participant(),
                    absl::StrCat(step.action_attempts()), absl::StrCat(step.compensation_attempts()), parking});
  }
  return Table(rows);
}

}  // namespace

std::string SizeText(int64_t bytes) {
  constexpr int64_t kMib = 1 << 20;
  if (bytes < kMib) return absl::StrCat((bytes + 1023) / 1024, " KiB");
  return absl::StrCat(bytes / kMib, ".", bytes % kMib * 10 / kMib, " MiB");
}

std::string StateText(const v1::Saga& saga) {
  return absl::StrCat(ShortName(saga.state()), saga.parked() ? " (parked)" : "", saga.settling() ? " (settling)" : "");
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(widths[i] - row[i].size() + 2, ' '));
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string RenderSaga(const v1::Saga& saga) {
  std::vector<std::vector<std::string>> rows = {
      {"saga", saga.saga_id()},
      {"definition", absl::StrCat(saga.definition(), " revision ", saga.revision())},
      {"state", StateText(saga)}};
  if (saga.has_abort_reason()) rows.push_back({"aborted", AbortText(saga.abort_reason())});
  for (const auto& [key, value] : saga.labels()) rows.push_back({absl::StrCat("label ", key), Printable(value)});
  rows.push_back({"started", TimeText(saga.start_time())});
  if (saga.has_commit_time()) {
    rows.push_back({"committed", absl::StrCat("after ", DurationOf(saga.start_time(), saga.commit_time()))});
  }
  if (saga.has_end_time()) {
    rows.push_back({"ended", absl::StrCat("after ", DurationOf(saga.start_time(), saga.end_time()))});
  }
  if (saga.has_input()) rows.push_back({"input", RenderJson(saga.input(), /*indent=*/false)});
  if (saga.has_output()) rows.push_back({"output", RenderJson(saga.output(), /*indent=*/false)});
  if (saga.payloads_omitted()) rows.push_back({"note", "input or output is left out: too large, or no JSON"});
  return absl::StrCat(Table(rows), saga.steps_size() > 0 ? absl::StrCat("\n", RenderSteps(saga)) : "");
}

std::string RenderRawRecord(const v1::RawRecord& raw) {
  storage::v1::SagaRecord record;
  const bool whole = record.ParsePartialFromString(raw.record());
  std::string text;
  google::protobuf::TextFormat::PrintToString(record, &text);
  absl::StrAppend(&text, "# ", raw.record_bytes(), " bytes");
  if (raw.record_bytes() > static_cast<int64_t>(raw.record().size())) {
    absl::StrAppend(&text, ", of which ", raw.record().size(), " were sent");
  }
  absl::StrAppend(&text, whole ? "" : "; the above is what could be read before the damage",
                  raw.error().empty() ? "" : absl::StrCat("\n# ", raw.error()), "\n");
  return text;
}

std::string RenderSagas(const std::vector<v1::Saga>& sagas) {
  std::vector<std::vector<std::string>> rows = {{"SAGA", "DEFINITION", "REVISION", "STATE", "STARTED", "TOOK"}};
  for (const auto& saga : sagas) {
    rows.push_back({saga.saga_id(), saga.definition(), absl::StrCat(saga.revision()), StateText(saga),
                    TimeText(saga.start_time()),
                    saga.has_end_time() ? DurationOf(saga.start_time(), saga.end_time()) : ""});
  }
  return Table(rows);
}

std::string RenderParked(const tuttictl::v1::ParkedSteps& parked, int64_t now_ms) {
  std::vector<std::vector<std::string>> rows = {
      {"SAGA", "DEFINITION", "STEP", "OPERATION", "CAUSE", "SINCE", "AGE", "SEQUENCE", "MESSAGE"}};
  for (const auto& step : parked.parked()) {
    const int64_t age_ms = std::max<int64_t>(0, now_ms - TimeUtil::TimestampToMilliseconds(step.since()));
    rows.push_back({step.saga_id(), step.definition(), step.step(), ShortName(step.operation()),
                    ShortName(step.cause()), TimeText(step.since()), DurationText(age_ms),
                    absl::StrCat(step.history_sequence()), Printable(step.message())});
  }
  return Table(rows);
}

std::string RenderBulkRetry(const tuttictl::v1::BulkRetry& outcome, const std::string& told) {
  std::vector<std::vector<std::string>> rows = {{"SAGA", "STEP", "REFUSED"}};
  for (const auto& refusal : outcome.refusals()) {
    rows.push_back({refusal.saga_id(), refusal.step(), absl::StrCat(refusal.code(), " ", refusal.reason())});
  }
  return absl::StrCat(outcome.refusals().empty() ? "" : Table(rows), told, "\n");
}

std::string RenderBackups(const std::vector<v1::Backup>& backups) {
  std::vector<std::vector<std::string>> rows = {{"BACKUP", "CREATED", "SIZE", "FILES", "STORE", "PROBLEM"}};
  for (const auto& backup : backups) {
    rows.push_back({absl::StrCat(backup.backup_id()), backup.has_create_time() ? TimeText(backup.create_time()) : "",
                    SizeText(backup.size_bytes()), absl::StrCat(backup.file_count()), backup.store_id(),
                    Printable(backup.problem())});
  }
  return Table(rows);
}

std::string RenderHold(const v1::GetHoldResponse& response) {
  if (!response.has_hold()) return "not held: the store was never restored from a backup\n";
  const v1::Hold& hold = response.hold();
  std::vector<std::vector<std::string>> rows = {
      {"held", hold.held() ? "yes: new sagas are refused" : "no"},
      {"backup", absl::StrCat(hold.backup_id(), " of ", TimeText(hold.backup_time()))},
      {"restored", TimeText(hold.restore_time())},
      {"of store", hold.origin_store_id()}};
  if (hold.has_release_time()) {
    rows.push_back({"released", absl::StrCat(TimeText(hold.release_time()), hold.released_by().empty() ? "" : " by ",
                                             Printable(hold.released_by()), ": ", Printable(hold.release_reason()))});
  }
  return Table(rows);
}

std::string RenderDefinitions(const std::vector<v1::Definition>& definitions) {
  std::vector<std::vector<std::string>> rows = {{"DEFINITION", "REVISION", "APPLIED", "DISABLED"}};
  for (const auto& definition : definitions) {
    const auto& disablement = definition.disablement();
    std::string disabled;
    if (definition.has_disablement()) {
      disabled = absl::StrCat("since ", TimeText(disablement.time()), ": ", Printable(disablement.reason()),
                              disablement.by().empty() ? "" : absl::StrCat(" (", Printable(disablement.by()), ")"));
    }
    rows.push_back(
        {definition.name(), absl::StrCat(definition.revision()), TimeText(definition.create_time()), disabled});
  }
  return Table(rows);
}

std::string RenderJson(const google::protobuf::Message& message, bool indent) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indent;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::StrCat("{\"error\":\"cannot be shown as JSON\"}", indent ? "\n" : "");
  return json;
}

std::string RenderError(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  std::string out = absl::StrCat("error: ", absl::StatusCodeToString(status.code()), reason.empty() ? "" : " ", reason);
  const auto violations = ViolationsOf(status);
  if (violations.empty()) return absl::StrCat(out, ": ", Printable(status.message()), "\n");
  absl::StrAppend(&out, "\n");
  for (const auto& violation : violations) {
    absl::StrAppend(&out, "  ", Printable(violation.field), violation.field.empty() ? "" : ": ",
                    Printable(violation.description), "\n");
  }
  return out;
}

}  // namespace tutti::ctl
