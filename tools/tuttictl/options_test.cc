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

TEST(OptionsTest, DoctorTakesAFolderAndPerhapsASaga) {
  const Options options = MustParse({"doctor", "/data", "--raw", "order-1"});
  EXPECT_EQ(options.command, Command::kDoctor);
  EXPECT_EQ(options.folder, "/data");
  EXPECT_EQ(options.saga_id, "order-1");
  EXPECT_EQ(MustParse({"doctor", "/data"}).saga_id, "");
  EXPECT_EQ(ParseArguments({"doctor"}).exit_code, kExitUsage);
}

TEST(OptionsTest, DoctorLooksAtOneSagaOrShowsItsRecord) {
  EXPECT_EQ(MustParse({"doctor", "/data", "--saga", "order-1"}).saga_id, "order-1");
  EXPECT_FALSE(MustParse({"doctor", "/data", "--saga", "order-1"}).raw);
  EXPECT_TRUE(MustParse({"doctor", "/data", "--raw", "order-1"}).raw);
  EXPECT_EQ(ParseArguments({"doctor", "/data", "--raw", "a", "--saga", "b"}).exit_code, kExitUsage);
}

TEST(OptionsTest, RetryTakesASagaOrAllOfACause) {
  const Options all = MustParse({"retry", "--all", "--cause", "restored", "--definition", "book", "--dry-run"});
  EXPECT_EQ(all.command, Command::kRetryAll);
  EXPECT_EQ(all.cause, "RESTORED");
  EXPECT_TRUE(all.dry_run);
  EXPECT_EQ(MustParse({"retry", "a"}).command, Command::kRetry);
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"retry"},
                                             {"retry", "--all"},
                                             {"retry", "a", "--cause", "RESTORED"},
                                             {"retry", "a", "--all", "--cause", "RESTORED"},
                                             {"retry", "--all", "--cause", "BORED"},
                                             {"retry", "--all", "--cause", "RESTORED", "--step", "charge"},
                                             {"retry", "a", "--dry-run"}}) {
    EXPECT_EQ(ParseArguments(arguments).exit_code, kExitUsage) << testing::PrintToString(arguments);
  }
}

TEST(OptionsTest, BackupsAndTheHold) {
  const Options create = MustParse({"backup", "create", "--verify", "--keep", "7"});
  EXPECT_EQ(create.command, Command::kBackupCreate);
  EXPECT_TRUE(create.verify);
  EXPECT_EQ(create.keep, 7);
  EXPECT_EQ(MustParse({"backup", "verify"}).backup_id, 0);
  EXPECT_EQ(MustParse({"backup", "verify", "5"}).backup_id, 5);
  EXPECT_EQ(ParseArguments({"backup", "delete"}).exit_code, kExitUsage);
  EXPECT_EQ(ParseArguments({"backup", "delete", "--keep", "0"}).exit_code, kExitUsage);
  EXPECT_EQ(ParseArguments({"hold", "release"}).exit_code, kExitUsage);
  EXPECT_EQ(MustParse({"hold", "release", "--reason", "compared"}).reason, "compared");
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

TEST(OptionsTest, AnEmptyWordIsNotTakenForNone) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"saga", "start", "book", "--id", ""},

                                             {"saga", "start", ""},
                                             {"saga", "get", ""},
                                             {"saga", "list", "--filter", ""},
                                             {"--address", "", "saga", "get", "a"},
                                             {"saga", "cancel", "a", "--reason", ""},
                                             {"definition", "apply", "-f", ""}}) {
    const auto parsed = ParseArguments(arguments);
    EXPECT_EQ(parsed.exit_code, kExitUsage) << testing::PrintToString(arguments);
    EXPECT_THAT(parsed.err, testing::HasSubstr("is empty")) << testing::PrintToString(arguments);
  }
}

