#include "participants/sdk/fault_switch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"

namespace tutti::participant {

FaultSwitch::FaultSwitch(std::vector<std::string> methods) : methods_(std::move(methods)) {}

absl::Status FaultSwitch::Set(const v1::Fault& fault) {
  std::vector<FieldViolation> violations;
  if (std::find(methods_.begin(), methods_.end(), fault.method()) == methods_.end()) {
    violations.push_back({"fault.method", absl::StrCat("must be one of ", absl::StrJoin(methods_, ", "))});
  }
  if (fault.kind() == v1::FAULT_KIND_UNSPECIFIED || !v1::FaultKind_IsValid(fault.kind())) {
    violations.push_back({"fault.kind", "must be a known kind"});
  }
  if (fault.code() < 0 || fault.code() > 16) {
    violations.push_back({"fault.code", "must be a gRPC status code from 1 to 16, or 0 for FAILED_PRECONDITION"});
  }
  if (fault.delay_ms() < 0) violations.push_back({"fault.delay_ms", "must not be negative"});
  if (fault.count() < 0) violations.push_back({"fault.count", "must not be negative"});
  if (!violations.empty()) return InvalidArgumentError("FAULT_INVALID", violations);
  MutexLock lock(&mutex_);
  faults_[fault.method()] = fault;
  return absl::OkStatus();
}

void FaultSwitch::Clear() {
  MutexLock lock(&mutex_);
  faults_.clear();
}

std::vector<v1::Fault> FaultSwitch::List() const {
  MutexLock lock(&mutex_);
  std::vector<v1::Fault> faults;
  for (const auto& [method, fault] : faults_) faults.push_back(fault);
  return faults;
}

v1::Fault FaultSwitch::Take(const std::string& method) {
  MutexLock lock(&mutex_);
  const auto found = faults_.find(method);
  if (found == faults_.end()) return {};
  v1::Fault fault = found->second;
  if (fault.count() == 1) {
    faults_.erase(found);
  } else if (fault.count() > 1) {
    found->second.set_count(fault.count() - 1);
  }
  return fault;
}

absl::Status StatusOf(const v1::Fault& fault) {
  const absl::StatusCode code =
      fault.code() == 0 ? absl::StatusCode::kFailedPrecondition : static_cast<absl::StatusCode>(fault.code());
  return absl::Status(code, fault.message().empty() ? "refused by the fault switch" : fault.message());
}

}  // namespace tutti::participant
