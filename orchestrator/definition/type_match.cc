#include "orchestrator/definition/type_match.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/definition/scalar.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;

std::string NameOf(const google::protobuf::OneofDescriptor* oneof) {
  return oneof == nullptr ? "" : oneof->name();
}

class Comparison {
 public:
  std::string Messages(const Descriptor& from, const Descriptor& to) {
    if (&from == &to) return "";
    if (from.full_name() != to.full_name()) return absl::StrCat(from.full_name(), " is not ", to.full_name());
    // A pair on the way, or done: what it lacks is said once.
    if (!seen_.emplace(&from, &to).second) return "";
    if (from.file()->syntax() != to.file()->syntax()) {
      return absl::StrCat("one ", from.full_name(), " is proto2, the other proto3");
    }
    for (int i = 0; i < from.field_count(); ++i) {
      std::string misfit = Fields(*from.field(i), to.FindFieldByNumber(from.field(i)->number()));
      if (!misfit.empty()) return misfit;
    }
    for (int i = 0; i < to.field_count(); ++i) {
      const FieldDescriptor* mine = from.FindFieldByNumber(to.field(i)->number());
      if (to.field(i)->is_required() && (mine == nullptr || !mine->is_required())) {
        return absl::StrCat("the other requires field `", to.field(i)->full_name(), "`");
      }
    }
    return "";
  }

  static std::string Enums(const EnumDescriptor& from, const EnumDescriptor& to) {
    if (&from == &to) return "";
    if (from.full_name() != to.full_name()) return absl::StrCat(from.full_name(), " is not ", to.full_name());
    if (from.file()->syntax() != to.file()->syntax()) {
      return absl::StrCat("one ", from.full_name(), " is proto2, the other proto3");
    }
    for (int i = 0; i < from.value_count(); ++i) {
      const EnumValueDescriptor* other = to.FindValueByName(from.value(i)->name());
      if (other == nullptr || other->number() != from.value(i)->number()) {
        return absl::StrCat("value `", from.value(i)->full_name(), "` is not in the other");
      }
    }
    return "";
  }

 private:
  std::string Fields(const FieldDescriptor& from, const FieldDescriptor* to) {
    if (to == nullptr || to->name() != from.name()) {
      return absl::StrCat("field `", from.full_name(), "` is not in the other");
    }
    if (from.type() != to->type() || from.is_repeated() != to->is_repeated() || from.is_map() != to->is_map()) {
      return absl::StrCat("field `", from.full_name(), "` is ", TypeName(from), " in one, ", TypeName(*to),
                          " in the other");
    }
    if (NameOf(to->real_containing_oneof()) != "" &&
        NameOf(to->real_containing_oneof()) != NameOf(from.real_containing_oneof())) {
      return absl::StrCat("field `", from.full_name(), "` excludes others in one of them only");
    }
    if (from.enum_type() != nullptr) return Enums(*from.enum_type(), *to->enum_type());
    return from.message_type() == nullptr ? "" : Messages(*from.message_type(), *to->message_type());
  }

  std::set<std::pair<const Descriptor*, const Descriptor*>> seen_;
};

}  // namespace

std::string Misfit(const Descriptor& from, const Descriptor& to) {
  return Comparison().Messages(from, to);
}

std::string Misfit(const EnumDescriptor& from, const EnumDescriptor& to) {
  return Comparison::Enums(from, to);
}

}  // namespace tutti::definition
