#include "orchestrator/store/rocksdb_store.h"

#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/layout.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/rocksdb_testing.h"
#include "orchestrator/store/store_testing.h"
#include "orchestrator/store/watermark.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<RocksDbStore>> OpenAt(const fs::path& path, rocksdb::Env* env = nullptr) {
  RocksDbStoreOptions options;
  options.path = path;
  options.env = env;
  return RocksDbStore::Open(options);
}

constexpr int kSagas = 200;
std::string IdOf(int i) {
  return absl::StrCat("saga-", i);
}

class RocksDbStoreTest : public testing::Test {
 protected:
  // One synced write for each saga, none of them flushed out of the log.
  void Fill() {
    auto store = OpenAt(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    for (int i = 0; i < kSagas; ++i) {
      ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga(IdOf(i)))), CommitResult::kDurable);
    }
  }
  fs::path Log() {
    fs::path log;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      if (entry.path().extension() == ".log" && entry.file_size() > 0) log = entry.path();
    }
    EXPECT_FALSE(log.empty());
    return log;
  }
  TemporaryFolder folder_;
};

TEST_F(RocksDbStoreTest, ACopyTakenAtAnyMomentHoldsAllThatWasAcknowledged) {
  TemporaryFolder copy;
  auto store = OpenAt(folder_.path());
  ASSERT_TRUE(store.ok());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga(IdOf(i)))), CommitResult::kDurable);
  fs::copy(folder_.path(), copy.path());  // as a power cut would leave it
  auto recovered = OpenAt(copy.path());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE((*recovered)->GetSaga(IdOf(i)).ok()) << i;
}

void FlipBit(const fs::path& path, std::streamoff at, int mask) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ mask);
  file.seekp(at);
  file.put(byte);
}

void FlipByte(const fs::path& path, std::streamoff at) {
  FlipBit(path, at, 0x20);
}

TEST_F(RocksDbStoreTest, AFlippedByteInTheLogRefusesToOpen) {
  Fill();
  FlipByte(Log(), static_cast<std::streamoff>(fs::file_size(Log()) / 2));
  const auto store = OpenAt(folder_.path());
  EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
}

TEST_F(RocksDbStoreTest, AFlippedByteInTheLastCommitIsNoTornTail) {
  Fill();
  FlipByte(Log(), static_cast<std::streamoff>(fs::file_size(Log())) - 10);
  const auto store = OpenAt(folder_.path());
  EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
}

TEST_F(RocksDbStoreTest, AnUnacknowledgedTornTailOpens) {
  Fill();
  // A write that was under way: it is in the log in part, and the watermark knows nothing of it.
  std::ofstream log(Log(), std::ios::binary | std::ios::app);
  log << std::string("\x01\x02\x03\x04\x50\x00\x01", 7) << "half of it";
  log.close();
  auto store = OpenAt(folder_.path());
  ASSERT_TRUE(store.ok()) << store.status();
  for (int i = 0; i < kSagas; ++i) EXPECT_TRUE((*store)->GetSaga(IdOf(i)).ok()) << i;
  EXPECT_EQ(CommitNow(store->get(), SetOf(NewSaga("next"))), CommitResult::kDurable);
}

TEST_F(RocksDbStoreTest, ACutTailThatWasAcknowledgedIsRefusedUntilAnOperatorAcceptsIt) {
  Fill();
  const fs::path log = Log();
  const auto bytes = fs::file_size(log);
  fs::resize_file(log, bytes - 3);
  const auto before = FolderContent(folder_.path());
  const auto refused = OpenAt(folder_.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(absl::StrCat(log.filename().string(), " is cut: ", bytes - 3, " bytes of ", bytes)));
  EXPECT_EQ(FolderContent(folder_.path()), before);
  std::ofstream(folder_.path() / kWatermarkFile) << "accept\n";
  auto store = OpenAt(folder_.path());
  ASSERT_TRUE(store.ok()) << store.status();
  for (int i = 0; i < kSagas - 1; ++i) EXPECT_TRUE((*store)->GetSaga(IdOf(i)).ok()) << i;
  EXPECT_TRUE(absl::IsNotFound((*store)->GetSaga(IdOf(kSagas - 1)).status()));
  store->reset();
  EXPECT_TRUE(OpenAt(folder_.path()).ok()) << "once and for all";
}

