// Answers as tables for people.
#ifndef TUTTI_TOOLS_TUTTICTL_RENDER_H_
#define TUTTI_TOOLS_TUTTICTL_RENDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "tutti/tuttictl/v1/output.pb.h"
#include "tutti/v1/admin_service.pb.h"
#include "tutti/v1/definition_service.pb.h"
#include "tutti/v1/saga.pb.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::ctl {

// Columns as wide as their widest cell, the first row is the head. Ends with a line end.
std::string Table(const std::vector<std::vector<std::string>>& rows);

// "12.5 MiB"
std::string SizeText(int64_t bytes);
// "RUNNING (parked)"
std::string StateText(const v1::Saga& saga);
std::string RenderSaga(const v1::Saga& saga);
// As text, as far as the bytes can be read: what they hold beyond the damage is not shown.
std::string RenderRawRecord(const v1::RawRecord& raw);
std::string RenderSagas(const std::vector<v1::Saga>& sagas);
// `now_ms` since the epoch: ages count to it.
std::string RenderParked(const tuttictl::v1::ParkedSteps& parked, int64_t now_ms);
// `told`: the summary. A line for each refusal stands before it.
std::string RenderBulkRetry(const tuttictl::v1::BulkRetry& outcome, const std::string& told);
std::string RenderBackups(const std::vector<v1::Backup>& backups);
std::string RenderHold(const v1::GetHoldResponse& response);
std::string RenderDefinitions(const std::vector<v1::Definition>& definitions);
// With the proto's own field names and defaults printed. `indent` spreads it over lines.
std::string RenderJson(const google::protobuf::Message& message, bool indent);
// Code, reason and message; or, when fields are to blame, one line for each.
std::string RenderError(const absl::Status& status);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_RENDER_H_
