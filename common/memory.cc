#include "common/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

// Of jemalloc, where the program is linked with it.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                                             size_t new_size);

namespace tutti {
namespace {

// MALLCTL_ARENAS_ALL of jemalloc 5.
constexpr char kPurgeAll[] = "arena.4096.purge";

// Where it says a number; "max", and files that are not there, are no limit.
uint64_t LimitIn(const std::string& file) {
  std::string word;
  std::ifstream(file) >> word;
  uint64_t limit = 0;
  return absl::SimpleAtoi(word, &limit) && limit > 0 ? limit : UINT64_MAX;
}

// Of the group and of every one above it. Within a container the path may be the host's, and only its top is there.
uint64_t LimitOfGroups(const std::string& mount, std::string group, const std::string& file) {
  uint64_t limit = LimitIn(absl::StrCat(mount, "/", file));
  while (group.size() > 1) {
    limit = std::min(limit, LimitIn(absl::StrCat(mount, group, "/", file)));
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  return limit;
}

}  // namespace

uint64_t ResidentBytes() {
  uint64_t size = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t SystemMemoryLimit(const std::string& root) {
  const auto pages = static_cast<uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 0L));
  uint64_t limit = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // number:controllers:path; version 2 has the number 0 and no controllers.
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (parts[0] == "0" && parts[1].empty()) {
      limit = std::min(limit, LimitOfGroups(root + "/sys/fs/cgroup", parts[2], "memory.max"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      limit = std::min(limit, LimitOfGroups(root + "/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"));
    }
  }
  return limit;
}

void ReturnFreeMemory() {
  if (mallctl != nullptr) mallctl(kPurgeAll, nullptr, nullptr, nullptr, 0);
}

}  // namespace tutti
