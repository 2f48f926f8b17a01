#include "common/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"

namespace tutti {
namespace {

// Descriptors of files that are gone, for those to come.
class FreePlaces {
 public:
  static FreePlaces& Get() {
    static auto* places = new FreePlaces;
    return *places;
  }
  int Take() {
    MutexLock lock(&mu_);
    if (fds_.empty()) return -1;
    const int fd = fds_.back();
    fds_.pop_back();
    return fd;
  }
  void Give(int fd) {
    MutexLock lock(&mu_);
    fds_.push_back(fd);
  }

 private:
  Mutex mu_;
  std::vector<int> fds_ ABSL_GUARDED_BY(mu_);
};

absl::Status SystemError() {
  return absl::ResourceExhaustedError(absl::StrCat("no file in memory: ", std::strerror(errno)));
}

// A descriptor of a new file.
absl::StatusOr<int> Make(absl::string_view content) {
  static std::atomic<int64_t> versions{0};
  const int fd = ::memfd_create("tutti", MFD_CLOEXEC);
  if (fd < 0) return SystemError();
  const timespec time{.tv_sec = ++versions};
  const timespec times[2] = {time, time};
  if (::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      ::fchmod(fd, S_IRUSR | S_IWUSR) == 0 && ::futimens(fd, times) == 0) {
    return fd;
  }
  const absl::Status status = SystemError();
  ::close(fd);
  return status;
}

}  // namespace

MemoryFile::~MemoryFile() {
  if (fd_ < 0) return;
  Replace("").IgnoreError();
  FreePlaces::Get().Give(fd_);
}

absl::Status MemoryFile::Replace(absl::string_view content) {
  const absl::StatusOr<int> made = Make(content);
  if (!made.ok()) return made.status();
  if (fd_ < 0) fd_ = FreePlaces::Get().Take();
  if (fd_ < 0) {
    fd_ = *made;
  } else {
    const bool moved = ::dup3(*made, fd_, O_CLOEXEC) == fd_;
    const absl::Status status = moved ? absl::OkStatus() : SystemError();
    ::close(*made);
    if (!moved) return status;
  }
  path_ = absl::StrCat("/proc/self/fd/", fd_);
  return absl::OkStatus();
}

}  // namespace tutti
