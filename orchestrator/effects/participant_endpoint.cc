#include "orchestrator/effects/participant_endpoint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/certificates.h"
#include "common/limits.h"
#include "common/read_file.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/support/channel_arguments.h"
#include "orchestrator/effects/target.h"

namespace tutti::effects {
namespace {

constexpr size_t kHostBytesMax = 253;      // of DNS; TLS has one byte for the length, and gRPC aborts on more
constexpr int kConnectTimeoutMs = 20'000;  // gRPC's own: TCP, TLS and the first frames, at any distance

std::shared_ptr<grpc::ChannelCredentials> MakeCredentials(const ParticipantEndpoint& endpoint,
                                                          const HeldCertificates* certificates) {
  if (!endpoint.UsesTls()) return grpc::InsecureChannelCredentials();
  if (certificates == nullptr) return grpc::SslCredentials(grpc::SslCredentialsOptions());
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(certificates->NewProvider());
  if (!endpoint.ca_file.empty()) options.watch_root_certs();
  if (!endpoint.certificate_file.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

std::vector<EndpointMistake> MistakesOf(const ParticipantEndpoint& endpoint) {
  std::vector<EndpointMistake> mistakes;
  const auto add = [&mistakes](const char* setting, absl::string_view what) {
    mistakes.push_back({setting, std::string(what)});
  };
  if (const std::string mistake = TargetMistake(endpoint.target); !mistake.empty()) add("target", mistake);
  if (endpoint.certificate_file.empty() != endpoint.private_key_file.empty()) {
    add("tls", "certificate_file and private_key_file go together; give both or none");
  }
  const auto add_of_file = [&](const char* setting, const std::string& mistake) {
    if (!mistake.empty()) add(setting, mistake);
  };
  if (!endpoint.ca_file.empty()) add_of_file("tls.ca_file", CertificateMistake(endpoint.ca_file));
  if (!endpoint.certificate_file.empty()) {
    add_of_file("tls.certificate_file", CertificateMistake(endpoint.certificate_file));
  }
  if (!endpoint.private_key_file.empty()) {
    add_of_file("tls.private_key_file", PrivateKeyMistake(endpoint.private_key_file, endpoint.certificate_file));
  }
  if (!endpoint.bearer_token_file.empty() && !endpoint.UsesTls()) {
    add("bearer_token_file", "needs tls: the token would travel in the clear");
  } else if (const auto token = ReadBearerToken(endpoint); !token.ok()) {
    add("bearer_token_file", token.status().message());
  }
  if (endpoint.server_name.size() > kHostBytesMax) {
    add("tls.server_name",
        absl::StrCat("has ", endpoint.server_name.size(), " bytes, a host name at most ", kHostBytesMax));
  }
  if (endpoint.max_in_flight < 1 || endpoint.max_in_flight > limits::kConcurrencyMax) {
    add("concurrency", absl::StrCat("must be a whole number from 1 to ", limits::kConcurrencyMax));
  }
  if (endpoint.load_balancing != "pick_first" && endpoint.load_balancing != "round_robin") {
    add("load_balancing", "must be pick_first or round_robin");
  }
  return mistakes;
}

absl::Status CheckEndpoint(const ParticipantEndpoint& endpoint) {
  const auto invalid = [&endpoint](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("participant \"", endpoint.name, "\": ", what));
  };
  if (endpoint.name.empty()) return absl::InvalidArgumentError("a participant has no name");
  if (endpoint.name.size() > limits::kNameBytesMax) return invalid("the name is too long");
  if (endpoint.max_queued < 0) return invalid("max_queued must not be negative");
  if (endpoint.keepalive_ms < 1000) return invalid("keepalive must be at least 1s");
  const std::vector<EndpointMistake> mistakes = MistakesOf(endpoint);
  if (mistakes.empty()) return absl::OkStatus();
  return invalid(absl::StrCat(mistakes[0].setting, ": ", mistakes[0].what));
}

absl::StatusOr<std::shared_ptr<HeldCertificates>> HoldCertificates(const ParticipantEndpoint& endpoint) {
  if (endpoint.certificate_file.empty() && endpoint.ca_file.empty()) return nullptr;
  return HeldCertificates::Hold({endpoint.certificate_file, endpoint.private_key_file, endpoint.ca_file});
}

std::shared_ptr<grpc::Channel> MakeChannel(const ParticipantEndpoint& endpoint, const HeldCertificates* certificates,
                                           size_t reply_bytes_max) {
  grpc::ChannelArguments args;
  // The library would re-send calls by itself: transparently configured retries, or a service config found in DNS.
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Otherwise endpoints with one target share connections and back-off, and a changed endpoint would inherit them.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Its name deceives: this is how long one attempt to connect may take, and it delays none.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(endpoint.keepalive_ms));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(limits::kReplyMetadataBytesMax));
  // The limit of a message counts after it was inflated, which is too late: participants are told not to compress, and
  // nothing is inflated.
  args.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1u << GRPC_COMPRESS_NONE);
  args.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  args.SetMaxReceiveMessageSize(static_cast<int>(reply_bytes_max));
  args.SetMaxSendMessageSize(-1);  // requests were checked when they were mapped
  args.SetLoadBalancingPolicyName(endpoint.load_balancing);
  if (!endpoint.server_name.empty()) args.SetSslTargetNameOverride(endpoint.server_name);
  return grpc::CreateCustomChannel(endpoint.target, MakeCredentials(endpoint, certificates), args);
}

absl::StatusOr<std::string> ReadBearerToken(const ParticipantEndpoint& endpoint) {
  const std::string& path = endpoint.bearer_token_file;
  if (path.empty()) return std::string();
  const auto content = ReadRegularFile(path, limits::kBearerTokenBytesMax);
  if (!content.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("no token can be read from ", content.status().message()));
  }
  std::string token(absl::StripAsciiWhitespace(*content));
  const bool legal =
      !token.empty() && std::all_of(token.begin(), token.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
  if (!legal) return absl::InvalidArgumentError(absl::StrCat(path, " does not hold a token"));
  return token;
}

}  // namespace tutti::effects
