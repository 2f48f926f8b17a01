#include "orchestrator/store/store_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/layout.h"
#include "orchestrator/store/log_scan.h"
#include "orchestrator/store/log_witness.h"
#include "orchestrator/store/open_database.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/watermark.h"
#include "rocksdb/sst_file_reader.h"

namespace tutti::store {
namespace {

using Meta = std::map<std::string, std::string>;

std::string LogName(uint64_t number) {
  return absl::StrFormat("%06d.log", number);
}

class Check {
 public:
  Check(rocksdb::Env* env, const std::string& path) : env_(env), path_(path) {}

  absl::StatusOr<StoreCheck> Run() {
    const bool complete = IsComplete(path_);
    if (!complete && !Exists("CURRENT")) return StoreCheck{};
    auto watermark = ReadWatermark(env_, path_);
    if (watermark.ok()) watermark_ = *watermark;
    if (!watermark.ok() && !absl::IsDataLoss(watermark.status())) return watermark.status();
    if (absl::Status status = CheckCurrent(); !status.ok()) return status;
    if (absl::Status status = CheckLogs(complete); !status.ok()) return status;
    const absl::StatusOr<bool> columns = CheckColumns();
    if (!columns.ok()) return columns.status();
    if (!*columns) {
      return complete ? absl::StatusOr<StoreCheck>(
                            Lost(absl::StrCat("is damaged: ", manifest_, " does not name all of its columns")))
                      : StoreCheck{};
    }
    rocksdb::DBOptions options = OptionsForReading(env_);
    options.wal_filter = &witness_;
    if (const auto status = database_.OpenToRead(options, path_); !status.ok()) return Named(status);
    const absl::StatusOr<Meta> meta = ReadMeta();
    if (!meta.ok()) return meta.status();
    return Judge(*meta, complete, watermark.status());
  }

 private:
  bool Exists(const std::string& name) const { return env_->FileExists(absl::StrCat(path_, "/", name)).ok(); }

  absl::Status Lost(const std::string& what) const {
    return absl::DataLossError(absl::StrCat("the store at ", path_, " ", what,
                                            "; it was left as it is; put the file back as it was, or restore a backup "
                                            "(docs/storage.md, What was lost)"));
  }

  // RocksDB takes a folder without CURRENT for a new one.
  absl::Status CheckCurrent() {
    std::string current;
    if (!Exists("CURRENT")) return Lost("lacks CURRENT, so commits may be gone");
    const auto status = rocksdb::ReadFileToString(env_, path_ + "/CURRENT", &current);
    if (!status.ok()) return OpenError(path_, status);
    absl::string_view name = current;
    uint64_t number = 0;
    const bool whole = absl::ConsumeSuffix(&name, "\n") && absl::StartsWith(name, "MANIFEST-") &&
                       absl::SimpleAtoi(name.substr(9), &number);
    manifest_ = std::string(name);
    if (!whole) return Lost("is damaged: CURRENT does not name a MANIFEST");
    if (!Exists(manifest_)) return Lost(absl::StrCat("lacks ", manifest_, ", which CURRENT names"));
    return absl::OkStatus();
  }

  // A log that is not there is, to RocksDB, one that had nothing in it. Every store that was ever open has one.
  absl::Status CheckLogs(bool complete) {
    std::vector<std::string> names;
    if (const auto status = env_->GetChildren(path_, &names); !status.ok()) return OpenError(path_, status);
    for (const std::string& name : names) {
      absl::string_view stem = name;
      uint64_t number = 0;
      if (absl::ConsumeSuffix(&stem, ".log") && absl::SimpleAtoi(stem, &number)) logs_.push_back(number);
      if (absl::EndsWith(name, ".sst")) tables_.push_back(name);
    }
    std::sort(logs_.begin(), logs_.end());
    if (!logs_.empty() || !complete) return absl::OkStatus();
    return Lost(watermark_.has_value() && watermark_->log != 0
                    ? absl::StrCat("lacks its log, ", LogName(watermark_->log), ", so commits may be gone")
                    : "lacks its log, so commits may be gone");
  }

