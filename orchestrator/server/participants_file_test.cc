#include "orchestrator/server/participants_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/certificates_testing.h"

namespace tutti::server {
namespace {

using testing::HasSubstr;

// A folder with files of these names, gone with the object.
class Folder {
 public:
  explicit Folder(std::initializer_list<const char*> files) {
    std::string name = (std::filesystem::temp_directory_path() / "tutti-participants-XXXXXX").string();
    path_ = mkdtemp(name.data());
    for (const char* file : files) Write(file, "content");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  void Write(const std::string& file, const std::string& content) const {
    std::ofstream(path_ + "/" + file) << content;
  }

 private:
  std::string path_;
};

TEST(ParticipantsFileTest, ReadsEverySetting) {
  const Folder folder({"token"});
  WriteSelfSignedCertificate(folder.path());
  const auto participants = ParseParticipants(R"(
participants:
  payment:
    target: "payment:7601"
    barrier: true
    refusals: open
    descriptor_set: sets/payment.binpb
    concurrency: 7
    load_balancing: round_robin
    bearer_token_file: token
    tls: {ca_file: cert.pem, server_name: payment.internal}
  shop: {target: "unix:/tmp/shop"}
)",
                                              folder.path());
  ASSERT_TRUE(participants.ok()) << participants.status();
  ASSERT_EQ(participants->size(), 2u);
  const Participant& payment = participants->at(0);
  EXPECT_EQ(payment.endpoint.name, "payment");
  EXPECT_EQ(payment.endpoint.target, "payment:7601");
  EXPECT_TRUE(payment.traits.barrier);
  EXPECT_TRUE(payment.traits.refusals_open);
  EXPECT_EQ(payment.descriptor_set, folder.path() + "/sets/payment.binpb");
  EXPECT_EQ(payment.endpoint.max_in_flight, 7);
  EXPECT_EQ(payment.endpoint.load_balancing, "round_robin");
  EXPECT_EQ(payment.endpoint.bearer_token_file, folder.path() + "/token");
  EXPECT_TRUE(payment.endpoint.UsesTls());
  EXPECT_EQ(payment.endpoint.ca_file, folder.path() + "/cert.pem");
  EXPECT_EQ(payment.endpoint.server_name, "payment.internal");
  EXPECT_FALSE(participants->at(1).traits.barrier);
  EXPECT_FALSE(participants->at(1).traits.refusals_open);
}

struct BadFile {
  const char* text;
  const char* message;
};

TEST(ParticipantsFileTest, MistakesNamePathLineAndRemedy) {
  const BadFile files[] = {
      {"participants: {payment: {barrier: true}}", "participants.payment.target"},
      {"participants:\n  payment: {target: 'a:1', bariere: true}", "did you mean `barrier`?"},
      {"participants:\n  payment:\n    target: a:1\n    barrier: yes\n", "participants.payment.barrier (line 4)"},
      {"participants: {Payment: {target: 'a:1'}}", "participants.Payment"},
      {"participants: {payment: {target: 'a:1'}, payment: {target: 'b:1'}}", "participants.payment"},
      {"participants: [payment]", "must be a map"},
      {"participants:", "must be a map"},
      {"participants: 5", "must be a map"},
      {"payments: {}", "participants"},
      {"participants: {}\nversion: 2", "version"},
      {"participants: {", "line 1"},
  };
  for (const BadFile& file : files) {
    const auto participants = ParseParticipants(file.text, "/");
    ASSERT_FALSE(participants.ok()) << file.text;
    EXPECT_THAT(std::string(participants.status().message()), HasSubstr(file.message)) << file.text;
  }
}

// Whatever stands at a setting that is no value of it, the refusal names its path and its line.
TEST(ParticipantsFileTest, EverySettingRefusesWhatItIsNot) {
  const Folder folder({"file", "token"});
  struct Setting {
    const char* name;
    std::vector<const char*> wrong;
  };
  const std::vector<const char*> no_text = {"5", "1.5", "true", "null", "~", "", "\"\"", "[a]", "{a: b}", "[]"};
  const auto besides = [](std::vector<const char*> list, std::initializer_list<const char*> more) {
    list.insert(list.end(), more);
    return list;
  };
  const std::vector<const char*> no_file = besides(no_text, {"absent", "."});
  const Setting settings[] = {
      {"target", besides(no_text, {"payment", "http://payment:7601", "payment:0", "xds:///payment", "'a b:1'"})},
      {"barrier", {"yes", "1", "null", "", "[]", "{}", "True"}},
      {"refusals", {"never", "1", "true", "null", "", "[]", "{}"}},
      {"descriptor_set", no_text},
      {"concurrency",
       {"0", "-1", "1.5", "1e9", "100001", "99999999999", "x", "\"8\"", "true", "null", "", "[8]", "{}"}},
      {"load_balancing", besides(no_text, {"magic", "PICK_FIRST", "grpclb"})},
      {"bearer_token_file", no_file},
      {"tls", {"null", "", "false", "yes", "5", "[]", "ca.pem"}},
      {"tls.ca_file", besides(no_file, {"file"})},
      {"tls.certificate_file", besides(no_file, {"file"})},
      {"tls.private_key_file", besides(no_file, {"file"})},
      {"tls.server_name", no_text},
  };
  for (const Setting& setting : settings) {
    for (const char* value : setting.wrong) {
      const std::string name = setting.name;
      std::string text = "participants:\n  payment:\n";
      if (name != "target") text += "    target: a:1\n";
      if (name == "bearer_token_file") text += "    tls: true\n";
      const bool nested = name.rfind("tls.", 0) == 0;
      if (nested) text += "    tls:\n";
      text += (nested ? "      " + name.substr(4) : "    " + name) + ": " + value + "\n";
      const auto line = std::count(text.begin(), text.end(), '\n');
      const absl::Status status = ParseParticipants(text, folder.path()).status();
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("participants.payment." + name + " (line " + std::to_string(line) + ")"))
          << text;
    }
  }
}

TEST(ParticipantsFileTest, AParticipantIsAMapOfSettings) {
  for (const char* value : {"null", "~", "", "5", "true", "a:1", "[]", "[target]"}) {
    const absl::Status status = ParseParticipants(std::string("participants:\n  payment: ") + value, "/").status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("participants.payment (line 2)")) << value;
    EXPECT_THAT(std::string(status.message()), HasSubstr("must be a map of settings")) << value;
  }
}

