#include "common/metrics.h"

#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/exposer.h"

namespace tutti {
namespace {

class ExposerListener final : public MetricsListener {
 public:
  ExposerListener(std::unique_ptr<prometheus::Exposer> exposer, std::shared_ptr<prometheus::Registry> registry)
      : registry_(std::move(registry)), exposer_(std::move(exposer)), port_(exposer_->GetListeningPorts().front()) {
    exposer_->RegisterCollectable(registry_);
  }
  int port() const override { return port_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;  // the exposer holds it weakly
  const std::unique_ptr<prometheus::Exposer> exposer_;
  const int port_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsListener>> MetricsListener::Start(
    const std::string& address, std::shared_ptr<prometheus::Registry> registry) {
  // The library reports a port in use by an exception of its HTTP server.
  try {
    auto exposer =
        std::make_unique<prometheus::Exposer>(std::vector<std::string>{"listening_ports", address, "num_threads", "2"});
    if (exposer->GetListeningPorts().empty()) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for metrics"));
    }
    return std::make_unique<ExposerListener>(std::move(exposer), std::move(registry));
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for metrics: ", e.what()));
  }
}

}  // namespace tutti
