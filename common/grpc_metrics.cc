#include "common/grpc_metrics.h"

#include <utility>
#include <vector>

#include "absl/strings/str_split.h"

namespace tutti {
namespace {

// From a read to a saga that is waited for.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,   0.5,   1,      2.5,   5,    10,    30,   60};

constexpr const char* kCodeNames[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
constexpr int kOk = 0;
constexpr int kUnknown = 2;

}  // namespace

GrpcMetrics::GrpcMetrics(prometheus::Registry* registry)
    : requests_(CounterFamily(kGrpcRequests, registry)),
      duration_(HistogramFamily(kGrpcDuration, registry)),
      in_flight_(GaugeFamily(kGrpcInFlight, registry)) {}

void GrpcMetrics::OnServed(absl::string_view method) {
  MutexLock lock(&mu_);
  RequestsOf(SeriesOf(method), kOk);
}

void GrpcMetrics::OnBegin(absl::string_view method) {
  MutexLock lock(&mu_);
  SeriesOf(method).in_flight->Increment();
}

void GrpcMetrics::OnEnd(absl::string_view method, int code, double seconds) {
  MutexLock lock(&mu_);
  Series& series = SeriesOf(method);
  series.in_flight->Decrement();
  series.duration->Observe(seconds);
  RequestsOf(series, code).Increment();
}

GrpcMetrics::Series& GrpcMetrics::SeriesOf(absl::string_view method) {
  const auto found = series_.find(method);
  if (found != series_.end()) return found->second;
  const std::vector<std::string> parts = absl::StrSplit(method, absl::MaxSplits('/', 1));
  Series series;
  series.labels = {{"service", parts.front()}, {"method", parts.back()}};
  series.in_flight = &in_flight_.Add(series.labels);
  series.duration = &duration_.Add(series.labels, kSeconds);
  return series_.emplace(method, std::move(series)).first->second;
}

prometheus::Counter& GrpcMetrics::RequestsOf(Series& series, int code) {
  if (code < 0 || code >= kCodes) code = kUnknown;
  prometheus::Counter*& counter = series.requests[static_cast<size_t>(code)];
  if (counter == nullptr) {
    prometheus::Labels labels = series.labels;
    labels["code"] = kCodeNames[code];
    counter = &requests_.Add(labels);
  }
  return *counter;
}

void DescribeListener(const AcceptorStatus& status, Scrape* scrape) {
  scrape->Set(kApiListening, {}, status.accepting && status.has_room ? 1 : 0);
  scrape->Set(kApiConnections, {}, static_cast<double>(status.connections));
  for (size_t i = 0; i < kConnectionRefusals; ++i) {
    scrape->Set(kApiConnectionsRefused, {{"bound", ToString(static_cast<ConnectionRefusal>(i))}},
                static_cast<double>(status.refused[i]));
  }
}

}  // namespace tutti
