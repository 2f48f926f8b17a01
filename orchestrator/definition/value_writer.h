// JSON-shaped values, written in the wire form of google.protobuf.Value straight from messages. No tree is made of
// them, so they take no more memory than their bytes, and writing ends where the allowance does.
//
// As protobuf's JSON mapping: 64-bit integers and enums become strings, and so do numbers that JSON cannot write.
// Fields keep their proto names; scalars without presence are always there.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_VALUE_WRITER_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_VALUE_WRITER_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "orchestrator/definition/allowance.h"

namespace tutti::definition {

// Every method appends to `out`, which is garbage after an error. `level` is how many messages the value (not its
// content) lies below the one whose parser counts; an object adds three of them, a list two, or three for printers:
// protobuf's own give up after 32 of either.
//
// RESOURCE_EXHAUSTED when the allowance is spent, the value lies too deep, or the messages that are decoded for it take
// more than limits::kDecodedBytesMax; INVALID_ARGUMENT for what has no JSON form: text that is not UTF-8, a Timestamp
// out of range, an Any of a type that its participant does not describe.
//
// Not thread-safe.
class ValueWriter {
 public:
  enum class Reader { kParser, kPrinter };

  // `allowance` must outlive the writer.
  ValueWriter(Allowance* allowance, int levels_max, Reader reader)
      : allowance_(allowance), levels_max_(levels_max), list_levels_(reader == Reader::kPrinter ? 3 : 2) {}

  const Allowance& allowance() const { return *allowance_; }
  int list_levels() const { return list_levels_; }

  // The content of one google.protobuf.Value.
  absl::Status WriteNull(int level, std::string* out);
  absl::Status WriteText(absl::string_view text, int level, std::string* out);
  absl::Status WriteMessage(const google::protobuf::Message& message, int level, std::string* out);
  // A list or an object for repeated fields; an unset field is written as its default.
  absl::Status WriteField(const google::protobuf::Message& holder, const google::protobuf::FieldDescriptor& field,
                          int level, std::string* out);
  absl::Status WriteObject(absl::string_view members, int level, std::string* out);
  absl::Status WriteList(absl::string_view elements, int level, std::string* out);

  // `value` is what one of the above wrote. Members are the content of a google.protobuf.Struct, elements that of a
  // ListValue.
  absl::Status AddMember(absl::string_view key, absl::string_view value, std::string* members);
  absl::Status AddElement(absl::string_view value, std::string* elements);

 private:
  using Message = google::protobuf::Message;
  using FieldDescriptor = google::protobuf::FieldDescriptor;
  using Members = std::vector<std::pair<std::string, std::string>>;

  absl::Status CheckLevel(int level) const;
  absl::Status Append(absl::string_view bytes, std::string* out);
  absl::Status AppendNested(char tag, absl::string_view content, std::string* out);

  absl::Status WriteScalar(const Message& holder, const FieldDescriptor& field, int index, int level, std::string* out);
  absl::Status WriteNumber(double number, int level, std::string* out);
  absl::Status WriteBool(bool value, int level, std::string* out);
  absl::Status WriteElement(const Message& holder, const FieldDescriptor& field, int index, int level,
                            std::string* out);
  absl::Status WriteMap(const Message& holder, const FieldDescriptor& field, int level, std::string* out);
  absl::Status WriteRepeated(const Message& holder, const FieldDescriptor& field, int level, std::string* out);
  // The members of an ordinary message.
  absl::Status AddFields(const Message& message, int level, std::string* members);
  absl::Status WriteValue(const Message& value, int level, std::string* out);
  absl::Status WriteAny(const Message& any, int level, std::string* out);
  absl::Status WriteHeld(const std::string& url, const Message& content, int level, std::string* out);

  Allowance* const allowance_;
  const int levels_max_;
  const int list_levels_;
  size_t held_ = 0;  // bytes of the arenas of what holds the Any that is being written
};

// The content of the Struct, or ListValue, in a value that was written; false when the value is something else.
bool MembersOf(absl::string_view value, absl::string_view* members);
bool ElementsOf(absl::string_view value, absl::string_view* elements);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_VALUE_WRITER_H_
