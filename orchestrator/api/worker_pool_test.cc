#include "orchestrator/api/worker_pool.h"

#include <sys/resource.h>

#include <atomic>
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

TEST(WorkerPoolTest, NicenessIsOfItsThreadsAlone) {
  const int before = getpriority(PRIO_PROCESS, 0);
  int inside = 0;
  {
    WorkerPool pool({.threads = 1, .niceness = before + 3});
    pool.Post([&] { inside = getpriority(PRIO_PROCESS, 0); });
  }
  EXPECT_EQ(inside, before + 3);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

}  // namespace
}  // namespace tutti::api
