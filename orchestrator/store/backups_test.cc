#include "orchestrator/store/backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "orchestrator/store/backup_folder.h"
#include "orchestrator/store/hold.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/read_only_store.h"
#include "orchestrator/store/restore.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/rocksdb_testing.h"
#include "orchestrator/store/store_testing.h"
#include "rocksdb/write_batch.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kNowMs = 1'700'000'000'000;

bool GoOn(const BackupProgress&) {
  return true;
}

// What does not compress.
std::string Noise(size_t bytes) {
  static std::mt19937 random(7);
  std::string noise;
  while (noise.size() < bytes) noise.push_back(static_cast<char>(random()));
  return noise;
}

std::string IdOf(int i) {
  return absl::StrCat("saga-", i);
}

void Flip(const fs::path& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 0x20);
  file.seekp(at);
  file.put(byte);
}

std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

class BackupsTest : public testing::Test {
 protected:
  BackupsTest() { fs::create_directories(home_.path()); }

  fs::path folder() const { return home_.path() / "backups"; }
  fs::path store_path() const { return home_.path() / "store"; }
  fs::path restored_path() const { return home_.path() / "elsewhere"; }

  static std::unique_ptr<RocksDbStore> OpenAt(const fs::path& path) {
    RocksDbStoreOptions options;
    options.path = path;
    auto store = RocksDbStore::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  void Open() { store_ = OpenAt(store_path()); }
  Backups::Options Wanted() const {
    return {.folder = folder(), .progress_bytes = 4096, .free_bytes = [](const std::string&) { return UINT64_MAX; }};
  }
  std::unique_ptr<Backups> MakeBackups() { return std::make_unique<Backups>(store_.get(), Wanted()); }

  void Fill(int begin, int end) {
    for (int i = begin; i < end; ++i) {
      SagaWrite saga = NewSaga(IdOf(i));
      saga.record.set_input(Noise(2000));
      ASSERT_EQ(CommitNow(store_.get(), SetOf(saga)), CommitResult::kDurable);
    }
  }
  static absl::StatusOr<storage::v1::HoldRecord> RestoreTo(const fs::path& path, const fs::path& folder,
                                                           int64_t id = 0) {
    return Restore({.backup_folder = folder, .backup_id = id, .path = path, .now_ms = kNowMs + 5});
  }
  absl::StatusOr<storage::v1::HoldRecord> RestoreElsewhere(int64_t id = 0) {
    return RestoreTo(restored_path(), folder(), id);
  }

  TemporaryFolder home_;
  std::unique_ptr<RocksDbStore> store_;
};

TEST_F(BackupsTest, HoldsEverythingThatWasAcknowledgedBeforeTheCallWhileMoreIsWritten) {
  Open();
  Fill(0, 300);
  std::atomic<int> acknowledged{300};
  const std::jthread load([&](const std::stop_token& ending) {
    while (!ending.stop_requested()) {
      if (CommitNow(store_.get(), SetOf(NewSaga(IdOf(acknowledged)))) == CommitResult::kDurable) ++acknowledged;
    }
  });
  const auto backups = MakeBackups();
  for (int round = 1; round <= 5; ++round) {
    const int before = acknowledged;
    const auto made = backups->Create(kNowMs + round, GoOn);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->id, round);
    const fs::path place = home_.path() / absl::StrCat("round-", round);
    const auto hold = RestoreTo(place, folder());
    ASSERT_TRUE(hold.ok()) << hold.status();
    const auto restored = OpenAt(place);
    ASSERT_NE(restored, nullptr);
    for (int i = 0; i < before; ++i) ASSERT_TRUE(restored->GetSaga(IdOf(i)).ok()) << i << " of " << before;
    EXPECT_EQ(CommitNow(restored.get(), SetOf(NewSaga("next"))), CommitResult::kDurable);
  }
}

