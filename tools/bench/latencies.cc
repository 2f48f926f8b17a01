#include "tools/bench/latencies.h"

#include <algorithm>
#include <cmath>

namespace tutti::bench {

double Latencies::PercentileMs(double percent) const {
  if (us_.empty()) return 0;
  std::vector<int64_t> sorted = us_;
  const double rank = std::ceil(percent / 100.0 * static_cast<double>(sorted.size()));
  const size_t index = std::min(sorted.size() - 1, static_cast<size_t>(std::max(rank, 1.0)) - 1);
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index), sorted.end());
  return static_cast<double>(sorted[index]) / 1000.0;
}

}  // namespace tutti::bench
