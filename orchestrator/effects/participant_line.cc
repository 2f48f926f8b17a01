#include "orchestrator/effects/participant_line.h"

#include "absl/strings/str_cat.h"

namespace tutti::effects {

ParticipantLine::ParticipantLine(ParticipantEndpoint endpoint, std::shared_ptr<HeldCertificates> certificates,
                                 std::shared_ptr<grpc::Channel> channel)
    : endpoint_(std::move(endpoint)), certificates_(std::move(certificates)), channel_(channel), stub_(channel) {}

ParticipantLine::Admission ParticipantLine::Admit(const CallPtr& call) {
  std::list<CallPtr> ended;
  MutexLock lock(&mu_);
  ended.swap(ended_);
  if (closed_) return Admission::kClosed;
  if (waiting_.empty() && MayHandOver()) {
    ++slots_used_;
    call->place = under_way_.insert(under_way_.end(), call);
    return Admission::kHandOver;
  }
  return Enqueue(call) ? Admission::kWaits : Admission::kQueueFull;
}

bool ParticipantLine::Adopt(const CallPtr& call) {
  MutexLock lock(&mu_);
  return !closed_ && Enqueue(call);
}

bool ParticipantLine::Enqueue(const CallPtr& call) {
  if (waiting_.size() >= static_cast<size_t>(endpoint_.max_queued)) return false;
  call->place = waiting_.insert(waiting_.end(), call);
  waiting_by_key_[KeyOf(call->command.saga_id, call->command.attempt)] = call;
  return true;
}

CallPtr ParticipantLine::TakeWaiting(const std::string& saga_id, const saga::AttemptId& attempt) {
  MutexLock lock(&mu_);
  const auto found = waiting_by_key_.find(KeyOf(saga_id, attempt));
  if (found == waiting_by_key_.end()) return nullptr;
  CallPtr call = std::move(found->second);
  waiting_by_key_.erase(found);
  waiting_.erase(call->place);
  return call;
}

bool ParticipantLine::TakeWaiting(const CallPtr& call) {
  MutexLock lock(&mu_);
  const auto found = waiting_by_key_.find(KeyOf(call->command.saga_id, call->command.attempt));
  if (found == waiting_by_key_.end() || found->second != call) return false;
  waiting_by_key_.erase(found);
  waiting_.erase(call->place);
  return true;
}

std::vector<CallPtr> ParticipantLine::TakeReady() {
  std::vector<CallPtr> ready;
  std::list<CallPtr> ended;
  MutexLock lock(&mu_);
  ended.swap(ended_);
  while (!waiting_.empty() && MayHandOver()) {
    CallPtr call = waiting_.front();
    std::string key = KeyOf(call->command.saga_id, call->command.attempt);
    waiting_by_key_.erase(key);
    beginning_.insert(std::move(key));
    call->queued = true;
    under_way_.splice(under_way_.end(), waiting_, waiting_.begin());
    ++slots_used_;
    ready.push_back(std::move(call));
  }
  return ready;
}

void ParticipantLine::Begun(const CallPtr& call) {
  if (!call->queued) return;
  MutexLock lock(&mu_);
  beginning_.erase(KeyOf(call->command.saga_id, call->command.attempt));
  begun_.SignalAll();
}

void ParticipantLine::AwaitBegun(const std::string& saga_id, const saga::AttemptId& attempt) {
  const std::string key = KeyOf(saga_id, attempt);
  MutexLock lock(&mu_);
  while (beginning_.contains(key)) begun_.Wait(&mu_);
}

void ParticipantLine::ReleaseSlot(Call* call) {
  if (!call->holds_slot.exchange(false)) return;
  MutexLock lock(&mu_);
  --slots_used_;
}

void ParticipantLine::Ended(Call* call) {
  const bool held_slot = call->holds_slot.exchange(false);
  MutexLock lock(&mu_);
  if (held_slot) --slots_used_;
  ended_.splice(ended_.end(), under_way_, call->place);
  if (under_way_.empty()) idle_.SignalAll();
}

std::list<CallPtr> ParticipantLine::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
  while (!beginning_.empty()) begun_.Wait(&mu_);
  waiting_by_key_.clear();
  return std::exchange(waiting_, {});
}

std::vector<CallPtr> ParticipantLine::UnderWay() const {
  MutexLock lock(&mu_);
  return {under_way_.begin(), under_way_.end()};
}

void ParticipantLine::WaitUntilNothingIsUnderWay() {
  MutexLock lock(&mu_);
  while (!under_way_.empty()) idle_.Wait(&mu_);
}

grpc_connectivity_state ParticipantLine::Connect() const {
  const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/false);
  if (state != GRPC_CHANNEL_IDLE) return state;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  int64_t not_before = connect_not_before_;
  if (now.count() < not_before) return state;
  const auto next = now + std::chrono::duration_cast<std::chrono::steady_clock::duration>(kConnectPause);
  // Whoever comes first asks.
  if (!connect_not_before_.compare_exchange_strong(not_before, next.count())) return state;
  return channel_->GetState(/*try_to_connect=*/true);
}

std::string ParticipantLine::StateName() const {
  switch (channel_->GetState(/*try_to_connect=*/false)) {
    case GRPC_CHANNEL_IDLE:
      return "IDLE";
    case GRPC_CHANNEL_CONNECTING:
      return "CONNECTING";
    case GRPC_CHANNEL_READY:
      return "READY";
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
      return "TRANSIENT_FAILURE";
    case GRPC_CHANNEL_SHUTDOWN:
      return "SHUTDOWN";
  }
  return "UNKNOWN";
}

size_t ParticipantLine::waiting() const {
  MutexLock lock(&mu_);
  return waiting_.size();
}

size_t ParticipantLine::under_way() const {
  MutexLock lock(&mu_);
  return under_way_.size();
}

std::vector<CertificateStatus> ParticipantLine::certificates() const {
  return certificates_ == nullptr ? std::vector<CertificateStatus>() : certificates_->Status();
}

void ParticipantLine::SetBearerToken(std::string token) {
  MutexLock lock(&mu_);
  bearer_token_ = std::move(token);
}

std::string ParticipantLine::bearer_token() const {
  MutexLock lock(&mu_);
  return bearer_token_;
}

std::string ParticipantLine::KeyOf(const std::string& saga_id, const saga::AttemptId& attempt) {
  return absl::StrCat(saga_id, "|", attempt.step, "|", attempt.operation, "|", attempt.number);
}

bool ParticipantLine::MayHandOver() const {
  return !closed_ && slots_used_ < endpoint_.max_in_flight && Connect() == GRPC_CHANNEL_READY;
}

}  // namespace tutti::effects
