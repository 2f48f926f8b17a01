#include "common/call_interceptor.h"

#include <chrono>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace tutti {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

std::vector<std::string> MethodsOf(const ServiceNames& names) {
  std::vector<std::string> methods;
  for (const std::string& name : names) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) continue;
    for (int i = 0; i < service->method_count(); ++i) {
      methods.push_back(absl::StrCat(name, "/", service->method(i)->name()));
    }
  }
  return methods;
}

// One call. gRPC makes it when the call arrives and destroys it when the call is over.
class ObservedCall final : public grpc::experimental::Interceptor {
 public:
  // `method` and `context` outlive the call.
  ObservedCall(CallObserver* observer, absl::string_view method, const grpc::ServerContextBase* context)
      : observer_(observer), method_(method), context_(context), began_(std::chrono::steady_clock::now()) {
    observer_->OnBegin(method_);
  }
  ~ObservedCall() override { End(grpc::StatusCode::CANCELLED); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      // Whatever the handler says then, nobody hears it.
      End(context_->IsCancelled() ? grpc::StatusCode::CANCELLED : methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  void End(grpc::StatusCode code) {
    if (ended_) return;
    ended_ = true;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began_;
    observer_->OnEnd(method_, static_cast<int>(code), seconds.count());
  }

  CallObserver* const observer_;
  const absl::string_view method_;
  const grpc::ServerContextBase* const context_;
  const std::chrono::steady_clock::time_point began_;
  bool ended_ = false;
};

class ObservedCallFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  ObservedCallFactory(std::shared_ptr<const ServiceNames> names, CallObserver* observer)
      : names_(std::move(names)), observer_(observer) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    std::call_once(listed_, [this] {
      for (std::string& method : MethodsOf(*names_)) methods_.insert(std::move(method));
    });
    // Clients may invent names of methods; nothing is to be kept for each of those.
    const auto method = methods_.find(absl::StripPrefix(info->method(), "/"));
    if (method == methods_.end()) return nullptr;
    return new ObservedCall(observer_, *method, info->server_context());
  }

 private:
  const std::shared_ptr<const ServiceNames> names_;
  CallObserver* const observer_;
  std::once_flag listed_;
  absl::flat_hash_set<std::string> methods_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallInterceptor(
    std::shared_ptr<const ServiceNames> names, CallObserver* observer) {
  return std::make_unique<ObservedCallFactory>(std::move(names), observer);
}

void ObserveServices(const ServiceNames& names, CallObserver* observer) {
  for (const std::string& method : MethodsOf(names)) observer->OnServed(method);
}

}  // namespace tutti
