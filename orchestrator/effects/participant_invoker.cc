#include "orchestrator/effects/participant_invoker.h"

#include <chrono>
#include <list>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/logging.h"
#include "grpc/support/time.h"
#include "orchestrator/effects/call_answer.h"
#include "orchestrator/effects/command_metadata.h"
#include "orchestrator/effects/participant_line.h"

namespace tutti::effects {
namespace {

// How long one watch for a channel's state lasts. Watches cannot be cancelled, so shutting down takes this long.
constexpr std::chrono::milliseconds kStateWatch(200);
constexpr int kWatchesPerTokenRefresh = 25;  // every 5 s

// Until a call has a connection gRPC names the channel's target instead of a peer. A target that is itself an address
// cannot be told from a peer; then this says false, which is the side where nothing leaves late: the call is cancelled,
// and its late answer lost.
bool HasLeft(const grpc::ClientContext& context, const std::string& target) {
  const std::string peer = context.peer();
  if (peer == target) return false;
  return absl::StartsWith(peer, "ipv4:") || absl::StartsWith(peer, "ipv6:") || absl::StartsWith(peer, "unix:");
}

}  // namespace

struct ParticipantInvoker::StateWatch {
  std::weak_ptr<ParticipantLine> line;
  int rounds = 0;
};

ParticipantInvoker::ParticipantInvoker(const Clock* clock, EventSink sink, Options options)
    : clock_(clock),
      sink_(std::move(sink)),
      options_(std::move(options)),
      deadlines_(clock, TimeMode::kThread, [this](const std::weak_ptr<Call>& weak, int64_t) {
        if (const CallPtr call = weak.lock()) DeadlinePassed(call);
      }) {
  state_thread_ = std::thread([this] { WatchStates(); });
}

ParticipantInvoker::~ParticipantInvoker() {
  Shutdown();
}

absl::Status ParticipantInvoker::SetParticipants(const std::vector<ParticipantEndpoint>& endpoints) {
  std::set<std::string> names;
  for (const ParticipantEndpoint& endpoint : endpoints) {
    if (absl::Status status = CheckEndpoint(endpoint); !status.ok()) return status;
    if (!names.insert(endpoint.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("participant \"", endpoint.name, "\" is there twice"));
    }
  }
  MutexLock replace_lock(&replace_mu_);
  if (shut_down_) return absl::CancelledError("the invoker is shutting down");
  std::map<std::string, LinePtr> lines;
  std::vector<LinePtr> fresh;
  for (const ParticipantEndpoint& endpoint : endpoints) {
    const LinePtr present = FindLine(endpoint.name);
    if (present != nullptr && present->endpoint() == endpoint) {
      lines[endpoint.name] = present;
      continue;
    }
    auto certificates = HoldCertificates(endpoint);
    if (!certificates.ok()) return certificates.status();
    auto channel = MakeChannel(endpoint, certificates->get());
    fresh.push_back(std::make_shared<ParticipantLine>(endpoint, *std::move(certificates), std::move(channel)));
    RefreshToken(fresh.back());
    lines[endpoint.name] = fresh.back();
  }
  std::erase_if(retired_, [](const LinePtr& line) { return line->under_way() == 0; });
  std::vector<CallPtr> orphans;
  {
    // Drop holds the same lock, so no waiting command is out of its sight while it moves.
    MutexLock lock(&mu_);
    lines_.swap(lines);
    for (const auto& [name, old_line] : lines) {
      const auto successor = lines_.find(name);
      if (successor != lines_.end() && successor->second == old_line) continue;
      retired_.push_back(old_line);
      std::list<CallPtr> waiting = old_line->Close();
      At(InvokerSeam::kMoving);
      for (CallPtr& call : waiting) {
        if (successor == lines_.end() || !successor->second->Adopt(call)) orphans.push_back(std::move(call));
      }
    }
  }
  for (const LinePtr& line : fresh) {
    WatchState(line);
    Pump(line);
  }
  for (const CallPtr& call : orphans) {
    TellNotSent(call->command, absl::StrCat("participant \"", call->command.participant,
                                            "\" was removed from the configuration, or its new queue is full"));
  }
  return absl::OkStatus();
}

ParticipantInvoker::LinePtr ParticipantInvoker::FindLine(const std::string& participant) const {
  MutexLock lock(&mu_);
  const auto found = lines_.find(participant);
  return found == lines_.end() ? nullptr : found->second;
}

void ParticipantInvoker::Send(saga::SendCommand command) {
  const CallPtr call(new Call(std::move(command)));  // its own block, so that deadlines do not keep the call's memory
  const LinePtr line = FindLine(call->command.participant);
  if (line == nullptr) {
    TellNotSent(call->command, absl::StrCat("participant \"", call->command.participant, "\" is not configured"));
    return;
  }
  switch (line->Admit(call)) {
    case ParticipantLine::Admission::kHandOver:
      HandOver(line, call);
      return;
    case ParticipantLine::Admission::kWaits:
      deadlines_.Add(call, call->command.timeout_ms);
      // The channel may have become READY after Admit looked and before the call was in the queue.
      Pump(line);
      return;
    case ParticipantLine::Admission::kQueueFull:
      TellNotSent(call->command, absl::StrCat("participant \"", line->endpoint().name, "\" at ",
                                              line->endpoint().target, ": its queue of ", line->endpoint().max_queued,
                                              " commands is full, channel ", line->StateName()));
      return;
    case ParticipantLine::Admission::kClosed:
      TellNotSent(call->command, absl::StrCat("participant \"", line->endpoint().name, "\" is being replaced"));
      return;
  }
}

void ParticipantInvoker::HandOver(const LinePtr& line, const CallPtr& call) {
  saga::SendCommand& command = call->command;
  const auto metadata = CommandMetadata(command, clock_->WallMs() + command.timeout_ms, line->bearer_token());
  if (!metadata.ok()) {
    TellNotSent(command, metadata.status().message());
    line->Begun(call);
    line->Ended(call.get());
    return;
  }
  call->line = line;
  for (const auto& [key, value] : *metadata) call->context.AddMetadata(key, value);
  const gpr_timespec lifetime = gpr_time_from_millis(command.timeout_ms + command.grace_ms, GPR_TIMESPAN);
  call->context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), lifetime));
  const grpc::Slice bytes(command.request);
  call->request = grpc::ByteBuffer(&bytes, 1);
  command.request.clear();
  command.request.shrink_to_fit();
  call->handed_over_ms = clock_->MonotonicMs();
  deadlines_.Add(call, command.timeout_ms);
  line->stub().UnaryCall(&call->context, absl::StrCat("/", command.method), grpc::StubOptions(), &call->request,
                         &call->reply, [this, raw = call.get()](const grpc::Status& status) { Finished(raw, status); });
  call->started = true;
  line->Begun(call);
}

