// The lower edge of a terminal, drawn over and over: how a saga stands right now, below its scrolling history.
#ifndef TUTTI_TOOLS_TUTTICTL_LIVE_VIEW_H_
#define TUTTI_TOOLS_TUTTICTL_LIVE_VIEW_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tools/tuttictl/session.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::ctl {

// One line for the saga and one for each step, none wider than the terminal.
std::vector<std::string> StatusLines(const v1::Saga& saga, int64_t now_ms, const Terminal& terminal);

// Not thread-safe.
class LiveView {
 public:
  explicit LiveView(std::ostream& out) : out_(out) {}

  // Puts `scrolled`, lines with their ends, above the status, which replaces the former one. Flushes.
  void Draw(const std::string& scrolled, const std::vector<std::string>& status);

 private:
  std::ostream& out_;
  size_t drawn_ = 0;  // lines of the former status
};

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_LIVE_VIEW_H_
