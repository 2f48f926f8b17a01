// One rendering of events, effects and records for logs, transcripts and tools: a line each, stable, without secrets.
#ifndef TUTTI_ORCHESTRATOR_SAGA_DESCRIBE_H_
#define TUTTI_ORCHESTRATOR_SAGA_DESCRIBE_H_

#include <string>

#include "orchestrator/saga/effect.h"
#include "orchestrator/saga/event.h"

namespace tutti::saga {

// "charge/action#2"
std::string Describe(const AttemptId& attempt);
// "reply charge/action#2 OK mark=APPLIED"
std::string Describe(const Event& event);
// "send charge/action#2 timeout=5000ms"
std::string Describe(const Effect& effect);
// "7 ATTEMPT_FINISHED charge/action#2 OK SUCCEEDED"
std::string Describe(const v1::HistoryEvent& entry);
// "COMPENSATING charge=SUCCEEDED confirm=UNKNOWN(open 1) token=SKIPPED"
std::string Describe(const storage::v1::SagaRecord& record);

// Enumerators without their prefix: "RUNNING".
std::string ShortName(v1::SagaState state);
std::string ShortName(v1::StepState state);
std::string ShortName(v1::StepKind kind);
std::string ShortName(v1::Operation operation);  // "action", "compensation"
std::string ShortName(v1::Outcome outcome);
std::string ShortName(v1::BarrierMark mark);
std::string ShortName(v1::EventType type);
std::string ShortName(v1::LateAction action);
std::string ShortName(v1::AbortCause cause);
std::string ShortName(v1::ParkingCause cause);
std::string ShortName(v1::Resolution resolution);

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_DESCRIBE_H_
