// Most bytes of a record are payloads, which nobody who lists or sweeps looks at.
#ifndef TUTTI_ORCHESTRATOR_STORE_RECORD_HEADER_H_
#define TUTTI_ORCHESTRATOR_STORE_RECORD_HEADER_H_

#include "absl/strings/string_view.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::store {

// Parses a SagaRecord without input, output, replies, requests and their metadata; their bytes are stepped over, not
// copied. False when the rest cannot be read.
bool ParseHeader(absl::string_view bytes, storage::v1::SagaRecord* record);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_RECORD_HEADER_H_
