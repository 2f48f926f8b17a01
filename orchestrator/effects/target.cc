#include "orchestrator/effects/target.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tutti::effects {
namespace {

constexpr char kExample[] = "write where the service listens, e.g. \"host:7601\"";

// "host:port" or "[v6]:port" in its two parts; false when it has no such shape.
bool SplitPort(absl::string_view text, absl::string_view* host, absl::string_view* port) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return false;
  *host = text.substr(0, colon);
  *port = text.substr(colon + 1);
  if (absl::ConsumePrefix(host, "[")) return absl::ConsumeSuffix(host, "]");
  return !absl::StrContains(*host, ':');
}

bool IsAddress(int family, absl::string_view host) {
  unsigned char bytes[sizeof(in6_addr)];
  host = host.substr(0, host.find('%'));  // a zone
  return inet_pton(family, std::string(host).c_str(), bytes) == 1;
}

bool IsHostName(absl::string_view host) {
  const auto legal = [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; };
  return !host.empty() && std::all_of(host.begin(), host.end(), legal);
}

std::string AddressMistake(absl::string_view text, int family) {
  absl::string_view host;
  absl::string_view port;
  if (!SplitPort(text, &host, &port)) return absl::StrCat("has no port; ", kExample);
  int number = 0;
  const bool digits = std::all_of(port.begin(), port.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (!digits || !absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
    return "has a port that is not a number from 1 to 65535";
  }
  const bool bracketed = text[0] == '[';
  const bool known =
      family == AF_UNSPEC ? (bracketed ? IsAddress(AF_INET6, host) : IsHostName(host)) : IsAddress(family, host);
  return known ? "" : absl::StrCat("names no host; ", kExample);
}

std::string AddressesMistake(absl::string_view list, int family) {
  for (const absl::string_view address : absl::StrSplit(list, ',')) {
    if (std::string mistake = AddressMistake(address, family); !mistake.empty()) return mistake;
  }
  return "";
}

}  // namespace

std::string TargetMistake(absl::string_view target) {
  if (target.empty()) return absl::StrCat("is missing; ", kExample);
  if (!std::all_of(target.begin(), target.end(), [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return "has a space, or a character that is not ASCII";
  }
  for (const absl::string_view scheme : {"unix:", "unix-abstract:"}) {
    absl::string_view path = target;
    if (!absl::ConsumePrefix(&path, scheme)) continue;
    absl::ConsumePrefix(&path, "//");
    return path.empty() ? "names no socket" : "";
  }
  absl::string_view rest = target;
  if (absl::ConsumePrefix(&rest, "ipv4:")) return AddressesMistake(rest, AF_INET);
  if (absl::ConsumePrefix(&rest, "ipv6:")) return AddressesMistake(rest, AF_INET6);
  if (absl::ConsumePrefix(&rest, "dns:")) {
    if (absl::ConsumePrefix(&rest, "//")) rest.remove_prefix(std::min(rest.find('/'), rest.size()));
    absl::ConsumePrefix(&rest, "/");
  } else if (const size_t scheme = rest.find(":/"); scheme != rest.npos) {
    return absl::StrCat("has the scheme `", rest.substr(0, scheme), "`, which is not dns, ipv4, ipv6 or unix; ",
                        kExample);
  }
  return AddressMistake(rest, AF_UNSPEC);
}

}  // namespace tutti::effects
