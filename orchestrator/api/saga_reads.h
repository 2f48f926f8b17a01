// What readers ask of sagas, answered from the store's committed state.
#ifndef TUTTI_ORCHESTRATOR_API_SAGA_READS_H_
#define TUTTI_ORCHESTRATOR_API_SAGA_READS_H_

#include "absl/status/status.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/store/saga_store.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::api {

// INVALID_ARGUMENT when it is negative.
absl::Status CheckFromSequence(int64_t from_sequence);

// Thread-safe; all of it blocks on the disk. No answer is larger than limits::kAnswerBytesMax.
class SagaReads {
 public:
  // Both must outlive this.
  SagaReads(const store::SagaReader* reader, const Definitions* definitions)
      : reader_(reader), definitions_(definitions) {}

  absl::Status Get(const v1::GetSagaRequest& request, v1::GetSagaResponse* response) const;
  // Looks at no more than limits::kListScanMax index entries: a page may end early, and have a token to go on with.
  absl::Status List(const v1::ListSagasRequest& request, v1::ListSagasResponse* response) const;
  absl::Status History(const v1::GetSagaHistoryRequest& request, v1::GetSagaHistoryResponse* response) const;

  // Null when there is none any more.
  std::shared_ptr<const catalog::Revision> RevisionOf(const storage::v1::SagaRecord& record) const;

 private:
  absl::Status GetRaw(const v1::GetSagaRequest& request, v1::GetSagaResponse* response) const;

  const store::SagaReader* const reader_;
  const Definitions* const definitions_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SAGA_READS_H_
