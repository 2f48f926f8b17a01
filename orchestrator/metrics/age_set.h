// Points in time, of which the earliest matters.
#ifndef TUTTI_ORCHESTRATOR_METRICS_AGE_SET_H_
#define TUTTI_ORCHESTRATOR_METRICS_AGE_SET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

namespace tutti::metrics {

// A multiset of wall clock milliseconds. Not thread-safe.
class AgeSet {
 public:
  void Add(int64_t ms) {
    ++counts_[ms];
    ++size_;
  }
  // What is not there is not removed.
  void Remove(int64_t ms) {
    const auto found = counts_.find(ms);
    if (found == counts_.end()) return;
    if (--found->second == 0) counts_.erase(found);
    --size_;
  }

  size_t size() const { return size_; }
  // 0 when there is none, or when the clock was set back behind it.
  double OldestSeconds(int64_t now_ms) const {
    if (counts_.empty()) return 0;
    return static_cast<double>(std::max<int64_t>(now_ms - counts_.begin()->first, 0)) / 1000.0;
  }

 private:
  std::map<int64_t, size_t> counts_;
  size_t size_ = 0;
};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_AGE_SET_H_
