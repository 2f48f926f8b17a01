// tuttictl: the command line of a Tutti orchestrator.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "tools/tuttictl/client.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/options.h"
#include "tools/tuttictl/render.h"

namespace tutti::ctl {
namespace {

Terminal StandardOutput(ColorChoice choice) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  const bool is_dumb = kind == nullptr || std::string(kind) == "dumb" || *kind == '\0';
  Terminal terminal;
  terminal.live = isatty(STDOUT_FILENO) == 1 && !is_dumb;
  const bool wants_color = terminal.live && (no_color == nullptr || *no_color == '\0');
  terminal.color = choice == ColorChoice::kAlways || (choice == ColorChoice::kAuto && wants_color);
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.columns = size.ws_col;
  return terminal;
}

int Main(const std::vector<std::string>& arguments) {
  const ParsedArguments parsed = ParseArguments(arguments);
  std::cout << parsed.out;
  std::cerr << parsed.err;
  if (!parsed.options.has_value()) return parsed.exit_code;
  if (parsed.options->command == Command::kDoctor) return Doctor(*parsed.options, std::cout, std::cerr);
  auto channel = OpenChannel(*parsed.options);
  if (!channel.ok()) {
    std::cerr << RenderError(channel.status());
    return kExitError;
  }
  return RunCommand(*parsed.options, *channel, StandardOutput(parsed.options->color), std::cout, std::cerr);
}

}  // namespace
}  // namespace tutti::ctl

int main(int argc, char** argv) {
  return tutti::ctl::Main({argv + 1, argv + argc});
}
