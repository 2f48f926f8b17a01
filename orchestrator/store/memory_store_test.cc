#include "orchestrator/store/memory_store.h"

#include "gtest/gtest.h"
#include "orchestrator/store/store_testing.h"

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
    MemoryStore store({.inline_done = true});
    Results results;
    store.FailNextWrite(absl::UnavailableError("disk"), applied);
    store.Commit(SetOf(NewSaga("a")), results.Next());
    store.Commit(SetOf(NewSaga("b")), results.Next());
    EXPECT_EQ(results.list, (std::vector<CommitResult>{CommitResult::kUnknown, CommitResult::kUnknown}));
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

TEST(MemoryStoreTest, DestructionWritesWhatWaits) {
  Results results;
  {
    MemoryStore store;
    store.Hold();
    store.Commit(SetOf(NewSaga("a")), results.Next());
  }
  EXPECT_EQ(results.list, std::vector<CommitResult>{CommitResult::kDurable});
}

}  // namespace
}  // namespace tutti::store