TEST_F(BackupsTest, WhatDoesNotFitAsATableBesideTheStoreIsCopiedFromItsLog) {
  Open();
  Fill(0, 50);
  Backups::Options wanted = Wanted();
  wanted.free_bytes = [&](const std::string& path) { return path == store_path() ? 0 : UINT64_MAX; };
  Backups backups(store_.get(), std::move(wanted));
  const auto made = backups.Create(kNowMs, GoOn);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_FALSE(fs::exists(folder() / "shared_checksum") && !FilesIn(folder() / "shared_checksum").empty());
  ASSERT_TRUE(RestoreElsewhere().ok());
  const auto restored = OpenAt(restored_path());
  ASSERT_NE(restored, nullptr);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(restored->GetSaga(IdOf(i)).ok()) << i;
}

TEST_F(BackupsTest, ARestoredStoreIsAnotherStoreAndHeldUntilItIsReleased) {
  Open();
  Fill(0, 10);
  const std::string origin = store_->identity().store_id();
  EXPECT_EQ(origin.size(), 32u);
  EXPECT_FALSE(store_->hold().has_value());
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  ASSERT_TRUE(RestoreElsewhere().ok());
  {
    const auto restored = OpenAt(restored_path());
    ASSERT_NE(restored, nullptr);
    EXPECT_NE(restored->identity().store_id(), origin);
    ASSERT_TRUE(restored->hold().has_value());
    EXPECT_EQ(restored->hold()->backup().store_id(), origin);
    EXPECT_EQ(restored->hold()->backup().backup_id(), 1);
    EXPECT_EQ(restored->hold()->backup().created_ms(), kNowMs);
    EXPECT_EQ(restored->hold()->restored_ms(), kNowMs + 5);
    EXPECT_TRUE(Hold(restored.get(), restored->hold()).held());
  }
  {
    const auto restored = OpenAt(restored_path());
    ASSERT_NE(restored, nullptr);
    Hold hold(restored.get(), restored->hold());
    EXPECT_TRUE(hold.held()) << "a restart does not release it";
    const auto released = hold.Release("compared", "ann", kNowMs + 9);
    ASSERT_TRUE(released.ok()) << released.status();
    EXPECT_FALSE(hold.held());
    const auto again = hold.Release("again", "ben", kNowMs + 99);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->released_by(), "ann");
  }
  const auto restored = OpenAt(restored_path());
  ASSERT_NE(restored, nullptr);
  EXPECT_FALSE(Hold(restored.get(), restored->hold()).held());
  EXPECT_EQ(restored->hold()->release_reason(), "compared");
  EXPECT_EQ(ReasonOf(Hold(store_.get(), store_->hold()).Release("x", "y", 1).status()), "NOT_HELD");
}

TEST_F(BackupsTest, ARestoredStoreIsGuardedByAWatermarkOfItsOwn) {
  Open();
  Fill(0, 10);
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  ASSERT_TRUE(RestoreElsewhere().ok());
  const auto look = ReadOnlyStore::Open(restored_path());
  ASSERT_TRUE(look.ok()) << look.status();
  EXPECT_TRUE((*look)->loss().ok());
  fs::path newest;
  for (const fs::path& file : FilesIn(restored_path())) {
    if (file.extension() == ".log" && fs::file_size(file) > 0 && file > newest) newest = file;
  }
  ASSERT_FALSE(newest.empty());
  fs::resize_file(newest, fs::file_size(newest) - 3);
  RocksDbStoreOptions options;
  options.path = restored_path();
  EXPECT_TRUE(absl::IsDataLoss(RocksDbStore::Open(options).status()));
}

TEST_F(BackupsTest, AnEarlierBinaryRefusesAStoreOfANewerKindOfHold) {
  Open();
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  ASSERT_TRUE(RestoreElsewhere().ok());
  std::string version;
  ASSERT_TRUE(EditAsRocksDb(restored_path(), "meta", [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
    EXPECT_TRUE(db->Get(rocksdb::ReadOptions(), meta, "newest record hold", &version).ok());
    std::string newer;
    AppendBigEndian64(2, &newer);
    EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), meta, "newest record hold", newer).ok());
  }));
  ASSERT_EQ(version.size(), 8u);
  EXPECT_EQ(ReadBigEndian64(version), 1u);
  RocksDbStoreOptions options;
  options.path = restored_path();
  EXPECT_TRUE(absl::IsFailedPrecondition(RocksDbStore::Open(options).status()));
}

