#include "tests/sim/library.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "tests/sim/luck.h"
#include "tutti_test/shop.pb.h"

namespace tutti::sim {
namespace {

class ShopSource final : public definition::DescriptorSource {
 public:
  bool KnowsParticipant(absl::string_view participant) const override { return ParticipantIndex(participant) >= 0; }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view, absl::string_view symbol) override {
    // Through a message, so that the linker keeps the file.
    const auto* pool = shop::v1::PayRequest::descriptor()->file()->pool();
    const auto* file = pool->FindFileContainingSymbol(std::string(symbol));
    if (file == nullptr) return absl::NotFoundError(std::string(symbol));
    google::protobuf::FileDescriptorSet set;
    file->CopyTo(set.add_file());
    for (int i = 0; i < file->dependency_count(); ++i) file->dependency(i)->CopyTo(set.add_file());
    return set;
  }
};

// Draws for one definition.
class Dice {
 public:
  explicit Dice(int index) : state_(Hash(0x5A6Au, static_cast<uint64_t>(index))) {}
  int Below(int limit) { return static_cast<int>((state_ = Hash(state_, 1)) % static_cast<uint64_t>(limit)); }
  bool Chance(int percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

std::string RetryText(bool limited, Dice* dice) {
  return absl::StrCat("{max_attempts: ", limited ? absl::StrCat(1 + dice->Below(4)) : "unlimited",
                      ", initial_backoff: ", 5 << dice->Below(6), "ms, max_backoff: ", 200 << dice->Below(4), "ms");
}

struct StepShape {
  std::string name;
  std::string kind;
  bool effect_free = false;
  bool sequential = false;  // `after` is left out
  std::vector<int> after;
};

std::string ActionText(const StepShape& shape, const std::vector<StepShape>& shapes, bool limited, Dice* dice) {
  std::vector<std::string> fields = {"user_id: \"${input.user}\"", "memo: \"${saga.id}\"", "card: \"${command.key}\""};
  if (!shape.after.empty()) {
    fields.push_back(absl::StrCat("note: \"${steps.", shapes[shape.after[0]].name, ".reply.payment_id}\""));
  }
  std::string text =
      absl::StrCat("    action:\n      method: shop.v1.PayService/Pay\n      request: {", absl::StrJoin(fields, ", "),
                   "}\n      timeout: ", 100 << dice->Below(5), "ms\n      retry: ", RetryText(limited, dice), "}\n");
  absl::StrAppend(&text, "      rejected_when: {refused: true}\n");
  if (dice->Chance(50)) absl::StrAppend(&text, "      metadata: {x-request-id: \"${command.key}\"}\n");
  return text;
}

std::string CompensationText(const StepShape& shape, Dice* dice) {
  if (shape.kind != "compensatable") return "";
  if (shape.effect_free) return "    compensation: none\n";
  return absl::StrCat(
      "    compensation:\n      method: shop.v1.PayService/Refund\n      request: {payment_key: \"${steps.", shape.name,
      ".key}\", payment_id: \"${steps.", shape.name,
      ".reply.payment_id | default(unknown)}\"}\n      timeout: ", 100 << dice->Below(5),
      "ms\n      retry: ", RetryText(dice->Chance(25), dice), ", max_refusals: ", 1 + dice->Below(4), "}\n");
}

std::vector<StepShape> Shapes(Dice* dice) {
  const int compensatables = dice->Below(5);
  const bool pivot = dice->Chance(45) || compensatables == 0;
  const int retriables = dice->Below(3);
  std::vector<StepShape> shapes;
  for (int i = 0; i < compensatables + (pivot ? 1 : 0) + retriables; ++i) {
    StepShape shape{.name = absl::StrCat("s", i)};
    shape.kind = i < compensatables ? "compensatable" : (pivot && i == compensatables ? "pivot" : "retriable");
    shape.effect_free = shape.kind == "compensatable" && dice->Chance(15);
    shape.sequential = dice->Chance(45);
    if (shape.sequential && i > 0) shape.after = {i - 1};
    for (int before = 0; before < i && !shape.sequential; ++before) {
      if (dice->Chance(35)) shape.after.push_back(before);
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

}  // namespace

int ParticipantIndex(absl::string_view name) {
  for (int i = 0; i < kParticipantCount; ++i) {
    if (kParticipants[i].name == name) return i;
  }
  return -1;
}

std::string DefinitionName(int index) {
  return absl::StrCat("play-", index);
}

std::string DefinitionText(int index) {
  Dice dice(index);
  const std::vector<StepShape> shapes = Shapes(&dice);
  std::string text =
      absl::StrCat("name: ", DefinitionName(index), "\ninput: {user: string}\n", "labels: {user: \"${input.user}\"}\n");
  if (dice.Chance(40)) absl::StrAppend(&text, "timeout: ", 500 + dice.Below(10'000), "ms\n");
  absl::StrAppend(&text, "steps:\n");
  // Half of the definitions have no plain participant, so that nothing bounds how long their messages take.
  const int participants = dice.Chance(50) ? 2 : kParticipantCount;
  for (const StepShape& shape : shapes) {
    std::vector<std::string> after;
    for (const int before : shape.after) after.push_back(shapes[before].name);
    absl::StrAppend(&text, "  - name: ", shape.name,
                    "\n    participant: ", kParticipants[dice.Below(participants)].name, "\n    kind: ", shape.kind,
                    "\n");
    if (!shape.sequential) absl::StrAppend(&text, "    after: [", absl::StrJoin(after, ", "), "]\n");
    const bool retriable = shape.kind == "retriable";
    if (!retriable && dice.Chance(20)) absl::StrAppend(&text, "    deadline: ", 200 + dice.Below(4'000), "ms\n");
    absl::StrAppend(&text, ActionText(shape, shapes, !retriable, &dice), CompensationText(shape, &dice));
  }
  absl::StrAppend(&text, "output: {last: \"${steps.", shapes.back().name, ".reply.payment_id}\"}\n");
  return text;
}

const Library& Library::Get() {
  static const auto* const library = new Library();
  return *library;
}

Library::Library() {
  ShopSource source;
  for (int index = 0; index < kDefinitions; ++index) {
    auto compiled = definition::Compile(DefinitionText(index), 1, &source);
    TUTTI_CHECK(compiled.ok(), absl::StrCat(compiled.status().ToString(), "\n", DefinitionText(index)).c_str());
    definitions_.push_back(*std::move(compiled));
  }
}

std::shared_ptr<const saga::Recipe> Library::Find(absl::string_view definition, int64_t revision) const {
  int index = 0;
  if (revision != 1 || definition.substr(0, 5) != "play-" || !absl::SimpleAtoi(definition.substr(5), &index)) {
    return nullptr;
  }
  return index >= 0 && index < kDefinitions ? definitions_[index].definition->recipe() : nullptr;
}

saga::ParticipantTraits Library::TraitsOf(absl::string_view participant) const {
  const ParticipantKind& kind = kParticipants[ParticipantIndex(participant)];
  return {.barrier = kind.guard == Guard::kBarrier, .refusals_open = kind.refusals_open};
}

std::string Library::InputOf(int index, const std::string& user) const {
  google::protobuf::Struct input;
  (*input.mutable_fields())["user"].set_string_value(user);
  const auto encoded = definitions_[index].definition->EncodeInput(input);
  TUTTI_CHECK(encoded.ok(), "the input fits");
  return *encoded;
}

}  // namespace tutti::sim
