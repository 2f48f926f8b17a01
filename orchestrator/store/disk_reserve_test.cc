#include "orchestrator/store/disk_reserve.h"

#include <sys/stat.h>

#include "gtest/gtest.h"
#include "orchestrator/store/guarded_disk.h"
#include "orchestrator/store/store_testing.h"
#include "rocksdb/env.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kReserve = 4 * kMiB;

// A volume whose room the test decides.
class DiskReserveTest : public testing::Test {
 protected:
  DiskReserveTest() { fs::create_directory(folder_.path()); }
  fs::path File() const { return folder_.path() / "RESERVE"; }
  DiskReserve NewReserve(uint64_t bytes = kReserve) {
    return DiskReserve({.file = File(), .bytes = bytes}, [this] { return room_; });
  }

  const TemporaryFolder folder_;
  absl::StatusOr<Room> room_ = Room{.bytes_total = 1024 * kMiB, .bytes_free = 100 * kMiB};
};

TEST_F(DiskReserveTest, IsTakenWhenThereIsPlentyAndItsBlocksAreReal) {
  DiskReserve reserve = NewReserve();
  room_->bytes_free = 2 * kReserve;
  reserve.Tend(0);
  EXPECT_EQ(reserve.bytes_held(), 0);
  EXPECT_FALSE(fs::exists(File()));
  room_->bytes_free = 3 * kReserve;
  reserve.Tend(0);
  EXPECT_EQ(reserve.bytes_held(), kReserve);
  struct stat file {};
  ASSERT_EQ(stat(File().c_str(), &file), 0);
  EXPECT_GE(static_cast<uint64_t>(file.st_blocks) * 512, kReserve);
}

TEST_F(DiskReserveTest, IsGivenUpOnlyForWhatWouldNotFit) {
  DiskReserve reserve = NewReserve();
  reserve.Tend(0);
  room_->bytes_free = 2 * kMiB;
  reserve.MakeRoom(kMiB / 2);
  EXPECT_EQ(reserve.bytes_held(), kReserve);
  reserve.MakeRoom(3 * kMiB / 2);
  EXPECT_EQ(reserve.bytes_held(), 0);
  EXPECT_FALSE(fs::exists(File()));
  EXPECT_TRUE(reserve.short_of_room());
}

TEST_F(DiskReserveTest, TheVolumeIsShortUntilThereIsSomewhatMore) {
  DiskReserve reserve = NewReserve();
  reserve.Tend(0);
  EXPECT_FALSE(reserve.short_of_room());
  room_->bytes_free = kReserve - 1;
  reserve.Tend(0);
  EXPECT_TRUE(reserve.short_of_room());
  EXPECT_EQ(reserve.bytes_held(), kReserve) << "it is kept for when it is needed";
  room_->bytes_free = kReserve + 1;
  reserve.Tend(0);
  EXPECT_TRUE(reserve.short_of_room()) << "not to and fro";
  room_->bytes_free = 5 * kReserve / 4;
  reserve.Tend(0);
  EXPECT_FALSE(reserve.short_of_room());
}

TEST_F(DiskReserveTest, WithoutItTheVolumeIsShortUntilItCouldBeTakenAgain) {
  DiskReserve reserve = NewReserve();
  reserve.Tend(0);
  room_->bytes_free = 0;
  reserve.MakeRoom(1);
  room_->bytes_free = 2 * kReserve;
  reserve.Tend(0);
  EXPECT_TRUE(reserve.short_of_room());
  room_->bytes_free = 4 * kReserve;
  reserve.Tend(0);
  EXPECT_EQ(reserve.bytes_held(), kReserve);
  EXPECT_FALSE(reserve.short_of_room());
}

// They will all be written once more, to end or to be undone.
TEST_F(DiskReserveTest, OpenSagasNeedRoomToo) {
  DiskReserve reserve = NewReserve();
  reserve.Tend(0);
  room_->bytes_free = 10 * kMiB;
  reserve.Tend(5 * kMiB);
  EXPECT_FALSE(reserve.short_of_room());
  reserve.Tend(7 * kMiB);
  EXPECT_TRUE(reserve.short_of_room());
}

TEST_F(DiskReserveTest, FilesRunOutAsBytesDo) {
  DiskReserve reserve = NewReserve();
  room_->files_free = 10;
  reserve.Tend(0);
  EXPECT_TRUE(reserve.short_of_room());
  room_->files_free = 1000;
  reserve.Tend(0);
  EXPECT_FALSE(reserve.short_of_room());
}

TEST_F(DiskReserveTest, AnEarlierProcesssIsTakenOverWhenItIsWhole) {
  NewReserve().Tend(0);
  EXPECT_EQ(NewReserve().bytes_held(), kReserve);
  EXPECT_EQ(NewReserve(2 * kReserve).bytes_held(), 0);
  EXPECT_FALSE(fs::exists(File())) << "of another size";
  std::ofstream(File()).close();
  fs::resize_file(File(), kReserve);
  EXPECT_EQ(NewReserve().bytes_held(), 0) << "a hole holds no room";
}