// After a power cut the watermark may be older than the log, so that the log alone must show its damage.
TEST_F(RocksDbStoreTest, ADamagedLengthBehindTheWatermarkIsNoTornTail) {
  size_t behind = 0;
  size_t bytes = 0;
  {
    auto store = OpenAt(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    fs::copy(folder_.path() / kWatermarkFile, folder_.path() / "older");
    behind = LogBytes(folder_.path());
    for (int i = 0; i < 20; ++i) {
      bytes = LogBytes(folder_.path());
      ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga(absl::StrCat("more-", i)))), CommitResult::kDurable);
    }
  }
  fs::rename(folder_.path() / "older", folder_.path() / kWatermarkFile);
  const fs::path log = Log();
  // A type that RocksDB takes for the remains of another log, in the first of some records.
  FlipBit(log, static_cast<std::streamoff>(behind) + 6, 0x04);
  EXPECT_TRUE(absl::IsDataLoss(OpenAt(folder_.path()).status()));
  FlipBit(log, static_cast<std::streamoff>(behind) + 6, 0x04);
  FlipBit(log, static_cast<std::streamoff>(bytes) + 5, 0x40);  // the upper byte of the last record's length
  const auto refused = OpenAt(folder_.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(absl::StrCat(log.filename().string(), " at byte ", bytes)));
}

// Those of an earlier version do not say in the manifest which logs there are.
TEST_F(RocksDbStoreTest, ALogThatIsMissingBetweenOthersIsMissed) {
  Fill();
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
    for (const char* key : {"a", "b", "c"}) {
      ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), meta, key, "").ok());
      // Begins a new log, and the old one is kept because of the other column.
      ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), key, "").ok());
      ASSERT_TRUE(db->Flush(rocksdb::FlushOptions()).ok());
    }
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), meta, "d", "").ok());
  }));
  std::set<fs::path> logs;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    if (entry.path().extension() == ".log" && entry.file_size() > 0) logs.insert(entry.path());
  }
  ASSERT_EQ(logs.size(), 4u);
  const fs::path gone = *std::next(logs.begin());
  fs::rename(gone, folder_.path() / "mislaid");
  const auto before = FolderContent(folder_.path());
  const auto refused = OpenAt(folder_.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(absl::StrCat("lost 2 changes: ", std::next(logs.begin(), 2)->filename().string())));
  EXPECT_EQ(FolderContent(folder_.path()), before);
  fs::rename(folder_.path() / "mislaid", gone);
  EXPECT_TRUE(OpenAt(folder_.path()).ok());
}

TEST_F(RocksDbStoreTest, AStoreOfAnEarlierVersionGetsAWatermarkAndMissesItEverAfter) {
  Fill();
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
    ASSERT_TRUE(db->Delete(rocksdb::WriteOptions(), meta, std::string(kWatermarkKey)).ok());
  }));
  fs::remove(folder_.path() / kWatermarkFile);
  ASSERT_TRUE(OpenAt(folder_.path()).ok());
  ASSERT_TRUE(fs::exists(folder_.path() / kWatermarkFile));
  fs::rename(folder_.path() / kWatermarkFile, folder_.path() / "mislaid");
  const auto before = FolderContent(folder_.path());
  const auto refused = OpenAt(folder_.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(kWatermarkFile));
  EXPECT_EQ(FolderContent(folder_.path()), before);
  fs::rename(folder_.path() / "mislaid", folder_.path() / kWatermarkFile);
  EXPECT_TRUE(OpenAt(folder_.path()).ok()) << "put back, it starts";
}

