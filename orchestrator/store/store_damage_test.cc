// One fault in one file of a store that is not running: a bit flipped, the end cut off, the file gone. Whatever it is:
// the store is refused, with the file named and nothing changed, or nothing that was acknowledged is missing unsaid.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/fault_disk.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/store_testing.h"
#include "orchestrator/store/watermark.h"
#include "rocksdb/env.h"

namespace tutti::store {
namespace {

using Files = FileContents;

namespace fs = std::filesystem;

// TUTTI_STORE_DAMAGE=full tries every bit of every header, and some hundred times as much of the rest.
bool Full() {
  const char* text = std::getenv("TUTTI_STORE_DAMAGE");
  return text != nullptr && absl::string_view(text) == "full";
}

void WriteFolder(const fs::path& folder, const Files& files) {
  fs::remove_all(folder);
  fs::create_directory(folder);
  for (const auto& [name, content] : files) std::ofstream(folder / name, std::ios::binary) << content;
}

// What clients were told.
struct Acknowledged {
  std::map<std::string, std::string> records;  // bytes by id
  std::map<std::string, int64_t> histories;    // last sequence by id
  std::set<std::string> active;
  size_t definitions = 0;
};

class StoreDamageTest : public testing::Test {
 protected:
  StoreDamageTest() {
    fs::create_directory(undone_.path());
    env_ = rocksdb::NewCompositeEnv(std::make_shared<FaultDisk>(1, undone_.path()));  // nothing is really synced
  }
  ~StoreDamageTest() override {
    std::cout << tried_ << " cases tried: " << refused_ << " refused, " << started_ << " started, of which " << told_
              << " named records that cannot be read; acknowledged lost: " << lost_ << "\n";
  }

  absl::StatusOr<std::unique_ptr<RocksDbStore>> Open() {
    RocksDbStoreOptions options;
    options.path = folder_.path();
    options.env = env_.get();
    options.write_buffer_bytes = 64 << 10;
    options.block_cache_bytes = 1 << 20;
    return RocksDbStore::Open(options);
  }

  // Commits one at a time, as much as fills some tables: a definition is written to the first log only, which keeps it
  // and all that follow.
  void Live(int first, int count) {
    auto store = Open();
    ASSERT_TRUE(store.ok()) << store.status();
    std::mt19937_64 luck(static_cast<uint64_t>(first) + 1);
    if (first == 0) {
      WriteSet set;
      auto& definition = set.definitions.emplace_back();
      definition.set_version(kRevisionVersion);
      definition.set_name("book");
      definition.set_revision(1);
      ASSERT_EQ(CommitNow(store->get(), std::move(set)), CommitResult::kDurable);
      ++acknowledged_.definitions;
    }
    for (int i = first; i < first + count; ++i) {
      SagaWrite saga = NewSaga(absl::StrCat("saga-", i), 1000 + i);
      for (size_t bytes = luck() % 5000; bytes > 0; --bytes) {
        saga.record.mutable_input()->push_back(static_cast<char>(luck()));
      }
      Commit(store->get(), saga);
      if (luck() % 3 == 0) continue;
      SagaWrite next = NextWrite(saga);
      if (luck() % 2 == 0) next.record.set_state(v1::SAGA_STATE_SUCCEEDED);
      Commit(store->get(), next);
    }
  }

  void Commit(SagaStore* store, const SagaWrite& write) {
    ASSERT_EQ(CommitNow(store, SetOf(write)), CommitResult::kDurable);
    const std::string& id = write.record.saga_id();
    acknowledged_.records[id] = write.record.SerializeAsString();
    acknowledged_.histories[id] = write.record.last_sequence();
    acknowledged_.active.erase(id);
    if (saga::IsActive(write.record)) acknowledged_.active.insert(id);
  }

  // Everything that is missing without a word. `told`: something is said to be unreadable.
  std::string Missing(const SagaReader& reader, bool* told) {
    const auto said = [told](const absl::Status& status) {
      *told = *told || absl::IsDataLoss(status);
      return absl::IsDataLoss(status);
    };
    for (const auto& [id, bytes] : acknowledged_.records) {
      const auto record = reader.GetSaga(id);
      if (record.ok() ? record->SerializeAsString() != bytes : !said(record.status())) {
        return absl::StrCat(id, ": ", record.ok() ? "an older record" : record.status().ToString());
      }
      const auto history = reader.GetHistory(id, 0, 1000);
      if (history.ok() ? static_cast<int64_t>(history->size()) != acknowledged_.histories[id]
                       : !said(history.status())) {
        return absl::StrCat("the history of ", id);
      }
    }
    ListQuery all;
    all.page_size = 1000;
    const auto page = reader.ListSagas(all);
    if (!page.ok() && !said(page.status())) return page.status().ToString();
    if (page.ok() && page->sagas.size() + page->unreadable.size() < acknowledged_.records.size()) return "listed sagas";
    size_t active = 0;
    const auto count = [&active](const auto&) {
      ++active;
      return absl::OkStatus();
    };
    const auto status = reader.ForEachActive(0, limits::kSlots, count, [&](const UnreadableRecord&) { ++active; });
    if (!status.ok() && !said(status)) return status.ToString();
    if (status.ok() && active < acknowledged_.active.size()) return "active sagas";
    const auto definitions = reader.GetDefinitions();
    if (!definitions.ok() && !said(definitions.status())) return definitions.status().ToString();
    return definitions.ok() && definitions->size() < acknowledged_.definitions ? "definitions" : "";
  }

