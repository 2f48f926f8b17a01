#include "orchestrator/definition/violations.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tutti::definition {
namespace {

// A text that is wrong everywhere helps nobody by saying so a thousand times.
constexpr size_t kViolationsMax = 100;

// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other, if they are fewer
// than `limit`; else any number that is not. What lies further from the diagonal than that is not looked at: a request
// may hold many wrong words, and a service many right ones.
size_t EditDistance(absl::string_view a, absl::string_view b, size_t limit) {
  const size_t width = b.size() + 1;
  std::vector<size_t> d((a.size() + 1) * width, limit);
  const auto at = [&](size_t i, size_t j) -> size_t& { return d[i * width + j]; };
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = i - std::min(i, limit); j <= std::min(b.size(), i + limit); ++j) {
      if (i == 0 || j == 0) {
        at(i, j) = i + j;
        continue;
      }
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

// So that maxAttempts finds max_attempts.
std::string Folded(absl::string_view word) {
  std::string folded;
  for (const char c : word) {
    if (c != '_' && c != '-') folded.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

}  // namespace

void Violations::Add(absl::string_view path, int line, std::string description) {
  if (entries_.size() >= kViolationsMax) return;
  std::string field(path.empty() ? "definition" : path);
  if (line > 0) absl::StrAppend(&field, " (line ", line, ")");
  entries_.push_back({line, {std::move(field), std::move(description)}});
}

void Violations::AddUnlessKept(absl::string_view path, int line, std::string description) {
  if (of_ == Of::kApplied) Add(path, line, std::move(description));
}

absl::Status Violations::ToStatus() const {
  std::vector<Entry> sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) { return a.line < b.line; });
  std::vector<FieldViolation> violations;
  violations.reserve(sorted.size());
  for (Entry& entry : sorted) violations.push_back(std::move(entry.violation));
  return InvalidArgumentError("INVALID_DEFINITION", violations);
}

std::string ChildPath(absl::string_view parent, absl::string_view child) {
  return parent.empty() ? std::string(child) : absl::StrCat(parent, ".", child);
}

std::string ItemPath(absl::string_view parent, size_t index) {
  return absl::StrCat(parent, "[", index, "]");
}

std::string Suggester::For(absl::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kWordBytesMax = 64;  // longer ones are not slips of the finger
  constexpr size_t kCandidatesMax = 1000;
  if (word.size() > kWordBytesMax || candidates.size() > kCandidatesMax || left_ == 0) return "";
  --left_;
  const std::string folded = Folded(word);
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, folded.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kWordBytesMax) continue;
    const std::string other = Folded(candidate);
    constexpr size_t kPrefixBytesMin = 3;
    const bool prefix = folded.size() >= kPrefixBytesMin && absl::StartsWith(other, folded);
    const size_t distance = prefix ? 1 : EditDistance(folded, other, best_distance);
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : absl::StrCat(" (did you mean `", *best, "`?)");
}

}  // namespace tutti::definition