TEST(OptionsTest, GlobalOptionsMayStandAnywhere) {
  EXPECT_EQ(MustParse({"-o", "json", "saga", "get", "a"}).format, Format::kJson);
  EXPECT_EQ(MustParse({"saga", "get", "a", "-o", "yaml"}).format, Format::kYaml);
  EXPECT_EQ(MustParse({"saga", "get", "a"}).format, Format::kTable);
  EXPECT_EQ(MustParse({"parked", "--color", "never"}).color, ColorChoice::kNever);
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
  EXPECT_FALSE(MustParse({"saga", "run", "d"}).until_finished);
  EXPECT_FALSE(MustParse({"saga", "run", "d", "--wait-until", "committed"}).until_finished);
  EXPECT_TRUE(MustParse({"saga", "run", "d", "--wait-until", "finished"}).until_finished);
  EXPECT_TRUE(MustParse({"saga", "run", "d", "--until-finished"}).until_finished);
  EXPECT_TRUE(MustParse({"saga", "watch", "a", "--until-finished"}).until_finished);
}

TEST(OptionsTest, RetryMeansAllStepsOrThoseNamed) {
  Options options = MustParse({"retry", "a"});
  EXPECT_EQ(options.command, Command::kRetry);
  EXPECT_EQ(options.saga_id, "a");
  EXPECT_TRUE(options.steps.empty());
  options = MustParse({"saga", "retry", "a", "--step", "x", "--step", "y", "--reason", "bank is back", "--by", "ann"});
  EXPECT_EQ(options.command, Command::kRetry);
  EXPECT_EQ(options.steps, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(options.reason, "bank is back");
  EXPECT_EQ(options.by, "ann");
  EXPECT_EQ(MustParse({"retry", "a", "--step", "x", "--sequence", "9"}).parking_sequence, 9);
  EXPECT_EQ(MustParse({"retry", "--step", "x", "a"}).saga_id, "a") << "a step takes one value only";
}

TEST(OptionsTest, ResolveTakesTheStepAndTheTruth) {
  const Options done = MustParse({"resolve", "a", "charge", "--as", "done", "--reply", "{}", "--reason", "seen"});
  EXPECT_EQ(done.command, Command::kResolve);
  EXPECT_EQ(done.steps, std::vector<std::string>{"charge"});
  EXPECT_TRUE(done.resolve_done);
  EXPECT_EQ(done.reply, "{}");
  EXPECT_FALSE(MustParse({"resolve", "a", "charge", "--as", "undone", "--reason", "seen"}).resolve_done);
}

TEST(OptionsTest, WhoSpeaksIsTheUserUnlessToldOtherwise) {
  setenv("USER", "ben", 1);
  EXPECT_EQ(MustParse({"retry", "a"}).by, "ben");
  EXPECT_EQ(MustParse({"definition", "disable", "d", "--reason", "r"}).by, "ben");
  EXPECT_EQ(MustParse({"saga", "cancel", "a", "--by", "ann"}).by, "ann");
}

TEST(OptionsTest, AnyTlsOptionTurnsItOn) {
  EXPECT_FALSE(MustParse({"parked"}).tls.enabled);
  EXPECT_TRUE(MustParse({"parked", "--tls"}).tls.enabled);
  EXPECT_TRUE(MustParse({"parked", "--tls-ca", "ca.pem"}).tls.enabled);
  setenv("TUTTI_TLS", "true", 1);
  setenv("TUTTI_TLS_CA", "other.pem", 1);
  EXPECT_EQ(MustParse({"parked"}).tls.ca_file, "other.pem");
  unsetenv("TUTTI_TLS_CA");
  EXPECT_TRUE(MustParse({"parked"}).tls.enabled);
  unsetenv("TUTTI_TLS");
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
                                             {"saga", "start", "d", "--input", "{}", "--input-file", "f"},
                                             {"retry", "a", "--sequence", "3"},
                                             {"retry", "a", "--step", "x", "--step", "y", "--sequence", "3"},
                                             {"resolve", "a", "x", "--as", "done"},
                                             {"resolve", "a", "x", "--as", "maybe", "--reason", "r"},
                                             {"resolve", "a", "x", "--as", "undone", "--reason", "r", "--reply", "{}"},
                                             {"definition", "disable", "d"},
                                             {"parked", "--color", "blue"},
                                             {"parked", "--tls-certificate", "c.pem"},
                                             {"completion", "tcsh"}}) {
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
  EXPECT_THAT(parsed.out, testing::HasSubstr("3 compensated, 4 parked, 5 timed out"));
}

}  // namespace
}  // namespace tutti::ctl
