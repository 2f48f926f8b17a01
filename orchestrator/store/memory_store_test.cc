#include "orchestrator/store/memory_store.h"

#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/store_testing.h"
#include "orchestrator/store/tables.h"
#include "orchestrator/store/view.h"

namespace tutti::store {
namespace {

struct Results {
  CommitDone Next() {
    return [this](CommitResult result, const absl::Status&) { list.push_back(result); };
  }
  std::vector<CommitResult> list;
};

TEST(MemoryStoreTest, HeldCommitsAreInvisibleAndUnansweredUntilReleased) {
  MemoryStore store({.inline_done = true});
  Results results;
  store.Hold();
  store.Commit(SetOf(NewSaga("a")), results.Next());
  store.Commit(SetOf(NewSaga("b")), results.Next());
  EXPECT_TRUE(results.list.empty());
  EXPECT_EQ(store.waiting(), 2u);
  EXPECT_TRUE(absl::IsNotFound(store.GetSaga("a").status()));
  store.Release();
  EXPECT_EQ(results.list, (std::vector<CommitResult>{CommitResult::kDurable, CommitResult::kDurable}));
  EXPECT_TRUE(store.GetSaga("b").ok());
}

TEST(MemoryStoreTest, HoldWorksOnTheStoresOwnThreadToo) {
  MemoryStore store;
  store.Hold();
  auto done = std::make_shared<std::promise<void>>();
  store.Commit(SetOf(NewSaga("a")), [done](CommitResult, const absl::Status&) { done->set_value(); });
  ASSERT_TRUE(store.AwaitWaiting(1, 10'000));
  auto future = done->get_future();
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  store.Release();
  EXPECT_EQ(future.wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(MemoryStoreTest, AFailedWriteEndsUnknownAndSoDoesAllThatFollows) {
  for (const bool applied : {false, true}) {
    int reports = 0;
    MemoryStore store({.inline_done = true, .observer = [&](const CommitReport&) { ++reports; }});
    Results results;
    store.FailNextWrite(absl::UnavailableError("disk"), applied);
    store.Commit(SetOf(NewSaga("a")), results.Next());
    store.Commit(SetOf(NewSaga("b")), results.Next());
    EXPECT_EQ(results.list, (std::vector<CommitResult>{CommitResult::kUnknown, CommitResult::kUnknown}));
    EXPECT_EQ(reports, 0) << "nothing was committed";
    const auto reopened = store.Reopen({.inline_done = true});
    EXPECT_EQ(reopened->GetSaga("a").ok(), applied);
    EXPECT_TRUE(absl::IsNotFound(reopened->GetSaga("b").status()));
    EXPECT_EQ(CommitNow(reopened.get(), SetOf(NewSaga("c"))), CommitResult::kDurable);
  }
}

TEST(MemoryStoreTest, WaitingCommitsShareOneWrite) {
  std::vector<CommitReport> reports;
  MemoryStore store({.inline_done = true, .observer = [&](const CommitReport& r) { reports.push_back(r); }});
  store.Hold();
  for (int i = 0; i < 10; ++i)
    store.Commit(SetOf(NewSaga("a" + std::to_string(i)), NewSaga("b" + std::to_string(i))), {});
  store.Release();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].sagas, 20u);
  EXPECT_EQ(reports[0].write_sets, 10u);
}

TEST(MemoryStoreTest, OneWriteHasAnEnd) {
  std::vector<size_t> writes;
  MemoryStore store({.inline_done = true, .observer = [&](const CommitReport& r) { writes.push_back(r.sagas); }});
  int saga = 0;
  const auto commit = [&](size_t sagas) {
    WriteSet set;
    for (size_t i = 0; i < sagas; ++i) set.sagas.push_back(NewSaga("s" + std::to_string(saga++)));
    store.Commit(set, {});
  };
  store.Hold();
  for (const size_t sagas :
       {limits::kCommitBatchMax - 5, size_t{5}, size_t{1}, limits::kCommitBatchMax + 1, size_t{3}}) {
    commit(sagas);
  }
  store.Release();
  EXPECT_THAT(writes, testing::ElementsAre(limits::kCommitBatchMax, 1, limits::kCommitBatchMax + 1, 3))
      << "one write set is never cut";
}

// A view whose walks break after some entries, as those over damaged tables do.
class BreakingView final : public View {
 public:
  BreakingView(const Tables* tables, int entries) : view_(tables), entries_(entries) {}
  absl::StatusOr<bool> Show(Column column, absl::string_view key,
                            const std::function<void(absl::string_view value)>& look) const override {
    return view_.Show(column, key, look);
  }
  std::unique_ptr<Walk> Range(Column column, std::string begin, std::string end) const override {
    return std::make_unique<BreakingWalk>(view_.Range(column, std::move(begin), std::move(end)), entries_);
  }

 private:
  class BreakingWalk final : public Walk {
   public:
    BreakingWalk(std::unique_ptr<Walk> walk, int entries) : walk_(std::move(walk)), left_(entries) {}
    bool Valid() const override { return left_ > 0 && walk_->Valid(); }
    absl::string_view key() const override { return walk_->key(); }
    absl::string_view value() const override { return walk_->value(); }
    void Next() override {
      --left_;
      walk_->Next();
    }
    void Seek(absl::string_view key) override {
      --left_;
      walk_->Seek(key);
    }
    absl::Status status() const override {
      return left_ > 0 ? absl::OkStatus() : absl::DataLossError("the store is damaged");
    }

   private:
    const std::unique_ptr<Walk> walk_;
    int left_;
  };

  const TablesView view_;
  const int entries_;
};

TEST(MemoryStoreTest, AWalkThatBreaksIsNotTakenForTheEnd) {
  MemoryStore store({.inline_done = true});
  for (const char* id : {"a", "b", "c"}) {
    SagaWrite write = NewSaga(id);
    CommitNow(&store, SetOf(write));
    CommitNow(&store, SetOf(NextWrite(write)));
  }
  WriteSet definitions;
  for (const char* name : {"book", "pay"}) {
    auto& definition = definitions.definitions.emplace_back();
    definition.set_version(kRevisionVersion);
    definition.set_name(name);
    definition.set_revision(1);
  }
  CommitNow(&store, std::move(definitions));
  store.Edit([](const Tables* tables) {
    for (const int entries : {0, 1}) {
      const BreakingView view(tables, entries);
      ListQuery by_two;
      by_two.definition = "book";
      by_two.state = v1::SAGA_STATE_RUNNING;
      EXPECT_TRUE(absl::IsDataLoss(ReadHistory(view, "a", 1, 10).status()));
      EXPECT_TRUE(absl::IsDataLoss(ReadPage(view, {}).status()));
      EXPECT_TRUE(absl::IsDataLoss(ReadPage(view, by_two).status()));
      EXPECT_TRUE(absl::IsDataLoss(ReadEnded(view, {.ended_by_ms = 5'000}).status()));
      EXPECT_TRUE(absl::IsDataLoss(ReadDefinitions(view).status()));
      EXPECT_TRUE(absl::IsDataLoss(ReadActive(
          view, 0, limits::kSlots, [](const storage::v1::SagaRecord&) { return absl::OkStatus(); },
          [](const UnreadableRecord&) {})));
    }
  });
}

// Every kind of record that cannot be read, between others that can.
TEST(MemoryStoreTest, WhatCannotBeReadIsSteppedOverAndNamed) {
  MemoryStore store({.inline_done = true});
  std::vector<std::string> names = {"a", "garbled", "m", "gone", "mistaken", "z"};
  for (const std::string& name : names) CommitNow(&store, SetOf(NewSaga(name)));
  store.Edit([](Tables* tables) {
    Tables::Table& sagas = (*tables)[Column::kSaga];
    sagas.at(SagaKey("garbled")).pop_back();
    sagas.at(SagaKey("mistaken")) = sagas.at(SagaKey("a"));
    sagas.erase(SagaKey("gone"));
  });
  const auto ids = [](const std::vector<UnreadableRecord>& records) {
    std::vector<std::string> all;
    for (const UnreadableRecord& record : records) {
      all.push_back(record.saga_id);
      EXPECT_THAT(record.error, testing::AllOf(testing::HasSubstr(record.saga_id), testing::HasSubstr("doctor")));
    }
    return all;
  };
  const auto page = store.ListSagas({});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(IdsOf(page->sagas), testing::ElementsAre("a", "m", "z"));
  EXPECT_THAT(ids(page->unreadable), testing::ElementsAre("garbled", "gone", "mistaken"));

  ListQuery query;
  query.page_size = 2;
  std::vector<std::string> seen;
  do {
    const auto part = store.ListSagas(query);
    ASSERT_TRUE(part.ok()) << part.status();
    EXPECT_LE(part->sagas.size() + part->unreadable.size(), 2u) << "they count towards the page";
    for (const auto& id : IdsOf(part->sagas)) seen.push_back(id);
    for (const auto& id : ids(part->unreadable)) seen.push_back(id);
    query.cursor = part->next_cursor;
  } while (!query.cursor.empty());
  EXPECT_THAT(seen, testing::UnorderedElementsAreArray(names));

  std::vector<std::string> active;
  std::vector<UnreadableRecord> unreadable;
  const auto visit = [&](const storage::v1::SagaRecord& record) {
    active.push_back(record.saga_id());
    return absl::OkStatus();
  };
  const auto status = store.ForEachActive(0, limits::kSlots, visit,
                                          [&](UnreadableRecord record) { unreadable.push_back(std::move(record)); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(active, testing::UnorderedElementsAre("a", "m", "z"));
  EXPECT_THAT(ids(unreadable), testing::UnorderedElementsAre("garbled", "gone", "mistaken"));
  EXPECT_TRUE(absl::IsDataLoss(store.GetSaga("garbled").status()));
  EXPECT_EQ(store.GetRaw("garbled")->size() + 1, NewSaga("garbled").record.ByteSizeLong());
}

// Sagas are pinned to definitions, so none is stepped over.
TEST(MemoryStoreTest, ADefinitionThatCannotBeReadIsAnError) {
  storage::v1::DefinitionRecord book;
  book.set_version(kRevisionVersion);
  book.set_name("book");
  book.set_revision(1);
  const auto with = [&](const std::string& key, const std::string& bytes) {
    MemoryStore store({.inline_done = true});
    WriteSet set;
    set.definitions.push_back(book);
    CommitNow(&store, std::move(set));
    EXPECT_EQ(store.GetDefinitions()->size(), 1u);
    store.Edit([&](Tables* tables) { (*tables)[Column::kDefinition][key] = bytes; });
    return store.GetDefinitions().status();
  };
  const std::string bytes = book.SerializeAsString();
  EXPECT_TRUE(absl::IsDataLoss(with(DefinitionKey("book", 1), bytes.substr(1))));
  EXPECT_TRUE(absl::IsDataLoss(with(DefinitionKey("book", 2), bytes))) << "the key of another revision";
  EXPECT_TRUE(absl::IsDataLoss(with(DefinitionKey("pay", 1), bytes))) << "the key of another definition";
  storage::v1::DefinitionRecord tomorrows = book;
  tomorrows.set_version(kDefinitionVersionMax + 1);
  const absl::Status newer = with(DefinitionKey("book", 1), tomorrows.SerializeAsString());
  EXPECT_TRUE(absl::IsFailedPrecondition(newer)) << newer;
}

TEST(MemoryStoreTest, ADamagedIndexEntryEndsNoListing) {
  MemoryStore store({.inline_done = true});
  CommitNow(&store, SetOf(NewSaga("a")));
  store.Edit([](Tables* tables) { (*tables)[Column::kIndex]["tshort"] = ""; });
  const auto page = store.ListSagas({});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(IdsOf(page->sagas), testing::ElementsAre("a"));
  ASSERT_EQ(page->unreadable.size(), 1u);
  EXPECT_EQ(page->unreadable[0].saga_id, "");
}

TEST(MemoryStoreTest, DestructionWritesWhatWaits) {
  for (const bool inline_done : {false, true}) {
    Results results;
    {
      MemoryStore store({.inline_done = inline_done});
      store.Hold();
      store.Commit(SetOf(NewSaga("a")), results.Next());
    }
    EXPECT_EQ(results.list, std::vector<CommitResult>{CommitResult::kDurable}) << inline_done;
  }
}

}  // namespace
}  // namespace tutti::store
