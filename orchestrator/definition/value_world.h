// For tests of what mappings make of values: a definition of two steps over shop.v1's things and notes, and one saga.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_VALUE_WORLD_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_VALUE_WORLD_H_

#include <string>

#include "orchestrator/definition/test_source.h"
#include "tutti_test/legacy.pb.h"
#include "tutti_test/things.pb.h"

namespace tutti::definition::testing {

// Step `a` is answered, step `b` is sent.
struct Mappings {
  std::string input = "{}";
  std::string first = "shop.v1.ThingService/Do";
  std::string first_request = "{}";
  std::string first_more = "";  // further keys of a's action, one a line, indented by six
  std::string second = "shop.v1.ThingService/Do";
  std::string request = "{}";
  std::string more = "";  // of b's action
  std::string output = "{}";
  std::string labels = "{}";
};

inline std::string Definition(const Mappings& m) {
  // Through messages, so that the linker keeps the files.
  shop::v1::Thing::descriptor();
  shop::v1::Note::descriptor();
  return absl::StrCat(
      "name: values\ninput: ", m.input, "\nlabels: ", m.labels,
      "\nsteps:\n  - name: a\n    participant: shop\n    action:\n      method: ", m.first,
      "\n      request: ", m.first_request, "\n", m.first_more,
      "    compensation: none\n  - name: b\n    participant: shop\n    action:\n      method: ", m.second,
      "\n      request: ", m.request, "\n", m.more, "    compensation: none\noutput: ", m.output, "\n");
}

class ValueTest : public SagaTest {
 protected:
  void Use(const Mappings& mappings, const std::string& input = "{}") { SagaTest::Use(Definition(mappings), input); }
  // Ends the saga.
  saga::MappedOutput Output() {
    for (auto& step : *record_.mutable_steps()) step.set_state(v1::STEP_STATE_SUCCEEDED);
    return mapper().MapOutput(record_);
  }
  saga::MappedOutput OutputOf(const std::string& output, std::string reply,
                              const std::string& method = "shop.v1.ThingService/Do") {
    Use({.first = method, .output = output});
    Reply(std::move(reply));
    return Output();
  }
  absl::StatusOr<saga::MappedRequest> Request() {
    return mapper().MapRequest(1, v1::OPERATION_ACTION, "uid-1/b/action", record_);
  }
  // What step b is sent, or the error in its `text`.
  template <typename Message = shop::v1::Thing>
  Message Sent() {
    const auto request = Request();
    Message message;
    if (request.ok()) {
      EXPECT_TRUE(message.ParseFromString(request->bytes));
    } else {
      message.set_text(std::string(request.status().message()));
    }
    return message;
  }
};

// The leaf and so many things around it.
inline shop::v1::Thing Nested(int levels) {
  shop::v1::Thing thing;
  thing.set_text("leaf");
  for (int i = 0; i < levels; ++i) {
    shop::v1::Thing outer;
    *outer.mutable_child() = std::move(thing);
    thing = std::move(outer);
  }
  return thing;
}

}  // namespace tutti::definition::testing

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_VALUE_WORLD_H_
