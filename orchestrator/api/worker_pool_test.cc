#include "orchestrator/api/worker_pool.h"

#include <atomic>
#include <chrono>
#include <future>

#include "gtest/gtest.h"

namespace tutti::api {
namespace {

TEST(WorkerPoolTest, WhatWaitsIsBoundedButWhatWasAcceptedBeforeIsNot) {
  std::atomic<int> ran{0};
  std::promise<void> running, go;
  {
    WorkerPool pool({.threads = 1, .waiting_max = 2});
    pool.Post([&] {
      running.set_value();
      go.get_future().wait();
    });
    running.get_future().wait();
    EXPECT_TRUE(pool.TryPost([&] { ++ran; }));
    EXPECT_TRUE(pool.TryPost([&] { ++ran; }));
    EXPECT_FALSE(pool.TryPost([&] { ++ran; }));
    pool.Post([&] { ++ran; });
    go.set_value();
  }
  EXPECT_EQ(ran, 3) << "the destructor runs what was posted";
}

using Use = WorkerPool::ThreadUse;
using std::chrono::microseconds;

TEST(WorkerPoolTest, RestsThreeTimesAsLongAsItTookSomebodyElsesProcessor) {
  EXPECT_EQ(WorkerPool::RestAfter({microseconds(500), 7}, {microseconds(900), 8}), microseconds(1200));
  EXPECT_EQ(WorkerPool::RestAfter({microseconds(500), 7}, {microseconds(900), 7}), microseconds(0));
}

// The first work is said to have taken a processor for an hour.
class WorkerPoolRestTest : public testing::Test {
 protected:
  static constexpr int kAfterwards = 20;

  // How many of the works after it began before the pool was told to end.
  int BegunBeforeTheEnd(bool gives_way, bool wanted) {
    std::atomic<bool> ending{false};
    std::atomic<int> early{0}, ran{0};
    std::promise<void> go, rests, all_ran;
    int asked = 0;  // by the pool's only thread
    {
      WorkerPool pool({.threads = 1, .gives_way = gives_way, .use = [&] {
                         if (++asked == 2) rests.set_value();
                         return Use{std::chrono::hours(asked > 1 ? 1 : 0), wanted && asked > 1 ? 1 : 0};
                       }});
      pool.Post([&] { go.get_future().wait(); });
      for (int i = 0; i < kAfterwards; ++i) {
        pool.Post([&] {
          if (!ending) ++early;
          if (++ran == kAfterwards) all_ran.set_value();
        });
      }
      go.set_value();
      std::future<void> all = all_ran.get_future();
      if (gives_way && wanted) {
        rests.get_future().wait();
        pool.Post([] {});  // does not end the rest
        EXPECT_EQ(all.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
      } else {
        all.wait();
      }
      ending = true;
    }
    EXPECT_EQ(ran, kAfterwards) << "the destructor runs what was posted";
    return early;
  }
};

TEST_F(WorkerPoolRestTest, OnlyWhereItGivesWayToSomebody) {
  EXPECT_EQ(BegunBeforeTheEnd(true, true), 0);
  EXPECT_EQ(BegunBeforeTheEnd(true, false), kAfterwards);
  EXPECT_EQ(BegunBeforeTheEnd(false, true), kAfterwards);
}

TEST(WorkerPoolTest, AThreadsUseGrows) {
  const Use before = WorkerPool::UseOfThisThread();
  Use after = before;
  while (after.processor == before.processor) after = WorkerPool::UseOfThisThread();
  EXPECT_GT(after.processor, before.processor);
  EXPECT_GE(after.preempted, before.preempted);
}

}  // namespace
}  // namespace tutti::api
