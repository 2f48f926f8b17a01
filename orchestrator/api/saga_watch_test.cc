#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "common/grpc_status.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "orchestrator/api/service_world.h"

namespace tutti::api {
namespace {

class SagaWatchTest : public testing::Test {
 protected:
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchSagaResponse>> stream;

    // 0 at the end of the stream.
    int64_t Next() {
      v1::WatchSagaResponse message;
      return stream->Read(&message) ? message.event().sequence() : 0;
    }
    std::vector<int64_t> Rest() {
      std::vector<int64_t> sequences;
      while (const int64_t sequence = Next()) sequences.push_back(sequence);
      return sequences;
    }
    absl::Status Finish() { return FromGrpcStatus(stream->Finish()); }
  };

  std::unique_ptr<Watch> Open(const std::string& saga_id, int64_t from_sequence = 0) {
    auto watch = std::make_unique<Watch>();
    watch->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::WatchSagaRequest request;
    request.set_saga_id(saga_id);
    request.set_from_sequence(from_sequence);
    watch->stream = world_.sagas().WatchSaga(&watch->context, request);
    return watch;
  }

  void Write(storage::v1::SagaRecord* record, int events) {
    world_.router().Write(record, std::vector<v1::EventType>(events, v1::EVENT_TYPE_RETRY_SCHEDULED));
  }
  void End(storage::v1::SagaRecord* record) {
    record->set_state(v1::SAGA_STATE_COMPENSATED);
    world_.router().Write(record, {v1::EVENT_TYPE_SAGA_COMPENSATED});
  }

  static std::vector<int64_t> Range(int64_t first, int64_t last) {
    std::vector<int64_t> range;
    for (int64_t i = first; i <= last; ++i) range.push_back(i);
    return range;
  }

  ServiceWorld world_;
};

TEST_F(SagaWatchTest, AFinishedSagaIsReplayedAndTheStreamEnds) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  Write(&record, 3);
  End(&record);
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Rest(), Range(1, 5));
  EXPECT_TRUE(watch->Finish().ok());
}

TEST_F(SagaWatchTest, LiveEventsFollowTheStoredOnes) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  Write(&record, 2);
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  EXPECT_EQ(watch->Next(), 2);
  EXPECT_EQ(watch->Next(), 3);
  Write(&record, 1);
  EXPECT_EQ(watch->Next(), 4);
  Write(&record, 2);
  End(&record);
  EXPECT_EQ(watch->Rest(), Range(5, 7));
  EXPECT_TRUE(watch->Finish().ok());
}

TEST_F(SagaWatchTest, StartsAtAnySequenceTheFutureIncluded) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  Write(&record, 3);
  const auto stored = Open("b-1", 3);
  EXPECT_EQ(stored->Next(), 3);
  const auto future = Open("b-1", 6);
  ASSERT_TRUE(world_.AwaitSubscriptions(2));
  Write(&record, 3);
  End(&record);
  EXPECT_EQ(stored->Rest(), Range(4, 8));
  EXPECT_EQ(future->Rest(), Range(6, 8));
}

TEST_F(SagaWatchTest, ATerminalSagaThatIsSettlingKeepsTheStreamOpen) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  record.mutable_steps(0)->mutable_action()->add_open()->set_number(1);
  End(&record);
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  EXPECT_EQ(watch->Next(), 2);
  world_.router().Write(&record, {v1::EVENT_TYPE_LATE_RESULT});
  EXPECT_EQ(watch->Next(), 3);
  // The end of a grace changes the record and writes no history.
  record.mutable_steps(0)->mutable_action()->clear_open();
  world_.router().Write(&record, {});
  EXPECT_EQ(watch->Next(), 0);
  EXPECT_TRUE(watch->Finish().ok());
}

TEST_F(SagaWatchTest, AGapInWhatIsPublishedIsFilledFromTheStore) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  Write(&record, 1);
  EXPECT_EQ(watch->Next(), 2);
  world_.router().WriteSilently(&record, {v1::EVENT_TYPE_RETRY_SCHEDULED, v1::EVENT_TYPE_RETRY_SCHEDULED});
  Write(&record, 1);
  EXPECT_EQ(watch->Next(), 3);
  EXPECT_EQ(watch->Next(), 4);
  EXPECT_EQ(watch->Next(), 5);
  // Published once more: not written twice.
  std::vector<v1::HistoryEvent> repeated(1);
  repeated[0].set_sequence(5);
  world_.hub().Publish(record, repeated);
  End(&record);
  EXPECT_EQ(watch->Rest(), Range(6, 6));
}

