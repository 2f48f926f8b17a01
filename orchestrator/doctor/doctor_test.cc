#include "orchestrator/doctor/doctor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "absl/strings/str_split.h"
#include "orchestrator/doctor/store_with_sagas.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/layout.h"
#include "orchestrator/store/rocksdb_testing.h"

namespace tutti::doctor {
namespace {

namespace fs = std::filesystem;
using storage::v1::DefinitionRecord;
using storage::v1::SagaRecord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class DoctorTest : public testing::Test {
 protected:
  DoctorTest() {
    fs::create_directory(folder_.path());
    MakeStoreWithSagas(Store(), 3);
  }
  std::string Store() const { return folder_.path() / "store"; }

  // Lines, without the summary.
  std::vector<std::string> Flaws() {
    std::ostringstream out;
    const auto flaws = Examine(folder_.path(), out);
    EXPECT_TRUE(flaws.ok()) << flaws.status();
    std::vector<std::string> lines = absl::StrSplit(out.str(), '\n', absl::SkipEmpty());
    EXPECT_EQ(static_cast<size_t>(flaws.value_or(0)) + 1, lines.size());
    if (!lines.empty()) lines.pop_back();
    return lines;
  }
  std::string Raw(const std::string& saga_id) {
    std::ostringstream out;
    const absl::Status status = ShowRaw(folder_.path(), saga_id, out);
    return status.ok() ? out.str() : status.ToString();
  }

  void Put(const std::string& column, const std::string& key, const std::string& value) {
    EXPECT_TRUE(store::EditAsRocksDb(Store(), column, [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
      EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), handle, key, value).ok());
    }));
  }
  void Delete(const std::string& column, const std::string& key) {
    EXPECT_TRUE(store::EditAsRocksDb(Store(), column, [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
      std::string value;
      EXPECT_TRUE(db->Get(rocksdb::ReadOptions(), handle, key, &value).ok()) << "nothing to delete";
      EXPECT_TRUE(db->Delete(rocksdb::WriteOptions(), handle, key).ok());
    }));
  }
  template <typename Record>
  void Edit(const std::string& column, const std::string& key, const std::function<void(Record*)>& edit) {
    EXPECT_TRUE(store::EditAsRocksDb(Store(), column, [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
      std::string value;
      ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), handle, key, &value).ok());
      Record record;
      ASSERT_TRUE(record.ParseFromString(value));
      edit(&record);
      ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), handle, key, record.SerializeAsString()).ok());
    }));
  }
  void EditSaga(const std::function<void(SagaRecord*)>& edit) { Edit<SagaRecord>("saga", store::SagaKey("s1"), edit); }

  // The entry of s1.
  std::string IndexKey(std::string prefix) {
    std::string key;
    EXPECT_TRUE(store::EditAsRocksDb(Store(), "saga", [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
      std::string value;
      SagaRecord record;
      EXPECT_TRUE(db->Get(rocksdb::ReadOptions(), handle, store::SagaKey("s1"), &value).ok());
      EXPECT_TRUE(record.ParseFromString(value));
      store::AppendPosition(record.started_ms(), "s1", &prefix);
    }));
    return prefix;
  }

  const store::TemporaryFolder folder_;
};

TEST_F(DoctorTest, OneSagaAloneIsLookedAtWhenItIsNamed) {
  const auto ignore = [](const Flaw&) {};
  const auto sound = Examine(folder_.path(), "s1", ignore);
  ASSERT_TRUE(sound.ok()) << sound.status();
  EXPECT_EQ(sound->flaws, 0);
  EXPECT_EQ(sound->sagas, 1);
  EXPECT_EQ(sound->active, 1);
  EXPECT_GT(sound->events, 0);
  EXPECT_GT(sound->index_entries, 2);
  EXPECT_TRUE(absl::IsNotFound(Examine(folder_.path(), "nobody", ignore).status()));
  Delete("history", store::HistoryKey("s1", 1));
  Put("index", IndexKey(store::ParkedIndexPrefix()), "");
  std::vector<std::string> found;
  const auto flawed =
      Examine(folder_.path(), "s1", [&](const Flaw& flaw) { found.push_back(flaw.where + ": " + flaw.what); });
  ASSERT_TRUE(flawed.ok());
  EXPECT_EQ(found, Flaws()) << "what is wrong with it, and nothing else was";
  EXPECT_EQ(flawed->flaws, static_cast<int64_t>(found.size()));
  EXPECT_EQ(Examine(folder_.path(), "s2", ignore)->flaws, 0);
  Delete("saga", store::SagaKey("s1"));
  EXPECT_GE(Examine(folder_.path(), "s1", ignore)->flaws, 2) << "of which only traces are left";
}

