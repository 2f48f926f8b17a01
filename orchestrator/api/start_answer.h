// The answer to a start that was accepted.
#ifndef TUTTI_ORCHESTRATOR_API_START_ANSWER_H_
#define TUTTI_ORCHESTRATOR_API_START_ANSWER_H_

#include "common/limits.h"
#include "orchestrator/api/saga_view.h"
#include "orchestrator/api/unary_call.h"

namespace tutti::api {

// Too much to be decoded where other answers wait.
inline bool IsLarge(const storage::v1::SagaRecord& record) {
  return record.input().size() + record.output().size() > limits::kInlineRequestBytesMax;
}

// Answers with the saga that `response` holds; without its payloads where they are too large, or where too many answers
// wait to be read already. What was asked for is done, so it is told if that is possible at all.
template <typename Response>
void AnswerWithSaga(Response* response, UnaryCall* call) {
  OmitPayloadsBeyond(limits::kSagaWithPayloadsBytesMax, response->mutable_saga());
  if (call->TryAnswer(*response)) return;
  OmitPayloadsBeyond(0, response->mutable_saga());
  call->Answer(*response);
}

// The same start has the same values as input, so they are given back as they were sent.
template <typename Request, typename Response>
void AnswerStart(const storage::v1::SagaRecord& record, bool already_started, const Definitions& definitions,
                 UnaryCall* call) {
  const auto revision = definitions.Get(record.definition(), record.revision());
  Response response;
  *response.mutable_saga() = ToSagaWithoutInput(record, revision.ok() ? revision->get() : nullptr);
  Request request;
  if (call->Parse(&request, limits::kJsonLevelsMax + 1).ok()) {
    *response.mutable_saga()->mutable_input() = std::move(*request.mutable_input());
  } else {
    response.mutable_saga()->set_payloads_omitted(true);
  }
  response.set_already_started(already_started);
  AnswerWithSaga(&response, call);
}

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_START_ANSWER_H_
