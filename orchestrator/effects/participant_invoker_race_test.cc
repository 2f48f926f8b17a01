// Interleavings of Drop, of a passing deadline and of a reload with a command on its way. Each test stops one thread in
// the seam and lets another act there. What must not get through is given kPause to do so: longer waiting could only
// make a broken invoker fail more surely, it never fails a sound one.
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/effects/invoker_testing.h"
#include "orchestrator/effects/participant_invoker.h"

namespace tutti::effects {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kPause(300);
constexpr int64_t kWaitMs = 50;

// Monotonic time that stands still until it is told to jump.
class JumpClock final : public Clock {
 public:
  int64_t WallMs() const override { return 1'700'000'000'000 + now_ms_; }
  int64_t MonotonicMs() const override { return now_ms_; }
  void Jump(int64_t by_ms) { now_ms_ += by_ms; }

 private:
  std::atomic<int64_t> now_ms_{1'000};
};

bool Ended(const std::future<void>& other, std::chrono::milliseconds within) {
  return other.wait_for(within) == std::future_status::ready;
}

class ParticipantInvokerRaceTest : public testing::Test {
 protected:
  struct Moment {
    std::function<void()> act;
    std::atomic<bool> reached{false};
  };

  ParticipantInvokerRaceTest() {
    ParticipantInvoker::Options options;
    options.at_seam = [this](InvokerSeam seam) {
      Moment& moment = moments_[static_cast<size_t>(seam)];
      if (moment.act && !moment.reached.exchange(true)) moment.act();
    };
    invoker_ = std::make_unique<ParticipantInvoker>(&clock_, log_.sink(), options);
    EXPECT_TRUE(invoker_->SetParticipants({Endpoint(old_port_)}).ok());
  }
  ~ParticipantInvokerRaceTest() override {
    if (other_.valid()) other_.wait();
    invoker_->Shutdown();
  }

  // The first thread to come to the seam does this there. To be called before any thread can.
  void At(InvokerSeam seam, std::function<void()> act) { moments_[static_cast<size_t>(seam)].act = std::move(act); }
  void OnAnotherThread(std::function<void()> act) { other_ = std::async(std::launch::async, std::move(act)); }
  // As SIGHUP does. Nobody listens at the new place, so whatever is not dropped waits there.
  void Reload() { EXPECT_TRUE(invoker_->SetParticipants({Endpoint(new_port_)}).ok()); }

  // One whose time to wait ends with the clock's jump; short, because the clock is looked at in real intervals of it.
  static saga::SendCommand Waiting() {
    saga::SendCommand command = Command();
    command.timeout_ms = kWaitMs;
    return command;
  }

  void ExpectDropped() {
    ASSERT_EQ(log_.size(), 1u) << "the command was out of Drop's sight and still waits to be sent";
    EXPECT_THAT(log_.NextOf<saga::NotSent>().message, HasSubstr("dropped"));
    EXPECT_EQ(invoker_->Status().at(0).waiting, 0u);
  }

  const int old_port_ = DeadPort();
  const int new_port_ = DeadPort();
  JumpClock clock_;
  EventLog log_;
  FakeParticipant participant_;
  std::array<Moment, 3> moments_;
  std::unique_ptr<ParticipantInvoker> invoker_;
  std::future<void> other_;
};

TEST_F(ParticipantInvokerRaceTest, ADropFindsACommandThatAReloadIsMoving) {
  At(InvokerSeam::kMoving, [this] {
    OnAnotherThread([this] { invoker_->Drop(DropOf(Command())); });
    Ended(other_, kPause);
  });
  invoker_->Send(Command());
  Reload();
  other_.get();
  ExpectDropped();
}

TEST_F(ParticipantInvokerRaceTest, AReloadTakesNoCommandAwayFromADropThatLooksForIt) {
  At(InvokerSeam::kTaking, [this] {
    OnAnotherThread([this] { Reload(); });
    Ended(other_, kPause);
  });
  invoker_->Send(Command());
  invoker_->Drop(DropOf(Command()));
  other_.get();
  ExpectDropped();
}

TEST_F(ParticipantInvokerRaceTest, ADeadlineFindsACommandThatAReloadIsMoving) {
  std::promise<void> looked;
  const std::future<void> look = looked.get_future();
  At(InvokerSeam::kTaking, [&] { looked.set_value(); });
  At(InvokerSeam::kMoving, [&] {
    clock_.Jump(kWaitMs);
    Ended(look, kPause);
  });
  invoker_->Send(Waiting());
  Reload();
  EXPECT_THAT(log_.NextOf<saga::NotSent>().message, HasSubstr("was not ready within"));
}

TEST_F(ParticipantInvokerRaceTest, AReloadTakesNoCommandAwayFromItsDeadline) {
  At(InvokerSeam::kTaking, [this] {
    OnAnotherThread([this] { Reload(); });
    Ended(other_, kPause);
  });
  invoker_->Send(Waiting());
  clock_.Jump(kWaitMs);
  EXPECT_THAT(log_.NextOf<saga::NotSent>().message, HasSubstr("was not ready within"));
}

// A command on its way from the queue to gRPC, whose thread stops there until Go.
class HandOverRaceTest : public ParticipantInvokerRaceTest {
 protected:
  void StopOnTheWay() {
    At(InvokerSeam::kHandingOver, [this] {
      stopped_.set_value();
      go_.get_future().wait();
    });
    invoker_->Send(Command());
    participant_.Start(old_port_);
    ASSERT_EQ(stopped_.get_future().wait_for(kBound), std::future_status::ready);
  }
  void Go() {
    if (!std::exchange(gone_, true)) go_.set_value();
  }
  ~HandOverRaceTest() override { Go(); }

  // After the Drop its saga may go on as aborted: then nothing may be handed over any more.
  void ExpectThatNothingPassesIt() {
    EXPECT_FALSE(Ended(other_, kPause)) << "Drop returned, and the command it missed is handed over only now";
    Go();
    ASSERT_TRUE(Ended(other_, kBound));
    EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
    EXPECT_EQ(participant_.calls(), 1);
  }

 private:
  std::promise<void> stopped_;
  std::promise<void> go_;
  bool gone_ = false;
};

TEST_F(HandOverRaceTest, ADropWaitsForACommandOnItsWay) {
  StopOnTheWay();
  OnAnotherThread([this] { invoker_->Drop(DropOf(Command())); });
  ExpectThatNothingPassesIt();
}

TEST_F(HandOverRaceTest, ADropWaitsForACommandOnItsWayOverAReplacedLine) {
  StopOnTheWay();
  OnAnotherThread([this] {
    Reload();
    invoker_->Drop(DropOf(Command()));
  });
  ExpectThatNothingPassesIt();
}

TEST_F(HandOverRaceTest, ADropWaitsForACommandOnItsWayToARemovedParticipant) {
  StopOnTheWay();
  OnAnotherThread([this] {
    EXPECT_TRUE(invoker_->SetParticipants({}).ok());
    invoker_->Drop(DropOf(Command()));
  });
  ExpectThatNothingPassesIt();
}

}  // namespace
}  // namespace tutti::effects
