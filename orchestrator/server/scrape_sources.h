// What is asked of the engine's rooms at each scrape, because they know it anyway.
#ifndef TUTTI_ORCHESTRATOR_SERVER_SCRAPE_SOURCES_H_
#define TUTTI_ORCHESTRATOR_SERVER_SCRAPE_SOURCES_H_

#include <set>
#include <string>

#include "common/process_metrics.h"
#include "orchestrator/effects/participant_invoker.h"
#include "orchestrator/retention/sweeper.h"
#include "orchestrator/shard/shard_router.h"
#include "orchestrator/store/backups.h"
#include "orchestrator/store/rocksdb_store.h"

namespace tutti::server {

void DescribeMailboxes(const shard::ShardRouter& router, Scrape* scrape);
// `missed` are called although they are not configured.
void DescribeParticipants(const effects::ParticipantInvoker& invoker, const std::set<std::string>& missed,
                          Scrape* scrape);
// Of both, what is short of room and how much there may be; of sagas, what is kept in memory.
void DescribeRoom(const shard::ShardRouter& router, const store::DiskReserve& reserve, uint64_t memory_limit_bytes,
                  Scrape* scrape);
// Without a walk that ended, the last one ended when the process began.
void DescribeSweep(const retention::Sweeper& sweeper, int64_t began_ms, int64_t now_ms, Scrape* scrape);
void DescribeStore(const store::RocksDbStore& store, Scrape* scrape);
void DescribeBackups(const store::Backups& backups, Scrape* scrape);
// The file system that holds `path`. Nothing when it cannot be asked.
void DescribeVolume(const std::string& path, Scrape* scrape);

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_SCRAPE_SOURCES_H_