TEST_F(BackupsTest, ALaterBackupCopiesOnlyWhatIsNew) {
  Open();
  Fill(0, 500);
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Create(kNowMs, GoOn).ok());
  const size_t tables = FilesIn(folder() / "shared_checksum").size();
  Fill(500, 501);
  uint64_t told = 0;
  const auto second = backups->Create(kNowMs + 1, [&](const BackupProgress& progress) {
    told = progress.total_bytes;
    return true;
  });
  ASSERT_TRUE(second.ok());
  EXPECT_GT(second->bytes, 500'000u);
  uint64_t added = 0;
  for (const fs::path& file : FilesIn(folder() / "private" / "2")) added += fs::file_size(file);
  EXPECT_LT(added, second->bytes / 5);
  EXPECT_GT(FilesIn(folder() / "shared_checksum").size(), tables);
  EXPECT_LT(told, second->bytes);
}

TEST_F(BackupsTest, ListsVerifiesAndKeepsTheNewest) {
  Open();
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Begin().ok());
  EXPECT_THAT(*backups->List(), IsEmpty());
  EXPECT_EQ(ReasonOf(backups->Verify(0, GoOn).status()), "BACKUP_NOT_FOUND");
  EXPECT_EQ(backups->last_success_ms(), 0);
  for (int i = 0; i < 4; ++i) {
    Fill(i, i + 1);
    ASSERT_TRUE(backups->Create(kNowMs + i, GoOn).ok());
  }
  EXPECT_EQ(backups->last_success_ms(), kNowMs + 3);
  EXPECT_EQ(backups->succeeded(), 4u);
  EXPECT_EQ(backups->Verify(2, GoOn)->created_ms, kNowMs + 1);
  EXPECT_EQ(backups->Verify(0, GoOn)->id, 4);
  EXPECT_EQ(ReasonOf(backups->Verify(9, GoOn).status()), "BACKUP_NOT_FOUND");
  const auto deleted = backups->Delete(2);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_THAT(deleted->deleted, ElementsAre(2, 1));
  ASSERT_EQ(deleted->left.size(), 2u);
  EXPECT_EQ(deleted->left[0].id, 4);
  EXPECT_EQ(backups->List()->size(), 2u);
  EXPECT_THAT(backups->Delete(5)->deleted, IsEmpty());
  EXPECT_TRUE(backups->Verify(3, GoOn).ok());
  const auto later = MakeBackups();
  ASSERT_TRUE(later->Begin().ok());
  EXPECT_EQ(later->last_success_ms(), kNowMs + 3) << "a restart finds it again";
}

TEST_F(BackupsTest, AVerificationTellsHowFarItIsAndCanBeEnded) {
  Open();
  Fill(0, 400);
  const auto backups = MakeBackups();
  const auto made = backups->Create(kNowMs, GoOn);
  ASSERT_TRUE(made.ok());
  uint64_t read = 0;
  EXPECT_TRUE(backups
                  ->Verify(1,
                           [&](const BackupProgress& progress) {
                             EXPECT_GE(progress.copied_bytes, read);
                             EXPECT_EQ(progress.total_bytes, made->bytes);
                             read = progress.copied_bytes;
                             return true;
                           })
                  .ok());
  EXPECT_GT(read, made->bytes / 2);
  EXPECT_TRUE(absl::IsCancelled(backups->Verify(1, [](const BackupProgress&) { return false; }).status()));
  backups->Stop();
  EXPECT_EQ(ReasonOf(backups->Verify(1, GoOn).status()), "SHUTTING_DOWN");
  backups->AwaitIdle();
}