void ParticipantInvoker::Pump(const LinePtr& line) {
  for (const CallPtr& call : line->TakeReady()) {
    At(InvokerSeam::kHandingOver);
    HandOver(line, call);
  }
}

void ParticipantInvoker::Finished(Call* call, const grpc::Status& status) {
  LinePtr line = call->line.lock();
  const int64_t elapsed_ms = clock_->MonotonicMs() - call->handed_over_ms;
  const int64_t lifetime_ms = call->command.timeout_ms + call->command.grace_ms;
  const bool own_deadline = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && elapsed_ms >= lifetime_ms;
  if (own_deadline) {
    // The end of the grace says nothing new about the attempt; its timeout, should its clock be late, still does.
    TellTimedOut(call);
  } else {
    call->over = true;
    CallAnswer answer = AnswerOf(status, &call->reply);
    if (options_.on_reply) options_.on_reply(line->endpoint().name, answer.status.error_code(), elapsed_ms);
    saga::ReplyReceived reply;
    reply.attempt = call->command.attempt;
    reply.code = static_cast<int>(answer.status.error_code());
    reply.message = StatusMessage(answer.status.error_message());
    reply.reply = std::move(answer.reply);
    reply.mark = MarkOf(call->context);
    reply.pushback_ms = PushbackOf(call->context, status);
    reply.elapsed_ms = elapsed_ms;
    Post(call->command, std::move(reply));
  }
  call->reply.Clear();
  line->ReleaseSlot(call);
  Pump(line);
  // After this Shutdown may return and the invoker be gone, unless Pump started more, which keeps it waiting.
  ParticipantLine* const kept = line.get();
  line.reset();
  kept->Ended(call);
}

void ParticipantInvoker::DeadlinePassed(const CallPtr& call) {
  if (const LinePtr current = TakeWaiting(call)) {
    TellNotSent(call->command,
                absl::StrCat("participant \"", current->endpoint().name, "\" at ", current->endpoint().target,
                             " was not ready within ", call->command.timeout_ms, " ms: channel ", current->StateName(),
                             current->StateName() == "READY" ? ", no free slot" : ""));
    return;
  }
  // The clock of the wait may ring after a hand-over: then it is too early for the attempt timeout.
  if (call->handed_over_ms < 0 || clock_->MonotonicMs() < call->handed_over_ms + call->command.timeout_ms) return;
  if (call->over) return;
  const LinePtr line = call->line.lock();
  if (line == nullptr) return;
  if (!call->started || !HasLeft(call->context, line->endpoint().target)) call->context.TryCancel();
  TellTimedOut(call.get());
  line->ReleaseSlot(call.get());
  Pump(line);
}