  // False when some of ours are not there.
  absl::StatusOr<bool> CheckColumns() {
    std::vector<std::string> names;
    const auto status = rocksdb::DB::ListColumnFamilies(OptionsForReading(env_), path_, &names);
    if (!status.ok()) return Named(status);
    for (const std::string& name : names) {
      const bool known = name == rocksdb::kDefaultColumnFamilyName ||
                         std::find(kColumnNames.begin(), kColumnNames.end(), name) != kColumnNames.end();
      if (!known) {
        return absl::FailedPreconditionError(absl::StrCat("the store at ", path_, " has a column family ", name,
                                                          " that this binary does not know: a newer version wrote it"));
      }
    }
    return std::all_of(kColumnNames.begin(), kColumnNames.end(),
                       [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); });
  }

  // RocksDB's refusal, with the place of the damage where it does not give one.
  absl::Status Named(const rocksdb::Status& status) const {
    // It looks for a table under an older name last, and tells of that one.
    const std::string text = absl::StrReplaceAll(status.ToString(), {{".ldb", ".sst"}});
    const bool missing = status.IsPathNotFound() || absl::StrContains(text, "No such file");
    if (!status.IsCorruption() && !missing) return OpenError(path_, status);
    std::string place;
    if (const size_t at = text.find("log number: "); at != std::string::npos) {
      const std::string digits = text.substr(at + 12, text.find_first_not_of("0123456789", at + 12) - at - 12);
      uint64_t number = 0;
      if (absl::SimpleAtoi(digits, &number)) place = absl::StrCat(LogName(number), ": ");
    }
    if (place.empty() && !absl::StrContains(text, ".sst")) place = FindDamage();
    return absl::DataLossError(
        absl::StrCat("the store at ", path_,
                     " is damaged and was left as it is; put the file back as it was, or restore "
                     "a backup (docs/storage.md, What was lost): ",
                     place, text));
  }

  std::string FindDamage() const {
    std::vector<std::string> names = {manifest_};
    for (const uint64_t log : logs_) names.push_back(LogName(log));
    for (const std::string& name : names) {
      const auto scan = ScanLog(env_, absl::StrCat(path_, "/", name), ScanFrom::kBeginning);
      if (scan.ok() && scan->end == LogScan::End::kDamaged) {
        return absl::StrCat(name, " at byte ", scan->good_bytes, " of ", scan->bytes, ": ");
      }
    }
    for (const std::string& name : tables_) {
      const std::string table = absl::StrCat(path_, "/", name);
      rocksdb::Options options;
      options.env = env_;
      if (!rocksdb::SstFileReader(options).Open(table).ok()) return absl::StrCat(name, ": ");
    }
    return "";
  }

  // The column as it is with what the logs say of it.
  absl::StatusOr<Meta> ReadMeta() const {
    Meta meta;
    const std::unique_ptr<rocksdb::Iterator> walk(
        database_.db()->NewIterator(rocksdb::ReadOptions(), database_.handle(Column::kMeta)));
    for (walk->SeekToFirst(); walk->Valid(); walk->Next()) meta[walk->key().ToString()] = walk->value().ToString();
    if (!walk->status().ok()) return Named(walk->status());
    for (const auto& [key, value] : witness_.kept()) {
      meta.erase(key);
      if (value.has_value()) meta[key] = *value;
    }
    return meta;
  }

  absl::StatusOr<StoreCheck> Judge(const Meta& meta, bool complete, const absl::Status& watermark) {
    StoreCheck check;
    const absl::StatusOr<bool> layout = CheckLayout(meta);
    if (!layout.ok()) return layout.status();
    check.begun = *layout;
    if (!check.begun) {
      if (complete) return NoVersion();
      if (absl::Status status = CheckEmpty(); !status.ok()) return status;
      return check;
    }
    if (absl::Status status = ReadVersions(meta, &check); !status.ok()) return status;
    if (absl::Status status = ReadRecord(meta, kStoreKey, &check.identity); !status.ok()) return status;
    if (absl::Status status = ReadRecord(meta, kHoldKey, &check.hold); !status.ok()) return status;
    check.marks_watermark = meta.count(std::string(kWatermarkKey)) > 0;
    check.loss = !watermark.ok() ? LostWatermark(watermark)
                 : check.marks_watermark && !watermark_.has_value()
                     ? LostWatermark(absl::DataLossError(absl::StrCat(path_, " lacks ", kWatermarkFile)))
                     : FindLoss();
    return check;
  }

