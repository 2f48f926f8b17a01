#include "orchestrator/server/participants_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace tutti::server {
namespace {

using testing::HasSubstr;

// A folder with files of these names, gone with the object.
class Folder {
 public:
  explicit Folder(std::initializer_list<const char*> files) {
    std::string name = (std::filesystem::temp_directory_path() / "tutti-participants-XXXXXX").string();
    path_ = mkdtemp(name.data());
    for (const char* file : files) std::ofstream(path_ + "/" + file) << "content";
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ParticipantsFileTest, ReadsEverySetting) {
  const Folder folder({"ca.pem", "token"});
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
    tls: {ca_file: ca.pem, server_name: payment.internal}
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
  EXPECT_EQ(payment.endpoint.ca_file, folder.path() + "/ca.pem");
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
      {"participants:\n  payment: {target: a, bariere: true}", "did you mean `barrier`?"},
      {"participants:\n  payment:\n    target: a\n    barrier: yes\n", "participants.payment.barrier (line 4)"},
      {"participants: {payment: {target: a, refusals: never}}", "must be final or open"},
      {"participants: {payment: {target: a, concurrency: 0}}", "at least 1"},
      {"participants: {Payment: {target: a}}", "participants.Payment"},
      {"participants: {payment: {target: a}, payment: {target: b}}", "participants.payment"},
      {"participants: [payment]", "must be a map"},
      {"payments: {}", "participants"},
      {"participants: {}\nversion: 2", "version"},
      {"participants: {payment: {target: a, bearer_token_file: t}}", "payment"},
      {"participants: {", "line 1"},
  };
  for (const BadFile& file : files) {
    const auto participants = ParseParticipants(file.text, "/");
    ASSERT_FALSE(participants.ok()) << file.text;
    EXPECT_THAT(std::string(participants.status().message()), HasSubstr(file.message)) << file.text;
  }
}

TEST(ParticipantsFileTest, MissingFileIsNamed) {
  EXPECT_THAT(std::string(ReadParticipants("/nowhere/participants.yaml").status().message()),
              HasSubstr("/nowhere/participants.yaml"));
}

}  // namespace
}  // namespace tutti::server
