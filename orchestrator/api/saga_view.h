// A record as clients read it.
#ifndef TUTTI_ORCHESTRATOR_API_SAGA_VIEW_H_
#define TUTTI_ORCHESTRATOR_API_SAGA_VIEW_H_

#include "google/protobuf/timestamp.pb.h"
#include "orchestrator/catalog/catalog.h"
#include "tutti/storage/v1/record.pb.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::api {

google::protobuf::Timestamp ToTimestamp(int64_t ms_since_epoch);

// Everything but input and output, at most limits::kSagaBytesMax. `revision` is the record's, or null when there is
// none any more: then kinds and participants stay unset.
v1::Saga ToSagaWithoutPayloads(const storage::v1::SagaRecord& record, const catalog::Revision* revision);

// As an answer to a reader: with the input, integers of 64 bits as strings. What cannot be shown is left out.
v1::Saga ToSaga(const storage::v1::SagaRecord& record, const catalog::Revision* revision);

// With the output alone: for those who add the input as it was sent.
v1::Saga ToSagaWithoutInput(const storage::v1::SagaRecord& record, const catalog::Revision* revision);

// Leaves input and output out, and says so, when the saga has more than `bytes_max` bytes with them.
void OmitPayloadsBeyond(size_t bytes_max, v1::Saga* saga);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SAGA_VIEW_H_
