// What every store must do, run on each.
#include "orchestrator/store/saga_store.h"

#include <atomic>
#include <future>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/store_backends.h"

namespace tutti::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

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
  EXPECT_THAT(sequences(-5, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(sequences(255, 3), ElementsAre(255, 256, 257));
  EXPECT_THAT(sequences(300, 1000), ElementsAre(300, 301));
  EXPECT_THAT(sequences(302, 10), IsEmpty());
  EXPECT_THAT(sequences(1, 0), IsEmpty());
  EXPECT_EQ(sequences(1, 1000).size(), 301u);
  EXPECT_THAT(*reader().GetHistory("nobody", 1, 10), IsEmpty());
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
  flaws_ = ElementsAre(testing::HasSubstr("newer version"));
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
  const SagaWrite instant = NewSaga("instant", 2'000);  // started and ended in the last millisecond there is
  ASSERT_EQ(Commit(SetOf(instant)), CommitResult::kDurable);
  ASSERT_EQ(Commit(SetOf(Ended(instant, 2'000))), CommitResult::kDurable);
  expected.insert("instant");
  const SagaWrite later = NewSaga("later", 1'001);
  SagaWrite settling = Ended(NewSaga("settling", 1'002), 2'000);
  settling.record.mutable_steps(0)->mutable_action()->add_open()->set_number(1);
  ASSERT_EQ(Commit(SetOf(later, NewSaga("settling", 1'002), NewSaga("running", 1'003))), CommitResult::kDurable);
  ASSERT_EQ(Commit(SetOf(settling)), CommitResult::kDurable);
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

TEST_P(SagaStoreTest, AWalkOverWhatHasNotEndedStopsForBreath) {
  WriteSet set;
  const size_t running = limits::kEndedScanMax;
  for (size_t i = 0; i < running; ++i) set.sagas.push_back(NewSaga(absl::StrCat("running", i), 1'000));
  const SagaWrite ended = NewSaga("ended", 500);
  set.sagas.push_back(ended);
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ASSERT_EQ(Commit(SetOf(Ended(ended, 600))), CommitResult::kDurable);
  const auto page = reader().FindEnded({.ended_by_ms = 5'000});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->saga_ids, IsEmpty());
  ASSERT_NE(page->next_cursor, "");
  const auto next = reader().FindEnded({.ended_by_ms = 5'000, .cursor = page->next_cursor});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_THAT(next->saga_ids, ElementsAre("ended"));
  EXPECT_EQ(next->next_cursor, "");
}

// What is read in one go is of one moment, though others write meanwhile.
TEST_P(SagaStoreTest, AWalkOverActiveSagasIsOfOneMoment) {
  ASSERT_EQ(Commit(SetOf(NewSaga("a"), NewSaga("b"))), CommitResult::kDurable);
  std::vector<std::string> seen;
  const auto visit = [&](const storage::v1::SagaRecord& record) {
    if (seen.empty()) {
      const SagaWrite other = NewSaga(record.saga_id() == "a" ? "b" : "a");
      const SagaWrite ended = Ended(other, 2'000);
      EXPECT_EQ(Commit(SetOf(ended)), CommitResult::kDurable);
      WriteSet set;
      set.expired.push_back(ended.record);
      EXPECT_EQ(Commit(set), CommitResult::kDurable);
    }
    seen.push_back(absl::StrCat(record.saga_id(), " ", v1::SagaState_Name(record.state())));
    return absl::OkStatus();
  };
  const auto status = reader().ForEachActive(0, limits::kSlots, visit,
                                             [](const UnreadableRecord& record) { ADD_FAILURE() << record.error; });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, UnorderedElementsAre("a SAGA_STATE_RUNNING", "b SAGA_STATE_RUNNING"));
}

TEST_P(SagaStoreTest, ListingsAreOfOneMomentWhileSagasExpire) {
  constexpr int kSagas = 100;
  WriteSet begun, over, gone;
  for (int i = 0; i < kSagas; ++i) {
    begun.sagas.push_back(NewSaga(absl::StrCat("s", i)));
    over.sagas.push_back(Ended(begun.sagas.back(), 2'000));
    gone.expired.push_back(over.sagas.back().record);
  }
  std::atomic<bool> done{false};
  auto writer = std::async(std::launch::async, [&] {
    for (int round = 0; round < 30; ++round) {
      for (const WriteSet* set : {&begun, &over, &gone}) EXPECT_EQ(Commit(*set), CommitResult::kDurable);
    }
    done = true;
  });
  while (!done) {
    const auto page = reader().ListSagas({.page_size = kSagas});
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(page->sagas, testing::AnyOf(IsEmpty(), testing::SizeIs(kSagas)));
    EXPECT_THAT(page->unreadable, IsEmpty());
    const auto ended = reader().FindEnded({.ended_by_ms = 2'000, .page_size = kSagas});
    ASSERT_TRUE(ended.ok()) << ended.status();
    EXPECT_THAT(ended->saga_ids, testing::AnyOf(IsEmpty(), testing::SizeIs(kSagas)));
    EXPECT_THAT(ended->unreadable, IsEmpty());
  }
}

}  // namespace
}  // namespace tutti::store
