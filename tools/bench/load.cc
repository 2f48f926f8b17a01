#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/mutex.h"
#include "tools/bench/latencies.h"
#include "tools/bench/roles.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::bench {
namespace {

using Clock = std::chrono::steady_clock;

// One connection carries about 100 calls at once; more clients than that share several.
constexpr int kClientsPerChannel = 64;
constexpr auto kCallTimeout = std::chrono::seconds(60);

struct Window {
  Clock::time_point begin;  // answers before it are warm-up
  Clock::time_point end;    // no call starts after it
};

// A closed loop: the next call starts when the answer is there.
class Client {
 public:
  Client(tutti::v1::SagaService::Stub* stub, const LoadOptions& options, int index, Window window,
         std::function<void()> finished)
      : stub_(stub), options_(options), index_(index), window_(window), finished_(std::move(finished)) {}

  void Next() {
    const Clock::time_point now = Clock::now();
    if (now >= window_.end) return finished_();
    tutti::v1::RunSagaRequest& request = request_;
    request.set_saga_id(absl::StrCat(options_.run_id, "-", index_, "-", ++count_));
    request.set_definition(options_.definition);
    request.set_wait_until(tutti::v1::WAIT_UNTIL_FINISHED);
    (*request.mutable_input()->mutable_fields())["reference"].set_string_value(request.saga_id());
    began_ = now;
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    response_.Clear();
    stub_->async()->RunSaga(context_.get(), &request_, &response_, [this](grpc::Status status) { Answered(status); });
  }

  const Latencies& latencies() const { return latencies_; }
  int failures() const { return failures_; }
  const std::string& failure() const { return failure_; }

 private:
  void Answered(const grpc::Status& status) {
    const Clock::time_point now = Clock::now();
    if (!status.ok() || response_.saga().state() != tutti::v1::SAGA_STATE_SUCCEEDED) {
      ++failures_;
      failure_ = status.ok() ? response_.saga().ShortDebugString() : status.error_message();
    } else if (now >= window_.begin && now < window_.end) {
      latencies_.Add(std::chrono::duration_cast<std::chrono::microseconds>(now - began_).count());
    }
    Next();
  }

  tutti::v1::SagaService::Stub* const stub_;
  const LoadOptions& options_;
  const int index_;
  const Window window_;
  const std::function<void()> finished_;
  std::unique_ptr<grpc::ClientContext> context_;
  tutti::v1::RunSagaRequest request_;
  tutti::v1::RunSagaResponse response_;
  Clock::time_point began_;
  int64_t count_ = 0;
  Latencies latencies_;
  int failures_ = 0;
  std::string failure_;
};

Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::shared_ptr<grpc::Channel> NewChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

int Report(const LoadOptions& options, const std::vector<std::unique_ptr<Client>>& clients) {
  Latencies all;
  int failures = 0;
  for (const auto& client : clients) {
    all.Merge(client->latencies());
    failures += client->failures();
    if (client->failures() > 0) std::fprintf(stderr, "tutti-bench: %s\n", client->failure().c_str());
  }
  std::printf("%s\n", absl::StrFormat(R"({"per_s":%.1f,"p50_ms":%.3f,"p99_ms":%.3f,"clients":%d,"failures":%d})",
                                      static_cast<double>(all.count()) / options.seconds, all.PercentileMs(50),
                                      all.PercentileMs(99), options.clients, failures)
                          .c_str());
  return failures == 0 && all.count() > 0 ? 0 : 1;
}

}  // namespace

int RunLoad(const LoadOptions& options) {
  std::vector<std::unique_ptr<tutti::v1::SagaService::Stub>> stubs;
  for (int first = 0; first < options.clients; first += kClientsPerChannel) {
    stubs.push_back(tutti::v1::SagaService::NewStub(NewChannel(options.target)));
  }
  Window window;
  window.begin = Clock::now() + Seconds(options.warmup_seconds);
  window.end = window.begin + Seconds(options.seconds);
  Mutex mu;
  CondVar all_finished;
  int running = options.clients;
  std::vector<std::unique_ptr<Client>> clients;
  for (int index = 0; index < options.clients; ++index) {
    clients.push_back(std::make_unique<Client>(stubs[index % stubs.size()].get(), options, index, window, [&] {
      MutexLock lock(&mu);
      if (--running == 0) all_finished.Signal();
    }));
  }
  for (const auto& client : clients) client->Next();
  {
    MutexLock lock(&mu);
    while (running > 0) all_finished.Wait(&mu);
  }
  return Report(options, clients);
}

}  // namespace tutti::bench