TEST_F(RocksDbStoreTest, WhatANewerVersionWroteIsRefusedUnchanged) {
  for (const char* kind : {"saga", "definition", "of a kind unheard of"}) {
    TemporaryFolder folder;
    {
      auto store = OpenAt(folder.path());
      ASSERT_TRUE(store.ok()) << store.status();
      ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga("a"))), CommitResult::kDurable);
      WriteSet set;
      if (kind == std::string("saga")) {
        set = SetOf(NewSaga("b"));
        set.sagas[0].record.set_version(2);
      } else {
        auto& definition = set.definitions.emplace_back();
        definition.set_version(kind == std::string("definition") ? kDefinitionVersionMax + 1 : kDefinitionVersionMax);
        definition.set_name("book");
        definition.set_revision(1);
      }
      ASSERT_EQ(CommitNow(store->get(), std::move(set)), CommitResult::kDurable);
      // Gone again, but an older binary must not have to meet it.
      if (kind == std::string("saga")) {
        WriteSet expiry;
        expiry.expired.push_back(NewSaga("b").record);
        expiry.expired[0].set_state(v1::SAGA_STATE_SUCCEEDED);
        ASSERT_EQ(CommitNow(store->get(), std::move(expiry)), CommitResult::kDurable);
      }
    }
    if (kind == std::string("of a kind unheard of")) {
      ASSERT_TRUE(EditAsRocksDb(folder.path(), "meta", [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
        std::string version;
        AppendBigEndian64(1, &version);
        ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), meta, absl::StrCat(kNewestRecordPrefix, kind), version).ok());
      }));
    }
    const auto before = FolderContent(folder.path());
    const auto refused = OpenAt(folder.path()).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << kind << ": " << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("newer version"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr(kind));
    EXPECT_EQ(FolderContent(folder.path()), before);
  }
}

TEST_F(RocksDbStoreTest, OnlyOneMayHaveItOpen) {
  auto first = OpenAt(folder_.path());
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = OpenAt(folder_.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another process"));
}

TEST_F(RocksDbStoreTest, AForeignFolderIsRefusedAndLeftAlone) {
  fs::create_directory(folder_.path());
  std::ofstream(folder_.path() / "thesis.txt") << "precious";
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenAt(folder_.path()).status()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(RocksDbStoreTest, AForeignDatabaseIsRefused) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, folder_.path(), &db).ok());
  delete db;
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenAt(folder_.path()).status()));
}

TEST_F(RocksDbStoreTest, AFolderWhoseCreationWasCutShortIsUsed) {
  fs::create_directory(folder_.path());
  fs::create_directory(folder_.path() / "lost+found");
  ASSERT_TRUE(OpenAt(folder_.path()).ok());
  TemporaryFolder marked;
  fs::create_directory(marked.path());
  std::ofstream(marked.path() / "TUTTI_STORE");  // empty until the store is complete
  EXPECT_TRUE(OpenAt(marked.path()).ok());
}

TEST_F(RocksDbStoreTest, AStoreThatLostItsFilesIsNotTakenForANewOne) {
  Fill();
  fs::remove(folder_.path() / "CURRENT");
  EXPECT_TRUE(absl::IsDataLoss(OpenAt(folder_.path()).status()));
  EXPECT_FALSE(fs::exists(folder_.path() / "CURRENT")) << "refused, but changed";
}

TEST_F(RocksDbStoreTest, AStoreThatLostItsLogIsRefused) {
  Fill();
  fs::remove(Log());
  EXPECT_TRUE(absl::IsDataLoss(OpenAt(folder_.path()).status()));
}

TEST_F(RocksDbStoreTest, ANewerLayoutIsRefused) {
  Fill();
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
    std::string version;
    AppendBigEndian64(kLayoutVersion + 1, &version);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), meta, std::string(kLayoutKey), version).ok());
  }));
  const auto status = OpenAt(folder_.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("layout version 2"));
}

TEST_F(RocksDbStoreTest, AColumnOfANewerVersionIsRefused) {
  Fill();
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle*) {
    rocksdb::ColumnFamilyHandle* added = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily(rocksdb::ColumnFamilyOptions(), "outbox", &added).ok());
    db->DestroyColumnFamilyHandle(added);
  }));
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenAt(folder_.path()).status()));
}

TEST_F(RocksDbStoreTest, RecordsWithoutALayoutVersionAreRefused) {
  Fill();
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
    ASSERT_TRUE(db->Delete(rocksdb::WriteOptions(), meta, std::string(kLayoutKey)).ok());
  }));
  EXPECT_TRUE(absl::IsDataLoss(OpenAt(folder_.path()).status()));
}

