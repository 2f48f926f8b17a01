#include "orchestrator/effects/watch_hub.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tutti::effects {
namespace {

storage::v1::SagaRecord Record(const std::string& saga_id, int64_t last_sequence) {
  storage::v1::SagaRecord record;
  record.set_saga_id(saga_id);
  record.set_last_sequence(last_sequence);
  return record;
}

std::vector<v1::HistoryEvent> Events(int64_t first, int64_t last) {
  std::vector<v1::HistoryEvent> events;
  for (int64_t sequence = first; sequence <= last; ++sequence) events.emplace_back().set_sequence(sequence);
  return events;
}

TEST(WatchHubTest, ASubscriberHearsItsOwnSagaOnly) {
  WatchHub hub;
  std::vector<int64_t> heard;
  size_t events = 0;
  const auto subscription =
      hub.Subscribe("mine", [&](const WatchHub::Record& record, const WatchHub::History& history) {
        heard.push_back(record->last_sequence());
        events += history->size();
      });
  hub.Publish(Record("mine", 2), Events(1, 2));
  hub.Publish(Record("other", 9), Events(9, 9));
  hub.Publish(Record("mine", 3), Events(3, 3));
  EXPECT_EQ(heard, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(events, 3u);
}

TEST(WatchHubTest, SubscribersOfOneSagaShareOneCopy) {
  WatchHub hub;
  WatchHub::Record first, second;
  const auto a = hub.Subscribe("s", [&](const WatchHub::Record& record, const WatchHub::History&) { first = record; });
  const auto b = hub.Subscribe("s", [&](const WatchHub::Record& record, const WatchHub::History&) { second = record; });
  hub.Publish(Record("s", 1), Events(1, 1));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first, second);
}

TEST(WatchHubTest, ChangesWithoutHistoryArePublishedToo) {
  WatchHub hub;
  int calls = 0;
  const auto subscription =
      hub.Subscribe("s", [&](const WatchHub::Record&, const WatchHub::History& history) { calls += history->empty(); });
  hub.Publish(Record("s", 4), {});
  EXPECT_EQ(calls, 1);
}

TEST(WatchHubTest, AnEndedSubscriptionHearsNothing) {
  WatchHub hub;
  int calls = 0;
  {
    const auto subscription = hub.Subscribe("s", [&](const WatchHub::Record&, const WatchHub::History&) { ++calls; });
    EXPECT_EQ(hub.subscriptions(), 1);
  }
  hub.Publish(Record("s", 1), Events(1, 1));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(hub.subscriptions(), 0);
}

TEST(WatchHubTest, TheEndOfOneSubscriptionLeavesTheOthersOfItsSaga) {
  for (const int ends : {0, 1, 2}) {
    WatchHub hub;
    std::vector<int> calls(3);
    std::vector<WatchHub::Subscription> subscriptions;
    for (int& count : calls) {
      subscriptions.push_back(
          hub.Subscribe("s", [&count](const WatchHub::Record&, const WatchHub::History&) { ++count; }));
    }
    subscriptions[static_cast<size_t>(ends)].Cancel();
    EXPECT_EQ(hub.subscriptions(), 2);
    hub.Publish(Record("s", 1), Events(1, 1));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(calls[static_cast<size_t>(i)], i == ends ? 0 : 1) << ends;
  }
}

TEST(WatchHubTest, ACallbackMayEndItsOwnSubscription) {
  WatchHub hub;
  int calls = 0;
  WatchHub::Subscription subscription;
  subscription = hub.Subscribe("s", [&](const WatchHub::Record&, const WatchHub::History&) {
    ++calls;
    subscription.Cancel();
  });
  hub.Publish(Record("s", 1), Events(1, 1));
  hub.Publish(Record("s", 2), Events(2, 2));
  EXPECT_EQ(calls, 1);
}

TEST(WatchHubTest, ASubscriptionCanBeMoved) {
  WatchHub hub;
  int calls = 0;
  auto subscription = hub.Subscribe("s", [&](const WatchHub::Record&, const WatchHub::History&) { ++calls; });
  WatchHub::Subscription other = std::move(subscription);
  hub.Publish(Record("s", 1), Events(1, 1));
  EXPECT_EQ(calls, 1);
  other = WatchHub::Subscription();
  hub.Publish(Record("s", 2), Events(2, 2));
  EXPECT_EQ(calls, 1);
}

TEST(WatchHubTest, SubscribersComeAndGoWhileOthersPublish) {
  WatchHub hub;
  std::atomic<bool> stop{false};
  std::thread publisher([&] {
    for (int64_t sequence = 1; !stop; ++sequence) hub.Publish(Record("s", sequence), Events(sequence, sequence));
  });
  for (int round = 0; round < 200; ++round) {
    // Owned by the callback, as the contract asks: it may outlive the subscription by a moment.
    auto heard = std::make_shared<std::atomic<int64_t>>(0);
    const auto subscription = hub.Subscribe("s", [heard](const WatchHub::Record& record, const WatchHub::History&) {
      EXPECT_GT(record->last_sequence(), heard->load());
      heard->store(record->last_sequence());
    });
    while (heard->load() == 0) std::this_thread::yield();
  }
  stop = true;
  publisher.join();
  EXPECT_EQ(hub.subscriptions(), 0);
}

}  // namespace
}  // namespace tutti::effects
