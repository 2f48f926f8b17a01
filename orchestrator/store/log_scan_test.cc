#include "orchestrator/store/log_scan.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "orchestrator/store/store_testing.h"
#include "rocksdb/db.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;

// Of a header (7), a batch (12) of one change (1), and a key (1 + 2) and a value (1 + 30) with their lengths.
constexpr size_t kLastRecordBytes = 7 + 12 + 1 + 3 + 31;

// A log as RocksDB writes it, of some blocks, with values of many lengths.
class LogScanTest : public testing::Test {
 protected:
  LogScanTest() {
    fs::create_directory(folder_.path());
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* opened = nullptr;
    EXPECT_TRUE(rocksdb::DB::Open(options, folder_.path() / "db", &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    for (size_t bytes : {10, 50'000, 3, 20'000, 400, 700, 30}) {
      EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), std::to_string(bytes), std::string(bytes, 'v')).ok());
    }
    std::ifstream file(absl::StrCat((folder_.path() / "db").string(), Name(*db)), std::ios::binary);
    log_ = std::string(std::istreambuf_iterator<char>(file), {});
  }
  static std::string Name(rocksdb::DB& db) {
    std::unique_ptr<rocksdb::LogFile> log;
    EXPECT_TRUE(db.GetCurrentWalFile(&log).ok());
    return log->PathName();  // begins with a slash
  }
  LogScan Scan(const std::string& bytes, ScanFrom from = ScanFrom::kBeginning) {
    const std::string path = folder_.path() / "scanned";
    std::ofstream(path, std::ios::binary) << bytes;
    const auto scan = ScanLog(rocksdb::Env::Default(), path, from);
    EXPECT_TRUE(scan.ok()) << scan.status();
    return scan.ok() ? *scan : LogScan{};
  }
  std::string Flipped(size_t bit) const {
    std::string bytes = log_;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    return bytes;
  }

  TemporaryFolder folder_;
  std::string log_;
};

TEST_F(LogScanTest, AWholeLogIsWhole) {
  for (const ScanFrom from : {ScanFrom::kBeginning, ScanFrom::kLastBlock}) {
    const LogScan scan = Scan(log_, from);
    EXPECT_EQ(scan.end, LogScan::End::kWhole);
    EXPECT_EQ(scan.good_bytes, log_.size());
    EXPECT_EQ(scan.bytes, log_.size());
  }
  EXPECT_EQ(Scan("").end, LogScan::End::kWhole);
  ASSERT_GT(log_.size(), 65536u) << "some blocks";
}

TEST_F(LogScanTest, ACutLogIsTornAndNeverDamaged) {
  for (size_t size = 0; size < log_.size();) {
    for (const ScanFrom from : {ScanFrom::kBeginning, ScanFrom::kLastBlock}) {
      const LogScan scan = Scan(log_.substr(0, size), from);
      ASSERT_NE(scan.end, LogScan::End::kDamaged) << size << " bytes";
    }
    size += (size > 65536) ? 7 : 197;
  }
}

TEST_F(LogScanTest, AFlippedBitOfTheLastBlockIsDamage) {
  const size_t last_block = (log_.size() - 1) / 32768 * 32768;
  for (size_t bit = last_block * 8; bit < log_.size() * 8; bit += 11) {
    const LogScan scan = Scan(Flipped(bit), ScanFrom::kLastBlock);
    ASSERT_EQ(scan.end, LogScan::End::kDamaged) << "bit " << bit % 8 << " of byte " << bit / 8;
    ASSERT_LE(scan.good_bytes, bit / 8);
  }
}

// RocksDB takes some of these for a record that was cut short.
TEST_F(LogScanTest, EveryFlippedBitOfTheLastHeaderIsDamage) {
  const size_t header = log_.size() - kLastRecordBytes;
  for (size_t bit = header * 8; bit < (header + 7) * 8; ++bit) {
    for (const ScanFrom from : {ScanFrom::kBeginning, ScanFrom::kLastBlock}) {
      const LogScan scan = Scan(Flipped(bit), from);
      ASSERT_EQ(scan.end, LogScan::End::kDamaged) << "bit " << bit % 8 << " of byte " << bit / 8;
      ASSERT_EQ(scan.good_bytes, header);
    }
  }
}

TEST_F(LogScanTest, TheDamagedRecordIsWhereItEnds) {
  for (size_t bit = 0; bit < log_.size() * 8; bit += 1009) {
    const LogScan scan = Scan(Flipped(bit));
    ASSERT_EQ(scan.end, LogScan::End::kDamaged) << "byte " << bit / 8;
    ASSERT_LE(scan.good_bytes, bit / 8);
    ASSERT_LT(bit / 8 - scan.good_bytes, 32768u);
  }
}

}  // namespace
}  // namespace tutti::store