TEST_F(DoctorTest, ASoundStoreHasNoFlaw) {
  std::ostringstream out;
  EXPECT_EQ(*Examine(folder_.path(), out), 0);
  EXPECT_EQ(
      out.str(),
      "no flaw; looked at 3 sagas, 3 of them active, 9 events, 12 index entries and 1 revisions of definitions\n");
  EXPECT_EQ(*Examine(Store(), out), 0) << "the store itself may be named, too";
}

// Names, sizes, times and contents.
std::map<std::string, std::string> Everything(const fs::path& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    all[entry.path().filename()] =
        absl::StrCat(entry.last_write_time().time_since_epoch().count(), " ",
                     std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  }
  return all;
}

TEST_F(DoctorTest, ChangesNothing) {
  const auto before = Everything(Store());
  Flaws();
  Raw("s1");
  EXPECT_EQ(Everything(Store()), before);
}

TEST_F(DoctorTest, DamagedBytes) {
  Put("saga", store::SagaKey("s1"), "\xff\xff garbage");
  EXPECT_THAT(Flaws(), ElementsAre("saga s1: its stored bytes are damaged"));
  EXPECT_THAT(Raw("s1"), testing::AllOf(StartsWith("# 10 bytes: its stored bytes are damaged\n"), HasSubstr("ffff20")));
}

TEST_F(DoctorTest, KeysThatAreTooShort) {
  for (const char* column : {"saga", "active", "history"}) Put(column, "\x01", "");
  EXPECT_THAT(Flaws(), testing::UnorderedElementsAre("column saga: a key cannot be understood: 01",
                                                     "column active: a key cannot be understood: 01",
                                                     "column history: a key cannot be understood: 01"));
  Put("history", store::SagaKey("s1") + std::string("\0x", 2), "");
  EXPECT_THAT(Flaws(), testing::Contains(StartsWith("history of saga s1: event ")));
}

TEST_F(DoctorTest, ARecordOfANewerVersion) {
  EditSaga([](SagaRecord* record) { record->set_version(99); });
  EXPECT_THAT(Flaws(), ElementsAre(HasSubstr("saga s1: saga s1 was written by a newer version")));
}

TEST_F(DoctorTest, TheRecordOfAnother) {
  EditSaga([](SagaRecord* record) { record->set_saga_id("s2"); });
  EXPECT_THAT(Flaws(), ElementsAre("saga s1: its key holds the record of another"));
}

TEST_F(DoctorTest, ARecordThatDoesNotFitItsDefinition) {
  EditSaga([](SagaRecord* record) { record->clear_steps(); });
  EXPECT_THAT(Flaws(), ElementsAre(HasSubstr("saga s1: its record does not fit revision 1 of definition buy")));
}

TEST_F(DoctorTest, ARecordThatIsGone) {
  Delete("saga", store::SagaKey("s1"));
  EXPECT_THAT(Flaws(), testing::UnorderedElementsAre("saga s1: is among the active ones, but has no record",
                                                     "saga s1: is in the index by time, but has no record",
                                                     "saga s1: is in the index by state 1, but has no record",
                                                     "saga s1: is in the index by definition buy, but has no record",
                                                     "saga s1: is in the index by label user = u, but has no record",
                                                     "saga s1: is told of in the history, but has no record"));
  EXPECT_THAT(Raw("s1"), HasSubstr("NOT_FOUND"));
}

TEST_F(DoctorTest, ARecordInAnothersSlot) {
  std::string value;
  ASSERT_TRUE(store::EditAsRocksDb(Store(), "saga", [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), handle, store::SagaKey("s1"), &value).ok());
  }));
  Put("saga", store::SlotPrefix(store::SlotOf("s1") ^ 1) + "s1", value);
  EXPECT_THAT(Flaws(), ElementsAre("saga s1: lies in a slot that is not its own"));
}

TEST_F(DoctorTest, EveryIndexEntryThatIsMissing) {
  for (const auto& [prefix, by] :
       std::map<std::string, std::string>{{store::TimeIndexPrefix(), "time"},
                                          {store::StateIndexPrefix(v1::SAGA_STATE_RUNNING), "state 1"},
                                          {store::DefinitionIndexPrefix("buy"), "definition buy"},
                                          {store::LabelIndexPrefix("user", "u"), "label user = u"}}) {
    const std::string key = IndexKey(prefix);
    Delete("index", key);
    EXPECT_THAT(Flaws(), ElementsAre("saga s1: is missing in the index by " + by));
    Put("index", key, "");
  }
}