  // It is in the first table that was ever written.
  absl::Status NoVersion() const {
    return Lost(absl::StrCat("has no version: ", FindDamage(), manifest_, " is cut, or what it names is not there"));
  }

  absl::StatusOr<bool> CheckLayout(const Meta& meta) const {
    const auto found = meta.find(std::string(kLayoutKey));
    if (found == meta.end()) return false;
    if (found->second.size() != 8) return NoVersion();
    const uint64_t version = ReadBigEndian64(found->second);
    if (version == kLayoutVersion) return true;
    return absl::FailedPreconditionError(
        absl::StrCat("the store at ", path_, " has layout version ", version, "; this binary knows ", kLayoutVersion));
  }

  // The version is the first thing in a new store: without it there must be nothing else.
  absl::Status CheckEmpty() const {
    bool any = witness_.any();
    for (auto* handle : database_.all()) {
      const std::unique_ptr<rocksdb::Iterator> walk(database_.db()->NewIterator(rocksdb::ReadOptions(), handle));
      walk->SeekToFirst();
      if (!walk->status().ok()) return Named(walk->status());
      any = any || walk->Valid();
    }
    if (!any) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("the store at ", path_, " has records but no layout version"));
  }

  absl::Status ReadVersions(const Meta& meta, StoreCheck* check) const {
    const std::string prefix(kNewestRecordPrefix);
    for (auto entry = meta.lower_bound(prefix); entry != meta.end() && absl::StartsWith(entry->first, prefix);
         ++entry) {
      const std::string kind = entry->first.substr(prefix.size());
      const uint64_t version = entry->second.size() == 8 ? ReadBigEndian64(entry->second) : UINT64_MAX;
      uint64_t known = 0;
      if (kind == kNewestSaga) {
        known = saga::kRecordVersion;
        check->newest_saga = version;
      } else if (kind == kNewestDefinition) {
        known = kDefinitionVersionMax;
        check->newest_definition = version;
      } else if (kind == kNewestHold) {
        known = kHoldRecordVersion;
      }
      if (version <= known) continue;
      return absl::FailedPreconditionError(absl::StrCat("the store at ", path_, " has ", kind, " records of version ",
                                                        version, ", this binary knows ",
                                                        known == 0 ? "none of them" : absl::StrCat("up to ", known),
                                                        ": a newer version wrote it; nothing was changed"));
    }
    return absl::OkStatus();
  }

  template <typename Record>
  absl::Status ReadRecord(const Meta& meta, absl::string_view key, std::optional<Record>* record) const {
    const auto found = meta.find(std::string(key));
    if (found == meta.end()) return absl::OkStatus();
    if (record->emplace().ParseFromString(found->second)) return absl::OkStatus();
    return Lost(absl::StrCat("is damaged: what it says of itself as `", key, "` cannot be read"));
  }

  absl::Status LostWatermark(const absl::Status& why) const {
    return absl::DataLossError(absl::StrCat(
        why.message(), ", so nobody can tell whether commits are gone; the store was left as it is; put ",
        kWatermarkFile, " back as it was, restore a backup, or start without it (docs/storage.md, What was lost)"));
  }

  absl::Status FindLoss() const {
    if (watermark_.has_value() && watermark_->waived) return absl::OkStatus();
    if (absl::Status status = FindGap(); !status.ok()) return status;
    if (absl::Status status = FindDamagedTail(); !status.ok()) return status;
    return watermark_.has_value() ? CompareWithWatermark() : absl::OkStatus();
  }

  uint64_t InTables() const { return database_.db()->GetLatestSequenceNumber(); }

