// What a store that is held means for new sagas.
#ifndef TUTTI_ORCHESTRATOR_API_HOLD_CHECK_H_
#define TUTTI_ORCHESTRATOR_API_HOLD_CHECK_H_

#include "orchestrator/shard/router.h"
#include "orchestrator/store/hold.h"

namespace tutti::api {

// Only a new saga is refused, with STORE_HELD: a repeated start finds its saga. Null: the store cannot be held.
void RefuseWhileHeld(const store::Hold* hold, shard::StartRequest* start);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_HOLD_CHECK_H_
