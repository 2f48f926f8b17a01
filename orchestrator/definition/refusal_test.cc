// A table of wrong definitions, each with exactly what its author is told.
#include "orchestrator/definition/test_source.h"

namespace tutti::definition {
namespace {

using testing::Definition;
using testing::Refusals;
using testing::TestSource;
using testing::Texts;

// One step, its action's further keys and its own given as flow text.
std::string Step(const std::string& step_more, const std::string& action_more = "") {
  return absl::StrCat("name: x\ninput: {n: int64}\nsteps:\n- {name: a, participant: shop, ", step_more,
                      " action: {method: shop.v1.PayService/Pay", action_more, "}}\n");
}

std::string Steps(const std::string& steps) {
  std::string text = "name: x\nsteps:\n";
  for (const char c : steps) {
    if (c != '%') {
      text.push_back(c);
    } else {
      text.append("participant: shop, action: {method: shop.v1.PayService/Pay}");
    }
  }
  return text;
}

struct Case {
  const char* why;
  std::string text;
  std::string refusal;
};

void Check(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(Refusals(c.text), c.refusal) << c.why << "\n" << c.text;
}

TEST(RefusalTest, Shape) {
  Check({
      {"unknown key",
       "nmae: x\nname: x\nsteps: [{name: a, participant: shop, compensation: none, action: {method: "
       "shop.v1.PayService/Pay}}]",
       "nmae (line 1): unknown key (did you mean `name`?); remove it"},
      {"unknown key below", Step("compensation: none,", ", timeut: 1s"),
       "steps[0].action.timeut (line 4): unknown key (did you mean `timeout`?); remove it"},
      {"missing name and steps", "timeout: 1s",
       "name (line 1): is missing; add it\nsteps (line 1): is missing; add a list of steps"},
      {"no steps", "name: x\nsteps: []", "steps (line 2): must be a list of at least one step"},
      {"not a map", "- a", "definition (line 1): expected a map, found a list"},
      {"missing parts", "name: x\nsteps:\n- {}\n",
       "steps[0].name (line 3): is missing; add it\nsteps[0].participant (line 3): is missing; add it\n"
       "steps[0].action (line 3): is missing; say which method the step calls\n"
       "steps[0].compensation (line 3): is missing; say how the step is undone, or `compensation: none` when it has no "
       "effect"},
      {"missing method", "name: x\nsteps:\n- {name: a, participant: shop, compensation: none, action: {}}\n",
       "steps[0].action.method (line 3): is missing; add it"},
      {"bad name",
       "name: Book_Ticket\nsteps:\n- {name: a, participant: shop, compensation: none, action: {method: "
       "shop.v1.PayService/Pay}}\n",
       "name (line 1): `Book_Ticket` is not a name of at most 63 characters; use lower-case letters, digits and '-', "
       "starting with a letter"},
      {"two steps of one name", Steps("- {name: a, compensation: none, %}\n- {name: a, compensation: none, %}\n"),
       "steps[1].name (line 4): `a` is already the step on line 3; give each step its own name"},
  });
}

TEST(RefusalTest, ParticipantsAndMethods) {
  const auto method = [](const std::string& name) {
    return absl::StrCat("name: x\nsteps:\n- {name: a, participant: shop, compensation: none, action: {method: ", name,
                        "}}\n");
  };
  Check({
      {"unknown participant",
       "name: x\nsteps:\n- {name: a, participant: shap, compensation: none, action: {method: "
       "shop.v1.PayService/Pay}}\n",
       "steps[0].participant (line 3): participant `shap` is unknown; add it to participants.yaml"},
      {"no method", method("shop.v1.PayService"),
       "steps[0].action.method (line 3): `shop.v1.PayService` is not a method; write package.Service/Method"},
      {"leading slash", method("/shop.v1.PayService/Pay"),
       "steps[0].action.method (line 3): `/shop.v1.PayService/Pay` is not a method; write package.Service/Method"},
      {"unknown service", method("shop.v1.PaService/Pay"),
       "steps[0].action.method (line 3): participant `shop` has no service `shop.v1.PaService`; check the name, its "
       "package "
       "included"},
      {"unknown method", method("shop.v1.PayService/Refnd"),
       "steps[0].action.method (line 3): service `shop.v1.PayService` has no method `Refnd` (did you mean `Refund`?); "
       "it has "
       "Pay, Refund, Follow"},
      {"streaming", method("shop.v1.PayService/Follow"),
       "steps[0].action.method (line 3): `shop.v1.PayService/Follow` is a streaming method; name a unary one"},
  });
}

TEST(RefusalTest, Values) {
  const auto pay = [](const std::string& request) { return Definition({.pay = request}); };
  const std::string at = "steps[0].action.request.";
  Check({
      {"unknown field", pay("{user: x}"),
       at + "user (line 9): shop.v1.PayRequest has no field `user` (did you mean `user_id`?); remove it"},
      {"yes is no bool", pay("{urgent: yes}"), at + "urgent (line 9): `yes` is not bool; write true or false"},
      {"exponent", pay("{amount: 1e3}"),
       at + "amount (line 9): `1e3` is not int64; write a whole number in decimal digits, without exponent"},
      {"octal", pay("{amount: 08}"),
       at + "amount (line 9): `08` is not int64; write the number without leading zeros, "
            "readers disagree about their meaning"},
      {"too large", pay("{amount: 9223372036854775808}"),
       at + "amount (line 9): `9223372036854775808` is not int64; it must be between -9223372036854775808 and "
            "9223372036854775807"},
      {"negative", pay("{small: -1}"), at + "small (line 9): `-1` is not uint32; it must be between 0 and 4294967295"},
      {"enum", pay("{currency: EUR}"),
       at + "currency (line 9): `EUR` is not shop.v1.Currency; write the name of one of its values"},
      {"base64", pay("{token: '*'}"), at + "token (line 9): `*` is not bytes; write it in base64"},
      {"a map for a scalar", pay("{amount: {a: 1}}"),
       at + "amount (line 9): expected one value for int64, found a map"},
      {"a scalar for a message", pay("{order: x}"),
       at + "order (line 9): expected a map of the fields of shop.v1.Order, found `x`"},
      {"a scalar for a list", pay("{tags: x}"), at + "tags (line 9): expected a list for repeated string, found `x`"},
      {"a list for a map", pay("{counts: [1]}"),
       at + "counts (line 9): expected a map for map<string, int32>, found a list"},
      {"nothing", pay("{user_id: }"), at + "user_id (line 9): has no value; write one, or leave the key out"},
      {"a oneof twice", pay("{card: a, account: b}"),
       at + "account (line 9): only one of the fields of `way` can be set, and `card` is; keep one"},
      {"digits in a Value", pay("{anything: 9007199254740993}"),
       at + "anything (line 9): `9007199254740993`: the integer would lose digits; write it in quotes"},
      {"deep", pay("{order: {items: [{sku: a}, {cuont: 1}]}}"),
       at + "order.items[1].cuont (line 9): shop.v1.Item has no field `cuont` (did you mean `count`?); remove it"},
      {"a bad default", pay("{amount: \"${input.price | default(x)}\"}"),
       at + "amount (line 9): `x` is not int64; write a whole number in decimal digits, without exponent"},
      {"timestamps", pay("{due: tomorrow}"),
       at + "due (line 9): `tomorrow` is not a google.protobuf.Timestamp; write 2030-01-31T12:00:00Z for times and "
            "1.5s for "
            "durations"},
  });
}

TEST(RefusalTest, References) {
  const auto pay = [](const std::string& value) { return Definition({.pay = "{user_id: \"" + value + "\"}"}); };
  const std::string at = "steps[0].action.request.user_id (line 9): ";
  Check({
      {"unclosed", pay("${input.user"),
       at + "`${input.user`: the closing } is missing; write ${input.field} or "
            "${steps.name.reply.field | default(0)}, and $${ for the characters themselves"},
      {"unknown root", pay("${inputs.user}"),
       at + "`${inputs.user}`: unknown (did you mean `input`?); references start with input, saga.id, command.key, "
            "steps.<name>.key or steps.<name>.reply"},
      {"unknown input field", pay("${input.usr}"),
       at + "`${input.usr}`: tutti.definition.Input has no field `usr` (did you mean `user`?); it has order, price, "
            "small, "
            "tags, user"},
      {"beyond a scalar", pay("${input.user.x}"),
       at + "`${input.user.x}`: `user` is string and has no field to follow; end there"},
      {"into a list", pay("${input.tags.x}"),
       at + "`${input.tags.x}`: `tags` is repeated string and has no field to follow; end there"},
      {"unknown step", pay("${steps.shp.key}"),
       at + "`${steps.shp.key}`: there is no step `shp` (did you mean `ship`?); name a step of this saga"},
      {"neither key nor reply", pay("${steps.ship.x}"),
       at + "`${steps.ship.x}`: a step has a key and a reply; write steps.<name>.key or steps.<name>.reply.<field>"},
      {"a later step", pay("${steps.ship.reply.payment_id}"),
       at + "`${steps.ship.reply.payment_id}`: step `ship` does not precede `pay`, so its reply may not be there; name "
            "it in "
            "`after`, or add `| default(…)`"},
      {"a later step with a default", pay("${steps.ship.reply.payment_id | default(x)}"), "OK"},
      {"its own", pay("${steps.pay.reply.payment_id | default(x)}"),
       at + "`${steps.pay.reply.payment_id | default(x)}`: an action cannot read its own reply; name a step that "
            "precedes it"},
      {"unknown reply field", Definition({.ship = "{user_id: \"${steps.pay.reply.paymentid}\"}"}),
       "steps[1].action.request.user_id (line 17): `${steps.pay.reply.paymentid}`: shop.v1.PayReply has no field "
       "`paymentid` "
       "(did you mean `payment_id`?); it has payment_id, balance, points, order, tags, note, currency, refused, "
       "counts, time"},
      {"own reply in a compensation", Definition({.refund = "{payment_id: \"${steps.pay.reply.payment_id}\"}"}),
       "steps[0].compensation.request.payment_id (line 12): `${steps.pay.reply.payment_id}`: the compensation of `pay` "
       "must "
       "work without its action's reply, which may never have come; add `| default(…)`, or address what is undone by "
       "${steps.pay.key}"},
      {"a key in the output", Definition({.output = "{k: \"${command.key}\"}"}),
       "output.k (line 19): `${command.key}`: there is no command here; only actions and compensations have a key"},
      {"a reply in a label", Definition({.labels = "{k: \"${steps.pay.reply.note}\"}"}),
       "labels.k (line 3): `${steps.pay.reply.note}`: labels are set at the start and read the input only"},
  });
}

TEST(RefusalTest, KindsAndOrder) {
  Check({
      {"a cycle",
       Steps("- {name: a, after: [c], compensation: none, %}\n- {name: b, compensation: none, %}\n- {name: c, "
             "compensation: none, %}\n"),
       "steps[0].name (line 3): steps wait for each other: a after c after b after a; remove one of these from its "
       "`after`"},
      {"after itself", Steps("- {name: a, after: [a], compensation: none, %}\n"),
       "steps[0].name (line 3): steps wait for each other: a after a; remove one of these from its `after`"},
      {"unknown in after", Steps("- {name: pay, after: [pya], compensation: none, %}\n"),
       "steps[0].after[0] (line 3): there is no step `pya` (did you mean `pay`?); name a step of this saga"},
      {"two pivots", Steps("- {name: a, kind: pivot, %}\n- {name: b, kind: pivot, %}\n"),
       "steps[1].name (line 4): is a second pivot beside `a`; a saga has one commit point, make this step retriable or "
       "compensatable"},
      {"an implied cycle",
       Steps("- {name: p, kind: pivot, after: [], %}\n- {name: c, compensation: none, after: [p], %}\n"),
       "steps[1].after[0] (line 4): kind out of order: compensatable `c` cannot come after pivot `p`; compensatable "
       "steps "
       "come first, then the pivot, then retriable steps"},
      {"written after a retriable", Steps("- {name: r, kind: retriable, %}\n- {name: p, kind: pivot, %}\n"),
       "steps[1].name (line 4): kind out of order: pivot `p` cannot come after retriable `r`; compensatable steps come "
       "first, then the pivot, then retriable steps"},
      {"no compensation", Step(""),
       "steps[0].compensation (line 4): is missing; say how the step is undone, or `compensation: none` when it has no "
       "effect"},
      {"a pivot undone", Step("kind: pivot, compensation: {method: shop.v1.PayService/Refund},"),
       "steps[0].compensation (line 4): a pivot is never undone; remove it, or make the step compensatable"},
      {"a deadline for ever", Step("kind: retriable, deadline: 1s,"),
       "steps[0].deadline (line 4): a retriable step goes on until it succeeds and has no deadline; remove it"},
      {"unknown kind", Step("kind: retryable, compensation: none,"),
       "steps[0].kind (line 4): `retryable` is not a kind (did you mean `retriable`?); write compensatable, pivot or "
       "retriable"},
  });
}

TEST(RefusalTest, OutcomesRetriesAndHeaders) {
  const auto action = [](const std::string& more) { return Step("compensation: none,", ", " + more); };
  const std::string at = "steps[0].action.";
  Check({
      {"a refusal as success", action("outcomes: {NOT_FOUND: SUCCEEDED}"),
       at + "outcomes.NOT_FOUND (line 4): a refused action has had no effect and cannot count as SUCCEEDED; let the "
            "participant answer OK"},
      {"the network as refusal", action("outcomes: {UNAVAILABLE: REJECTED}"),
       at + "outcomes.UNAVAILABLE (line 4): UNAVAILABLE can come from the network instead of the participant, so it "
            "proves "
            "nothing and stays UNKNOWN; remove it"},
      {"OK", action("outcomes: {OK: REJECTED}"),
       at + "outcomes.OK (line 4): OK cannot be moved; use rejected_when to read a refusal in a reply"},
      {"unknown code", action("outcomes: {NOTFOUND: REJECTED}"),
       at + "outcomes.NOTFOUND (line 4): is not a gRPC status code (did you mean `NOT_FOUND`?); write its name, for "
            "example "
            "NOT_FOUND"},
      {"unknown outcome", action("outcomes: {NOT_FOUND: REJECT}"),
       at + "outcomes.NOT_FOUND (line 4): `REJECT` is not an outcome (did you mean `REJECTED`?); write SUCCEEDED, "
            "REJECTED or "
            "UNKNOWN"},
      {"duration", action("timeout: 2"),
       at + "timeout (line 4): `2` is not a duration; write a whole number with a unit: 50ms, 2s, 1m, 1h or 7d"},
      {"long duration", action("timeout: 8d"), at + "timeout (line 4): `8d` is too long; at most 7d are allowed"},
      {"no time", action("timeout: 0s"),
       at + "timeout (line 4): must be longer than nothing; leave it out for the default"},
      {"attempts", action("retry: {max_attempts: 0}"),
       at + "retry.max_attempts (line 4): `0` must be a whole number from 1 to 1000000, or unlimited"},
      {"refusals", action("retry: {max_refusals: 2}"),
       at + "retry.max_refusals (line 4): only compensations and retriable actions go on after a refusal; remove it"},
      {"multiplier", action("retry: {multiplier: 0.5}"),
       at + "retry.multiplier (line 4): `0.5` must be a number from 1 to 100"},
      {"backoff", action("retry: {initial_backoff: 2s, max_backoff: 1s}"),
       at + "retry (line 4): initial_backoff (2000ms) is longer than max_backoff (1000ms)"},
      {"upper case", action("metadata: {X-Id: a}"),
       at + "metadata.X-Id (line 4): header names are lower-case letters, digits, '-', '_' and '.'"},
      {"ours", action("metadata: {tutti-step: a}"),
       at + "metadata.tutti-step (line 4): the orchestrator sets the tutti- headers itself; choose another name"},
      {"gRPC's", action("metadata: {grpc-timeout: a}"),
       at + "metadata.grpc-timeout (line 4): grpc- headers belong to gRPC; choose another name"},
      {"binary", action("metadata: {x-bin: a}"),
       at + "metadata.x-bin (line 4): binary headers are not supported; choose a name without -bin"},
      {"reserved", action("metadata: {te: a}"),
       at + "metadata.te (line 4): the transport sets this header itself; choose another name"},
      {"rejected_when field", action("rejected_when: {refsed: true}"),
       at + "rejected_when.refsed (line 4): `refsed`: shop.v1.PayReply has no field `refsed` (did you mean "
            "`refused`?); it has "
            "payment_id, balance, points, order, tags, note, currency, refused, counts, time"},
      {"rejected_when a reference", action("rejected_when: {payment_id: '${input.user}'}"),
       at + "rejected_when.payment_id (line 4): is compared as it stands and cannot hold a reference; write a literal"},
      {"rejected_when value", action("rejected_when: {refused: yes}"),
       at + "rejected_when.refused (line 4): `yes` is not bool; write true or false"},
  });
}

TEST(RefusalTest, Input) {
  const auto input = [](const std::string& text) { return Definition({.input = text, .pay = "{}"}); };
  const std::string types =
      "; write a proto scalar such as string or int64, or the full name of a message, with `optional`, `repeated` or "
      "map<string, …> around it";
  Check({
      {"unknown scalar", input("{a: integer}"), "input.a (line 2): `integer` is not a type" + types},
      {"near scalar", input("{a: strng}"), "input.a (line 2): `strng` is not a type (did you mean `string`?)" + types},
      {"unknown message", input("{a: shop.v1.Oder}"),
       "input.a (line 2): no participant of this saga knows the type `shop.v1.Oder`; write its full name, package "
       "included"},
      {"unknown input message", input("shop.v1.Oder"),
       "input (line 2): no participant of this saga knows the type `shop.v1.Oder`; write its full name, package "
       "included"},
      {"an enum as input", input("shop.v1.Currency"),
       "input (line 2): `shop.v1.Currency` is not a message; name one, or write a map of fields"},
      {"bad field name", input("{a-b: string}"),
       "input.a-b (line 2): is not a field name; use letters, digits and '_', starting with a letter"},
      {"float keys", input("{a: \"map<double, string>\"}"),
       "input.a (line 2): `map<double, string>` is not a type" + types},
      {"a list", input("[a]"),
       "input (line 2): expected a map of field names to types, or a message name, found a list"},
  });
}

TEST(RefusalTest, EverythingIsSaidAtOnceInTheOrderOfLines) {
  EXPECT_EQ(
      Refusals(
          "name: Bad Name\ninput: {a: nope}\nsteps:\n- name: a\n  participant: nobody\n  action: {method: x}\n- "
          "name: b\n  participant: shop\n  action:\n    method: shop.v1.PayService/Pay\n    request: {amount: x}\n  "
          "compensation: none\n"),
      "name (line 1): `Bad Name` is not a name of at most 63 characters; use lower-case letters, digits and '-', "
      "starting with a letter\n"
      "input.a (line 2): `nope` is not a type; write a proto scalar such as string or int64, or the full name of a "
      "message, with `optional`, `repeated` or map<string, …> around it\n"
      "steps[0].compensation (line 4): is missing; say how the step is undone, or `compensation: none` when it has no "
      "effect\n"
      "steps[0].participant (line 5): participant `nobody` is unknown; add it to participants.yaml\n"
      "steps[0].action.method (line 6): `x` is not a method; write package.Service/Method\n"
      "steps[1].action.request.amount (line 11): `x` is not int64; write a whole number in decimal digits, without "
      "exponent");
}

TEST(RefusalTest, LimitsHold) {
  std::string many = "name: x\nsteps:\n";
  for (int i = 0; i < 65; ++i) {
    absl::StrAppend(&many, "- {name: s", i,
                    ", participant: shop, compensation: none, action: {method: shop.v1.PayService/Pay}}\n");
  }
  EXPECT_EQ(Refusals(many), "steps (line 3): there are 65 steps, at most 64 are allowed; split the saga");
  std::string labels = "{";
  for (int i = 0; i < 17; ++i) absl::StrAppend(&labels, "l", i, ": a,");
  EXPECT_EQ(Refusals(Definition({.labels = labels + "}"})),
            "labels (line 3): must be a map of at most 16 labels to texts");
  std::string values = "name: x\nlist: [";
  for (int i = 0; i < limits::kDefinitionValuesMax; ++i) values += "{},";
  EXPECT_EQ(Refusals(values + "]\n"),
            "definition (line 2): the text has more than 20000 values; pass large lists by reference");
  EXPECT_EQ(Refusals("name: " + std::string(1024 * 1024, 'x')),
            "definition: the text has 1048582 bytes, at most 1048576 are allowed");
}

TEST(RefusalTest, WhatCouldNeverBeSent) {
  const std::string other = std::string(limits::kMetadataBytesMax, 'x');
  Check({
      {"not ASCII", Definition({.pay_more = "      metadata: {x-name: \"\xC3\xA9\"}\n"}),
       "steps[0].action.metadata.x-name (line 10): can never be sent: headers are printable ASCII; encode it, in "
       "base64 "
       "for example"},
      {"a line break around a reference", Definition({.pay_more = "      metadata: {x-name: \"${input.user}\\n\"}\n"}),
       "steps[0].action.metadata.x-name (line 10): can never be sent: headers are printable ASCII; encode it, in "
       "base64 "
       "for example"},
      {"too long", Definition({.pay_more = absl::StrCat("      metadata: {x-name: ", other, "}\n")}),
       "steps[0].action.metadata (line 10): has 4102 bytes of names and text; at most 4096 fit into a command's "
       "headers"},
  });
}

TEST(RefusalTest, WhatCouldNeverBeUsed) {
  const std::string label(limits::kLabelBytesMax, 'x');
  const std::string output(limits::kOutputBytesMax, 'x');
  Check({
      {"a header's default that is not ASCII",
       Definition({.pay_more = "      metadata: {x-name: \"${input.user | default('\xC3\xA9')}\"}\n"}),
       "steps[0].action.metadata.x-name (line 10): can never be sent: headers are printable ASCII; encode it, in "
       "base64 for example"},
      {"a label that is too long whatever the input", Definition({.labels = "{l: \"" + label + "${input.user}x\"}"}),
       "labels.l (line 3): has 257 bytes of text; at most 256 can be listed by, so no start would be taken; shorten "
       "it"},
      {"a reference in a default", Definition({.pay = "{user_id: \"${input.user | default('${saga.id}')}\"}"}),
       "steps[0].action.request.user_id (line 9): `${input.user | default('${saga.id}')}`: a default is taken as it "
       "stands and cannot hold a reference; write a literal"},
      {"an output of literals", Definition({.output = "{a: [" + output + "], b: x}"}),
       "output (line 19): has 262153 bytes of literals; an output has at most 262144, so some would always be left "
       "out"},
  });
  EXPECT_EQ(Refusals(Definition({.labels = "{l: " + label + "}"})), "OK");
  EXPECT_EQ(Refusals("name: x\nsteps:\n- name: a\n  participant: shop\n  compensation: none\n  action: {method: "
                     "shop.v1.ThingService/Do, rejected_when: {real: NaN}}\n"),
            "steps[0].action.rejected_when.real (line 6): is equal to no value, itself included; leave the rule out");
}

TEST(RefusalTest, DefaultsWhereThereIsAlwaysAValue) {
  const auto told = [](const std::string& reference) {
    return absl::StrCat(
        "steps[0].action.request.user_id (line 9): `${", reference,
        " | default('x')}` always has a value; leave out its default, which input and reply references alone can have");
  };
  for (const std::string reference : {"saga.id", "command.key", "steps.pay.key"}) {
    EXPECT_EQ(Refusals(Definition({.pay = absl::StrCat("{user_id: \"${", reference, " | default('x')}\"}")})),
              told(reference));
    EXPECT_EQ(Refusals(Definition({.pay = absl::StrCat("{user_id: \"a ${", reference, " | default('x')}\"}")})),
              told(reference));
  }
}

TEST(RefusalTest, WhatWasKeptBeforeGoesOnCompiling) {
  TestSource source;
  const auto compiled = Compile(Definition({}), 1, &source);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  storage::v1::DefinitionRecord record;
  record.set_name(compiled->name);
  record.set_revision(1);
  *record.mutable_descriptors() = compiled->descriptors;
  for (const std::string& text :
       {Definition({.pay = "{user_id: \"${saga.id | default('x')}\"}"}),
        Definition({.pay = "{user_id: \"${input.user | default('${saga.id}')}\"}"}),
        Definition({.pay_more = "      rejected_when: {payment_id: '${input.user}'}\n"}),
        Definition({.labels = "{l: " + std::string(limits::kLabelBytesMax + 1, 'x') + "}"}),
        Definition({.pay_more = "      metadata: {x-name: \"\xC3\xA9\"}\n"}), Definition({}) + "%garbage\n"}) {
    EXPECT_NE(Refusals(text), "OK") << text;
    record.set_source(text);
    // The digest is of another text; that it is what is complained about says that the text itself is taken.
    EXPECT_NE(std::string(Recompile(record).status().message()).find("not those that were applied"), std::string::npos)
        << Recompile(record).status();
  }
}

TEST(RefusalTest, SuggestionsAreMadeForTheFirstMistakesOnly) {
  std::string wrong;
  for (int i = 0; i < 50; ++i) absl::StrAppend(&wrong, i == 0 ? "" : ", ", "user_idd", i, ": x");
  const std::string refusals = Refusals(Definition({.pay = absl::StrCat("{", wrong, "}")}));
  size_t suggested = 0;
  for (size_t at = refusals.find("did you mean"); at != std::string::npos; at = refusals.find("did you mean", at + 1)) {
    ++suggested;
  }
  EXPECT_EQ(suggested, static_cast<size_t>(limits::kSuggestionsMax));
}

class FaultySource final : public DescriptorSource {
 public:
  explicit FaultySource(absl::Status fault) : fault_(std::move(fault)) {}
  bool KnowsParticipant(absl::string_view) const override { return true; }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view, absl::string_view) override {
    if (!fault_.ok()) return fault_;
    google::protobuf::FileDescriptorSet set;
    set.add_file()->set_name("new.proto");
    set.mutable_file(0)->set_package("shop.v1");
    set.mutable_file(0)->set_syntax("editions");
    set.mutable_file(0)->add_service()->set_name("PayService");
    return set;
  }

 private:
  const absl::Status fault_;
};

TEST(RefusalTest, APermanentFaultOfAParticipantIsTheDefinitionsMistakeAndAPassingOneIsNot) {
  const auto compile = [](absl::Status fault) {
    FaultySource source(std::move(fault));
    return Compile(Step("compensation: none,"), 1, &source).status();
  };
  const absl::Status lasting = compile(absl::FailedPreconditionError("it serves no reflection; give a descriptor_set"));
  EXPECT_EQ(ViolationsOf(lasting).at(0).field, "steps[0].action.method (line 4)");
  EXPECT_EQ(ViolationsOf(lasting).at(0).description,
            "the types of participant `shop` cannot be had: it serves no reflection; give a descriptor_set");
  EXPECT_TRUE(absl::IsUnavailable(compile(absl::UnavailableError("connection refused"))));
  const absl::Status editions = compile(absl::OkStatus());
  EXPECT_EQ(
      ViolationsOf(editions).at(0).description,
      "the file new.proto of participant `shop` is written in protobuf editions, which this version cannot read; write "
      "its types in a proto3 file too, with the same names and numbers, make a descriptor set of that, and name "
      "it as the participant's descriptor_set in participants.yaml");
}

}  // namespace
}  // namespace tutti::definition
