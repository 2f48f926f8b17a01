#include "tools/tuttictl/yaml.h"

#include <climits>

#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tutti/v1/saga.pb.h"
#include "yaml-cpp/yaml.h"

namespace tutti::ctl {
namespace {

TEST(YamlTest, FieldsStandInTheirOrderWithTheirProtoNames) {
  v1::Parking parking;
  parking.set_cause(v1::PARKING_CAUSE_REFUSED);
  parking.set_message("no: it is # gone");
  parking.mutable_since()->set_seconds(1'700'000'000);
  parking.set_history_sequence(LLONG_MAX);
  EXPECT_EQ(RenderYaml(parking),
            "cause: PARKING_CAUSE_REFUSED\n"
            "message: \"no: it is # gone\"\n"
            "since: \"2023-11-14T22:13:20Z\"\n"
            "history_sequence: 9223372036854775807\n"
            "operation: OPERATION_UNSPECIFIED\n");
}

TEST(YamlTest, UnsetMessagesAreLeftOutAndEmptyListsAreNot) {
  const YAML::Node saga = YAML::Load(RenderYaml(v1::Saga()));
  EXPECT_FALSE(saga["input"].IsDefined());
  EXPECT_FALSE(saga["start_time"].IsDefined());
  EXPECT_TRUE(saga["steps"].IsSequence());
  EXPECT_TRUE(saga["labels"].IsMap());
  EXPECT_EQ(saga["parked"].as<bool>(), false);
}

TEST(YamlTest, EnumValuesOfANewerServerAreNumbers) {
  v1::Parking parking;
  parking.set_cause(static_cast<v1::ParkingCause>(77));
  EXPECT_EQ(YAML::Load(RenderYaml(parking))["cause"].as<int>(), 77);
}

// Text that a reader of YAML, 1.1 or 1.2, could take for something else is quoted.
TEST(YamlTest, TextStaysText) {
  for (const std::string text :
       {"true",       "No",       "on",      "y",   "null", "~",  "12",           "1e3",   "0x1f",
        "2026-01-31", "",         " ",       "- a", "a: b", "#",  "line\nline\n", "tab\t", "\"",
        "\\",         "\x1b[31m", "é\u202e", "=",   "<<",   "&a", "*a",           "!a"}) {
    v1::Saga saga;
    saga.set_saga_id(text);
    (*saga.mutable_labels())[text] = text;
    const std::string yaml = RenderYaml(saga);
    const YAML::Node node = YAML::Load(yaml);
    EXPECT_EQ(node["saga_id"].as<std::string>(), text) << yaml;
    EXPECT_EQ(node["saga_id"].Tag(), "!") << yaml << ": not quoted";
    EXPECT_EQ(node["labels"].begin()->first.as<std::string>(), text) << yaml;
  }
}

TEST(YamlTest, StructsKeepTheirShapes) {
  v1::Saga saga;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  "{\"b\":[1,\"1\",null,true,{}],\"a\":{\"n\":-9007199254740991,\"f\":0.1,\"big\":1e300}}",
                  saga.mutable_input())
                  .ok());
  const std::string yaml = RenderYaml(saga);
  const YAML::Node input = YAML::Load(yaml)["input"];
  EXPECT_EQ(input["b"].size(), 5u);
  EXPECT_EQ(input["b"][0].Tag(), "?");
  EXPECT_EQ(input["b"][1].Tag(), "!");
  EXPECT_TRUE(input["b"][2].IsNull());
  EXPECT_TRUE(input["b"][4].IsMap());
  EXPECT_EQ(input["a"]["n"].as<int64_t>(), -9007199254740991);
  EXPECT_EQ(input["a"]["f"].as<double>(), 0.1);
  EXPECT_EQ(input["a"]["big"].as<double>(), 1e300);
  EXPECT_NE(yaml.find("f: 0.1\n"), std::string::npos) << yaml;
  EXPECT_LT(yaml.find("a:"), yaml.find("b:")) << yaml;
}

}  // namespace
}  // namespace tutti::ctl
