#include "participants/sdk/committer.h"

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "gtest/gtest.h"
#include "participants/sdk/test_directory.h"

namespace tutti::participant {
namespace {

// Every sync fails once `broken`.
class BrokenFile final : public rocksdb::WritableFileWrapper {
 public:
  BrokenFile(std::unique_ptr<rocksdb::WritableFile> file, const bool* broken)
      : rocksdb::WritableFileWrapper(file.get()), file_(std::move(file)), broken_(broken) {}
  rocksdb::Status Sync() override { return *broken_ ? rocksdb::Status::IOError("disk") : file_->Sync(); }

 private:
  const std::unique_ptr<rocksdb::WritableFile> file_;
  const bool* const broken_;
};

class BrokenEnv final : public rocksdb::EnvWrapper {
 public:
  BrokenEnv() : rocksdb::EnvWrapper(rocksdb::Env::Default()) {}
  const char* Name() const override { return "BrokenEnv"; }
  rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    const rocksdb::Status status = target()->NewWritableFile(name, file, options);
    if (status.ok()) *file = std::make_unique<BrokenFile>(std::move(*file), &broken);
    return status;
  }

  bool broken = false;
};

std::unique_ptr<LocalDb> Open(const std::string& path, rocksdb::Env* env = nullptr) {
  absl::StatusOr<std::unique_ptr<LocalDb>> db = LocalDb::Open(path, env);
  EXPECT_TRUE(db.ok()) << db.status();
  return *std::move(db);
}

std::string Read(const LocalDb& db, const std::string& key) {
  return db.Snapshot()->Get(key)->value_or("none");
}

TEST(Committer, JobsOfOneBatchSeeEachOtherAndShareOneCommit) {
  TestDirectory directory;
  const std::unique_ptr<LocalDb> db = Open(directory.path());
  std::vector<size_t> commits;
  std::promise<void> started;
  std::promise<void> gate;
  std::string seen;
  {
    Committer committer(db.get(), [&](size_t jobs, double) { commits.push_back(jobs); });
    // Holds the thread, so that the rest queues up behind it.
    committer.Post({[&](Transaction&) {
                      started.set_value();
                      gate.get_future().wait();
                      return false;
                    },
                    [] {}});
    started.get_future().wait();
    committer.Post({[](Transaction& transaction) {
                      transaction.Put("a", "1");
                      return true;
                    },
                    [] {}});
    committer.Post({[](Transaction& transaction) {
                      transaction.Put("a", "2");
                      transaction.Put("b", "2");
                      return false;
                    },
                    [] {}});
    committer.Post({[&](Transaction& transaction) {
                      seen = transaction.Get("a")->value_or("none") + transaction.Get("b")->value_or("none");
                      transaction.Put("c", "3");
                      return true;
                    },
                    [] {}});
    gate.set_value();
  }
  EXPECT_EQ(seen, "1none") << "a rolled-back job must leave nothing, a kept one everything";
  EXPECT_EQ(commits, std::vector<size_t>{3});
  EXPECT_EQ(Read(*db, "a"), "1");
  EXPECT_EQ(Read(*db, "b"), "none");
  EXPECT_EQ(Read(*db, "c"), "3");
}

TEST(Committer, AnswersOnlyWhatIsDurable) {
  TestDirectory directory;
  const std::unique_ptr<LocalDb> db = Open(directory.path());
  std::promise<std::string> at_answer;
  Committer committer(db.get());
  committer.Post({[](Transaction& transaction) {
                    transaction.Put("a", "1");
                    return true;
                  },
                  [&] { at_answer.set_value(Read(*db, "a")); }});
  EXPECT_EQ(at_answer.get_future().get(), "1");
}

TEST(Committer, RefusesWorkBeyondItsQueue) {
  TestDirectory directory;
  const std::unique_ptr<LocalDb> db = Open(directory.path());
  std::promise<void> started;
  std::promise<void> gate;
  Committer committer(db.get());  // last: its thread uses the promises until it is gone
  committer.Post({[&](Transaction&) {
                    started.set_value();
                    gate.get_future().wait();
                    return false;
                  },
                  [] {}});
  started.get_future().wait();
  const Job nothing{[](Transaction&) { return false; }, [] {}};
  for (size_t i = 0; i < limits::kCommitQueueMax; ++i) ASSERT_TRUE(committer.Post(nothing));
  EXPECT_FALSE(committer.Post(nothing));
  gate.set_value();
}

TEST(CommitterDeathTest, AFailedCommitEndsTheProcessBeforeAnyAnswer) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        TestDirectory directory;
        BrokenEnv env;
        const std::unique_ptr<LocalDb> db = Open(directory.path(), &env);
        Committer committer(db.get());
        env.broken = true;
        std::promise<void> answered;
        committer.Post({[](Transaction& transaction) {
                          transaction.Put("a", "1");
                          return true;
                        },
                        [&] { _exit(0); }});
        answered.get_future().wait();
      },
      testing::ExitedWithCode(1), "commit failed");
}

