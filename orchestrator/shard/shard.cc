#include "orchestrator/shard/shard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"

namespace tutti::shard {
namespace {

constexpr int64_t kFullMailboxRetryMs = 200;
constexpr size_t kRecoveryCommitsMax = 2;

size_t BytesOf(const saga::CancelRequested& word) {
  return word.reason.size() + word.by.size();
}

size_t BytesOf(const saga::RetryRequested& word) {
  size_t bytes = word.reason.size() + word.by.size();
  for (const saga::ParkingRef& parking : word.parkings) bytes += sizeof(parking) + parking.step.size();
  return bytes;
}

size_t BytesOf(const saga::ResolveRequested& word) {
  return word.reason.size() + word.by.size() + (word.reply.has_value() ? word.reply->size() : 0);
}

// What clients decide the size of.
size_t BytesOf(const Message& message) {
  if (const auto* start = std::get_if<StartMessage>(&message)) {
    size_t bytes = start->request.input.size() + start->request.validation.message().size();
    for (const auto& [key, value] : start->request.labels) bytes += key.size() + value.size();
    return bytes;
  }
  const auto* word = std::get_if<WordMessage>(&message);
  return word == nullptr ? 0 : std::visit([](const auto& body) { return BytesOf(body); }, word->word);
}

}  // namespace

Shard::Shard(const ShardContext& context, SlotRange slots, uint64_t seed,
             std::function<void(const absl::Status&)> on_fatal, std::function<void()> on_post)
    : slots_(slots),
      observer_(context.observer),
      on_post_(std::move(on_post)),
      core_(
          context, seed, [this](Message message) { Post(std::move(message)); },
          [this, on_fatal = std::move(on_fatal)](const absl::Status& detail) {
            {
              MutexLock lock(&mu_);
              failed_ = true;
            }
            on_fatal(detail);
          }) {}

Shard::~Shard() {
  Stop();
}

absl::Status Shard::Start() {
  absl::Status status = RecoverWith([this] { AwaitCommits(); });
  if (status.ok()) thread_ = std::thread([this] { Loop(); });
  return status;
}

absl::Status Shard::RecoverWith(const std::function<void()>& breathe) {
  absl::Status status = core_.Recover(slots_.first, slots_.end, breathe);
  if (!status.ok()) return status;
  MutexLock lock(&mu_);
  takes_requests_ = true;
  commits_in_flight_ = core_.commits_in_flight();
  resident_bytes_ = core_.resident_bytes();
  return absl::OkStatus();
}

// Whatever comes before is of sagas that were taken up already: nothing was sent for the others.
void Shard::AwaitCommits() {
  while (core_.commits_in_flight() > kRecoveryCommitsMax) {
    {
      MutexLock lock(&mu_);
      while (events_.empty()) wake_.Wait(&mu_);
    }
    core_.Process(TakeBatch(limits::kShardBatchMax));
  }
}

bool Shard::Work(size_t messages_max) {
  std::vector<Message> batch = TakeBatch(messages_max);
  if (!batch.empty()) Process(std::move(batch));
  MutexLock lock(&mu_);
  return !events_.empty() || !requests_.empty();
}

void Shard::Post(Message message) {
  MutexLock lock(&mu_);
  events_.push_back({std::move(message), std::chrono::steady_clock::now()});
  Announce();
}

// Under the lock: with its last commit heard of, a shard that is told to stop may be gone once this lock is free.
void Shard::Announce() {
  wake_.Signal();
  if (on_post_) on_post_();
}

void Shard::PostEvent(saga::Event event) {
  Post(std::move(event));
}

absl::Status Shard::PostRequest(Message message) {
  MutexLock lock(&mu_);
  if (!takes_requests_) {
    return WithReason(
        WithRetryDelay(absl::UnavailableError("the orchestrator is shutting down; try again"), kFullMailboxRetryMs),
        "SHUTTING_DOWN");
  }
  const size_t bytes = BytesOf(message);
  if (requests_.size() >= limits::kMailboxRequestsMax || bytes > limits::kMailboxBytesMax - request_bytes_) {
    ++refused_;
    return WithReason(
        WithRetryDelay(absl::ResourceExhaustedError(absl::StrCat(requests_.size(), " requests of ", request_bytes_,
                                                                 " bytes wait already; try again later")),
                       kFullMailboxRetryMs),
        "MAILBOX_FULL");
  }
  request_bytes_ += bytes;
  requests_.push_back({std::move(message), std::chrono::steady_clock::now(), bytes});
  Announce();
  return absl::OkStatus();
}

void Shard::StopRequests() {
  MutexLock lock(&mu_);
  takes_requests_ = false;
}

bool Shard::AwaitQuiet(int64_t timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  MutexLock lock(&mu_);
  ++quiet_waiters_;
  quiet_ = false;
  wake_.Signal();
  while (!quiet_ && quiet_changed_.WaitUntil(&mu_, deadline)) {
  }
  --quiet_waiters_;
  return quiet_;
}

void Shard::Stop() {
  {
    MutexLock lock(&mu_);
    takes_requests_ = false;
    stopping_ = true;
    wake_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

MailboxStatus Shard::mailbox() const {
  MutexLock lock(&mu_);
  MailboxStatus status{
      .messages = events_.size() + requests_.size(), .refused = refused_, .resident_bytes = resident_bytes_};
  const auto now = std::chrono::steady_clock::now();
  for (const std::deque<Posted>* queue : {&events_, &requests_}) {
    if (queue->empty()) continue;
    status.oldest_seconds =
        std::max(status.oldest_seconds, std::chrono::duration<double>(now - queue->front().at).count());
  }
  return status;
}

std::vector<Message> Shard::TakeBatch(size_t messages_max) {
  std::vector<Message> batch;
  std::vector<double> waits;
  {
    MutexLock lock(&mu_);
    const auto now = std::chrono::steady_clock::now();
    for (std::deque<Posted>* queue : {&events_, &requests_}) {
      while (!queue->empty() && batch.size() < messages_max) {
        waits.push_back(std::chrono::duration<double>(now - queue->front().at).count());
        batch.push_back(TakeFirst(queue));
      }
    }
  }
  observer_->OnMailboxWaits(waits);
  return batch;
}

Message Shard::TakeFirst(std::deque<Posted>* queue) {
  Message message = std::move(queue->front().message);
  request_bytes_ -= queue->front().bytes;
  queue->pop_front();
  return message;
}

bool Shard::AwaitMessages() {
  MutexLock lock(&mu_);
  while (events_.empty() && requests_.empty()) {
    if (stopping_ && (commits_in_flight_ == 0 || failed_)) return false;
    if (quiet_waiters_ > 0 && commits_in_flight_ == 0 && !core_.HasAwaitedAttempts()) {
      quiet_ = true;
      quiet_changed_.SignalAll();
    }
    wake_.Wait(&mu_);
  }
  return true;
}

void Shard::Process(std::vector<Message> batch) {
  core_.Process(std::move(batch));
  MutexLock lock(&mu_);
  commits_in_flight_ = core_.commits_in_flight();
  resident_bytes_ = core_.resident_bytes();
}

void Shard::Loop() {
  while (AwaitMessages()) Process(TakeBatch(limits::kShardBatchMax));
}

}  // namespace tutti::shard
