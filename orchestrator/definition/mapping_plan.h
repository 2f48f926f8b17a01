// Mappings in the form in which they run: fields instead of names, literals already in messages, no text left to parse.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_MAPPING_PLAN_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_MAPPING_PLAN_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "orchestrator/definition/allowance.h"
#include "orchestrator/definition/value_copy.h"
#include "orchestrator/definition/value_writer.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::definition {

struct Reference {
  enum class Root { kInput, kSagaId, kCommandKey, kStepKey, kStepReply };

  Root root = Root::kInput;
  int step = -1;  // of kStepKey and kStepReply
  // From the root message downwards; empty: the message itself. Only the last may be repeated.
  std::vector<const google::protobuf::FieldDescriptor*> path;
  std::string text;  // as written, for errors

  bool IsText() const { return root != Root::kInput && root != Root::kStepReply; }
};

struct TextPiece {
  std::string literal;
  std::optional<Reference> reference;  // its scalar comes after the literal
  std::optional<std::string> fallback;
};

// Becomes a string.
struct TextPlan {
  std::vector<TextPiece> pieces;
};

struct MessagePlan;
struct ValuePlan;

// One field that gets what `reference` names. What is unset at the source and has no fallback stays unset, where the
// field can be: an element or a field without presence gets the source's default.
struct CopyPlan {
  Reference reference;
  std::unique_ptr<google::protobuf::Message> fallback;  // a message of the target's type with only this field set
  // The only field of the target, which is a wrapper such as google.protobuf.Int64Value: that is where the value goes.
  const google::protobuf::FieldDescriptor* wrapped = nullptr;
};

// Sets a field of the message being built, or appends to it when it is repeated.
struct Assignment {
  const google::protobuf::FieldDescriptor* field = nullptr;
  std::string path;  // "request.items[2].sku"
  // The message alternative is a literal: a message of the target's type with only this element.
  std::variant<CopyPlan, TextPlan, std::unique_ptr<MessagePlan>, std::unique_ptr<ValuePlan>,
               std::unique_ptr<google::protobuf::Message>>
      source;
};

struct MessagePlan {
  const google::protobuf::Message* prototype = nullptr;
  std::unique_ptr<google::protobuf::Message> constants;  // all literals that need no order among references
  std::vector<Assignment> assignments;                   // in order
};

// Becomes a JSON-shaped value: the output, and fields of type google.protobuf.Struct, Value and ListValue.
struct ValuePlan {
  struct CopiedValue {
    Reference reference;
    std::optional<google::protobuf::Value> fallback;
  };
  struct Member;  // not a pair: that must not be named before ValuePlan is complete
  using Map = std::vector<Member>;
  using List = std::vector<ValuePlan>;

  std::string path;
  std::variant<google::protobuf::Value, CopiedValue, TextPlan, Map, List> source;
};

struct ValuePlan::Member {
  std::string key;
  ValuePlan value;
};

// Of the literals in it: the least that it will ever make. References may add nothing.
size_t ConstantBytes(const TextPlan& plan);
size_t ConstantBytes(const ValuePlan& plan);

// The messages that references read from.
struct SourceTypes {
  const google::protobuf::Message* input = nullptr;       // prototypes
  std::vector<const google::protobuf::Message*> replies;  // by step
  std::vector<std::string> step_names;
};

// What the references of one mapping mean for one saga; parses each message it is asked for once. Not thread-safe.
//
// Whatever is made stops with RESOURCE_EXHAUSTED where its allowance is spent, and what the scope holds in memory where
// limits::kDecodedBytesMax is. FAILED_PRECONDITION always means that there is no value and no fallback.
class Scope {
 public:
  // All must outlive the scope. `saga` may be null for mappings that read the input only.
  Scope(const SourceTypes* types, absl::string_view input, const storage::v1::SagaRecord* saga, absl::string_view key)
      : types_(types), input_bytes_(input), saga_(saga), key_(key), replies_(types->replies.size()) {}

  struct Found {
    const google::protobuf::Message* holder = nullptr;         // null: the step has no reply
    const google::protobuf::FieldDescriptor* field = nullptr;  // null: the holder itself is the value
    bool present = false;  // false: reads as the default of its type, because something on the path is unset
  };
  // For references that are no text. DATA_LOSS when a stored message cannot be read.
  absl::StatusOr<Found> Find(const Reference& reference);

  // UTF-8. Takes nothing from the allowance, but is never larger than what is left of it.
  absl::StatusOr<std::string> Text(const TextPlan& plan, const Allowance& allowance);
  absl::StatusOr<google::protobuf::Message*> Build(const MessagePlan& plan,
                                                   Allowance* allowance);  // lives as long as the scope
  // Appends to `out`; see ValueWriter about `level`. False when the reference stands for an unset field.
  absl::StatusOr<bool> Evaluate(const ValuePlan& plan, ValueWriter* writer, int level, std::string* out);

  bool HasReply(int step) const;

 private:
  absl::StatusOr<const google::protobuf::Message*> Root(const Reference& reference);
  absl::StatusOr<std::string> TextOf(const Reference& reference) const;
  absl::Status AppendPiece(const TextPiece& piece, const Allowance& allowance, std::string* text);
  absl::Status Fill(const MessagePlan& plan, const CopyTarget& target);
  absl::Status Assign(const Assignment& assignment, const CopyTarget& target);
  absl::Status AssignCopy(const CopyPlan& plan, const google::protobuf::FieldDescriptor& field,
                          const CopyTarget& target);
  absl::Status AssignText(const TextPlan& plan, const google::protobuf::FieldDescriptor& field,
                          const CopyTarget& target);
  absl::Status AssignValue(const ValuePlan& plan, const google::protobuf::FieldDescriptor& field,
                           const CopyTarget& target);
  absl::StatusOr<bool> EvaluateCopy(const ValuePlan::CopiedValue& copied, ValueWriter* writer, int level,
                                    std::string* out);
  absl::StatusOr<bool> EvaluateMap(const ValuePlan::Map& map, ValueWriter* writer, int level, std::string* out);
  absl::StatusOr<bool> EvaluateList(const ValuePlan::List& list, ValueWriter* writer, int level, std::string* out);
  absl::Status NoValue(const Reference& reference) const;

  const SourceTypes* const types_;
  const absl::string_view input_bytes_;
  const storage::v1::SagaRecord* const saga_;
  const absl::string_view key_;
  google::protobuf::Arena arena_;
  google::protobuf::Message* input_ = nullptr;
  std::vector<google::protobuf::Message*> replies_;
};

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_MAPPING_PLAN_H_
