#include "orchestrator/store/watermark.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/store/store_testing.h"
#include "rocksdb/file_system.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::chrono::milliseconds kNever = std::chrono::hours(1);

class WatermarkTest : public testing::Test {
 protected:
  WatermarkTest() { fs::create_directory(folder_.path()); }
  std::unique_ptr<WatermarkFile> Open(uint64_t sequence, std::chrono::milliseconds interval = kNever) {
    auto file = WatermarkFile::Open(env_, folder_.path(), {.sequence = sequence, .log = 7}, interval);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  absl::StatusOr<std::optional<Watermark>> Read() { return ReadWatermark(env_, folder_.path()); }
  uint64_t Sequence() {
    const auto read = Read();
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() && read->has_value() ? (*read)->sequence : 0;
  }
  std::string Bytes() {
    std::ifstream file(Path(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  void SetBytes(const std::string& bytes) { std::ofstream(Path(), std::ios::binary) << bytes; }
  fs::path Path() const { return folder_.path() / kWatermarkFile; }

  rocksdb::Env* const env_ = rocksdb::Env::Default();
  TemporaryFolder folder_;
};

TEST_F(WatermarkTest, NoFileIsNoWatermark) {
  const auto read = Read();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->has_value());
}

TEST_F(WatermarkTest, WhatWasWrittenLastIsReadAtOnceAndInTheNextLife) {
  {
    const auto file = Open(5);
    EXPECT_EQ(Sequence(), 5u);
    for (uint64_t sequence = 6; sequence < 30; ++sequence) {
      ASSERT_TRUE(file->Write({.sequence = sequence, .log = 9, .log_bytes = sequence * 100}).ok());
      EXPECT_EQ(Sequence(), sequence);
    }
  }
  const auto read = Read();
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((*read)->sequence, 29u);
  EXPECT_EQ((*read)->log, 9u);
  EXPECT_EQ((*read)->log_bytes, 2900u);
  Open(4);  // the store knows better than its file, whatever it says
  EXPECT_EQ(Sequence(), 4u);
}

TEST_F(WatermarkTest, AFlippedBitLeavesAnOlderOneOrMakesNoDifference) {
  {
    const auto file = Open(5);
    ASSERT_TRUE(file->Write({.sequence = 6}).ok());
  }
  const std::string whole = Bytes();
  // Behind what is used of each page there is nothing to damage.
  for (size_t bit = 0; bit < whole.size() * 8; bit += (bit / 8 % 4096 < 44) ? 1 : 1009) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    SetBytes(bytes);
    const auto read = Read();
    ASSERT_TRUE(read.ok()) << "bit " << bit << ": " << read.status();
    ASSERT_TRUE((*read)->sequence == 5 || (*read)->sequence == 6) << "bit " << bit;
  }
}

TEST_F(WatermarkTest, ACutFileIsDamaged) {
  Open(5);
  const std::string whole = Bytes();
  for (size_t size = 0; size < whole.size(); size += 641) {
    SetBytes(whole.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(Read().status())) << size << " bytes";
    EXPECT_THAT(std::string(Read().status().message()), HasSubstr(kWatermarkFile));
  }
  Open(8);
  EXPECT_EQ(Sequence(), 8u) << "and made again when it is opened";
}

TEST_F(WatermarkTest, AnOperatorMayWaiveIt) {
  SetBytes("accept\n");
  EXPECT_EQ(Sequence(), 0u);
  const auto file = Open(3);
  EXPECT_EQ(Sequence(), 3u);
}

// Keeps account of the slots that a power cut could take: those written since a sync began that is over by now.
class SlowDisk final : public rocksdb::FileSystemWrapper {
 public:
  SlowDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "SlowDisk"; }
  rocksdb::IOStatus NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    const auto status = FileSystemWrapper::NewRandomRWFile(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<File>(std::move(*result), this);
    return status;
  }
  std::atomic<int> syncs{0};
  std::atomic<bool> failing{false};
  Mutex mu;
  std::map<uint64_t, int> dirty ABSL_GUARDED_BY(mu);  // offset to the number of its last write
  std::set<uint64_t> slots ABSL_GUARDED_BY(mu);       // every offset that was ever written
  size_t dirty_max ABSL_GUARDED_BY(mu) = 0;
  int writes ABSL_GUARDED_BY(mu) = 0;

 private:
  class File final : public rocksdb::FSRandomRWFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSRandomRWFile> file, SlowDisk* disk)
        : FSRandomRWFileOwnerWrapper(std::move(file)), disk_(disk) {}
    rocksdb::IOStatus Write(uint64_t offset, const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      MutexLock lock(&disk_->mu);
      disk_->dirty[offset] = ++disk_->writes;
      disk_->slots.insert(offset);
      disk_->dirty_max = std::max(disk_->dirty_max, disk_->dirty.size());
      return FSRandomRWFileOwnerWrapper::Write(offset, data, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      std::map<uint64_t, int> before;
      {
        MutexLock lock(&disk_->mu);
        before = disk_->dirty;
      }
      std::this_thread::yield();  // writes go on meanwhile
      if (disk_->failing) return rocksdb::IOStatus::IOError("injected");
      MutexLock lock(&disk_->mu);
      for (const auto& [offset, write] : before) {
        const auto now = disk_->dirty.find(offset);
        if (now != disk_->dirty.end() && now->second == write) disk_->dirty.erase(now);
      }
      ++disk_->syncs;
      return rocksdb::IOStatus::OK();
    }

   private:
    SlowDisk* const disk_;
  };
};

TEST_F(WatermarkTest, OneSlotIsAlwaysOnDiskAndLeftAlone) {
  const auto disk = std::make_shared<SlowDisk>();
  const auto env = rocksdb::NewCompositeEnv(disk);
  auto file = WatermarkFile::Open(env.get(), folder_.path(), {.sequence = 1}, std::chrono::milliseconds(0));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  uint64_t sequence = 1;
  while (disk->syncs < 500 && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE((*file)->Write({.sequence = ++sequence}).ok());
  }
  EXPECT_GE(disk->syncs, 500) << "writes are synced while more come";
  MutexLock lock(&disk->mu);
  EXPECT_LT(disk->dirty_max, disk->slots.size());
}

TEST_F(WatermarkTest, ALoneWriteIsSyncedSoonAndAFailedSyncEndsIt) {
  const auto disk = std::make_shared<SlowDisk>();
  const auto env = rocksdb::NewCompositeEnv(disk);
  auto file = WatermarkFile::Open(env.get(), folder_.path(), {.sequence = 1}, std::chrono::milliseconds(1));
  ASSERT_TRUE(file.ok()) << file.status();
  const int before = disk->syncs;
  ASSERT_TRUE((*file)->Write({.sequence = 2}).ok());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (disk->syncs == before && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_GT(disk->syncs, before);
  disk->failing = true;
  absl::Status status;
  while (status.ok() && std::chrono::steady_clock::now() < deadline) status = (*file)->Write({.sequence = 3});
  EXPECT_FALSE(status.ok());
  disk->failing = false;
  EXPECT_FALSE((*file)->Write({.sequence = 4}).ok()) << "what was not synced stays so, whatever the next one says";
}

}  // namespace
}  // namespace tutti::store
