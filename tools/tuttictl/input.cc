#include "tools/tuttictl/input.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace tutti::ctl {
namespace {

constexpr int64_t kExactIntegerMax = int64_t{1} << 53;
constexpr int kDepthMax = 100;                      // far more than the server takes
constexpr size_t kFileBytesMax = 16 * 1024 * 1024;  // many times what the server takes; a device has no end

bool IsLossyInteger(absl::string_view number) {
  if (number.find_first_of(".eE") != absl::string_view::npos) return false;  // meant as floating point
  int64_t value = 0;
  if (!absl::SimpleAtoi(number, &value)) return number.find_first_of("0123456789") != absl::string_view::npos;
  return value > kExactIntegerMax || value < -kExactIntegerMax;
}

// Walks the text for numbers and brackets, jumping over strings; the parser proper judges the grammar afterwards, and
// takes time by the square of the depth.
absl::Status CheckTokens(absl::string_view json) {
  int depth = 0;
  for (size_t i = 0; i < json.size();) {
    if (json[i] == '{' || json[i] == '[') ++depth;
    if (json[i] == '}' || json[i] == ']') --depth;
    if (depth > kDepthMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("the input nests deeper than ", kDepthMax, " objects or lists; flatten it"));
    }
    if (json[i] == '"') {
      for (++i; i < json.size() && json[i] != '"'; ++i) {
        if (json[i] == '\\') ++i;
      }
      ++i;
    } else if (json[i] == '-' || absl::ascii_isdigit(static_cast<unsigned char>(json[i]))) {
      const size_t end = std::min(json.find_first_not_of("+-.eE0123456789", i), json.size());
      const absl::string_view number = json.substr(i, end - i);
      if (IsLossyInteger(number)) {
        return absl::InvalidArgumentError(
            absl::StrCat("the integer ", number, " would lose digits; write it as a string: \"", number, "\""));
      }
      i = end;
    } else {
      ++i;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFileOrStdin(const std::string& path) {
  const bool from_stdin = path == "-";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      from_stdin ? stdin : std::fopen(path.c_str(), "rb"),
      [](std::FILE* f) { return f == stdin ? 0 : std::fclose(f); });
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  std::string text;
  char buffer[65536];
  size_t bytes;
  while (text.size() <= kFileBytesMax && (bytes = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) {
    text.append(buffer, bytes);
  }
  if (text.size() > kFileBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has more than ", kFileBytesMax >> 20, " MiB"));
  }
  if (std::ferror(file.get()) != 0) return absl::InternalError(absl::StrCat("cannot read ", path));
  return text;
}

absl::StatusOr<google::protobuf::Struct> ParseInput(absl::string_view json) {
  google::protobuf::Struct input;
  json = absl::StripAsciiWhitespace(json);
  if (json.empty()) return input;
  if (json.front() != '{') return absl::InvalidArgumentError("the input must be a JSON object: {...}");
  if (absl::Status status = CheckTokens(json); !status.ok()) return status;
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(json), &input);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the input is no valid JSON: ", std::string(status.message())));
  }
  return input;
}

}  // namespace tutti::ctl
