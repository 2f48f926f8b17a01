#include "orchestrator/api/fingerprint.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace tutti::api {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

void AppendNumber(uint64_t number, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
}

void AppendText(absl::string_view text, std::string* out) {
  AppendNumber(text.size(), out);
  out->append(text.data(), text.size());
}

void AppendStruct(const Struct& value, std::string* out);

void AppendValue(const Value& value, std::string* out) {
  switch (value.kind_case()) {
    case Value::kNumberValue: {
      out->push_back('d');
      const double number = value.number_value() == 0 ? 0 : value.number_value();  // -0 is 0 to any client
      uint64_t bits = 0;
      std::memcpy(&bits, &number, sizeof(bits));
      AppendNumber(bits, out);
      return;
    }
    case Value::kStringValue:
      out->push_back('s');
      AppendText(value.string_value(), out);
      return;
    case Value::kBoolValue:
      out->append(value.bool_value() ? "t" : "f");
      return;
    case Value::kStructValue:
      out->push_back('o');
      AppendStruct(value.struct_value(), out);
      return;
    case Value::kListValue:
      out->push_back('l');
      AppendNumber(static_cast<uint64_t>(value.list_value().values_size()), out);
      for (const Value& element : value.list_value().values()) AppendValue(element, out);
      return;
    case Value::kNullValue:
    case Value::KIND_NOT_SET:
      out->push_back('n');
      return;
  }
}

void AppendStruct(const Struct& value, std::string* out) {
  std::vector<std::pair<absl::string_view, const Value*>> fields;
  fields.reserve(static_cast<size_t>(value.fields_size()));
  for (const auto& [name, field] : value.fields()) fields.emplace_back(name, &field);
  std::sort(fields.begin(), fields.end());
  AppendNumber(fields.size(), out);
  for (const auto& [name, field] : fields) {
    AppendText(name, out);
    AppendValue(*field, out);
  }
}

}  // namespace

std::string StartFingerprint(absl::string_view definition, int64_t revision, const Struct& input) {
  std::string content("1");  // of this encoding
  AppendText(definition, &content);
  AppendNumber(static_cast<uint64_t>(revision), &content);
  AppendStruct(input, &content);
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace tutti::api
