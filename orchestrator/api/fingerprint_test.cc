#include "orchestrator/api/fingerprint.h"

#include <set>

#include "absl/strings/escaping.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace tutti::api {
namespace {

google::protobuf::Struct Input(const std::string& json) {
  google::protobuf::Struct input;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &input).ok()) << json;
  return input;
}

std::string Fingerprint(const std::string& json) {
  return StartFingerprint("book-ticket", 0, Input(json));
}

TEST(FingerprintTest, TheOrderOfFieldsDoesNotMatter) {
  EXPECT_EQ(Fingerprint(R"({"a": 1, "b": {"c": "x", "d": [1, true, null]}})"),
            Fingerprint(R"({"b": {"d": [1, true, null], "c": "x"}, "a": 1.0})"));
}

TEST(FingerprintTest, AnythingElseDoes) {
  const google::protobuf::Struct input = Input(R"({"a": 1})");
  const std::set<std::string> all = {
      Fingerprint("{}"),
      Fingerprint(R"({"a": 1})"),
      Fingerprint(R"({"a": "1"})"),
      Fingerprint(R"({"a": true})"),
      Fingerprint(R"({"a": null})"),
      Fingerprint(R"({"a": [1]})"),
      Fingerprint(R"({"a": [[1]]})"),
      Fingerprint(R"({"a": {}})"),
      Fingerprint(R"({"a": []})"),
      Fingerprint(R"({"a": [1, 2]})"),
      Fingerprint(R"({"a": [2, 1]})"),
      Fingerprint(R"({"a": 1, "b": 1})"),
      Fingerprint(R"({"a": 2})"),
      Fingerprint(R"({"ab": "c"})"),
      Fingerprint(R"({"a": "bc"})"),
      StartFingerprint("book-ticket", 1, input),
      StartFingerprint("book-ticket2", 0, input),
  };
  EXPECT_EQ(all.size(), 17u);
}

TEST(FingerprintTest, IsTheSameForEver) {
  // Stored with every saga: when this fails, every repeated start across the update would be refused.
  EXPECT_EQ(absl::BytesToHexString(
                Fingerprint(R"({"price": 1200, "user": "u1", "seats": ["A1", {"row": 2}], "vip": false})")),
            "ed6e8c513550dc3d3ea4d7b83719c7b1921076445c4f9c902627574585397ee1");
}

}  // namespace
}  // namespace tutti::api