TEST_F(BackupsTest, ADamagedFileIsNamedAndNothingIsRestoredFromIt) {
  Open();
  Fill(0, 100);
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Create(kNowMs, GoOn).ok());
  int cases = 0;
  for (const fs::path& file : FilesIn(folder())) {
    const std::string name = file.filename();
    if (absl::StrContains(file.string(), "/meta/") || name == kBackupsMarker || name == "LOCK") continue;
    if (fs::file_size(file) == 0) continue;
    ++cases;
    Flip(file, static_cast<std::streamoff>(fs::file_size(file) / 2));
    const absl::Status verified = backups->Verify(1, GoOn).status();
    EXPECT_TRUE(absl::IsDataLoss(verified)) << file << ": " << verified;
    EXPECT_EQ(ReasonOf(verified), "BACKUP_DAMAGED");
    EXPECT_THAT(std::string(verified.message()), HasSubstr(name));
    const absl::Status restored = RestoreElsewhere(1).status();
    EXPECT_TRUE(absl::IsDataLoss(restored)) << file << ": " << restored;
    EXPECT_THAT(std::string(restored.message()), HasSubstr(name));
    EXPECT_FALSE(fs::exists(restored_path()));
    EXPECT_FALSE(fs::exists(restored_path().string() + ".restoring"));
    Flip(file, static_cast<std::streamoff>(fs::file_size(file) / 2));
  }
  EXPECT_GE(cases, 4);
  EXPECT_TRUE(backups->Verify(1, GoOn).ok());
}

TEST_F(BackupsTest, AFileThatIsGoneIsSeenInTheListAndComesBackWithTheNextBackup) {
  Open();
  Fill(0, 100);
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Create(kNowMs, GoOn).ok());
  const fs::path table = FilesIn(folder() / "shared_checksum").front();
  fs::remove(table);
  ASSERT_EQ(backups->List()->size(), 1u);
  EXPECT_THAT(backups->List()->front().problem, HasSubstr(table.filename()));
  EXPECT_EQ(ReasonOf(backups->Verify(1, GoOn).status()), "BACKUP_DAMAGED");
  EXPECT_EQ(ReasonOf(RestoreElsewhere().status()), "BACKUP_NOT_FOUND");
  ASSERT_TRUE(backups->Create(kNowMs + 1, GoOn).ok());
  EXPECT_TRUE(backups->Verify(2, GoOn).ok());
  EXPECT_TRUE(RestoreElsewhere().ok());
}

TEST_F(BackupsTest, DamagedOnesDoNotCountAsKept) {
  Open();
  const auto backups = MakeBackups();
  for (int i = 0; i < 3; ++i) {
    Fill(i, i + 1);
    ASSERT_TRUE(backups->Create(kNowMs + i, GoOn).ok());
  }
  fs::remove(FilesIn(folder() / "private" / "3").front());
  const auto deleted = backups->Delete(1);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_THAT(deleted->deleted, ElementsAre(1));
  EXPECT_TRUE(RestoreElsewhere().ok());
}

TEST_F(BackupsTest, ABackupThatIsEndedLeavesEarlierOnesAndNothingElse) {
  Open();
  Fill(0, 50);
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Create(kNowMs, GoOn).ok());
  const auto before = FilesIn(folder());
  Fill(50, 400);
  int looks = 0;
  const auto ended = backups->Create(kNowMs + 1, [&](const BackupProgress&) { return ++looks < 3; });
  EXPECT_TRUE(absl::IsCancelled(ended.status())) << ended.status();
  EXPECT_EQ(FilesIn(folder()), before);
  EXPECT_EQ(backups->failed(), 1u);
  EXPECT_TRUE(backups->Verify(0, GoOn).ok());
  looks = 0;
  const auto stopped = backups->Create(kNowMs + 1, [&](const BackupProgress&) {
    if (++looks == 3) backups->Stop();
    return true;
  });
  EXPECT_EQ(ReasonOf(stopped.status()), "SHUTTING_DOWN");
  EXPECT_EQ(FilesIn(folder()), before);
  EXPECT_EQ(ReasonOf(backups->Create(kNowMs + 2, GoOn).status()), "SHUTTING_DOWN");
  EXPECT_EQ(ReasonOf(backups->Delete(1).status()), "SHUTTING_DOWN");
}