TEST_F(SagaWatchTest, ASlowWatcherMissesNothing) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  // More than the buffer and the stream's own window hold while nobody reads.
  const int bursts = 40;
  for (int i = 0; i < bursts; ++i) Write(&record, static_cast<int>(limits::kWatchBufferMax));
  End(&record);
  EXPECT_EQ(watch->Rest(), Range(2, 2 + bursts * static_cast<int64_t>(limits::kWatchBufferMax)));
  EXPECT_TRUE(watch->Finish().ok());
}

TEST_F(SagaWatchTest, LongEventsAreKeptForASlowWatcherOnlySoFar) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  const std::string message(limits::kStatusMessageBytesMax, 'm');
  const int bursts = 40;
  for (int i = 0; i < bursts; ++i) {
    world_.router().Write(&record, std::vector<v1::EventType>(100, v1::EVENT_TYPE_RETRY_SCHEDULED), message);
  }
  End(&record);
  EXPECT_EQ(watch->Rest(), Range(2, 2 + bursts * 100));
  EXPECT_TRUE(watch->Finish().ok());
}

// What is beyond the buffer is not kept, but read again: that is how its bounds show.
TEST_F(SagaWatchTest, WhatABufferDoesNotHoldIsReadFromTheStore) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  int64_t last = 1;
  const auto reads_for = [&](int events, size_t bytes) {
    const int before = world_.reader().history_reads;
    world_.router().Write(&record, std::vector<v1::EventType>(events, v1::EVENT_TYPE_RETRY_SCHEDULED),
                          std::string(bytes, 'm'));
    for (int i = 0; i < events; ++i) EXPECT_EQ(watch->Next(), ++last);
    return world_.reader().history_reads - before;
  };
  const int count = static_cast<int>(limits::kWatchBufferMax);
  const size_t half = limits::kWatchBufferBytesMax / 2;
  EXPECT_EQ(reads_for(count, 0), 0) << "just fits";
  EXPECT_GT(reads_for(count + 1, 0), 0) << "one event too many";
  EXPECT_EQ(reads_for(2, half), 0) << "just fits";
  EXPECT_GT(reads_for(3, half), 0) << "one event too many for the bytes";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reads_for(1, half), 0) << "what was taken makes room, time " << i;
  End(&record);
  EXPECT_EQ(watch->Rest(), Range(last + 1, last + 1));
  EXPECT_TRUE(watch->Finish().ok());
}

TEST_F(SagaWatchTest, WatchersThatJoinWhileASagaRunsSeeEveryEventOnce) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) Write(&record, 1 + i % 3);
    End(&record);
  });
  std::vector<std::thread> watchers;
  for (int i = 0; i < 4; ++i) {
    watchers.emplace_back([this] {
      const auto watch = Open("b-1");
      const std::vector<int64_t> seen = watch->Rest();
      EXPECT_TRUE(watch->Finish().ok());
      ASSERT_FALSE(seen.empty());
      EXPECT_EQ(seen, Range(1, seen.back()));
      EXPECT_EQ(seen.back(), 4001);
    });
  }
  writer.join();
  for (std::thread& watcher : watchers) watcher.join();
}

TEST_F(SagaWatchTest, AClientThatGoesAwayIsForgotten) {
  world_.NewSaga("b-1");
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  EXPECT_TRUE(world_.AwaitSubscriptions(1));
  watch->context.TryCancel();
  EXPECT_EQ(watch->Next(), 0);
  EXPECT_TRUE(world_.AwaitSubscriptions(0));
}

TEST_F(SagaWatchTest, ADrainEndsTheStreamAfterTheEventUnderWay) {
  world_.NewSaga("b-1");
  const auto watch = Open("b-1");
  EXPECT_EQ(watch->Next(), 1);
  world_.EndWaits();
  EXPECT_EQ(watch->Next(), 0);
  const absl::Status status = watch->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
}

TEST_F(SagaWatchTest, WhatCannotBeWatchedIsRefused) {
  auto watch = Open("nobody");
  EXPECT_EQ(watch->Next(), 0);
  EXPECT_EQ(ReasonOf(watch->Finish()), "SAGA_NOT_FOUND");
  watch = Open("");
  EXPECT_EQ(watch->Next(), 0);
  EXPECT_EQ(ReasonOf(watch->Finish()), "SAGA_ID_INVALID");
  world_.NewSaga("b-1");
  watch = Open("b-1", -1);
  EXPECT_EQ(watch->Next(), 0);
  EXPECT_EQ(ReasonOf(watch->Finish()), "FIELD_INVALID");
}

}  // namespace
}  // namespace tutti::api
