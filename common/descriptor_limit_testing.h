// For tests: this process with fewer descriptors.
#ifndef TUTTI_COMMON_DESCRIPTOR_LIMIT_TESTING_H_
#define TUTTI_COMMON_DESCRIPTOR_LIMIT_TESTING_H_

#include <sys/resource.h>

#include <cstddef>

namespace tutti {

// The soft limit, until the end of the scope.
class DescriptorsLimited {
 public:
  explicit DescriptorsLimited(size_t count) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit now = {.rlim_cur = count, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~DescriptorsLimited() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorsLimited(const DescriptorsLimited&) = delete;
  DescriptorsLimited& operator=(const DescriptorsLimited&) = delete;

 private:
  rlimit before_{};
};

}  // namespace tutti

#endif  // TUTTI_COMMON_DESCRIPTOR_LIMIT_TESTING_H_
