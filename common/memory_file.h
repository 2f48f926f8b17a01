// A file that exists in this process's memory only, for libraries that take nothing but paths.
#ifndef TUTTI_COMMON_MEMORY_FILE_H_
#define TUTTI_COMMON_MEMORY_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tutti {

// Thread-safe but for the destructor. Whoever opens the path reads one content whole, the former or the new one, and
// each has a time of modification of its own.
class MemoryFile {
 public:
  MemoryFile() = default;
  // Empty from now on. The path stays open for as long as the process lives and is used for the next file of this kind
  // only: a reader that comes late must not meet a descriptor of somebody else.
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // RESOURCE_EXHAUSTED leaves what was there.
  absl::Status Replace(absl::string_view content);
  // Empty before the first content.
  const std::string& path() const { return path_; }

 private:
  int fd_ = -1;
  std::string path_;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_MEMORY_FILE_H_