TEST_F(RocksDbStoreTest, AnEmptyStoreThatLostItsLayoutVersionIsRefusedToo) {
  ASSERT_TRUE(OpenAt(folder_.path()).ok());
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
    ASSERT_TRUE(db->Delete(rocksdb::WriteOptions(), meta, std::string(kLayoutKey)).ok());
  }));
  EXPECT_TRUE(absl::IsDataLoss(OpenAt(folder_.path()).status())) << "what else is gone, nobody knows";
}

// A disk whose syncs fail on demand, and that knows what of a log a power cut would take.
class FailingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FailingFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FailingFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    const auto status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok()) {
      const bool is_log = fs::path(name).extension() == ".log";
      *result = std::make_unique<File>(std::move(*result), &failing, is_log ? &unsynced_log_bytes : nullptr);
    }
    return status;
  }
  std::atomic<bool> failing{false};
  std::atomic<uint64_t> unsynced_log_bytes{0};

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, const std::atomic<bool>* failing,
         std::atomic<uint64_t>* unsynced)
        : FSWritableFileOwnerWrapper(std::move(file)), failing_(failing), unsynced_(unsynced) {}
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (unsynced_ != nullptr) *unsynced_ += data.size();
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& verification,
                             rocksdb::IODebugContext* debug) override {
      if (unsynced_ != nullptr) *unsynced_ += data.size();
      return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      if (failing_->load()) return rocksdb::IOStatus::IOError("injected");
      if (unsynced_ != nullptr) *unsynced_ = 0;
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

   private:
    const std::atomic<bool>* const failing_;
    std::atomic<uint64_t>* const unsynced_;  // nullptr: no log
  };
};

// Its marker calls a new store complete, so from then on a version that is missing is a loss.
TEST_F(RocksDbStoreTest, ANewStoresVersionIsOnDiskOnceItIsOpen) {
  const auto file_system = std::make_shared<FailingFileSystem>();
  const auto env = rocksdb::NewCompositeEnv(file_system);
  auto store = OpenAt(folder_.path(), env.get());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_GT((*store)->Status().log_bytes, 0u);
  EXPECT_EQ(file_system->unsynced_log_bytes, 0u);
  ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga("a"))), CommitResult::kDurable);
  EXPECT_EQ(file_system->unsynced_log_bytes, 0u);
}

TEST_F(RocksDbStoreTest, AfterAFailedSyncNothingIsDurableAnyMore) {
  const auto file_system = std::make_shared<FailingFileSystem>();
  const auto env = rocksdb::NewCompositeEnv(file_system);
  {
    auto store = OpenAt(folder_.path(), env.get());
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga("before"))), CommitResult::kDurable);
    file_system->failing = true;
    EXPECT_EQ(CommitNow(store->get(), SetOf(NewSaga("failed"))), CommitResult::kUnknown);
    file_system->failing = false;  // the disk is well again; what is in memory cannot be trusted all the same
    EXPECT_EQ(CommitNow(store->get(), SetOf(NewSaga("after"))), CommitResult::kUnknown);
  }
  auto store = OpenAt(folder_.path());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->GetSaga("before").ok());
  EXPECT_TRUE(absl::IsNotFound((*store)->GetSaga("after").status()));
}

