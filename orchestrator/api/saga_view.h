// A record as clients read it.
#ifndef TUTTI_ORCHESTRATOR_API_SAGA_VIEW_H_
#define TUTTI_ORCHESTRATOR_API_SAGA_VIEW_H_

#include "google/protobuf/timestamp.pb.h"
#include "orchestrator/catalog/catalog.h"
#include "tutti/storage/v1/record.pb.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::api {

google::protobuf::Timestamp ToTimestamp(int64_t ms_since_epoch);

// Everything but the input. `revision` is the record's, or null when there is none any more: then kinds and
// participants stay unset.
v1::Saga ToSagaWithoutInput(const storage::v1::SagaRecord& record, const catalog::Revision* revision);

// As an answer to a reader: with the input, integers of 64 bits as strings.
v1::Saga ToSaga(const storage::v1::SagaRecord& record, const catalog::Revision* revision);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SAGA_VIEW_H_