  // `content` unset: the file is gone.
  void Try(const std::string& name, const std::optional<std::string>& content, const std::string& what) {
    Files damaged = files_;
    damaged.erase(name);
    if (content.has_value()) damaged[name] = *content;
    if (!pristine_) WriteFolder(folder_.path(), files_);
    pristine_ = false;
    WriteOne(name, content);
    ++tried_;
    auto store = Open();
    if (!store.ok()) {
      ++refused_;
      EXPECT_TRUE(absl::StrContains(store.status().message(), name)) << name << ", " << what << ": " << store.status();
      pristine_ = FolderContent(folder_.path()) == damaged;
      EXPECT_TRUE(pristine_) << name << ", " << what << ": refused, but changed";
      if (pristine_) WriteOne(name, files_[name]);
      return;
    }
    ++started_;
    bool told = false;
    const std::string missing = Missing(**store, &told);
    told_ += told ? 1 : 0;
    lost_ += missing.empty() ? 0 : 1;
    EXPECT_EQ(missing, "") << name << ", " << what;
  }

  void WriteOne(const std::string& name, const std::optional<std::string>& content) {
    fs::remove(folder_.path() / name);
    if (content.has_value()) std::ofstream(folder_.path() / name, std::ios::binary) << *content;
  }

  void Flip(const std::string& name, size_t at, int bit) {
    std::string content = files_[name];
    content[at] = static_cast<char>(content[at] ^ (1 << bit));
    Try(name, content, absl::StrCat("bit ", bit, " of byte ", at, " of ", content.size()));
  }
  void Cut(const std::string& name, size_t bytes) {
    Try(name, files_[name].substr(0, bytes), absl::StrCat(bytes, " bytes of ", files_[name].size()));
  }

  // Where the records of a log begin.
  static std::vector<size_t> Records(const std::string& log) {
    constexpr size_t kBlock = 32768;
    std::vector<size_t> records;
    for (size_t at = 0; at + 7 <= log.size();) {
      if (kBlock - at % kBlock < 7) {
        at += kBlock - at % kBlock;
        continue;
      }
      records.push_back(at);
      at += 7 + (static_cast<unsigned char>(log[at + 4]) | static_cast<size_t>(static_cast<unsigned char>(log[at + 5]))
                                                               << 8);
    }
    return records;
  }

  void DamageLog(const std::string& name) {
    const std::string& log = files_[name];
    const auto records = Records(log);
    // The last one is where RocksDB sees no damage.
    const size_t spared = Full() || records.empty() ? 0 : records.size() - 1;
    for (size_t i = 0; i < records.size(); ++i) {
      if (i < spared && i % 32 != 0) continue;
      for (size_t byte = records[i]; byte < records[i] + 7; ++byte) {
        for (int bit = 0; bit < 8; ++bit) {
          if (i >= spared || bit == static_cast<int>(i / 32 + byte) % 8) Flip(name, byte, bit);
        }
      }
      Cut(name, records[i]);
      Cut(name, std::min(records[i] + 5, log.size()));
    }
    if (!log.empty()) Cut(name, log.size() - 1);
    Sample(name, Full() ? 2000 : 6);
  }

  void Sample(const std::string& name, size_t count) {
    const size_t bytes = files_[name].size();
    for (size_t i = 0; i < count && bytes > 0; ++i) Flip(name, luck_() % bytes, static_cast<int>(luck_() % 8));
    for (size_t i = 0; i < count / 4 + 1 && bytes > 0; ++i) Cut(name, luck_() % bytes);
  }

  void DamageAll() {
    files_ = FolderContent(folder_.path());
    for (const auto& [name, content] : Files(files_)) {
      Try(name, std::nullopt, "gone");
      if (absl::EndsWith(name, ".log") || absl::StartsWith(name, "MANIFEST-")) {
        DamageLog(name);
      } else if (content.size() <= 64) {
        for (size_t byte = 0; byte < content.size(); ++byte) {
          for (int bit = 0; bit < 8; ++bit) {
            if (Full() || (bit == static_cast<int>(byte % 8) && (byte % 9 == 0 || name == "CURRENT")))
              Flip(name, byte, bit);
          }
          if (Full() || byte % 8 == 0) Cut(name, byte);
        }
      } else if (name == kWatermarkFile) {
        for (size_t byte = 0; byte < content.size(); ++byte) {
          for (int bit = 0; byte % 4096 < 44 && bit < 8; ++bit) {
            if (Full() || (byte % 7 == 0 && bit == static_cast<int>(byte % 8))) Flip(name, byte, bit);
          }
        }
        Sample(name, 4);
      } else {
        Sample(name, Full() ? 2000 : 3);
      }
    }
  }

  TemporaryFolder folder_;
  TemporaryFolder undone_;
  std::unique_ptr<rocksdb::Env> env_;
  Acknowledged acknowledged_;
  Files files_;            // as they were before any damage
  bool pristine_ = false;  // the folder has them, whole
  std::mt19937_64 luck_{7};
  int tried_ = 0;
  int refused_ = 0;
  int started_ = 0;
  int told_ = 0;
  int lost_ = 0;
};

TEST_F(StoreDamageTest, InItsFirstLifeNothingIsLostUnsaid) {
  Live(0, 70);
  DamageAll();
}

TEST_F(StoreDamageTest, AfterARestartNothingIsLostUnsaid) {
  Live(0, 40);
  Live(40, 30);
  DamageAll();
}

TEST_F(StoreDamageTest, RightAfterARestartNothingIsLostUnsaid) {
  Live(0, 40);
  Live(40, 0);
  DamageAll();
}

}  // namespace
}  // namespace tutti::store
