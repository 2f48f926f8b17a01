// The store on a disk that fails at every call in turn, and forgets at power cuts. Whatever happened: what was
// acknowledged is there after the next start, and what is there is the script up to some write set, each whole.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/limits.h"
#include "common/mutex.h"
#include "gtest/gtest.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/fault_disk.h"
#include "orchestrator/store/memory_store.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/store_testing.h"
#include "rocksdb/env.h"

namespace tutti::store {
namespace {

constexpr int kWriteSets = 60;
constexpr size_t kWriteBufferBytes = 64 << 10;  // RocksDB's least: the script outgrows it, so that tables are written
constexpr std::chrono::seconds kBound(30);

// Write sets as shards make them, and what a reader must see after each.
class Script {
 public:
  explicit Script(uint64_t seed) : luck_(seed) {
    MemoryStore model(MemoryStore::Options{.inline_done = true});
    dumps_.push_back(Dump(model));
    for (int i = 0; i < kWriteSets; ++i) {
      sets_.push_back(NextSet());
      EXPECT_EQ(CommitNow(&model, sets_.back()), CommitResult::kDurable);
      dumps_.push_back(Dump(model));
    }
  }

  const std::vector<WriteSet>& sets() const { return sets_; }
  // How many write sets are there; -1 when what is there is no beginning of the script.
  int Find(const SagaReader& reader) const {
    const std::string dump = Dump(reader);
    for (size_t i = 0; i < dumps_.size(); ++i) {
      if (dumps_[i] == dump) return static_cast<int>(i);
    }
    return -1;
  }

 private:
  bool Chance(int percent) { return static_cast<int>(luck_() % 100) < percent; }

  WriteSet NextSet() {
    WriteSet set;
    if (Chance(15)) {
      auto& definition = set.definitions.emplace_back();
      definition.set_version(1);
      definition.set_name("book");
      definition.set_revision(++revisions_);
    }
    std::vector<SagaWrite> still_active;
    for (SagaWrite& saga : active_) {
      if (Chance(60))
        saga = Advance(saga);
      else {
        still_active.push_back(saga);
        continue;
      }
      set.sagas.push_back(saga);
      if (saga::IsActive(saga.record)) still_active.push_back(saga);
    }
    active_ = std::move(still_active);
    for (int fresh = static_cast<int>(luck_() % 3); fresh > 0; --fresh) {
      const int number = ++sagas_;
      SagaWrite saga = NewSaga(absl::StrCat("saga-", number), 1000 + number / 2, Chance(50) ? "book" : "rent");
      (*saga.record.mutable_labels())["user"] = absl::StrCat(number % 3);
      for (size_t bytes = luck_() % 3000; bytes > 0; --bytes) {
        saga.record.mutable_input()->push_back(static_cast<char>(luck_()));
      }
      set.sagas.push_back(saga);
      active_.push_back(saga);
    }
    // Empty sets are durable without a trace; the script is of those that leave one.
    return set.sagas.empty() && set.definitions.empty() ? NextSet() : set;
  }

  SagaWrite Advance(const SagaWrite& before) {
    SagaWrite write = NextWrite(before);
    auto* step = write.record.mutable_steps(0);
    if (step->has_parking()) {
      step->clear_parking();
    } else if (Chance(25)) {
      step->mutable_parking()->set_history_sequence(write.record.last_sequence());
    } else if (Chance(30)) {
      const bool aborts = write.record.state() == v1::SAGA_STATE_RUNNING && Chance(50);
      write.record.set_state(aborts                                           ? v1::SAGA_STATE_COMPENSATING
                             : write.record.state() == v1::SAGA_STATE_RUNNING ? v1::SAGA_STATE_SUCCEEDED
                                                                              : v1::SAGA_STATE_COMPENSATED);
    }
    return write;
  }

  static std::string Ids(const SagaReader& reader, ListQuery query) {
    query.page_size = 1000;
    const auto page = reader.ListSagas(query);
    return page.ok() ? absl::StrJoin(IdsOf(page->sagas), ",") : page.status().ToString();
  }

