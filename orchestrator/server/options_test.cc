#include "orchestrator/server/options.h"

#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace tutti::server {
namespace {

constexpr int64_t kDayMs = 24LL * 3600 * 1000;

std::optional<Options> Parse(std::vector<std::string> extra, int* exit_code) {
  std::vector<std::string> words = {"tutti-orchestrator", "--data-dir", "d", "--participants", "p.yaml"};
  words.insert(words.end(), extra.begin(), extra.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseOptions(static_cast<int>(argv.size()), argv.data(), exit_code);
}

class OptionsTest : public testing::Test {
 protected:
  // What it prints to those who start it.
  std::string Refusal(const std::vector<std::string>& extra) {
    testing::internal::CaptureStderr();
    int exit_code = 0;
    EXPECT_FALSE(Parse(extra, &exit_code).has_value());
    EXPECT_NE(exit_code, 0);
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(OptionsTest, IdsAreRememberedForTwoWeeksUnlessToldOtherwise) {
  int exit_code = 0;
  EXPECT_EQ(Parse({}, &exit_code)->id_retention_ms, 14 * kDayMs);
  EXPECT_EQ(Parse({"--id-retention", "400d"}, &exit_code)->id_retention_ms, 400 * kDayMs);
}

TEST_F(OptionsTest, RetentionIsNoShorterThanTheCommandHorizon) {
  const std::string refusal = Refusal({"--id-retention", "6d"});
  EXPECT_NE(refusal.find("--id-retention"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("--command-horizon"), std::string::npos) << refusal;
  int exit_code = 0;
  EXPECT_TRUE(Parse({"--id-retention", "6d", "--command-horizon", "6d"}, &exit_code).has_value());
}

TEST_F(OptionsTest, RetentionIsLongerThanTheGrace) {
  const std::vector<std::string> equal = {"--id-retention", "10s", "--command-horizon", "1s"};
  EXPECT_NE(Refusal(equal).find("--late-reply-grace"), std::string::npos);
  int exit_code = 0;
  EXPECT_TRUE(Parse({"--id-retention", "11s", "--command-horizon", "1s"}, &exit_code).has_value());
}

TEST_F(OptionsTest, WhatWasGivenIsToldForTheLog) {
  int exit_code = 0;
  EXPECT_EQ(Parse({"--shards", "2", "--sweep-interval", "5m"}, &exit_code)->given,
            "--data-dir=d --participants=p.yaml --sweep-interval=5m");
}

TEST_F(OptionsTest, SizesMayHaveTheUnitsOfBothKinds) {
  int exit_code = 0;
  EXPECT_EQ(Parse({}, &exit_code)->memory_limit_bytes, 0);
  EXPECT_FALSE(Parse({}, &exit_code)->disk_reserve_bytes.has_value());
  EXPECT_EQ(Parse({"--memory-limit", "2Gi"}, &exit_code)->memory_limit_bytes, uint64_t{2} << 30);
  EXPECT_EQ(Parse({"--memory-limit", "512MiB"}, &exit_code)->memory_limit_bytes, uint64_t{512} << 20);
  EXPECT_EQ(Parse({"--memory-limit", "2GB"}, &exit_code)->memory_limit_bytes, 2'000'000'000);
  EXPECT_EQ(Parse({"--memory-limit", "123456"}, &exit_code)->memory_limit_bytes, 123456);
  EXPECT_EQ(*Parse({"--disk-reserve", "64M"}, &exit_code)->disk_reserve_bytes, 64'000'000);
  EXPECT_EQ(*Parse({"--disk-reserve", "0"}, &exit_code)->disk_reserve_bytes, 0);
  for (const char* wrong : {"2Qi", "-5", "lots", "", "1.5.2G"}) {
    EXPECT_NE(Refusal({"--memory-limit", wrong}).find("--memory-limit"), std::string::npos) << wrong;
  }
}

TEST_F(OptionsTest, ABackupIsNamedByItsFolderAndMaybeItsNumber) {
  int exit_code = 0;
  EXPECT_EQ(Parse({}, &exit_code)->restore_from, "");
  EXPECT_EQ(Parse({}, &exit_code)->backup_bytes_per_second, 16 << 20);
  EXPECT_EQ(Parse({"--backup-rate", "0"}, &exit_code)->backup_bytes_per_second, 0);
  for (const auto& [text, folder, id] :
       {std::tuple("b", "b", 0), {"b#7", "b", 7}, {"b#latest", "b", 0}, {"a#b#3", "a#b", 3}}) {
    const auto options = Parse({"--restore-from", text}, &exit_code);
    ASSERT_TRUE(options.has_value()) << text;
    EXPECT_EQ(options->restore_from, folder);
    EXPECT_EQ(options->restore_backup_id, id);
  }
  for (const char* wrong : {"b#", "b#0", "b#-1", "b#x", "#5"}) {
    EXPECT_NE(Refusal({"--restore-from", wrong}).find("--restore-from"), std::string::npos) << wrong;
  }
  EXPECT_NE(Refusal({"--backup-rate", "-1"}).find("--backup-rate"), std::string::npos);
}

TEST_F(OptionsTest, OnlyARestoreNeedsNoParticipants) {
  const auto parse = [](std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    int exit_code = 0;
    return ParseOptions(static_cast<int>(argv.size()), argv.data(), &exit_code).has_value();
  };
  EXPECT_TRUE(parse({"tutti-orchestrator", "--data-dir", "d", "--restore-from", "b"}));
  testing::internal::CaptureStderr();
  EXPECT_FALSE(parse({"tutti-orchestrator", "--data-dir", "d"}));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--participants"), std::string::npos);
}

}  // namespace
}  // namespace tutti::server