TEST(ParticipantsFileTest, ATokenNeedsTls) {
  const Folder folder({"token"});
  const absl::Status status =
      ParseParticipants("participants:\n  payment:\n    target: a:1\n    bearer_token_file: token\n", folder.path())
          .status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("participants.payment.bearer_token_file (line 4)"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("needs tls"));
}

TEST(ParticipantsFileTest, AServerNameFitsTls) {
  const auto read = [](size_t bytes) {
    return ParseParticipants(
               "participants:\n  payment:\n    target: a:1\n    tls:\n      server_name: " + std::string(bytes, 'x'),
               "/")
        .status();
  };
  EXPECT_TRUE(read(253).ok()) << read(253);
  EXPECT_THAT(std::string(read(254).message()), HasSubstr("participants.payment.tls.server_name (line 5)"));
}

TEST(ParticipantsFileTest, WhatIsNoFileIsNotWaitedFor) {
  EXPECT_THAT(std::string(ReadParticipants("/dev/zero").status().message()), HasSubstr("/dev/zero: is a pipe"));
}

TEST(ParticipantsFileTest, MissingFileIsNamed) {
  EXPECT_THAT(std::string(ReadParticipants("/nowhere/participants.yaml").status().message()),
              HasSubstr("/nowhere/participants.yaml"));
}

}  // namespace
}  // namespace tutti::server