  // Everything that the reader's words can tell: records, history, each index, what is active, definitions.
  static std::string Dump(const SagaReader& reader) {
    std::string dump;
    ListQuery all;
    all.page_size = 1000;
    const auto sagas = reader.ListSagas(all);
    if (!sagas.ok()) return sagas.status().ToString();
    for (const auto& listed : sagas->sagas) {
      const auto record = reader.GetSaga(listed.saga_id());
      const auto history = reader.GetHistory(listed.saga_id(), 0, 1000);
      if (!record.ok() || !history.ok()) return absl::StrCat(listed.saga_id(), " cannot be read");
      if (history->size() != static_cast<size_t>(record->last_sequence())) return "history and record disagree";
      absl::StrAppend(&dump, record->SerializeAsString(), "\n");
      for (const auto& event : *history) absl::StrAppend(&dump, event.sequence(), event.type(), " ");
    }
    for (const auto state :
         {v1::SAGA_STATE_RUNNING, v1::SAGA_STATE_SUCCEEDED, v1::SAGA_STATE_COMPENSATING, v1::SAGA_STATE_COMPENSATED}) {
      absl::StrAppend(&dump, "\nstate ", state, ": ", Ids(reader, {.state = state}));
    }
    absl::StrAppend(&dump, "\nparked: ", Ids(reader, {.parked = true}));
    for (const char* name : {"book", "rent"}) absl::StrAppend(&dump, "\n", name, Ids(reader, {.definition = name}));
    for (const char* user : {"0", "1", "2"}) absl::StrAppend(&dump, "\n", Ids(reader, {.labels = {{"user", user}}}));
    const auto visit = [&dump](const storage::v1::SagaRecord& record) {
      absl::StrAppend(&dump, "\nactive ", record.saga_id());
      return absl::OkStatus();
    };
    const auto unreadable = [&dump](const UnreadableRecord& record) { absl::StrAppend(&dump, "\n", record.error); };
    const auto status = reader.ForEachActive(0, limits::kSlots, visit, unreadable);
    const auto definitions = reader.GetDefinitions();
    if (!status.ok() || !definitions.ok()) return "active sagas or definitions cannot be read";
    for (const auto& definition : *definitions) absl::StrAppend(&dump, "\ndefinition ", definition.revision());
    return dump;
  }

  std::mt19937_64 luck_;
  std::vector<WriteSet> sets_;
  std::vector<std::string> dumps_;
  std::vector<SagaWrite> active_;
  int sagas_ = 0;
  int revisions_ = 0;
};

// How the commits of one opening ended, in order.
class Results {
 public:
  CommitDone Expect() {
    MutexLock lock(&mu_);
    ++expected_;
    return [this](CommitResult result, const absl::Status&) {
      MutexLock done_lock(&mu_);
      results_.push_back(result);
      changed_.SignalAll();
    };
  }
  bool AwaitAll() {
    MutexLock lock(&mu_);
    const auto bound = std::chrono::steady_clock::now() + kBound;
    while (results_.size() < expected_) {
      if (!changed_.WaitUntil(&mu_, bound) && results_.size() < expected_) return false;
    }
    return true;
  }
  std::vector<CommitResult> all() {
    MutexLock lock(&mu_);
    return results_;
  }
  int durable() {
    const auto results = all();
    return static_cast<int>(std::count(results.begin(), results.end(), CommitResult::kDurable));
  }
  bool failed() { return durable() < static_cast<int>(all().size()); }

 private:
  Mutex mu_;
  CondVar changed_;
  size_t expected_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<CommitResult> results_ ABSL_GUARDED_BY(mu_);
};

// One store's life on one disk, over several openings.
class Life {
 public:
  Life(const Script* script, uint64_t seed) : script_(script), luck_(seed), disk_(NewDisk(seed, undone_.path())) {
    env_ = rocksdb::NewCompositeEnv(disk_);
  }

  FaultDisk* disk() { return disk_.get(); }
  bool complete() const { return acknowledged_ == kWriteSets; }

  // Opens, commits from where the script stands, and ends. Empty, or what was broken.
  std::string Open(DiskFault fault, int64_t at_call) {
    disk_->Arm(fault, at_call);
    RocksDbStoreOptions options;
    options.path = folder_.path();
    options.env = env_.get();
    options.write_buffer_bytes = kWriteBufferBytes;
    options.block_cache_bytes = 1 << 20;
    auto store = RocksDbStore::Open(options);
    if (!store.ok()) return fault == DiskFault::kNone ? absl::StrCat("cannot open: ", store.status().ToString()) : "";
    const int found = script_->Find(**store);
    if (found < 0) return "what is there is no beginning of the script";
    if (found < acknowledged_ || found > possible_) {
      return absl::StrCat(found, " write sets are there, ", acknowledged_, " were acknowledged, ", possible_,
                          " handed over");
    }
    Commit(store->get(), found);
    return problem_;
  }
  void Restart(bool power_cut) { disk_->Restart(power_cut); }

 private:
  static std::shared_ptr<FaultDisk> NewDisk(uint64_t seed, const std::filesystem::path& undone) {
    std::filesystem::create_directory(undone);
    return std::make_shared<FaultDisk>(seed, undone);
  }

  void Commit(SagaStore* store, int from) {
    Results results;
    int next = from;
    while (next < kWriteSets && !results.failed()) {
      // Several at once share a write, or follow it closely.
      for (uint64_t wave = 1 + luck_() % 4; wave > 0 && next < kWriteSets; --wave) {
        store->Commit(script_->sets()[next++], results.Expect());
      }
      if (!results.AwaitAll()) problem_ = "a commit never ended";
      if (!problem_.empty()) return;
    }
    acknowledged_ = from + results.durable();
    possible_ = next;
    if (!results.failed()) return;
    for (int more = 0; more < 3; ++more)
      store->Commit(script_->sets()[std::min(next, kWriteSets - 1)], results.Expect());
    if (!results.AwaitAll()) problem_ = "a commit after the failure never ended";
    const auto all = results.all();
    const auto first =
        std::find_if(all.begin(), all.end(), [](auto result) { return result != CommitResult::kDurable; });
    if (std::find(first, all.end(), CommitResult::kDurable) != all.end()) problem_ = "durable after a failure";
  }