TEST_F(DiskReserveTest, NoneIsNone) {
  NewReserve().Tend(0);
  DiskReserve none = NewReserve(0);
  room_->bytes_free = 0;
  none.Tend(0);
  none.MakeRoom(1);
  EXPECT_FALSE(none.short_of_room());
  EXPECT_TRUE(none.HasRoomToSpare(kMiB));
  EXPECT_FALSE(fs::exists(File())) << "what was kept before is given back";
}

TEST_F(DiskReserveTest, WhatCannotBeMeasuredStaysAsItWas) {
  DiskReserve reserve = NewReserve();
  reserve.Tend(0);
  room_ = absl::InternalError("does not answer");
  reserve.Tend(0);
  reserve.MakeRoom(kMiB);
  EXPECT_EQ(reserve.bytes_held(), kReserve);
  EXPECT_FALSE(reserve.short_of_room());
}

TEST_F(DiskReserveTest, ADefaultIsLittleOfASmallVolumeAndBoundedOnALargeOne) {
  EXPECT_EQ(DefaultReserveBytes({.bytes_total = 100 * kMiB}), 5 * kMiB);
  EXPECT_EQ(DefaultReserveBytes({.bytes_total = 1024 * 1024 * kMiB}), 256 * kMiB);
}

// What RocksDB does to the disk.
class GuardedDiskTest : public DiskReserveTest {
 protected:
  std::unique_ptr<rocksdb::FSWritableFile> NewFile(GuardedDisk* disk, const char* name) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    EXPECT_TRUE(disk->NewWritableFile(folder_.path() / name, rocksdb::FileOptions(), &file, nullptr).ok());
    return file;
  }
  static rocksdb::IOStatus Append(rocksdb::FSWritableFile* file, size_t bytes) {
    const std::string text(bytes, 'x');
    return file->Append(text, rocksdb::IOOptions(), nullptr);
  }

  DiskReserve reserve_ = NewReserve();
  GuardedDisk disk_{rocksdb::FileSystem::Default(), &reserve_};
};

TEST_F(GuardedDiskTest, RoomIsMadeBeforeAWriteAndBeforeAFile) {
  for (const bool by_file : {false, true}) {
    room_->bytes_free = 100 * kMiB;
    reserve_.Tend(0);
    auto file = NewFile(&disk_, "1.log");
    ASSERT_EQ(reserve_.bytes_held(), kReserve);
    room_->bytes_free = by_file ? kMiB - 1 : 2 * kMiB;
    EXPECT_TRUE(by_file ? NewFile(&disk_, "2.log") != nullptr : Append(file.get(), 2 * kMiB).ok());
    EXPECT_EQ(reserve_.bytes_held(), 0) << (by_file ? "by a file" : "by a write");
  }
}

TEST_F(GuardedDiskTest, ACompactionTakesNothingOfWhatIsKept) {
  reserve_.Tend(0);
  auto file = NewFile(&disk_, "1.sst");
  file->SetIOPriority(rocksdb::Env::IO_LOW);
  EXPECT_TRUE(Append(file.get(), kMiB).ok());
  room_->bytes_free = 2 * kMiB;
  EXPECT_TRUE(Append(file.get(), kMiB).IsNoSpace());
  EXPECT_EQ(reserve_.bytes_held(), kReserve);
  file->SetIOPriority(rocksdb::Env::IO_HIGH);
  EXPECT_TRUE(Append(file.get(), 3 * kMiB).ok()) << "a flush cannot wait";
  EXPECT_EQ(reserve_.bytes_held(), 0);
}

// RocksDB's own ends the process at the line after one that failed.
TEST_F(GuardedDiskTest, ALogOfItsDoingsMayFail) {
  std::shared_ptr<rocksdb::Logger> logger;
  ASSERT_TRUE(disk_.NewLogger("/dev/full", rocksdb::IOOptions(), &logger, nullptr).ok());
  for (int line = 0; line < 3; ++line) rocksdb::Error(logger, "line %d of %s", line, std::string(2000, 'x').c_str());
  logger.reset();
  ASSERT_TRUE(disk_.NewLogger(folder_.path() / "nowhere" / "LOG", rocksdb::IOOptions(), &logger, nullptr).ok());
  rocksdb::Error(logger, "nobody hears this");
  ASSERT_TRUE(disk_.NewLogger(folder_.path() / "LOG", rocksdb::IOOptions(), &logger, nullptr).ok());
  rocksdb::Error(logger, "%s", std::string(2000, 'y').c_str());
  EXPECT_EQ(logger->GetLogFileSize(), fs::file_size(folder_.path() / "LOG"));
  EXPECT_GT(logger->GetLogFileSize(), 2000);
}

}  // namespace
}  // namespace tutti::store