  absl::Status FindGap() const {
    if (witness_.gap().has_value()) {
      const auto& gap = *witness_.gap();
      return Lost(absl::StrCat("has lost ", gap.found - gap.expected, " changes: ", LogName(gap.log),
                               " does not go on where ", LogName(gap.previous_log), " ends (", gap.expected,
                               " is followed by ", gap.found,
                               "), so the end of that one or a log between them is gone"));
    }
    if (witness_.any() && witness_.first_sequence() > InTables() + 1) {
      return Lost(absl::StrCat("has lost ", witness_.first_sequence() - InTables() - 1, " changes: ", manifest_,
                               " knows of tables up to ", InTables(), ", and its oldest log, ",
                               LogName(witness_.first_log()), ", begins with ", witness_.first_sequence(),
                               ", so the end of the one or a log between them is gone"));
    }
    return absl::OkStatus();
  }

  // RocksDB takes what seems to reach beyond a file's end for a record cut short.
  absl::Status FindDamagedTail() const {
    std::vector<std::string> names = {manifest_};
    for (const uint64_t log : logs_) {
      if (log >= witness_.needed_log()) names.push_back(LogName(log));
    }
    for (const std::string& name : names) {
      const ScanFrom from = GoesBeyondWatermark(name) ? ScanFrom::kBeginning : ScanFrom::kLastBlock;
      const auto scan = ScanLog(env_, absl::StrCat(path_, "/", name), from);
      if (!scan.ok()) return scan.status();
      if (scan->end == LogScan::End::kDamaged) {
        return Lost(absl::StrCat("is damaged: ", name, " at byte ", scan->good_bytes, " of ", scan->bytes));
      }
    }
    return absl::OkStatus();
  }

  // Of what lies behind it only the log itself can tell, and a bit flipped in a record's type can end it for RocksDB in
  // any block.
  bool GoesBeyondWatermark(const std::string& name) const {
    if (!watermark_.has_value() || name == manifest_) return false;
    if (name != LogName(watermark_->log)) return name > LogName(watermark_->log);
    uint64_t bytes = 0;
    return env_->GetFileSize(absl::StrCat(path_, "/", name), &bytes).ok() && bytes > watermark_->log_bytes;
  }

  absl::Status CompareWithWatermark() const {
    const Watermark& mark = *watermark_;
    if (witness_.last_sequence() >= mark.sequence) return absl::OkStatus();
    // Tables may hold all of it: when nothing was in that log yet, or when it was done with. What a table was written
    // for last says nothing about a log that is still needed: it may lie within that log.
    const bool done_with =
        mark.log_bytes == 0 || mark.log < witness_.needed_log() || (!logs_.empty() && logs_.back() > mark.log);
    const bool in_logs = witness_.any() && witness_.newest_log() >= mark.log && witness_.first_log() <= mark.log;
    if (done_with && !in_logs && InTables() >= mark.sequence) return absl::OkStatus();
    const uint64_t there =
        in_logs || !done_with ? witness_.last_sequence() : std::max(InTables(), witness_.last_sequence());
    return Lost(absl::StrCat("has lost ", mark.sequence - std::min(there, mark.sequence),
                             " changes that were acknowledged, up to sequence number ", mark.sequence, ": ",
                             DescribeLog(mark)));
  }

  std::string DescribeLog(const Watermark& mark) const {
    const std::string name = LogName(mark.log);
    if (!Exists(name)) return absl::StrCat(name, " is gone; it had ", mark.log_bytes, " bytes");
    const auto scan = ScanLog(env_, absl::StrCat(path_, "/", name), ScanFrom::kBeginning);
    if (!scan.ok()) return absl::StrCat(name, " cannot be read: ", scan.status().message());
    if (scan->bytes < mark.log_bytes) {
      return absl::StrCat(name, " is cut: ", scan->bytes, " bytes of ", mark.log_bytes);
    }
    return absl::StrCat(name, " is damaged at byte ", scan->good_bytes, ", before byte ", mark.log_bytes);
  }

  rocksdb::Env* const env_;
  const std::string path_;
  std::string manifest_;
  std::vector<uint64_t> logs_;  // ascending
  std::vector<std::string> tables_;
  std::optional<Watermark> watermark_;
  LogWitness witness_{kColumnNames[static_cast<size_t>(Column::kMeta)]};
  OpenDatabase database_;
};

}  // namespace

absl::StatusOr<StoreCheck> CheckStore(rocksdb::Env* env, const std::string& path) {
  return Check(env, path).Run();
}

}  // namespace tutti::store