  const Script* const script_;
  std::mt19937_64 luck_;
  TemporaryFolder folder_;
  TemporaryFolder undone_;
  std::shared_ptr<FaultDisk> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  int acknowledged_ = 0;
  int possible_ = 0;  // at most so many may be found
  std::string problem_;
};

constexpr std::array kFaults = {DiskFault::kErrorOnce, DiskFault::kShortAppend, DiskFault::kSyncError,
                                DiskFault::kDiskFull, DiskFault::kDead};

// The first fault at that call, then another somewhere in the way of what is left, then a disk that is well.
std::string Live(const Script& script, uint64_t seed, DiskFault fault, int64_t at_call, int64_t calls) {
  std::mt19937_64 luck(seed * 1'000'003 + static_cast<uint64_t>(at_call) * 7 + static_cast<uint64_t>(fault));
  Life life(&script, luck());
  const auto ended = [&](const char* when, const std::string& problem) {
    return problem.empty() ? "" : absl::StrCat(when, ": ", problem);
  };
  std::string problem = ended("first opening", life.Open(fault, at_call));
  life.Restart(luck() % 2 == 0);
  if (problem.empty()) {
    const DiskFault second = kFaults[luck() % kFaults.size()];
    problem =
        ended("second opening", life.Open(second, 1 + static_cast<int64_t>(luck() % static_cast<uint64_t>(calls))));
    life.Restart(luck() % 2 == 0);
  }
  if (problem.empty()) problem = ended("healthy opening", life.Open(DiskFault::kNone, 0));
  life.Restart(/*power_cut=*/true);
  if (problem.empty()) problem = ended("after the last power cut", life.Open(DiskFault::kNone, 0));
  if (problem.empty() && !life.complete()) problem = "the script did not end on a healthy disk";
  return problem;
}

struct Calls {
  int64_t all = 0;
  int64_t syncs = 0;
};
Calls CallsOf(const Script& script, uint64_t seed) {
  Life life(&script, seed);
  EXPECT_EQ(life.Open(DiskFault::kNone, 0), "");
  EXPECT_TRUE(life.complete());
  return {life.disk()->calls(), life.disk()->syncs()};
}

// Environment variables widen the run: TUTTI_STORE_SEED, its first seed; TUTTI_STORE_SEEDS, how many;
// TUTTI_STORE_STRIDE, 1 for every call, otherwise each n-th, beginning where the seed says.
int64_t Setting(const char* name, int64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::max<int64_t>(std::strtoll(text, nullptr, 10), 1);
}

class RocksDbFaultTest : public testing::TestWithParam<DiskFault> {};

std::string NameOf(const testing::TestParamInfo<DiskFault>& info) {
  constexpr std::array kNames = {"None", "ErrorOnce", "ShortAppend", "SyncError", "DiskFull", "Dead"};
  return kNames[static_cast<size_t>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Faults, RocksDbFaultTest, testing::ValuesIn(kFaults), NameOf);

TEST_P(RocksDbFaultTest, AtACallNothingAcknowledgedIsLostAndNothingIsHalf) {
  const int64_t first_seed = Setting("TUTTI_STORE_SEED", 1);
  const int64_t stride = Setting("TUTTI_STORE_STRIDE", 50);
  for (int64_t number = 0; number < Setting("TUTTI_STORE_SEEDS", 1); ++number) {
    const auto seed = static_cast<uint64_t>(first_seed + number);
    const Script script(seed);
    const Calls calls = CallsOf(script, seed);
    const int64_t last = GetParam() == DiskFault::kSyncError ? calls.syncs : calls.all;
    for (int64_t at = 1 + static_cast<int64_t>(seed) % stride; at <= last; at += stride) {
      const std::string problem = Live(script, seed, GetParam(), at, calls.all);
      ASSERT_EQ(problem, "") << "TUTTI_STORE_SEED=" << seed << ", call " << at << " of " << last
                             << "; flushes run beside commits, so the call may be another one next time";
    }
    std::cout << "seed " << seed << ": " << last << " calls, of which one in " << stride << " failed\n";
  }
}

// The proof that the rest can fail.
TEST(RocksDbFaultProofTest, ADiskThatLiesAboutSyncsIsFoundOut) {
  const Script script(1);
  int found_out = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Life life(&script, seed);
    life.disk()->LieAboutSyncs();
    ASSERT_EQ(life.Open(DiskFault::kNone, 0), "");
    life.Restart(/*power_cut=*/true);
    found_out += life.Open(DiskFault::kNone, 0).empty() ? 0 : 1;
  }
  EXPECT_GE(found_out, 8);
}

}  // namespace
}  // namespace tutti::store