// As a kill -9 in the middle leaves the folder.
TEST_F(BackupsTest, WhatAnUnfinishedBackupLeftIsClearedAwayAtTheNextStart) {
  Open();
  Fill(0, 50);
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Create(kNowMs, GoOn).ok());
  const size_t files = FilesIn(folder()).size();
  Fill(50, 400);
  const fs::path left = home_.path() / "left";
  int looks = 0;
  ASSERT_TRUE(backups
                  ->Create(kNowMs + 1,
                           [&](const BackupProgress&) {
                             if (++looks == 3) fs::copy(folder(), left, fs::copy_options::recursive);
                             return true;
                           })
                  .ok());
  ASSERT_GT(FilesIn(left).size(), files);
  Backups::Options wanted = Wanted();
  wanted.folder = left;
  Backups after(store_.get(), std::move(wanted));
  ASSERT_TRUE(after.Begin().ok());
  EXPECT_EQ(FilesIn(left).size(), files);
  EXPECT_EQ(after.List()->size(), 1u);
  EXPECT_TRUE(after.Verify(1, GoOn).ok());
  ASSERT_TRUE(after.Create(kNowMs + 2, GoOn).ok());
  EXPECT_TRUE(RestoreTo(restored_path(), left).ok());
}

TEST_F(BackupsTest, OneCallAtATimeWorksOnTheFolder) {
  Open();
  Fill(0, 200);
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Create(kNowMs, GoOn).ok());
  Fill(200, 300);
  std::vector<std::string> reasons;
  size_t listed = 0;
  const auto made = backups->Create(kNowMs + 1, [&](const BackupProgress&) {
    if (!reasons.empty()) return true;
    reasons = {ReasonOf(backups->Create(kNowMs, GoOn).status()), ReasonOf(backups->Verify(0, GoOn).status()),
               ReasonOf(backups->Delete(1).status())};
    listed = backups->List()->size();
    return true;
  });
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(reasons, ElementsAre("BACKUP_BUSY", "BACKUP_BUSY", "BACKUP_BUSY"));
  EXPECT_EQ(listed, 1u) << "who only looks is let in";
}

TEST_F(BackupsTest, AFolderThatAnotherProcessWritesToIsRefused) {
  Open();
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Begin().ok());
  const auto other = BackupFolderLock::Take(rocksdb::Env::Default(), folder());
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(ReasonOf(backups->Create(kNowMs, GoOn).status()), "BACKUP_FOLDER_IN_USE");
  EXPECT_EQ(ReasonOf(backups->Delete(1).status()), "BACKUP_FOLDER_IN_USE");
}

TEST_F(BackupsTest, AFolderOfSomethingElseIsLeftAlone) {
  Open();
  fs::create_directory(folder());
  std::ofstream(folder() / "letter.txt") << "dear ann";
  const auto backups = MakeBackups();
  EXPECT_EQ(ReasonOf(backups->Begin()), "BACKUP_FOLDER_UNUSABLE");
  EXPECT_EQ(ReasonOf(backups->Create(kNowMs, GoOn).status()), "BACKUP_FOLDER_UNUSABLE");
  EXPECT_EQ(FilesIn(folder()).size(), 1u);
  EXPECT_EQ(ReasonOf(RestoreElsewhere().status()), "BACKUP_FOLDER_UNUSABLE");
}

TEST_F(BackupsTest, WithoutAFolderEveryCallSaysSo) {
  Open();
  Backups backups(store_.get(), {});
  EXPECT_EQ(ReasonOf(backups.Create(kNowMs, GoOn).status()), "BACKUP_NOT_CONFIGURED");
  EXPECT_EQ(ReasonOf(backups.List().status()), "BACKUP_NOT_CONFIGURED");
  EXPECT_EQ(ReasonOf(backups.Verify(1, GoOn).status()), "BACKUP_NOT_CONFIGURED");
  EXPECT_EQ(ReasonOf(backups.Delete(1).status()), "BACKUP_NOT_CONFIGURED");
}

