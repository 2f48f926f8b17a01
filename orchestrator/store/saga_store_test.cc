// What every store must do, run on each.
#include "orchestrator/store/saga_store.h"

#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "common/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/memory_store.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/store_testing.h"

namespace tutti::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Backend {
 public:
  virtual ~Backend() = default;
  virtual SagaStore* store() = 0;
  virtual const SagaReader* reader() = 0;
  virtual void Reopen() = 0;
};

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(bool inline_done) : inline_done_(inline_done) {
    store_ = MemoryStore().Reopen({inline_done_});
  }
  SagaStore* store() override { return store_.get(); }
  const SagaReader* reader() override { return store_.get(); }
  void Reopen() override { store_ = store_->Reopen({inline_done_}); }

 private:
  const bool inline_done_;
  std::unique_ptr<MemoryStore> store_;
};

class RocksDbBackend final : public Backend {
 public:
  RocksDbBackend() { Open(); }
  SagaStore* store() override { return store_.get(); }
  const SagaReader* reader() override { return store_.get(); }
  void Reopen() override {
    store_.reset();
    Open();
  }

 private:
  void Open() {
    RocksDbStoreOptions options;
    options.path = folder_.path();
    auto store = RocksDbStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  TemporaryFolder folder_;
  std::unique_ptr<RocksDbStore> store_;
};

std::unique_ptr<Backend> MakeBackend(const std::string& name) {
  if (name == "RocksDb") return std::make_unique<RocksDbBackend>();
  return std::make_unique<MemoryBackend>(/*inline_done=*/name == "MemoryInline");
}

class SagaStoreTest : public testing::TestWithParam<const char*> {
 protected:
  CommitResult Commit(WriteSet set) { return CommitNow(backend_->store(), std::move(set)); }
  const SagaReader& reader() { return *backend_->reader(); }

  std::vector<std::string> List(const ListQuery& query) {
    const auto page = reader().ListSagas(query);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? IdsOf(page->sagas) : std::vector<std::string>();
  }
  std::vector<std::string> ListByState(v1::SagaState state) {
    ListQuery query;
    query.state = state;
    return List(query);
  }
  std::vector<std::string> Active(uint32_t first_slot = 0, uint32_t end_slot = limits::kSlots) {
    std::vector<std::string> ids;
    const auto visit = [&](const storage::v1::SagaRecord& record) {
      ids.push_back(record.saga_id());
      return absl::OkStatus();
    };
    const auto status = reader().ForEachActive(first_slot, end_slot, visit,
                                               [](const UnreadableRecord& record) { ADD_FAILURE() << record.error; });
    EXPECT_TRUE(status.ok()) << status;
    return ids;
  }