void ParticipantInvoker::TellTimedOut(Call* call) {
  if (call->over.exchange(true)) return;
  Post(call->command, saga::AttemptTimedOut{call->command.attempt});
}

void ParticipantInvoker::TellNotSent(const saga::SendCommand& command, absl::string_view message) {
  if (options_.on_not_sent) options_.on_not_sent(command.participant);
  Post(command, saga::NotSent{command.attempt, StatusMessage(message)});
}

void ParticipantInvoker::At(InvokerSeam seam) const {
  if (options_.at_seam) options_.at_seam(seam);
}

template <typename Body>
void ParticipantInvoker::Post(const saga::SendCommand& command, Body body) {
  if (shut_down_) return;
  saga::Event event;
  event.saga_id = command.saga_id;
  event.saga_uid = command.saga_uid;
  event.now_ms = clock_->WallMs();
  event.body = std::move(body);
  sink_(std::move(event));
}

// Under the lock that SetParticipants moves waiting commands with, so that none is missed on its way.
ParticipantInvoker::LinePtr ParticipantInvoker::TakeWaiting(const CallPtr& call) {
  MutexLock lock(&mu_);
  const auto line = lines_.find(call->command.participant);
  if (line == lines_.end()) return nullptr;
  At(InvokerSeam::kTaking);
  if (!line->second->TakeWaiting(call)) return nullptr;
  return line->second;
}

void ParticipantInvoker::Drop(const saga::DropCommand& command) {
  LinePtr line;
  CallPtr call;
  {
    MutexLock lock(&mu_);
    const auto found = lines_.find(command.participant);
    if (found == lines_.end()) return;
    line = found->second;
    At(InvokerSeam::kTaking);
    call = line->TakeWaiting(command.saga_id, command.attempt);
  }
  if (call != nullptr) return TellNotSent(call->command, "dropped before hand-over: the saga aborted");
  // Another thread may hold it between queue and transport; once that is over it was handed over before this Drop
  // ended.
  line->AwaitBegun(command.saga_id, command.attempt);
}

void ParticipantInvoker::WatchState(const LinePtr& line) {
  const grpc_connectivity_state state = line->Connect();
  line->channel().NotifyOnStateChange(state, std::chrono::system_clock::now() + kStateWatch, &states_,
                                      new StateWatch{line});
}

void ParticipantInvoker::WatchStates() {
  void* tag = nullptr;
  bool changed = false;
  while (states_.Next(&tag, &changed)) {
    std::unique_ptr<StateWatch> watch(static_cast<StateWatch*>(tag));
    const LinePtr line = watch->line.lock();
    if (line == nullptr) continue;
    if (++watch->rounds % kWatchesPerTokenRefresh == 0) RefreshToken(line);
    const grpc_connectivity_state state = line->Connect();
    Pump(line);
    MutexLock lock(&mu_);  // a completion queue that is shutting down takes no new watch
    const auto found = lines_.find(line->endpoint().name);
    if (shut_down_ || found == lines_.end() || found->second != line) continue;
    line->channel().NotifyOnStateChange(state, std::chrono::system_clock::now() + kStateWatch, &states_,
                                        watch.release());
  }
}

void ParticipantInvoker::RefreshToken(const LinePtr& line) {
  if (line->endpoint().bearer_token_file.empty()) return;
  auto token = ReadBearerToken(line->endpoint());
  if (token.ok()) {
    line->SetBearerToken(*std::move(token));
  } else {
    Log(LogLevel::kWarning, "cannot refresh a participant's bearer token; the old one stays in use",
        {{"participant", line->endpoint().name}, {"error", token.status().message()}});
  }
}

std::vector<ParticipantStatus> ParticipantInvoker::Status() const {
  std::vector<ParticipantStatus> all;
  MutexLock lock(&mu_);
  for (const auto& [name, line] : lines_) {
    all.push_back({name, line->StateName(), line->waiting(), line->under_way(), line->certificates()});
  }
  return all;
}

void ParticipantInvoker::Shutdown() {
  MutexLock replace_lock(&replace_mu_);
  std::vector<LinePtr> all = std::exchange(retired_, {});
  {
    MutexLock lock(&mu_);
    if (shut_down_.exchange(true)) return;
    for (const auto& [name, line] : lines_) all.push_back(line);
    lines_.clear();
    states_.Shutdown();
  }
  for (const LinePtr& line : all) {
    line->Close();
    for (const CallPtr& call : line->UnderWay()) call->context.TryCancel();
  }
  for (const LinePtr& line : all) line->WaitUntilNothingIsUnderWay();
  deadlines_.Stop();
  state_thread_.join();
}

}  // namespace tutti::effects
