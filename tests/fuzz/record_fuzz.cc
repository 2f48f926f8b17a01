// Stored bytes in: the store's reading path and the check before recovery refuse them, or the state machine can recover
// the saga and play it on. The first byte says how participants answer, the second when clocks jump; the rest is the
// record.
#include <deque>
#include <string>
#include <utility>

#include "common/check.h"
#include "orchestrator/saga/record_check.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/view.h"
#include "tests/fuzz/shop_definition.h"
#include "tests/fuzz/target.h"

namespace {

using namespace tutti;  // NOLINT: the target is the program

constexpr char kSagaId[] = "s";
constexpr int kEventsMax = 200;

// One saga's stored bytes and nothing else.
class OneRecord final : public store::View {
 public:
  explicit OneRecord(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::StatusOr<bool> Show(store::Column, absl::string_view,
                            const std::function<void(absl::string_view)>& look) const override {
    look(bytes_);
    return true;
  }
  std::unique_ptr<store::Walk> Range(store::Column, std::string, std::string) const override { return nullptr; }

 private:
  const std::string bytes_;
};

class NoBarrier final : public saga::ParticipantTraitsSource {
 public:
  saga::ParticipantTraits TraitsOf(absl::string_view) const override { return {}; }
};

// Answers every command and fires every timer, in the order they were asked for.
class Play {
 public:
  Play(uint8_t answers, uint8_t jumps, storage::v1::SagaRecord* record)
      : answers_(answers), jumps_(jumps), record_(record), machine_({}, &traits_) {}

  void Run(const saga::Recipe& recipe) {
    queue_.push_back({.saga_id = kSagaId, .body = saga::Recovered{}});
    for (int i = 0; i < kEventsMax && !queue_.empty(); ++i) {
      saga::Event event = std::move(queue_.front());
      queue_.pop_front();
      now_ms_ += (jumps_ >> (i % 8)) & 1 ? 60'000 : 10;
      event.now_ms = now_ms_;
      event.random = static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u;
      for (saga::Effect& effect : machine_.Step(recipe, event, record_).effects) Follow(effect, i);
    }
  }

 private:
  void Follow(const saga::Effect& effect, int i) {
    if (const auto* send = std::get_if<saga::SendCommand>(&effect)) {
      const bool ok = (answers_ >> (i % 8)) & 1;
      saga::ReplyReceived reply{.attempt = send->attempt, .code = ok ? 0 : i % 2 == 0 ? 9 : 14};
      queue_.push_back({.saga_id = kSagaId, .body = std::move(reply)});
    } else if (const auto* timer = std::get_if<saga::SetTimer>(&effect)) {
      queue_.push_back({.saga_id = kSagaId, .body = saga::TimerFired{timer->timer}});
    }
  }

  const uint8_t answers_;
  const uint8_t jumps_;
  storage::v1::SagaRecord* const record_;
  const NoBarrier traits_;
  const saga::StateMachine machine_;
  std::deque<saga::Event> queue_;
  int64_t now_ms_ = 1'800'000'000'000;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const recipe = new std::shared_ptr<const saga::Recipe>(fuzz::ShopDefinition()->recipe());
  if (size < 2) return 0;
  const OneRecord view(std::string(reinterpret_cast<const char*>(data) + 2, size - 2));
  auto record = store::ReadSaga(view, kSagaId);
  if (!record.ok()) {
    TUTTI_CHECK(!record.status().message().empty(), "a refusal says what is wrong");
    return 0;
  }
  if (!saga::CheckRecord(**recipe, *record).ok()) return 0;
  Play(data[0], data[1], &*record).Run(**recipe);
  return 0;
}
