// What is asked of the engine's rooms at each scrape, because they know it anyway.
#ifndef TUTTI_ORCHESTRATOR_SERVER_SCRAPE_SOURCES_H_
#define TUTTI_ORCHESTRATOR_SERVER_SCRAPE_SOURCES_H_

#include <string>

#include "common/process_metrics.h"
#include "orchestrator/effects/participant_invoker.h"
#include "orchestrator/shard/shard_router.h"
#include "orchestrator/store/backups.h"
#include "orchestrator/store/rocksdb_store.h"

namespace tutti::server {

void DescribeMailboxes(const shard::ShardRouter& router, Scrape* scrape);
void DescribeParticipants(const effects::ParticipantInvoker& invoker, Scrape* scrape);
void DescribeStore(const store::RocksDbStore& store, Scrape* scrape);
void DescribeBackups(const store::Backups& backups, Scrape* scrape);
// The file system that holds `path`. Nothing when it cannot be asked.
void DescribeVolume(const std::string& path, Scrape* scrape);

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_SCRAPE_SOURCES_H_
