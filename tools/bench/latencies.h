// Latencies of one run, and what is said about them.
#ifndef TUTTI_TOOLS_BENCH_LATENCIES_H_
#define TUTTI_TOOLS_BENCH_LATENCIES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tutti::bench {

class Latencies {
 public:
  void Add(int64_t us) { us_.push_back(us); }
  void Merge(const Latencies& other) { us_.insert(us_.end(), other.us_.begin(), other.us_.end()); }
  size_t count() const { return us_.size(); }
  // The smallest latency that `percent` (0 to 100) of all do not exceed, by nearest rank; 0 without any.
  double PercentileMs(double percent) const;

 private:
  std::vector<int64_t> us_;
};

}  // namespace tutti::bench

#endif  // TUTTI_TOOLS_BENCH_LATENCIES_H_
