#include "orchestrator/effects/participant_endpoint.h"

#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/support/channel_arguments.h"

namespace tutti::effects {
namespace {

constexpr unsigned kCertificateRefreshSeconds = 10;

bool Readable(const std::string& path) {
  return std::ifstream(path).good();
}

std::shared_ptr<grpc::ChannelCredentials> MakeCredentials(const ParticipantEndpoint& endpoint) {
  if (!endpoint.UsesTls()) return grpc::InsecureChannelCredentials();
  const bool own_identity = !endpoint.certificate_file.empty();
  if (!own_identity && endpoint.ca_file.empty()) return grpc::SslCredentials(grpc::SslCredentialsOptions());
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      endpoint.private_key_file, endpoint.certificate_file, endpoint.ca_file, kCertificateRefreshSeconds));
  if (!endpoint.ca_file.empty()) options.watch_root_certs();
  if (own_identity) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

absl::Status CheckEndpoint(const ParticipantEndpoint& endpoint) {
  const auto invalid = [&endpoint](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("participant \"", endpoint.name, "\": ", what));
  };
  if (endpoint.name.empty()) return absl::InvalidArgumentError("a participant has no name");
  if (endpoint.name.size() > limits::kNameBytesMax) return invalid("the name is too long");
  if (endpoint.target.empty()) return invalid("target is missing, e.g. \"payment:50051\"");
  if (endpoint.certificate_file.empty() != endpoint.private_key_file.empty()) {
    return invalid("certificate_file and private_key_file go together");
  }
  for (const std::string* path : {&endpoint.ca_file, &endpoint.certificate_file, &endpoint.private_key_file}) {
    if (!path->empty() && !Readable(*path)) return invalid(absl::StrCat("cannot read ", *path));
  }
  if (!endpoint.bearer_token_file.empty()) {
    if (!endpoint.UsesTls()) return invalid("bearer_token_file needs TLS: the token would travel in the clear");
    if (const auto token = ReadBearerToken(endpoint); !token.ok()) return token.status();
  }
  if (endpoint.max_in_flight < 1) return invalid("max_in_flight must be positive");
  if (endpoint.max_queued < 0) return invalid("max_queued must not be negative");
  if (endpoint.keepalive_ms < 1000) return invalid("keepalive must be at least 1s");
  if (endpoint.load_balancing != "pick_first" && endpoint.load_balancing != "round_robin") {
    return invalid("load_balancing must be pick_first or round_robin");
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::Channel> MakeChannel(const ParticipantEndpoint& endpoint) {
  grpc::ChannelArguments args;
  // The library would re-send calls by itself: transparently configured retries, or a service config found in DNS.
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Otherwise endpoints with one target share connections and back-off, and a changed endpoint would inherit them.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(endpoint.keepalive_ms));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 64 * 1024);  // a refusal with long details must stay a refusal
  args.SetMaxReceiveMessageSize(static_cast<int>(limits::kReplyBytesMax));
  args.SetMaxSendMessageSize(-1);  // requests were checked when they were mapped
  args.SetLoadBalancingPolicyName(endpoint.load_balancing);
  if (!endpoint.server_name.empty()) args.SetSslTargetNameOverride(endpoint.server_name);
  return grpc::CreateCustomChannel(endpoint.target, MakeCredentials(endpoint), args);
}

absl::StatusOr<std::string> ReadBearerToken(const ParticipantEndpoint& endpoint) {
  std::ifstream file(endpoint.bearer_token_file);
  std::stringstream content;
  content << file.rdbuf();
  std::string token(absl::StripAsciiWhitespace(content.str()));
  if (!file.good() || token.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("participant \"", endpoint.name, "\": no token in ", endpoint.bearer_token_file));
  }
  for (const char c : token) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(
          absl::StrCat("participant \"", endpoint.name, "\": ", endpoint.bearer_token_file, " is not a token"));
    }
  }
  return token;
}

}  // namespace tutti::effects
