#include "tools/tuttictl/options.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::ctl {
namespace {

Options MustParse(const std::vector<std::string>& arguments) {
  const auto parsed = ParseArguments(arguments);
  EXPECT_TRUE(parsed.options.has_value()) << parsed.err;
  return parsed.options.value_or(Options());
}

TEST(OptionsTest, DefinitionApplyReadsAFileOrStandardInput) {
  EXPECT_EQ(MustParse({"definition", "apply"}).file, "-");
  const Options options = MustParse({"definition", "apply", "-f", "book.yaml", "--dry-run"});
  EXPECT_EQ(options.command, Command::kDefinitionApply);
  EXPECT_EQ(options.file, "book.yaml");
  EXPECT_TRUE(options.dry_run);
}

TEST(OptionsTest, SagaStartTakesInputAndId) {
  const Options options =
      MustParse({"saga", "start", "book-ticket", "--id", "order-1", "--input", "{\"price\":3}", "--revision", "2"});
  EXPECT_EQ(options.command, Command::kSagaStart);
  EXPECT_EQ(options.definition, "book-ticket");
  EXPECT_EQ(options.saga_id, "order-1");
  EXPECT_EQ(options.input, "{\"price\":3}");
  EXPECT_EQ(options.revision, 2);
}

TEST(OptionsTest, GlobalOptionsMayStandAnywhere) {
  EXPECT_TRUE(MustParse({"-o", "json", "saga", "get", "a"}).json);
  EXPECT_TRUE(MustParse({"saga", "get", "a", "-o", "json"}).json);
  EXPECT_FALSE(MustParse({"saga", "get", "a"}).json);
  EXPECT_EQ(MustParse({"saga", "watch", "a", "--timeout", "7"}).timeout_s, 7);
}

TEST(OptionsTest, AddressComesFromTheFlagThenTheEnvironment) {
  EXPECT_EQ(MustParse({"saga", "get", "a"}).address, "127.0.0.1:7500");
  setenv("TUTTI_ADDRESS", "host:1", 1);
  EXPECT_EQ(MustParse({"saga", "get", "a"}).address, "host:1");
  EXPECT_EQ(MustParse({"--address", "host:2", "saga", "get", "a"}).address, "host:2");
  unsetenv("TUTTI_ADDRESS");
}

TEST(OptionsTest, RunWaitsForTheCommitPointUnlessToldOtherwise) {
  EXPECT_FALSE(MustParse({"saga", "run", "d"}).wait_finished);
  EXPECT_FALSE(MustParse({"saga", "run", "d", "--wait-until", "committed"}).wait_finished);
  EXPECT_TRUE(MustParse({"saga", "run", "d", "--wait-until", "finished"}).wait_finished);
}

TEST(OptionsTest, UsageMistakesEndWithTwoAndSayWhy) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"saga"},
                                             {"saga", "explode"},
                                             {"saga", "get"},
                                             {"saga", "get", "a", "b"},
                                             {"saga", "get", "a", "-o", "xml"},
                                             {"saga", "list", "--limit", "0"},
                                             {"saga", "run", "d", "--wait-until", "noon"},
                                             {"saga", "start", "d", "--input", "{}", "--input-file", "f"}}) {
    const auto parsed = ParseArguments(arguments);
    EXPECT_FALSE(parsed.options.has_value()) << testing::PrintToString(arguments);
    EXPECT_EQ(parsed.exit_code, kExitUsage) << testing::PrintToString(arguments);
    EXPECT_NE(parsed.err, "");
  }
}

TEST(OptionsTest, HelpIsNoMistake) {
  const auto parsed = ParseArguments({"--help"});
  EXPECT_FALSE(parsed.options.has_value());
  EXPECT_EQ(parsed.exit_code, kExitOk);
  EXPECT_THAT(parsed.out, testing::HasSubstr("3 compensated"));
}

}  // namespace
}  // namespace tutti::ctl
