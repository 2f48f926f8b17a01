#include "participants/sdk/command_call.h"

#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/grpc_status.h"
#include "common/logging.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "grpcpp/alarm.h"

namespace tutti::participant {
namespace {

constexpr char kBarrierTrailer[] = "tutti-barrier";
constexpr int kCrashStatus = 137;  // as a killed process shows it

// The same message always gives the same bytes within one build; maps would not without being asked.
std::string Serialize(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

std::multimap<std::string, std::string> MetadataOf(const grpc::CallbackServerContext& context) {
  std::multimap<std::string, std::string> metadata;
  for (const auto& [key, value] : context.client_metadata()) {
    metadata.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return metadata;
}

// One call that writes. Deletes itself when gRPC is done with it.
class WriteCall final : public grpc::ServerUnaryReactor {
 public:
  using Write = std::function<absl::Status(WriteView&)>;

  WriteCall(const CallHost& host, const Call& call)
      : host_(host), call_(call), begin_(std::chrono::steady_clock::now()) {
    command_.method = call.method;
    command_.reply = call.reply;
  }

  void StartCommand(Action action, Inverse inverse) {
    absl::StatusOr<CommandContext> context = ParseCommandContext(MetadataOf(*call_.context));
    if (!context.ok()) {
      answer_.status = context.status();
      return Finish();
    }
    command_context_ = *std::move(context);
    command_.request = Serialize(*call_.request);
    command_.action = std::move(action);
    command_.inverse = std::move(inverse);
    Start();
  }

  void StartWrite(Write write) {
    write_ = std::move(write);
    Start();
  }

  void OnCancel() override {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    if (waiting_) alarm_.Cancel();
  }

  void OnDone() override { delete this; }

 private:
  void Start() {
    if (host_.faults != nullptr) fault_ = host_.faults->Take(command_.method);
    if (fault_.kind() != v1::FAULT_KIND_UNSPECIFIED) {
      Log(LogLevel::kInfo, "fault hits a call",
          {{"method", command_.method}, {"fault", v1::FaultKind_Name(fault_.kind())}, {"saga_id", saga_id()}});
    }
    if (fault_.kind() == v1::FAULT_KIND_FAIL) {
      answer_.status = StatusOf(fault_);
      return Finish();
    }
    if (fault_.kind() == v1::FAULT_KIND_DELAY) return After(fault_.delay_ms(), [this] { Post(); });
    Post();
  }

  void Post() {
    if (!host_.committer->Post(
            {[this](Transaction& transaction) { return Run(transaction); }, [this] { Committed(); }})) {
      answer_.status = absl::UnavailableError("too many commands wait to be committed; try again");
      Finish();
    }
  }

  // On the committer's thread.
  bool Run(Transaction& transaction) {
    if (fault_.kind() == v1::FAULT_KIND_REFUSE) InjectRefusal();
    if (command_context_.has_value()) {
      answer_ = RunBehindBarrier(transaction, *command_context_, command_, host_.clock->WallMs());
    } else {
      answer_.status = write_(transaction);
      answer_.keep = answer_.status.ok();
    }
    if (fault_.kind() == v1::FAULT_KIND_CRASH_BEFORE_COMMIT) _exit(kCrashStatus);
    return answer_.keep;
  }

  void InjectRefusal() {
    const absl::Status refusal = FinalRefusal(StatusOf(fault_));
    if (command_.action)
      command_.action = [refusal](WriteView&, const CommandContext&, std::string*) { return refusal; };
    if (command_.inverse) command_.inverse = [refusal](WriteView&, absl::string_view) { return refusal; };
    if (write_) write_ = [refusal](WriteView&) { return refusal; };
  }

  void Committed() {
    switch (fault_.kind()) {
      case v1::FAULT_KIND_CRASH_AFTER_COMMIT:
        _exit(kCrashStatus);
      case v1::FAULT_KIND_DROP_REPLY:
        answer_ = {absl::UnavailableError("the reply was dropped by the fault switch")};
        return After(fault_.delay_ms(), [this] { Finish(); });
      case v1::FAULT_KIND_DELAY_REPLY:
        return After(fault_.delay_ms(), [this] { Finish(); });
      default:
        Finish();
    }
  }

  // Goes on after the delay, or at once when the caller has gone: nobody waits for a held reply any more then, and a
  // command that was merely delayed on its way still arrives.
  void After(int64_t delay_ms, std::function<void()> next) {
    next_ = std::move(next);
    MutexLock lock(&mutex_);
    waiting_ = true;
    const int64_t wait_ms = cancelled_ ? 0 : delay_ms;
    alarm_.Set(std::chrono::system_clock::now() + std::chrono::milliseconds(wait_ms), [this](bool) { Woken(); });
  }

  void Woken() {
    {
      MutexLock lock(&mutex_);
      waiting_ = false;
    }
    // A local, as the call may be gone before `next` returns.
    const std::function<void()> next = std::move(next_);
    next();
  }

  void Finish() {
    if (answer_.mark != Mark::kNone) {
      call_.context->AddTrailingMetadata(kBarrierTrailer, std::string(ToString(answer_.mark)));
    }
    const std::string code = absl::StatusCodeToString(answer_.status.code());
    host_.metrics->CountCommand(command_.method, operation(), answer_.mark, code,
                                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count());
    if (LogEnabled(LogLevel::kDebug)) {
      Log(LogLevel::kDebug, "call answered",
          {{"method", command_.method},
           {"saga_id", saga_id()},
           {"step", step()},
           {"operation", operation()},
           {"mark", ToString(answer_.mark)},
           {"code", code},
           {"message", answer_.status.message()}});
    }
    grpc::ServerUnaryReactor::Finish(ToGrpcStatus(WithoutFinalRefusal(answer_.status)));
  }

  // Without the casts both would refer to a temporary string.
  absl::string_view saga_id() const {
    return command_context_.has_value() ? absl::string_view(command_context_->saga_id) : absl::string_view();
  }
  absl::string_view step() const {
    return command_context_.has_value() ? absl::string_view(command_context_->step) : absl::string_view();
  }
  absl::string_view operation() const {
    return command_context_.has_value() ? ToString(command_context_->operation) : "none";
  }

  const CallHost host_;
  const Call call_;
  const std::chrono::steady_clock::time_point begin_;
  std::optional<CommandContext> command_context_;  // unset for plain writes
  Command command_;
  Write write_;
  v1::Fault fault_;
  Answer answer_;
  std::function<void()> next_;
  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_;
};

}  // namespace

grpc::ServerUnaryReactor* RunAction(const CallHost& host, const Call& call, Action action) {
  auto* reactor = new WriteCall(host, call);
  reactor->StartCommand(std::move(action), nullptr);
  return reactor;
}

grpc::ServerUnaryReactor* RunInverse(const CallHost& host, const Call& call, Inverse inverse) {
  auto* reactor = new WriteCall(host, call);
  reactor->StartCommand(nullptr, std::move(inverse));
  return reactor;
}

grpc::ServerUnaryReactor* RunWrite(const CallHost& host, const Call& call,
                                   std::function<absl::Status(WriteView& view)> write) {
  auto* reactor = new WriteCall(host, call);
  reactor->StartWrite(std::move(write));
  return reactor;
}

grpc::ServerUnaryReactor* RunRead(const CallHost& host, grpc::CallbackServerContext* context,
                                  const std::function<absl::Status(const ReadView& view)>& read) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(read(*host.db->Snapshot())));
  return reactor;
}

}  // namespace tutti::participant