TEST_F(DoctorTest, EveryIndexEntryTooMany) {
  for (const auto& [prefix, by] :
       std::map<std::string, std::string>{{store::ParkedIndexPrefix(), "parked"},
                                          {store::StateIndexPrefix(v1::SAGA_STATE_COMPENSATED), "state 4"},
                                          {store::DefinitionIndexPrefix("sell"), "definition sell"},
                                          {store::LabelIndexPrefix("user", "v"), "label user = v"}}) {
    const std::string key = IndexKey(prefix);
    Put("index", key, "");
    EXPECT_THAT(Flaws(), ElementsAre("saga s1: is in the index by " + by + ", where it does not belong"));
    Delete("index", key);
  }
  Put("index", "xyz", "");
  EXPECT_THAT(Flaws(), ElementsAre("index: cannot be understood: 78797a"));
}

TEST_F(DoctorTest, TheActiveSagas) {
  Delete("active", store::SagaKey("s1"));
  EXPECT_THAT(Flaws(), ElementsAre("saga s1: is active, but not among the active ones"));
}

TEST_F(DoctorTest, AnEndedSagaAmongTheActiveOnes) {
  EditSaga([](SagaRecord* record) {
    record->set_state(v1::SAGA_STATE_SUCCEEDED);
    record->set_committed_ms(1);
    record->mutable_steps(0)->set_state(v1::STEP_STATE_SUCCEEDED);
    record->mutable_steps(0)->mutable_action()->clear_open();
  });
  EXPECT_THAT(Flaws(), testing::UnorderedElementsAre("saga s1: is active no more, but kept so",
                                                     "saga s1: is missing in the index by state 2",
                                                     "saga s1: is in the index by state 1, where it does not belong"));
}

TEST_F(DoctorTest, GapsAndDamageInTheHistory) {
  Delete("history", store::HistoryKey("s1", 1));
  EXPECT_THAT(Flaws(), ElementsAre("history of saga s1: event 1 is missing"));
  Put("history", store::HistoryKey("s1", 1), "\xff\xff garbage");
  EXPECT_THAT(Flaws(), ElementsAre("history of saga s1: the stored bytes of event 1 are damaged"));
  v1::HistoryEvent event;
  event.set_sequence(7);
  Put("history", store::HistoryKey("s1", 1), event.SerializeAsString());
  EXPECT_THAT(Flaws(), ElementsAre("history of saga s1: event 7 is stored as event 1"));
  event.set_sequence(1);
  Put("history", store::HistoryKey("s1", 1), event.SerializeAsString());
  Delete("history", store::HistoryKey("s1", 3));
  EXPECT_THAT(Flaws(), ElementsAre("history of saga s1: ends with event 2, but its record knows of 3"));
}

TEST_F(DoctorTest, HistoryOfNobody) {
  v1::HistoryEvent event;
  event.set_sequence(1);
  Put("history", store::HistoryKey("nobody", 1), event.SerializeAsString());
  EXPECT_THAT(Flaws(), ElementsAre("saga nobody: is told of in the history, but has no record"));
}

TEST_F(DoctorTest, ADefinitionThatDoesNotCompileIsToldOfOnce) {
  Edit<DefinitionRecord>("definition", store::DefinitionKey("buy", 1),
                         [](DefinitionRecord* record) { record->clear_descriptors(); });
  EXPECT_THAT(Flaws(), ElementsAre(StartsWith("definition buy, revision 1: ")));
}

TEST_F(DoctorTest, ADefinitionThatIsDamagedOrGone) {
  Put("definition", store::DefinitionKey("buy", 1), "\xff\xff garbage");
  EXPECT_THAT(Flaws(), testing::Contains("definitions: definition buy cannot be read: its stored bytes are damaged"));
  Delete("definition", store::DefinitionKey("buy", 1));
  EXPECT_THAT(Flaws(), testing::Contains("saga s1: is pinned to revision 1 of definition buy, which is not there or "
                                         "cannot be read"));
}

TEST_F(DoctorTest, ARevisionMissingBelowOthers) {
  std::string value;
  ASSERT_TRUE(store::EditAsRocksDb(Store(), "definition", [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), handle, store::DefinitionKey("buy", 1), &value).ok());
  }));
  DefinitionRecord record;
  ASSERT_TRUE(record.ParseFromString(value));
  record.set_revision(3);
  Put("definition", store::DefinitionKey("buy", 3), record.SerializeAsString());
  EXPECT_THAT(Flaws(), ElementsAre("definition buy: revision 2 is missing or cannot be read"));
}

