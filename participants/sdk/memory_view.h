// A WriteView over a map, for tests of domain rules.
#ifndef TUTTI_PARTICIPANTS_SDK_MEMORY_VIEW_H_
#define TUTTI_PARTICIPANTS_SDK_MEMORY_VIEW_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "participants/sdk/view.h"

namespace tutti::participant {

class MemoryView final : public WriteView {
 public:
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    const auto found = rows_.find(std::string(key));
    if (found == rows_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }

  absl::Status Scan(absl::string_view prefix, absl::string_view from, const Visitor& visit) const override {
    for (auto it = rows_.lower_bound(std::string(from > prefix ? from : prefix)); it != rows_.end(); ++it) {
      if (!absl::StartsWith(it->first, prefix) || !visit(it->first, it->second)) break;
    }
    return absl::OkStatus();
  }

  void Put(absl::string_view key, absl::string_view value) override { rows_[std::string(key)] = std::string(value); }

 private:
  std::map<std::string, std::string> rows_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_MEMORY_VIEW_H_