TEST(LocalDb, ASecondProcessIsRefused) {
  TestDirectory directory;
  const std::unique_ptr<LocalDb> db = Open(directory.path());
  EXPECT_EQ(LocalDb::Open(directory.path()).status().code(), absl::StatusCode::kUnavailable);
}

// The newest log, with everything it holds.
std::filesystem::path LogOf(const std::string& directory) {
  std::filesystem::path log;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".log" && entry.file_size() > 0 && entry.path() > log) log = entry.path();
  }
  return log;
}

void WriteRows(const std::string& path) {
  const std::unique_ptr<LocalDb> db = Open(path);
  for (int i = 0; i < 100; ++i) {
    Transaction transaction(*db);
    transaction.Put("key-" + std::to_string(i), std::string(100, 'x'));
    ASSERT_TRUE(db->Commit(transaction).ok());
  }
}

TEST(LocalDb, AFlippedByteInTheLogIsDataLossNotSilence) {
  TestDirectory directory;
  WriteRows(directory.path());
  const std::filesystem::path log = LogOf(directory.path());
  ASSERT_FALSE(log.empty());
  FILE* file = std::fopen(log.c_str(), "r+");
  std::fseek(file, 5000, SEEK_SET);
  const int byte = std::fgetc(file);
  std::fseek(file, 5000, SEEK_SET);
  std::fputc(byte ^ 0xff, file);
  std::fclose(file);
  EXPECT_EQ(LocalDb::Open(directory.path()).status().code(), absl::StatusCode::kDataLoss);
}

TEST(LocalDb, ATornTailIsAccepted) {
  TestDirectory directory;
  WriteRows(directory.path());
  const std::filesystem::path log = LogOf(directory.path());
  ASSERT_FALSE(log.empty());
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 10);
  const std::unique_ptr<LocalDb> db = Open(directory.path());
  EXPECT_NE(Read(*db, "key-98"), "none");
  EXPECT_EQ(Read(*db, "key-99"), "none");
}

TEST(LocalDb, TransactionScansItsOwnWrites) {
  TestDirectory directory;
  const std::unique_ptr<LocalDb> db = Open(directory.path());
  Transaction first(*db);
  first.Put("t/1", "a");
  first.Put("u/1", "x");
  ASSERT_TRUE(db->Commit(first).ok());
  Transaction second(*db);
  second.Put("t/2", "b");
  std::string seen;
  ASSERT_TRUE(second
                  .Scan("t/", "",
                        [&](absl::string_view key, absl::string_view value) {
                          seen += std::string(key) + "=" + std::string(value) + " ";
                          return true;
                        })
                  .ok());
  EXPECT_EQ(seen, "t/1=a t/2=b ");
}

}  // namespace
}  // namespace tutti::participant