// A store that was begun anew where one was lost must not push out what is left of that one.
TEST_F(BackupsTest, AStoreDoesNotWriteAmongTheBackupsOfAnotherUnlessItComesFromThem) {
  Open();
  Fill(0, 10);
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  store_.reset();
  fs::remove_all(store_path());
  Open();
  EXPECT_EQ(ReasonOf(MakeBackups()->Create(kNowMs + 1, GoOn).status()), "BACKUP_FOREIGN");
  EXPECT_EQ(ReasonOf(MakeBackups()->Delete(1).status()), "BACKUP_FOREIGN");
  store_.reset();
  fs::remove_all(store_path());
  ASSERT_TRUE(RestoreTo(store_path(), folder()).ok());
  Open();
  const auto backups = MakeBackups();
  ASSERT_TRUE(backups->Begin().ok());
  EXPECT_EQ(backups->last_success_ms(), 0) << "of this very store there is none yet";
  ASSERT_TRUE(backups->Create(kNowMs + 2, GoOn).ok());
  ASSERT_TRUE(backups->Create(kNowMs + 3, GoOn).ok());
  EXPECT_EQ(backups->List()->front().store_id, store_->identity().store_id());
  EXPECT_THAT(backups->Delete(1)->deleted, ElementsAre(2, 1));
}

TEST_F(BackupsTest, RoomIsLookedForBeforeAnythingIsWritten) {
  Open();
  Fill(0, 100);
  Backups::Options wanted = Wanted();
  wanted.free_bytes = [&](const std::string& path) { return path == folder() ? 270u << 20 : UINT64_MAX; };
  Backups backups(store_.get(), std::move(wanted));
  ASSERT_TRUE(backups.Begin().ok());
  const auto before = FilesIn(folder());
  const absl::Status refused = backups.Create(kNowMs, GoOn).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), "BACKUP_NO_ROOM");
  EXPECT_EQ(FilesIn(folder()), before);
}

TEST_F(BackupsTest, NothingThatIsThereIsReplacedByARestore) {
  Open();
  Fill(0, 10);
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  store_.reset();
  const auto before = FolderContent(store_path());
  const absl::Status refused = RestoreTo(store_path(), folder()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(FolderContent(store_path()), before);
  fs::create_directory(restored_path());
  ASSERT_TRUE(RestoreElsewhere().ok()) << "an empty folder is no obstacle";
  const absl::Status again = RestoreElsewhere().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(again));
  EXPECT_THAT(std::string(again.message()), HasSubstr("restored from backup 1 and is held"));
}

TEST_F(BackupsTest, ARestoreThatWasCutShortBeginsAnew) {
  Open();
  Fill(0, 10);
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  const fs::path beside = restored_path().string() + ".restoring";
  fs::create_directory(beside);
  std::ofstream(beside / "000009.sst") << "half of it";
  std::ofstream(beside / "CURRENT") << "MANIFEST-000999\n";
  ASSERT_TRUE(RestoreElsewhere().ok());
  EXPECT_FALSE(fs::exists(beside));
  const auto restored = OpenAt(restored_path());
  ASSERT_NE(restored, nullptr);
  EXPECT_TRUE(restored->GetSaga(IdOf(3)).ok());
}

TEST_F(BackupsTest, TheBackupOfAStoreThatIsHeldIsHeldAnew) {
  Open();
  ASSERT_TRUE(MakeBackups()->Create(kNowMs, GoOn).ok());
  store_.reset();
  fs::remove_all(store_path());
  const auto first = RestoreTo(store_path(), folder());
  ASSERT_TRUE(first.ok());
  Open();
  ASSERT_TRUE(Hold(store_.get(), store_->hold()).Release("fine", "ann", kNowMs).ok());
  ASSERT_TRUE(MakeBackups()->Create(kNowMs + 9, GoOn).ok());
  const auto second = RestoreElsewhere();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(second->hold_id(), first->hold_id());
  const auto restored = OpenAt(restored_path());
  ASSERT_NE(restored, nullptr);
  EXPECT_TRUE(Hold(restored.get(), restored->hold()).held());
}

}  // namespace
}  // namespace tutti::store
