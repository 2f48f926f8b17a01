#include "common/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/memory.h"
#include "common/version.h"

namespace tutti {
namespace {

#ifdef __clang__
constexpr char kCompiler[] = __VERSION__;  // says "Clang" itself
#else
constexpr char kCompiler[] = "GCC " __VERSION__;
#endif

template <typename Builder>
auto& Register(Builder builder, const MetricName& metric, prometheus::MetricType type, prometheus::Registry* registry) {
  TUTTI_CHECK(metric.type == type, metric.name);
  return builder.Name(metric.name).Help(metric.help).Register(*registry);
}

// The line of a file under /proc that begins so, without its beginning.
std::string LineOf(const char* path, const std::string& beginning) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.compare(0, beginning.size(), beginning) == 0) return line.substr(beginning.size());
  }
  return "";
}

double FirstNumber(const std::string& text) {
  double value = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (absl::SimpleAtod(word, &value)) return value;
  }
  return 0;
}

// /proc/self/stat counts the process's begin in ticks since the machine's.
double StartSeconds() {
  const std::string stat = LineOf("/proc/self/stat", "");
  // The name in parentheses may hold spaces; field 22 is the 20th behind it.
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(stat.rfind(')') + 1), ' ', absl::SkipEmpty());
  double ticks = 0;
  if (fields.size() < 20 || !absl::SimpleAtod(fields[19], &ticks)) return 0;
  return FirstNumber(LineOf("/proc/stat", "btime ")) + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OpenFds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  return count - 1;  // one is the listing's own
}

double MaxFds() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

void DescribeProcess(Scrape* scrape) {
  static const double start_seconds = StartSeconds();
  scrape->Set(kBuildInfo, {{"version", kVersion}, {"compiler", kCompiler}}, 1);
  scrape->Set(kProcessCpu, {}, CpuSeconds());
  scrape->Set(kProcessMemory, {}, static_cast<double>(ResidentBytes()));
  scrape->Set(kProcessOpenFds, {}, OpenFds());
  scrape->Set(kProcessMaxFds, {}, MaxFds());
  scrape->Set(kProcessStart, {}, start_seconds);
}

}  // namespace

prometheus::Family<prometheus::Counter>& CounterFamily(const MetricName& metric, prometheus::Registry* registry) {
  return Register(prometheus::BuildCounter(), metric, kCounter, registry);
}

prometheus::Family<prometheus::Gauge>& GaugeFamily(const MetricName& metric, prometheus::Registry* registry) {
  return Register(prometheus::BuildGauge(), metric, kGauge, registry);
}

prometheus::Family<prometheus::Histogram>& HistogramFamily(const MetricName& metric, prometheus::Registry* registry) {
  return Register(prometheus::BuildHistogram(), metric, kHistogram, registry);
}

void Scrape::Set(const MetricName& metric, const prometheus::Labels& labels, double value) {
  TUTTI_CHECK(metric.type == kCounter || metric.type == kGauge, metric.name);
  prometheus::ClientMetric& series = Series(metric, labels);
  series.counter.value = value;
  series.gauge.value = value;
}

void Scrape::SetSummary(const MetricName& metric, const prometheus::Labels& labels, uint64_t count, double sum) {
  TUTTI_CHECK(metric.type == kSummary, metric.name);
  prometheus::ClientMetric& series = Series(metric, labels);
  series.summary.sample_count = count;
  series.summary.sample_sum = sum;
}

prometheus::ClientMetric& Scrape::Series(const MetricName& metric, const prometheus::Labels& labels) {
  prometheus::MetricFamily& family = families_[metric.name];
  family.name = metric.name;
  family.help = metric.help;
  family.type = metric.type;
  prometheus::ClientMetric& series = family.metric.emplace_back();
  for (const auto& [name, value] : labels) series.label.push_back({name, value});
  return series;
}

std::vector<prometheus::MetricFamily> Scrape::Take() {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(families_.size());
  for (auto& [name, family] : families_) families.push_back(std::move(family));
  families_.clear();
  return families;
}

void ProcessMetrics::AddSource(Source source) {
  MutexLock lock(&mu_);
  sources_.push_back(std::move(source));
}

void ProcessMetrics::DropSources() {
  MutexLock lock(&mu_);
  sources_.clear();
}

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  Scrape scrape;
  DescribeProcess(&scrape);
  {
    MutexLock lock(&mu_);
    for (const Source& source : sources_) source(&scrape);
  }
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  for (prometheus::MetricFamily& family : scrape.Take()) families.push_back(std::move(family));
  return families;
}

}  // namespace tutti
