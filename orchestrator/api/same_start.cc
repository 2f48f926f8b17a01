#include "orchestrator/api/same_start.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/utf8.h"

namespace tutti::api {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

constexpr size_t kPathsMax = 10;
constexpr size_t kPathBytesMax = 80;  // so that ten fit a status message

class Comparison {
 public:
  explicit Comparison(size_t count_max) : count_max_(count_max) {}

  void Compare(const std::string& path, const Struct& before, const Struct& now) {
    std::set<absl::string_view> names;
    for (const auto& [name, value] : before.fields()) names.insert(name);
    for (const auto& [name, value] : now.fields()) names.insert(name);
    for (const absl::string_view name : names) {
      const auto then = before.fields().find(std::string(name));
      const auto present = now.fields().find(std::string(name));
      Compare(absl::StrCat(path, ".", name), then == before.fields().end() ? nullptr : &then->second,
              present == now.fields().end() ? nullptr : &present->second);
    }
  }

  std::vector<std::string> paths() { return std::move(paths_); }

 private:
  void Compare(const std::string& path, const ListValue& before, const ListValue& now) {
    for (int i = 0; i < std::max(before.values_size(), now.values_size()); ++i) {
      Compare(absl::StrCat(path, "[", i, "]"), i < before.values_size() ? &before.values(i) : nullptr,
              i < now.values_size() ? &now.values(i) : nullptr);
    }
  }

  void Compare(const std::string& path, const Value* before, const Value* now) {
    if (paths_.size() >= count_max_) return;
    if (before == nullptr) return Differ(path, " (missing before)");
    if (now == nullptr) return Differ(path, " (missing now)");
    if (before->kind_case() != now->kind_case()) return Differ(path, "");
    if (before->has_struct_value()) return Compare(path, before->struct_value(), now->struct_value());
    if (before->has_list_value()) return Compare(path, before->list_value(), now->list_value());
    const bool same = before->number_value() == now->number_value() && before->string_value() == now->string_value() &&
                      before->bool_value() == now->bool_value();
    if (!same) Differ(path, "");
  }

  void Differ(const std::string& path, absl::string_view how) {
    paths_.push_back(absl::StrCat(TruncateUtf8(path, kPathBytesMax), how));
  }

  const size_t count_max_;
  std::vector<std::string> paths_;
};

std::string RevisionAsked(int64_t revision) {
  return revision == 0 ? "the newest" : absl::StrCat(revision);
}

// Empty: it has the same values.
std::string InputDifference(const storage::v1::SagaRecord& record, const definition::CompiledDefinition& compiled,
                            const Struct& input) {
  const auto encoded = compiled.EncodeInput(input);
  if (!encoded.ok()) {
    std::vector<std::string> paths;
    for (const FieldViolation& violation : ViolationsOf(encoded.status())) {
      if (paths.size() < kPathsMax) paths.push_back(TruncateUtf8(violation.field, kPathBytesMax));
    }
    return absl::StrCat("its input fits revision ", record.revision(), ", this one does not",
                        paths.empty() ? "" : absl::StrCat(": ", absl::StrJoin(paths, ", ")));
  }
  if (*encoded == record.input()) return "";
  const auto before = compiled.DecodeInput(record.input());
  const auto now = compiled.DecodeInput(*encoded);
  if (!before.ok() || !now.ok()) return "the input differs";
  const std::vector<std::string> paths = DifferingPaths("input", *before, *now, kPathsMax);
  if (paths.empty()) return "";
  return absl::StrCat("the input differs at ", absl::StrJoin(paths, ", "),
                      paths.size() == kPathsMax ? ", and perhaps at more" : "");
}

}  // namespace

std::vector<std::string> DifferingPaths(const std::string& root, const Struct& before, const Struct& now,
                                        size_t count_max) {
  Comparison comparison(count_max);
  comparison.Compare(root, before, now);
  return comparison.paths();
}

absl::Status CheckSameStart(const storage::v1::SagaRecord& record, const std::string& definition, int64_t revision,
                            const Struct& input, const Definitions& definitions) {
  std::vector<std::string> differences;
  if (definition != record.definition()) {
    differences.push_back(absl::StrCat("the definition was ", record.definition(), " and is now ",
                                       TruncateUtf8(definition, kPathBytesMax)));
  } else {
    if (revision != record.asked_revision()) {
      differences.push_back(absl::StrCat("the revision asked for was ", RevisionAsked(record.asked_revision()),
                                         " and is now ", RevisionAsked(revision)));
    }
    const auto pinned = definitions.Get(record.definition(), record.revision());
    if (!pinned.ok()) return pinned.status();
    if (std::string input_difference = InputDifference(record, *(*pinned)->compiled, input);
        !input_difference.empty()) {
      differences.push_back(std::move(input_difference));
    }
  }
  if (differences.empty()) return absl::OkStatus();
  return WithReason(
      absl::AlreadyExistsError(absl::StrCat("saga_id: ", record.saga_id(), " was started before as something else: ",
                                            absl::StrJoin(differences, "; "), ". A new transaction needs a new id")),
      "SAGA_EXISTS");
}

}  // namespace tutti::api