  std::vector<std::string> AllPages(ListQuery query) {
    std::vector<std::string> ids;
    do {
      const auto page = reader().ListSagas(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return ids;
      EXPECT_LE(page->sagas.size(), static_cast<size_t>(query.page_size));
      for (const auto& id : IdsOf(page->sagas)) ids.push_back(id);
      query.cursor = page->next_cursor;
    } while (!query.cursor.empty());
    return ids;
  }

  static bool Satisfies(const storage::v1::SagaRecord& record, const ListQuery& query) {
    bool parked = false;
    for (const auto& step : record.steps()) parked = parked || step.has_parking();
    bool matches = record.state() == query.state.value_or(record.state()) && parked == query.parked.value_or(parked) &&
                   record.started_ms() >= query.started_from_ms.value_or(record.started_ms()) &&
                   record.started_ms() <= query.started_to_ms.value_or(record.started_ms()) &&
                   (query.definition.empty() || query.definition == record.definition());
    for (const auto& [key, value] : query.labels) {
      matches = matches && record.labels().contains(key) && record.labels().at(key) == value;
    }
    return matches;
  }
  static std::vector<std::string> Matching(const std::vector<SagaWrite>& sagas, const ListQuery& query) {
    std::set<std::pair<int64_t, std::string>> sorted;
    for (const SagaWrite& saga : sagas) {
      if (Satisfies(saga.record, query)) sorted.emplace(-saga.record.started_ms(), saga.record.saga_id());
    }
    std::vector<std::string> ids;
    for (const auto& [age, id] : sorted) ids.push_back(id);
    return ids;
  }

  const std::unique_ptr<Backend> backend_ = MakeBackend(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Stores, SagaStoreTest, testing::Values("Memory", "MemoryInline", "RocksDb"),
                         [](const auto& info) { return info.param; });

TEST_P(SagaStoreTest, WhatWasCommittedIsRead) {
  ASSERT_EQ(Commit(SetOf(NewSaga("a"), NewSaga("b"))), CommitResult::kDurable);
  const auto a = reader().GetSaga("a");
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(a->SerializeAsString(), NewSaga("a").record.SerializeAsString());
  EXPECT_TRUE(absl::IsNotFound(reader().GetSaga("c").status()));
}

TEST_P(SagaStoreTest, TheRawRecordIsItsBytes) {
  ASSERT_EQ(Commit(SetOf(NewSaga("a"))), CommitResult::kDurable);
  const auto raw = reader().GetRaw("a");
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ(*raw, NewSaga("a").record.SerializeAsString());
  EXPECT_TRUE(absl::IsNotFound(reader().GetRaw("b").status()));
}

TEST_P(SagaStoreTest, ListingsLeavePayloadsOut) {
  SagaWrite write = NewSaga("a");
  (*write.record.mutable_labels())["user"] = "u";
  storage::v1::StepRecord* step = write.record.mutable_steps(0);
  step->set_state(v1::STEP_STATE_SUCCEEDED);
  step->mutable_action()->set_attempts(3);
  step->mutable_action()->add_open()->set_number(2);
  step->mutable_compensation()->set_attempts(1);
  step->mutable_parking()->set_message("why");
  ASSERT_EQ(Commit(SetOf(write, NewSaga("b"))), CommitResult::kDurable);
  const storage::v1::SagaRecord bare = write.record;
  write = NextWrite(write);
  write.record.set_last_sequence(bare.last_sequence());
  write.history.clear();
  write.record.set_input(std::string(70'000, 'i'));
  write.record.set_output(std::string(300, 'o'));
  step = write.record.mutable_steps(0);
  step->set_reply("reply");
  for (auto* command : {step->mutable_action(), step->mutable_compensation()}) {
    command->set_request(std::string(70'000, 'r'));
    (*command->mutable_metadata())["key"] = "value";
  }
  ASSERT_EQ(Commit(SetOf(write)), CommitResult::kDurable);
  const auto page = reader().ListSagas({});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->sagas.size(), 2u);
  EXPECT_EQ(page->sagas[0].DebugString(), bare.DebugString());
  EXPECT_EQ(reader().GetSaga("a")->DebugString(), write.record.DebugString());
}

TEST_P(SagaStoreTest, EmptyWriteSetsEndDurable) {
  EXPECT_EQ(Commit({}), CommitResult::kDurable);
}

TEST_P(SagaStoreTest, DoneComesInTheOrderOfCommits) {
  constexpr int kCommits = 3000;
  Mutex mu;
  CondVar changed;
  std::vector<int> order;
  SagaWrite write = NewSaga("a");
  for (int i = 0; i < kCommits; ++i) {
    backend_->store()->Commit(SetOf(write), [&, i](CommitResult result, const absl::Status& detail) {
      EXPECT_EQ(result, CommitResult::kDurable) << detail;
      MutexLock lock(&mu);
      order.push_back(i);
      changed.SignalAll();
    });
    write = NextWrite(write);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  MutexLock lock(&mu);
  while (order.size() < kCommits && changed.WaitUntil(&mu, deadline)) {
  }
  ASSERT_EQ(order.size(), static_cast<size_t>(kCommits));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(reader().GetSaga("a")->last_sequence(), kCommits);
}

TEST_P(SagaStoreTest, DoneMayCommitAgain) {
  auto finished = std::make_shared<std::promise<void>>();
  backend_->store()->Commit(SetOf(NewSaga("a")), [this, finished](CommitResult, const absl::Status&) {
    EXPECT_TRUE(reader().GetSaga("a").ok());  // visible before anybody hears of it
    backend_->store()->Commit(SetOf(NewSaga("b")),
                              [finished](CommitResult, const absl::Status&) { finished->set_value(); });
  });
  ASSERT_EQ(finished->get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_TRUE(reader().GetSaga("b").ok());
}

TEST_P(SagaStoreTest, HistoryIsReadByRange) {
  SagaWrite write = NewSaga("a");
  ASSERT_EQ(Commit(SetOf(write, NewSaga("a1"), NewSaga("A"))), CommitResult::kDurable);
  for (int i = 0; i < 300; ++i) {
    write = NextWrite(write);
    backend_->store()->Commit(SetOf(write), nullptr);
  }
  Commit({});
  const auto sequences = [&](int64_t from, int limit) {
    std::vector<int64_t> numbers;
    const auto events = reader().GetHistory("a", from, limit);
    EXPECT_TRUE(events.ok()) << events.status();
    for (const auto& event : *events) numbers.push_back(event.sequence());
    return numbers;
  };
  EXPECT_THAT(sequences(0, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(sequences(255, 3), ElementsAre(255, 256, 257));
  EXPECT_THAT(sequences(300, 1000), ElementsAre(300, 301));
  EXPECT_THAT(sequences(302, 10), IsEmpty());
  EXPECT_THAT(sequences(1, 0), IsEmpty());
  EXPECT_EQ(sequences(1, 1000).size(), 301u);
  EXPECT_THAT(*reader().GetHistory("nobody", 1, 10), IsEmpty());
}

TEST_P(SagaStoreTest, ListsNewestFirstAndByEveryTerm) {
  SagaWrite labelled = NewSaga("labelled", 3000, "pay");
  (*labelled.record.mutable_labels())["user"] = "u1";
  (*labelled.record.mutable_labels())["city"] = "x";
  SagaWrite other = NewSaga("other", 2000, "book");
  (*other.record.mutable_labels())["user"] = "u1";
  SagaWrite parked = NewSaga("parked", 1000, "book");
  parked.record.mutable_steps(0)->mutable_parking()->set_since_ms(1);
  ASSERT_EQ(Commit(SetOf(parked, labelled, other)), CommitResult::kDurable);

  EXPECT_THAT(List({}), ElementsAre("labelled", "other", "parked"));
  ListQuery query;
  query.definition = "book";
  EXPECT_THAT(List(query), ElementsAre("other", "parked"));
  query.parked = true;
  EXPECT_THAT(List(query), ElementsAre("parked"));
  query.parked = false;
  EXPECT_THAT(List(query), ElementsAre("other"));
  query = {};
  query.labels = {{"user", "u1"}};
  EXPECT_THAT(List(query), ElementsAre("labelled", "other"));
  query.labels.push_back({"city", "x"});
  EXPECT_THAT(List(query), ElementsAre("labelled"));
  query.labels = {{"user", "u"}};
  EXPECT_THAT(List(query), IsEmpty());
  query = {};
  query.started_from_ms = 2000;
  EXPECT_THAT(List(query), ElementsAre("labelled", "other"));
  query.started_to_ms = 2000;
  EXPECT_THAT(List(query), ElementsAre("other"));
  query.definition = "pay";
  EXPECT_THAT(List(query), IsEmpty());
  query = {};
  query.started_to_ms = 2999;
  EXPECT_THAT(List(query), ElementsAre("other", "parked"));
}

TEST_P(SagaStoreTest, IndexesFollowStateAndParking) {
  SagaWrite write = NewSaga("a");
  Commit(SetOf(write));
  EXPECT_THAT(ListByState(v1::SAGA_STATE_RUNNING), ElementsAre("a"));

  write = NextWrite(write);
  write.record.set_state(v1::SAGA_STATE_COMPENSATING);
  write.record.mutable_steps(0)->mutable_parking()->set_since_ms(1);
  Commit(SetOf(write));
  EXPECT_THAT(ListByState(v1::SAGA_STATE_RUNNING), IsEmpty());
  EXPECT_THAT(ListByState(v1::SAGA_STATE_COMPENSATING), ElementsAre("a"));
  ListQuery parked;
  parked.parked = true;
  EXPECT_THAT(List(parked), ElementsAre("a"));

  write = NextWrite(write);
  write.record.set_state(v1::SAGA_STATE_COMPENSATED);
  write.record.mutable_steps(0)->clear_parking();
  Commit(SetOf(write));
  EXPECT_THAT(ListByState(v1::SAGA_STATE_COMPENSATING), IsEmpty());
  EXPECT_THAT(ListByState(v1::SAGA_STATE_COMPENSATED), ElementsAre("a"));
  EXPECT_THAT(List(parked), IsEmpty());
  EXPECT_THAT(List({}), ElementsAre("a"));
}

TEST_P(SagaStoreTest, PagesNeitherRepeatNorMissWhileNewSagasStart) {
  WriteSet set;
  std::vector<std::string> expected;
  for (int i = 0; i < 25; ++i) set.sagas.push_back(NewSaga(absl::StrCat("s", 100 + i), /*started_ms=*/1000 + i / 5));
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.state = v1::SAGA_STATE_RUNNING;
  query.page_size = 100;
  expected = List(query);
  ASSERT_EQ(expected.size(), 25u);

  query.page_size = 4;
  std::vector<std::string> seen;
  int pages = 0;
  do {
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& id : IdsOf(page->sagas)) seen.push_back(id);
    query.cursor = page->next_cursor;
    Commit(SetOf(NewSaga(absl::StrCat("new", pages), /*started_ms=*/5000 + pages)));
  } while (!query.cursor.empty() && ++pages < 50);
  EXPECT_EQ(seen, expected);
}

SagaWrite Parked(SagaWrite write) {
  write.record.mutable_steps(0)->mutable_parking()->set_since_ms(1);
  return write;
}

// Nothing indexes what is not parked, so these records are read.
TEST_P(SagaStoreTest, ASearchEndsItsPageEarlyAndGoesOn) {
  WriteSet set;
  for (int i = 0; i < 100; ++i) set.sagas.push_back(Parked(NewSaga(absl::StrCat("s", 100 + i), /*started_ms=*/2000)));
  set.sagas.push_back(NewSaga("oldest", /*started_ms=*/1000));
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.parked = false;
  query.scan_budget = 50;
  int pages = 0;
  for (;; ++pages) {
    ASSERT_LT(pages, 6);
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->scanned, query.scan_budget + 2);
    query.cursor = page->next_cursor;
    if (query.cursor.empty()) {
      EXPECT_THAT(IdsOf(page->sagas), ElementsAre("oldest"));
      break;
    }
    EXPECT_THAT(page->sagas, IsEmpty());
  }
  EXPECT_EQ(pages, 4) << "an index step and a record for each of 101 sagas";
}

TEST_P(SagaStoreTest, TheSmallestBudgetStillGetsThrough) {
  WriteSet set;
  for (int i = 0; i < 20; ++i) {
    set.sagas.push_back(NewSaga(absl::StrCat("s", 10 + i), /*started_ms=*/2000, i % 2 == 0 ? "book" : "pay"));
    (*set.sagas.back().record.mutable_labels())[i % 4 < 2 ? "low" : "high"] = "1";
  }
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.definition = "book";
  query.labels = {{"high", "1"}};
  query.scan_budget = 1;
  std::vector<std::string> seen;
  for (int pages = 0; pages < 100; ++pages) {
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& id : IdsOf(page->sagas)) seen.push_back(id);
    query.cursor = page->next_cursor;
    if (query.cursor.empty()) break;
  }
  EXPECT_THAT(seen, ElementsAre("s12", "s16", "s20", "s24", "s28"));
}

TEST_P(SagaStoreTest, TheRarestTermSetsThePace) {
  WriteSet set;
  for (int i = 0; i < 2000; ++i) {
    SagaWrite& write = set.sagas.emplace_back(NewSaga(absl::StrCat("s", 1000 + i), /*started_ms=*/2000 + i));
    (*write.record.mutable_labels())["user"] = absl::StrCat(i % 1000);
    if (i == 700) write = Parked(std::move(write));
  }
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  const auto scanned = [&](ListQuery query, const std::vector<std::string>& expected) {
    const auto page = reader().ListSagas(query);
    EXPECT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(IdsOf(page->sagas), expected);
    EXPECT_EQ(page->next_cursor, "");
    return page->scanned;
  };
  ListQuery query;
  query.definition = "book";
  query.state = v1::SAGA_STATE_SUCCEEDED;
  EXPECT_LE(scanned(query, {}), 3) << "nothing is SUCCEEDED";
  query.state = v1::SAGA_STATE_RUNNING;
  query.labels = {{"user", "nobody"}};
  EXPECT_LE(scanned(query, {}), 4);
  query.labels = {{"user", "5"}, {"user", "6"}};
  EXPECT_LE(scanned(query, {}), 20) << "two sagas each, none in common";
  query.labels = {{"user", "5"}};
  EXPECT_LE(scanned(query, {"s2005", "s1005"}), 20);
  query.labels.clear();
  query.parked = true;
  EXPECT_LE(scanned(query, {"s1700"}), 12);
}

// Against the plain way: every saga, held to the query.
TEST_P(SagaStoreTest, EveryCombinationOfTermsFindsWhatMatches) {
  std::mt19937 random(7);
  WriteSet set;
  for (int i = 0; i < 300; ++i) {
    SagaWrite write =
        NewSaga(absl::StrCat("s", i), 1000 + static_cast<int64_t>(random() % 40), random() % 2 == 0 ? "book" : "pay");
    write.record.set_state(random() % 3 == 0 ? v1::SAGA_STATE_COMPENSATING : v1::SAGA_STATE_RUNNING);
    if (random() % 4 == 0) write = Parked(std::move(write));
    (*write.record.mutable_labels())["user"] = absl::StrCat(random() % 3);
    if (random() % 2 == 0) (*write.record.mutable_labels())["city"] = "x";
    set.sagas.push_back(std::move(write));
  }
  const std::vector<SagaWrite> sagas = set.sagas;
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  for (int round = 0; round < 200; ++round) {
    ListQuery query;
    if (random() % 2 == 0) query.definition = "pay";
    if (random() % 2 == 0) query.state = v1::SAGA_STATE_COMPENSATING;
    if (random() % 3 == 0) query.parked = random() % 2 == 0;
    if (random() % 2 == 0) query.labels.push_back({"user", absl::StrCat(random() % 3)});
    if (random() % 2 == 0) query.labels.push_back({"city", "x"});
    if (random() % 2 == 0) query.started_from_ms = 1000 + static_cast<int64_t>(random() % 40);
    if (random() % 2 == 0) query.started_to_ms = 1000 + static_cast<int64_t>(random() % 40);
    query.page_size = 1 + static_cast<int>(random() % 20);
    query.scan_budget = 1 + static_cast<int>(random() % 100);
    EXPECT_EQ(AllPages(query), Matching(sagas, query)) << "round " << round;
  }
}

TEST_P(SagaStoreTest, ExactlyFullLastPageHasNoCursor) {
  Commit(SetOf(NewSaga("a"), NewSaga("b")));
  ListQuery query;
  query.page_size = 2;
  EXPECT_EQ(reader().ListSagas(query)->next_cursor, "");
  query.page_size = 1;
  EXPECT_NE(reader().ListSagas(query)->next_cursor, "");
}

TEST_P(SagaStoreTest, CursorsOfAnotherQueryAreRefused) {
  Commit(SetOf(NewSaga("a"), NewSaga("b")));
  ListQuery query;
  query.page_size = 1;
  query.cursor = reader().ListSagas(query)->next_cursor;
  ASSERT_TRUE(reader().ListSagas(query).ok());
  query.definition = "book";
  EXPECT_EQ(ReasonOf(reader().ListSagas(query).status()), "PAGE_TOKEN_INVALID");
  query = {};
  for (const std::string cursor : {"x", "!!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    query.cursor = cursor;
    EXPECT_EQ(reader().ListSagas(query).status().code(), absl::StatusCode::kInvalidArgument) << cursor;
  }
}

TEST_P(SagaStoreTest, ActiveAreThoseNotOverOrStillSettling) {
  SagaWrite write = NewSaga("a");
  Commit(SetOf(write, NewSaga("b")));
  EXPECT_THAT(Active(), UnorderedElementsAre("a", "b"));
  write = NextWrite(write);
  write.record.set_state(v1::SAGA_STATE_COMPENSATED);
  write.record.mutable_steps(0)->mutable_action()->add_open()->set_number(1);
  Commit(SetOf(write));
  EXPECT_THAT(Active(), UnorderedElementsAre("a", "b"));
  write = NextWrite(write);
  write.record.mutable_steps(0)->mutable_action()->clear_open();
  Commit(SetOf(write));
  EXPECT_THAT(Active(), ElementsAre("b"));
}

TEST_P(SagaStoreTest, ActiveSagasAreFoundBySlot) {
  std::set<std::string> all;
  WriteSet set;
  for (int i = 0; i < 200; ++i) all.insert(set.sagas.emplace_back(NewSaga(absl::StrCat("s", i))).record.saga_id());
  Commit(std::move(set));
  const uint32_t middle = limits::kSlots / 3;
  const auto low = Active(0, middle);
  const auto high = Active(middle, limits::kSlots);
  for (const auto& id : low) EXPECT_LT(SlotOf(id), middle);
  for (const auto& id : high) EXPECT_GE(SlotOf(id), middle);
  std::set<std::string> found(low.begin(), low.end());
  found.insert(high.begin(), high.end());
  EXPECT_EQ(found, all);
  EXPECT_EQ(low.size() + high.size(), all.size());
}

TEST_P(SagaStoreTest, TheVisitorsErrorStopsTheIteration) {
  Commit(SetOf(NewSaga("a"), NewSaga("b")));
  int visits = 0;
  const auto visit = [&](const storage::v1::SagaRecord&) {
    ++visits;
    return absl::AbortedError("enough");
  };
  const auto status = reader().ForEachActive(0, limits::kSlots, visit, [](const UnreadableRecord&) {});
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(visits, 1);
}

TEST_P(SagaStoreTest, DefinitionsComeBackByNameAndRevision) {
  WriteSet set;
  for (const auto& [name, revision] :
       std::vector<std::pair<std::string, int64_t>>{{"b", 1}, {"a", 300}, {"a", 2}, {"a", 0}}) {
    auto& definition = set.definitions.emplace_back();
    definition.set_version(revision == 0 ? kWholeDefinitionVersion : kRevisionVersion);
    definition.set_name(name);
    definition.set_revision(revision);
    definition.set_source("source");
  }
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  const auto definitions = reader().GetDefinitions();
  ASSERT_TRUE(definitions.ok()) << definitions.status();
  std::vector<std::string> names;
  for (const auto& definition : *definitions) names.push_back(absl::StrCat(definition.name(), definition.revision()));
  EXPECT_THAT(names, ElementsAre("a0", "a2", "a300", "b1"));
}

TEST_P(SagaStoreTest, RecordsOfANewerVersionAreRefused) {
  SagaWrite write = NewSaga("a");
  write.record.set_version(99);
  Commit(SetOf(write));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader().GetSaga("a").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader().ForEachActive(
      0, limits::kSlots, [](const storage::v1::SagaRecord&) { return absl::OkStatus(); },
      [](const UnreadableRecord&) {})));
  const auto page = reader().ListSagas({});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->sagas, IsEmpty());
  ASSERT_EQ(page->unreadable.size(), 1u);
  EXPECT_THAT(page->unreadable[0].error, testing::HasSubstr("newer version"));
}

TEST_P(SagaStoreTest, ReopeningFindsAllThatWasAcknowledged) {
  SagaWrite write = NewSaga("a");
  Commit(SetOf(write, NewSaga("b", 2000)));
  write = NextWrite(write);
  write.record.set_state(v1::SAGA_STATE_SUCCEEDED);
  Commit(SetOf(write));
  for (int i = 0; i < 2; ++i) {  // the second time without a log to replay
    backend_->Reopen();
    EXPECT_EQ(reader().GetSaga("a")->state(), v1::SAGA_STATE_SUCCEEDED);
    EXPECT_EQ(reader().GetHistory("a", 1, 10)->size(), 2u);
    EXPECT_THAT(List({}), ElementsAre("b", "a"));
    EXPECT_THAT(Active(), ElementsAre("b"));
  }
  EXPECT_EQ(Commit(SetOf(NewSaga("c", 3000))), CommitResult::kDurable);
  EXPECT_THAT(List({}), ElementsAre("c", "b", "a"));
}

TEST_P(SagaStoreTest, ManyThreadsCommitAtOnce) {
  constexpr int kThreads = 4;
  std::vector<std::future<bool>> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.push_back(std::async(std::launch::async, [this, t] {
      bool durable = true;
      for (int i = 0; i < 50; ++i) {
        durable = durable && Commit(SetOf(NewSaga(absl::StrCat("t", t, "-", i)))) == CommitResult::kDurable;
      }
      return durable;
    }));
  }
  for (auto& thread : threads) EXPECT_TRUE(thread.get());
  EXPECT_EQ(Active().size(), kThreads * 50u);
}

SagaWrite Ended(const SagaWrite& before, int64_t finished_ms) {
  SagaWrite write = NextWrite(before);
  write.record.set_state(v1::SAGA_STATE_SUCCEEDED);
  write.record.set_finished_ms(finished_ms);
  return write;
}

TEST_P(SagaStoreTest, AnExpiredSagaLeavesNoTrace) {
  SagaWrite a = NewSaga("a");
  (*a.record.mutable_labels())["user"] = "u";
  SagaWrite b = NewSaga("b");
  (*b.record.mutable_labels())["user"] = "u";
  ASSERT_EQ(Commit(SetOf(a, b)), CommitResult::kDurable);
  const SagaWrite a_ended = Ended(a, 2'000);
  ASSERT_EQ(Commit(SetOf(a_ended, Ended(b, 3'000))), CommitResult::kDurable);
  WriteSet set;
  set.expired.push_back(a_ended.record);
  ASSERT_EQ(Commit(set), CommitResult::kDurable);
  for (int life = 0; life < 2; ++life) {
    EXPECT_TRUE(absl::IsNotFound(reader().GetSaga("a").status()));
    EXPECT_THAT(*reader().GetHistory("a", 0, 100), IsEmpty());
    EXPECT_EQ(reader().GetHistory("b", 0, 100)->size(), 2u);
    ListQuery by_definition, by_label;
    by_definition.definition = "book";
    by_label.labels = {{"user", "u"}};
    EXPECT_THAT(List({}), ElementsAre("b"));
    EXPECT_THAT(List(by_definition), ElementsAre("b"));
    EXPECT_THAT(List(by_label), ElementsAre("b"));
    EXPECT_THAT(ListByState(v1::SAGA_STATE_SUCCEEDED), ElementsAre("b"));
    EXPECT_THAT(Active(), IsEmpty());
    backend_->Reopen();
  }
  ASSERT_EQ(Commit(SetOf(NewSaga("a", 9'000))), CommitResult::kDurable) << "the id is free again";
  EXPECT_EQ(reader().GetHistory("a", 0, 100)->size(), 1u);
  EXPECT_THAT(Active(), ElementsAre("a"));
}

TEST_P(SagaStoreTest, EndedSagasAreFoundPageByPageAndActiveOnesNever) {
  std::set<std::string> expected;
  for (int i = 0; i < 10; ++i) {
    const SagaWrite saga = NewSaga(absl::StrCat("ended", i), 1'000 + i);
    ASSERT_EQ(Commit(SetOf(saga)), CommitResult::kDurable);
    ASSERT_EQ(Commit(SetOf(Ended(saga, 2'000))), CommitResult::kDurable);
    expected.insert(saga.record.saga_id());
  }
  const SagaWrite later = NewSaga("later", 1'001);
  SagaWrite settling = Ended(NewSaga("settling", 1'002), 2'000);
  settling.record.mutable_steps(0)->mutable_action()->add_open()->set_number(1);
  settling.previous.reset();
  ASSERT_EQ(Commit(SetOf(later, settling, NewSaga("running", 1'003))), CommitResult::kDurable);
  ASSERT_EQ(Commit(SetOf(Ended(later, 2'001))), CommitResult::kDurable);
  std::set<std::string> found;
  EndedQuery query{.ended_by_ms = 2'000, .page_size = 4};
  int pages = 0;
  do {
    const auto page = reader().FindEnded(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->saga_ids.size(), 4u);
    for (const std::string& id : page->saga_ids) EXPECT_TRUE(found.insert(id).second) << id << " came twice";
    query.cursor = page->next_cursor;
    ++pages;
  } while (!query.cursor.empty());
  EXPECT_EQ(found, expected);
  EXPECT_GE(pages, 3);
}

}  // namespace
}  // namespace tutti::store
