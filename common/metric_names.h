// The metrics that every server of Tutti's has, and how a metric is declared. Each room with metrics of its own lists
// them in one header, as declarations of this shape. docs/metrics.md explains all of them; a test compares the three:
// header, page, and what a running stack serves.
#ifndef TUTTI_COMMON_METRIC_NAMES_H_
#define TUTTI_COMMON_METRIC_NAMES_H_

#include "prometheus/metric_type.h"

namespace tutti {

inline constexpr prometheus::MetricType kCounter = prometheus::MetricType::Counter;
inline constexpr prometheus::MetricType kGauge = prometheus::MetricType::Gauge;
inline constexpr prometheus::MetricType kHistogram = prometheus::MetricType::Histogram;
inline constexpr prometheus::MetricType kSummary = prometheus::MetricType::Summary;

// Base units, `_total` for counters. A label has few values: never a saga id.
struct MetricName {
  const char* name;
  prometheus::MetricType type;
  const char* labels;  // separated by commas
  const char* help;
};

inline constexpr MetricName kBuildInfo{"tutti_build_info", kGauge, "version, compiler", "1; the labels say what runs"};

inline constexpr MetricName kGrpcRequests{"tutti_grpc_requests_total", kCounter, "service, method, code",
                                          "Calls that this server answered"};
inline constexpr MetricName kGrpcDuration{"tutti_grpc_request_duration_seconds", kHistogram, "service, method",
                                          "From a call's arrival to its status; of streams, their whole life"};
inline constexpr MetricName kGrpcInFlight{"tutti_grpc_requests_in_flight", kGauge, "service, method",
                                          "Calls that have arrived and are not over"};

inline constexpr MetricName kApiListening{"tutti_api_listening", kGauge, "",
                                          "1 while a new connection to the gRPC port would be served"};
inline constexpr MetricName kApiConnections{"tutti_api_connections", kGauge, "", "Connections to the gRPC port"};
inline constexpr MetricName kApiConnectionsRefused{"tutti_api_connections_refused_total", kCounter, "bound",
                                                   "Connections to the gRPC port that were closed at once"};

inline constexpr MetricName kProcessCpu{"process_cpu_seconds_total", kCounter, "", "User and system time spent"};
inline constexpr MetricName kProcessMemory{"process_resident_memory_bytes", kGauge, "", "Memory that is resident"};
inline constexpr MetricName kProcessOpenFds{"process_open_fds", kGauge, "", "Open file descriptors"};
inline constexpr MetricName kProcessMaxFds{"process_max_fds", kGauge, "", "How many file descriptors may be open"};
inline constexpr MetricName kProcessStart{"process_start_time_seconds", kGauge, "",
                                          "When the process began, in seconds since the epoch"};

// Certificates: the server's own, and those that the orchestrator uses as a client of its participants.
inline constexpr MetricName kCertificateRejected{"tutti_tls_certificate_rejected", kGauge, "side, participant, kind",
                                                 "1 while what the files hold is not what is used"};
inline constexpr MetricName kCertificateNotAfter{"tutti_tls_certificate_not_after_seconds", kGauge,
                                                 "side, participant, kind",
                                                 "Until when what is used is valid, in seconds since the epoch"};

}  // namespace tutti

#endif  // TUTTI_COMMON_METRIC_NAMES_H_
