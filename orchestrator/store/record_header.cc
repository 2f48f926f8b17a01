#include "orchestrator/store/record_header.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace tutti::store {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using storage::v1::CommandRecord;
using storage::v1::SagaRecord;
using storage::v1::StepRecord;

// What a message leaves out, and which of its fields are messages that leave something out themselves.
struct Shape {
  std::vector<int> left_out;
  std::vector<std::pair<int, const Shape*>> inside;

  bool LeavesOut(int field) const { return std::find(left_out.begin(), left_out.end(), field) != left_out.end(); }
  const Shape* Inside(int field) const {
    for (const auto& [number, shape] : inside) {
      if (number == field) return shape;
    }
    return nullptr;
  }
};

const Shape& SagaShape() {
  static const auto* const command =
      new Shape{{CommandRecord::kRequestFieldNumber, CommandRecord::kMetadataFieldNumber}, {}};
  static const auto* const step =
      new Shape{{StepRecord::kReplyFieldNumber},
                {{StepRecord::kActionFieldNumber, command}, {StepRecord::kCompensationFieldNumber, command}}};
  static const auto* const saga = new Shape{{SagaRecord::kInputFieldNumber, SagaRecord::kOutputFieldNumber},
                                            {{SagaRecord::kStepsFieldNumber, step}}};
  return *saga;
}

void AppendVarint(uint32_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

bool CopyHeader(absl::string_view bytes, const Shape& shape, std::string* out) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  for (;;) {
    const auto start = static_cast<size_t>(in.CurrentPosition());
    const uint32_t tag = in.ReadTag();
    if (tag == 0) return start == bytes.size();
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    const bool delimited = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (const Shape* inside = delimited ? shape.Inside(field) : nullptr; inside != nullptr) {
      uint32_t length = 0;
      if (!in.ReadVarint32(&length)) return false;
      const auto begin = static_cast<size_t>(in.CurrentPosition());
      if (length > bytes.size() - begin) return false;
      std::string header;
      if (!CopyHeader(bytes.substr(begin, length), *inside, &header)) return false;
      AppendVarint(tag, out);
      AppendVarint(static_cast<uint32_t>(header.size()), out);
      out->append(header);
      in.Skip(static_cast<int>(length));
    } else {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      const auto end = static_cast<size_t>(in.CurrentPosition());
      if (!shape.LeavesOut(field)) out->append(bytes.data() + start, end - start);
    }
  }
}

}  // namespace

bool ParseHeader(absl::string_view bytes, SagaRecord* record) {
  std::string header;
  return CopyHeader(bytes, SagaShape(), &header) && record->ParseFromString(header);
}

}  // namespace tutti::store
