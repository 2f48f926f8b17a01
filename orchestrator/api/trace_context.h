// The W3C trace context (https://www.w3.org/TR/trace-context/) of a client's call, which the saga's commands continue.
#ifndef TUTTI_ORCHESTRATOR_API_TRACE_CONTEXT_H_
#define TUTTI_ORCHESTRATOR_API_TRACE_CONTEXT_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "grpcpp/support/string_ref.h"
#include "orchestrator/shard/router.h"

namespace tutti::api {

struct TraceContext {
  std::string traceparent;  // in the form of version 00: "00-<32 hex>-<16 hex>-<2 hex>"; empty: there is none
  std::string tracestate;   // at most limits::kTraceStateBytesMax, the newest entries
};

// One traceparent that can be read is taken; a damaged one, none, or several are no context. Of later versions, what
// version 00 knows is taken.
TraceContext ReadTraceContext(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);

void CarryTrace(const TraceContext& trace, shard::StartRequest* start);

// Empty unless `text` is a traceparent.
std::string NormalTraceParent(absl::string_view text);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_TRACE_CONTEXT_H_
