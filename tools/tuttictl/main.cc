// tuttictl: the command line of a Tutti orchestrator.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "tools/tuttictl/client.h"
#include "tools/tuttictl/options.h"

int main(int argc, char** argv) {
  const auto parsed = tutti::ctl::ParseArguments(std::vector<std::string>(argv + 1, argv + argc));
  std::cout << parsed.out;
  std::cerr << parsed.err;
  if (!parsed.options.has_value()) return parsed.exit_code;
  const char* no_color = std::getenv("NO_COLOR");
  const bool color = isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
  const auto channel = grpc::CreateChannel(parsed.options->address, grpc::InsecureChannelCredentials());
  return tutti::ctl::RunCommand(*parsed.options, channel, color, std::cout, std::cerr);
}