// A byte flips in a table: its block cannot be read, and with it all that lies there.
TEST_F(DoctorTest, ADamagedBlock) {
  ASSERT_TRUE(store::EditAsRocksDb(Store(), "saga", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
    rocksdb::FlushOptions options;
    ASSERT_TRUE(db->Flush(options, handle).ok());
  }));
  std::string table;
  ASSERT_TRUE(store::EditAsRocksDb(Store(), "saga", [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
    rocksdb::ColumnFamilyMetaData meta;
    db->GetColumnFamilyMetaData(handle, &meta);
    for (const auto& level : meta.levels) {
      for (const auto& file : level.files) table = file.relative_filename;
    }
  }));
  ASSERT_NE(table, "");
  std::fstream file(fs::path(Store()) / table, std::ios::in | std::ios::out | std::ios::binary);
  file.put('\x55');
  file.close();
  const auto flaws = Flaws();
  EXPECT_THAT(flaws, testing::Contains(StartsWith("column saga: cannot be read behind key")));
  EXPECT_THAT(flaws, testing::Contains(
                         testing::AllOf(StartsWith("saga s1: is in the index by time, but "), HasSubstr("checksum"))));
}

// A verdict on a store of which a part is missing or not understood would be a false one.
TEST_F(DoctorTest, WhatTheServerWouldNotOpenIsNotLookedThrough) {
  const auto log_of = [](const fs::path& path) {
    fs::path log;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.path().extension() == ".log" && entry.file_size() > 0) log = entry.path();
    }
    EXPECT_FALSE(log.empty());
    return log;
  };
  const auto examined = [](const std::function<void(const fs::path& path)>& damage) {
    const store::TemporaryFolder folder;
    fs::create_directory(folder.path());
    MakeStoreWithSagas(folder.path() / "store", 3);
    damage(folder.path() / "store");
    std::ostringstream out;
    return Examine(folder.path(), out).status();
  };
  absl::Status status = examined([](const fs::path& path) { fs::remove(path / "CURRENT"); });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  status = examined([&](const fs::path& path) { fs::remove(log_of(path)); });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("lacks its log"));
  status = examined([&](const fs::path& path) {
    std::fstream log(log_of(path), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(fs::file_size(log_of(path)) / 2);
    log.seekg(middle);
    const char byte = static_cast<char>(log.get() ^ 0x20);
    log.seekp(middle);
    log.put(byte);
  });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  status = examined([](const fs::path& path) {
    EXPECT_TRUE(store::EditAsRocksDb(path, "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle*) {
      rocksdb::ColumnFamilyHandle* added = nullptr;
      ASSERT_TRUE(db->CreateColumnFamily(rocksdb::ColumnFamilyOptions(), "outbox", &added).ok());
      db->DestroyColumnFamilyHandle(added);
    }));
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("outbox"));
  status = examined([](const fs::path& path) {
    EXPECT_TRUE(store::EditAsRocksDb(path, "meta", [](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta) {
      ASSERT_TRUE(db->Delete(rocksdb::WriteOptions(), meta, std::string(store::kLayoutKey)).ok());
    }));
  });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

// Another process's lock on a store, as RocksDB holds it: a process does not see its own.
class LockOfAnother {
 public:
  explicit LockOfAnother(const std::string& store) {
    const std::string path = store + "/LOCK";
    int locked[2], held[2];
    EXPECT_EQ(pipe(locked), 0);
    EXPECT_EQ(pipe(held), 0);
    child_ = fork();
    if (child_ == 0) {
      ::close(held[1]);
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      char byte = ::fcntl(::open(path.c_str(), O_RDWR), F_SETLK, &lock) == 0 ? 1 : 0;
      if (::write(locked[1], &byte, 1) == 1) (void)!::read(held[0], &byte, 1);  // ends with the other end
      ::_exit(0);
    }
    ::close(held[0]);
    ::close(locked[1]);
    hold_ = held[1];
    char done = 0;
    EXPECT_TRUE(::read(locked[0], &done, 1) == 1 && done == 1);
    ::close(locked[0]);
  }
  ~LockOfAnother() {
    ::close(hold_);
    ::waitpid(child_, nullptr, 0);
  }
  LockOfAnother(const LockOfAnother&) = delete;
  LockOfAnother& operator=(const LockOfAnother&) = delete;

 private:
  pid_t child_ = 0;
  int hold_ = 0;
};

TEST_F(DoctorTest, WhatIsNoStoreOrInUse) {
  std::ostringstream out;
  const store::TemporaryFolder empty;
  fs::create_directory(empty.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(Examine(empty.path(), out).status()));
  EXPECT_TRUE(fs::is_empty(empty.path()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Examine(empty.path() / "nowhere", out).status()));
  {
    const LockOfAnother lock(Store());
    const absl::Status status = Examine(folder_.path(), out).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("in use by another process"));
  }
  EXPECT_TRUE(Examine(folder_.path(), out).ok());
}

TEST_F(DoctorTest, ARecordIsShownAsText) {
  EXPECT_THAT(Raw("s1"), testing::AllOf(HasSubstr("bytes: can be read\n"), HasSubstr("saga_id: \"s1\"\n"),
                                        HasSubstr("definition: \"buy\"\n")));
}

}  // namespace
}  // namespace tutti::doctor
