#include "orchestrator/server/scrape_sources.h"

#include <sys/statvfs.h>

#include "common/certificate_metrics.h"
#include "orchestrator/metrics/metric_names.h"

namespace tutti::server {

void DescribeMailboxes(const shard::ShardRouter& router, Scrape* scrape) {
  int shard = 0;
  for (const shard::MailboxStatus& mailbox : router.mailboxes()) {
    const prometheus::Labels labels = {{"shard", std::to_string(shard++)}};
    scrape->Set(metrics::kMailboxMessages, labels, static_cast<double>(mailbox.messages));
    scrape->Set(metrics::kMailboxOldest, labels, mailbox.oldest_seconds);
    scrape->Set(metrics::kMailboxRefused, labels, static_cast<double>(mailbox.refused));
  }
}

void DescribeParticipants(const effects::ParticipantInvoker& invoker, const std::set<std::string>& missed,
                          Scrape* scrape) {
  std::set<std::string> without = missed;
  for (const effects::ParticipantStatus& participant : invoker.Status()) {
    const prometheus::Labels labels = {{"participant", participant.name}};
    without.erase(participant.name);
    scrape->Set(metrics::kParticipantConfigured, labels, 1);
    scrape->Set(metrics::kParticipantReady, labels, participant.channel_state == "READY" ? 1 : 0);
    scrape->Set(metrics::kParticipantInFlight, labels, static_cast<double>(participant.under_way));
    scrape->Set(metrics::kParticipantQueued, labels, static_cast<double>(participant.waiting));
    DescribeCertificates(participant.certificates, "client", participant.name, scrape);
  }
  for (const std::string& name : without) {
    scrape->Set(metrics::kParticipantConfigured, {{"participant", name}}, 0);
    scrape->Set(metrics::kParticipantReady, {{"participant", name}}, 0);
  }
}

void DescribeRoom(const shard::ShardRouter& router, const store::DiskReserve& reserve, uint64_t memory_limit_bytes,
                  Scrape* scrape) {
  scrape->Set(metrics::kOpenSagaBytes, {}, static_cast<double>(router.resident_bytes()));
  scrape->Set(metrics::kMemoryLimit, {}, static_cast<double>(memory_limit_bytes));
  scrape->Set(metrics::kStoreReserve, {}, static_cast<double>(reserve.bytes_held()));
}

void DescribeSweep(const retention::Sweeper& sweeper, int64_t began_ms, int64_t now_ms, Scrape* scrape) {
  const retention::Sweeper::Status status = sweeper.StatusAt(now_ms);
  const int64_t finished_ms = status.last_finished_ms == 0 ? began_ms : status.last_finished_ms;
  scrape->Set(metrics::kSweepOverdue, {}, static_cast<double>(status.overdue_ms) / 1000.0);
  scrape->Set(metrics::kSweepFinished, {}, static_cast<double>(finished_ms) / 1000.0);
}

void DescribeStore(const store::RocksDbStore& store, Scrape* scrape) {
  const store::RocksDbStatus status = store.Status();
  scrape->SetSummary(metrics::kStoreSync, {}, status.log_syncs, status.log_sync_seconds);
  scrape->Set(metrics::kStoreStall, {}, status.stall_seconds);
  scrape->Set(metrics::kStoreSize, {{"kind", "sst"}}, static_cast<double>(status.table_bytes));
  scrape->Set(metrics::kStoreSize, {{"kind", "wal"}}, static_cast<double>(status.log_bytes));
  scrape->Set(metrics::kStoreSize, {{"kind", "memtable"}}, static_cast<double>(status.memtable_bytes));
  scrape->Set(metrics::kStorePending, {}, static_cast<double>(status.pending_compaction_bytes));
}

void DescribeBackups(const store::Backups& backups, Scrape* scrape) {
  if (!backups.configured()) return;
  scrape->Set(metrics::kBackupLastSuccess, {}, static_cast<double>(backups.last_success_ms()) / 1000.0);
  scrape->Set(metrics::kBackupRuns, {{"result", "ok"}}, static_cast<double>(backups.succeeded()));
  scrape->Set(metrics::kBackupRuns, {{"result", "failed"}}, static_cast<double>(backups.failed()));
}

void DescribeVolume(const std::string& path, Scrape* scrape) {
  struct statvfs volume {};
  if (statvfs(path.c_str(), &volume) != 0) return;
  const auto unit = static_cast<double>(volume.f_frsize);
  scrape->Set(metrics::kVolumeSize, {}, static_cast<double>(volume.f_blocks) * unit);
  scrape->Set(metrics::kVolumeFree, {}, static_cast<double>(volume.f_bavail) * unit);
}

}  // namespace tutti::server