TEST_F(RocksDbStoreTest, WhoeverMeetsARecordThatCannotBeReadTellsOfIt) {
  Fill();
  ASSERT_TRUE(EditAsRocksDb(folder_.path(), "saga", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* sagas) {
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), sagas, SagaKey(IdOf(7)), "damaged").ok());
  }));
  std::vector<std::string> told;
  RocksDbStoreOptions options;
  options.path = folder_.path();
  options.on_unreadable = [&](const UnreadableRecord& record) {
    told.push_back(record.saga_id);
    EXPECT_THAT(record.error, HasSubstr("damaged"));
  };
  const auto store = RocksDbStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto once = testing::ElementsAre(IdOf(7));
  EXPECT_TRUE(absl::IsDataLoss((*store)->GetSaga(IdOf(7)).status()));
  EXPECT_THAT(std::exchange(told, {}), once) << "one that asks for it";
  EXPECT_TRUE((*store)->ListSagas({.page_size = 2 * kSagas}).ok());
  EXPECT_THAT(std::exchange(told, {}), once) << "a listing";
  EXPECT_TRUE((*store)->FindEnded({.ended_by_ms = 5'000, .page_size = 2 * kSagas}).ok());
  EXPECT_THAT(std::exchange(told, {}), once) << "the sweep";
  int skipped = 0;
  EXPECT_TRUE((*store)
                  ->ForEachActive(
                      0, limits::kSlots, [](const storage::v1::SagaRecord&) { return absl::OkStatus(); },
                      [&](const UnreadableRecord&) { ++skipped; })
                  .ok());
  EXPECT_THAT(std::exchange(told, {}), once) << "the recovery";
  EXPECT_EQ(skipped, 1);
  EXPECT_TRUE((*store)->GetSaga(IdOf(8)).ok());
  EXPECT_TRUE(absl::IsNotFound((*store)->GetSaga("nobody").status()));
  EXPECT_THAT(told, testing::IsEmpty());
}

TEST_F(RocksDbStoreTest, TellsOfItsSyncsAndOfWhatItKeepsWhere) {
  {
    const auto began = std::chrono::steady_clock::now();
    auto store = OpenAt(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    const RocksDbStatus before = (*store)->Status();
    for (int i = 0; i < 20; ++i) ASSERT_EQ(CommitNow(store->get(), SetOf(NewSaga(IdOf(i)))), CommitResult::kDurable);
    const RocksDbStatus after = (*store)->Status();
    EXPECT_EQ(after.log_syncs, before.log_syncs + 20);
    EXPECT_GT(after.log_sync_seconds, before.log_sync_seconds);
    EXPECT_LT(after.log_sync_seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    EXPECT_GT(after.log_bytes, before.log_bytes);
    EXPECT_GT(after.memtable_bytes, 0u);
    EXPECT_EQ(after.table_bytes, before.table_bytes) << "all is in the log";
  }
  auto store = OpenAt(folder_.path());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_GT((*store)->Status().table_bytes, 0u) << "opening wrote the log to tables";
}

TEST_F(RocksDbStoreTest, TheObserverSeesEveryWrite) {
  std::atomic<size_t> sagas{0};
  RocksDbStoreOptions options;
  options.path = folder_.path();
  options.observer = [&](const CommitReport& report) {
    EXPECT_GT(report.seconds, 0);
    sagas += report.sagas;
  };
  auto store = RocksDbStore::Open(options);
  ASSERT_TRUE(store.ok());
  for (int i = 0; i < 10; ++i) CommitNow(store->get(), SetOf(NewSaga(IdOf(i))));
  EXPECT_EQ(sagas, 10u);
}

// A store on a volume whose room the test decides.
class RocksDbRoomTest : public RocksDbStoreTest {
 protected:
  static constexpr uint64_t kMiB = 1 << 20;

  absl::StatusOr<std::unique_ptr<RocksDbStore>> Open() {
    RocksDbStoreOptions options;
    options.path = folder_.path();
    options.reserve = &reserve_;
    options.room = [this] { return room_; };
    return RocksDbStore::Open(options);
  }

  // As many bytes as would be called random.
  static std::string Noise(size_t bytes) {
    std::string noise;
    for (uint32_t state = 1; noise.size() < bytes;) {
      state = state * 1664525 + 1013904223;
      noise.push_back(static_cast<char>(state >> 24));
    }
    return noise;
  }
  // Ended sagas, in tables.
  static std::vector<storage::v1::SagaRecord> FillWithEnded(RocksDbStore* store, int count) {
    std::vector<storage::v1::SagaRecord> records;
    for (int i = 0; i < count; ++i) {
      SagaWrite saga = NewSaga(IdOf(i));
      saga.record.set_state(v1::SAGA_STATE_SUCCEEDED);
      saga.record.set_finished_ms(2000);
      saga.record.set_input(Noise(8000));
      records.push_back(saga.record);
      EXPECT_EQ(CommitNow(store, SetOf(std::move(saga))), CommitResult::kDurable);
    }
    return records;
  }

  Room room_{.bytes_total = 1024 * kMiB, .bytes_free = 100 * kMiB};
  const TemporaryFolder beside_;
  DiskReserve reserve_{{.file = beside_.path(), .bytes = 20 * kMiB}, [this] { return room_; }};
};

TEST_F(RocksDbRoomTest, WithoutRoomForWhatItsLogsHoldItIsNotOpenedAndNothingChanges) {
  Fill();
  const FileContents before = FolderContent(folder_.path());
  room_.bytes_free = fs::file_size(Log());
  const auto store = Open();
  EXPECT_TRUE(absl::IsResourceExhausted(store.status())) << store.status();
  EXPECT_THAT(std::string(store.status().message()),
              testing::AllOf(HasSubstr("the disk is full"), HasSubstr(folder_.path().string()),
                             HasSubstr(absl::StrCat("has ", room_.bytes_free, " left"))));
  EXPECT_EQ(FolderContent(folder_.path()), before);
  room_.bytes_free = 100 * kMiB;
  EXPECT_TRUE(Open().ok());
}

TEST_F(RocksDbRoomTest, WithoutRoomForNewFilesItIsNotOpenedEither) {
  Fill();
  room_.files_free = 3;
  const auto store = Open();
  EXPECT_TRUE(absl::IsResourceExhausted(store.status())) << store.status();
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("inodes"));
}

TEST_F(RocksDbRoomTest, TheReserveIsGivenUpToOpenItButOnlyWhereThatHelps) {
  Fill();
  reserve_.Tend(0);
  ASSERT_EQ(reserve_.bytes_held(), 20 * kMiB);
  room_.files_free = 3;
  EXPECT_FALSE(Open().ok());
  EXPECT_EQ(reserve_.bytes_held(), 20 * kMiB);
  room_.files_free = 1000;
  room_.bytes_free = 0;
  EXPECT_TRUE(Open().ok());
  EXPECT_EQ(reserve_.bytes_held(), 0);
}

TEST_F(RocksDbRoomTest, WhatExpiredIsGivenBackWhenItIsAFourthOfWhatIsLeft) {
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  const auto records = FillWithEnded(store->get(), 400);
  EXPECT_FALSE((*store)->Reclaim(/*room_is_short=*/true)) << "nothing expired";
  ASSERT_EQ(CommitNow(store->get(), {.expired = {records.begin(), records.begin() + 40}}), CommitResult::kDurable);
  EXPECT_FALSE((*store)->Reclaim(/*room_is_short=*/false));
  EXPECT_TRUE((*store)->Reclaim(/*room_is_short=*/true));
  const uint64_t before = (*store)->Status().table_bytes;
  EXPECT_GT(before, 360 * 8000);
  ASSERT_EQ(CommitNow(store->get(), {.expired = {records.begin() + 40, records.end() - 10}}), CommitResult::kDurable);
  EXPECT_TRUE((*store)->Reclaim(/*room_is_short=*/false));
  EXPECT_LT((*store)->Status().table_bytes, before / 10);
  EXPECT_FALSE((*store)->Reclaim(/*room_is_short=*/true)) << "once is enough";
  EXPECT_TRUE((*store)->GetSaga(IdOf(399)).ok());
  EXPECT_TRUE(absl::IsNotFound((*store)->GetSaga(IdOf(0)).status()));
}

TEST_F(RocksDbRoomTest, ACompactionWithoutRoomHarmsNobody) {
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  const auto records = FillWithEnded(store->get(), 400);
  store->reset();
  store = Open();  // the log is now in tables
  ASSERT_TRUE(store.ok()) << store.status();
  const uint64_t before = (*store)->Status().table_bytes;
  ASSERT_GT(before, 400 * 8000);
  reserve_.Tend(0);
  room_.bytes_free = 2 * kMiB;
  ASSERT_EQ(CommitNow(store->get(), {.expired = {records.begin(), records.end() - 10}}), CommitResult::kDurable);
  EXPECT_TRUE((*store)->Reclaim(/*room_is_short=*/true));
  EXPECT_GE((*store)->Status().table_bytes, before) << "it had to wait";
  EXPECT_EQ(reserve_.bytes_held(), 20 * kMiB);
  EXPECT_EQ(CommitNow(store->get(), SetOf(NewSaga("later"))), CommitResult::kDurable);
  EXPECT_TRUE((*store)->GetSaga("later").ok());
}

}  // namespace
}  // namespace tutti::store
