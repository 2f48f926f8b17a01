#include "common/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace tutti {
namespace {

std::string Reason(const std::string& path, int error) {
  return absl::StrCat(path, ": ", std::generic_category().message(error));
}

}  // namespace

absl::StatusOr<std::string> ReadRegularFile(const std::string& path, size_t bytes_max) {
  // Without O_NONBLOCK the opening of a pipe that nobody writes to would not return.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::NotFoundError(Reason(path, errno));
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat info {};
  if (::fstat(fd, &info) != 0) return absl::InternalError(Reason(path, errno));
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is ", S_ISDIR(info.st_mode) ? "a folder" : "a pipe or a device", ", not a file"));
  }
  std::string content;
  char buffer[64 * 1024];
  while (content.size() <= bytes_max) {
    const ssize_t bytes = ::read(fd, buffer, std::min(sizeof(buffer), bytes_max + 1 - content.size()));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return absl::InternalError(Reason(path, errno));
    if (bytes == 0) return content;
    content.append(buffer, static_cast<size_t>(bytes));
  }
  return absl::FailedPreconditionError(absl::StrCat(path, ": has more than ", bytes_max, " bytes"));
}

}  // namespace tutti
