// How many bytes something that is being made may have, so that making it stops when they are spent.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_ALLOWANCE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_ALLOWANCE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tutti::definition {

// Not thread-safe.
class Allowance {
 public:
  // `of` names what is being made: "the request".
  Allowance(size_t bytes_max, absl::string_view of) : bytes_max_(bytes_max), of_(of) {}

  // RESOURCE_EXHAUSTED, with both sizes, when so many more are too many.
  absl::Status Check(size_t bytes) const {
    if (bytes <= bytes_max_ - used_) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("makes ", of_, " ", used_ + bytes, " bytes or more, at most ",
                                                     bytes_max_, " are allowed; map less, or pass a reference to it"));
  }
  // The same; takes nothing when it fails.
  absl::Status Take(size_t bytes) {
    absl::Status status = Check(bytes);
    if (status.ok()) used_ += bytes;
    return status;
  }

  size_t used() const { return used_; }
  // Gives back what was taken since `used` was what it is to be again.
  void Rewind(size_t used) { used_ = used; }

 private:
  const size_t bytes_max_;
  const std::string of_;
  size_t used_ = 0;
};

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_ALLOWANCE_H_
