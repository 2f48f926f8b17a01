// Which store it is: one that is made, or comes from a backup, is another than any before.
#ifndef TUTTI_ORCHESTRATOR_STORE_IDENTITY_H_
#define TUTTI_ORCHESTRATOR_STORE_IDENTITY_H_

#include "common/clock.h"
#include "common/ids.h"
#include "orchestrator/store/layout.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::store {

inline storage::v1::StoreRecord NewIdentity() {
  storage::v1::StoreRecord record;
  record.set_version(kStoreRecordVersion);
  record.set_store_id(RandomHex128());
  record.set_made_ms(SystemClock().WallMs());
  return record;
}

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_IDENTITY_H_
