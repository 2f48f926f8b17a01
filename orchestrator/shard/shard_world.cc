#include "orchestrator/shard/shard_world.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/describe.h"

namespace tutti::shard {
namespace {

class KeyMapper final : public saga::Mapper {
 public:
  absl::StatusOr<saga::MappedRequest> MapRequest(int, v1::Operation, absl::string_view key,
                                                 const storage::v1::SagaRecord&) const override {
    return saga::MappedRequest{.bytes = std::string(key)};
  }
  saga::JudgedReply JudgeReply(int, v1::Operation, absl::string_view) const override { return {}; }
  saga::MappedOutput MapOutput(const storage::v1::SagaRecord&) const override { return {}; }
};

std::shared_ptr<const saga::Recipe> TwoSteps() {
  auto recipe = std::make_shared<saga::Recipe>();
  recipe->definition = "two-steps";
  recipe->revision = 1;
  recipe->mapper = std::make_shared<KeyMapper>();
  recipe->steps = {{.name = "charge", .participant = "payment", .compensation = saga::CommandRecipe{}},
                   {.name = "confirm", .participant = "seats", .compensation = saga::CommandRecipe{}}};
  recipe->steps[0].transitive_dependents = {1};
  recipe->steps[1].dependencies = {0};
  return recipe;
}

}  // namespace

ShardWorld::ShardWorld(bool inline_done)
    : machine_(saga::Settings{}, this),
      recipe_(TwoSteps()),
      store_(std::make_unique<store::MemoryStore>(store::MemoryStore::Options{.inline_done = inline_done})) {}

ShardContext ShardWorld::context() {
  return {.machine = &machine_,
          .recipes = this,
          .store = store_.get(),
          .reader = store_.get(),
          .sender = this,
          .timers = this,
          .publisher = this,
          .observer = this,
          .clock = &clock_,
          .hold = hold};
}

std::shared_ptr<const saga::Recipe> ShardWorld::Find(absl::string_view definition, int64_t revision) const {
  return definition == recipe_->definition && revision == recipe_->revision ? recipe_ : nullptr;
}

void ShardWorld::Send(saga::SendCommand command) {
  if (on_send) on_send(command);
  Note(absl::StrCat("send ", command.saga_id, " ", saga::Describe(command.attempt)));
}

void ShardWorld::Drop(const saga::DropCommand& command) {
  Note(absl::StrCat("drop ", command.saga_id, " ", saga::Describe(command.attempt)));
}

void ShardWorld::Set(saga::SetTimer timer) {
  Note(absl::StrCat(saga::Describe(saga::Effect(std::move(timer)))));
}

void ShardWorld::Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>&) {
  Note(absl::StrCat("publish ", record.saga_id(), " ", saga::ShortName(record.state())));
}

void ShardWorld::OnBatch(size_t events) {
  size_t largest = largest_batch_;
  while (events > largest && !largest_batch_.compare_exchange_weak(largest, events)) {
  }
}

std::vector<std::string> ShardWorld::TakeLog() {
  MutexLock lock(&mu_);
  return std::exchange(log_, {});
}

void ShardWorld::Note(std::string line) {
  MutexLock lock(&mu_);
  log_.push_back(std::move(line));
}

StartRequest ShardWorld::StartOf(std::string saga_id, std::string fingerprint) {
  return {
      .saga_id = std::move(saga_id), .fingerprint = std::move(fingerprint), .definition = "two-steps", .revision = 1};
}

saga::Event ShardWorld::ReplyTo(const std::string& saga_id, const std::string& step, v1::Operation operation,
                                int attempt, saga::StatusCode code) {
  return {
      .saga_id = saga_id,
      .body = saga::ReplyReceived{.attempt = {.step = step, .operation = operation, .number = attempt}, .code = code}};
}

}  // namespace tutti::shard
