#include "tools/tuttictl/completion.h"

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/tuttictl/options.h"

namespace tutti::ctl {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

std::vector<std::string> After(std::vector<std::string> words) {
  words.insert(words.begin(), std::string(kCompleteCommand));
  const auto parsed = ParseArguments(words);
  EXPECT_FALSE(parsed.options.has_value());
  EXPECT_EQ(parsed.exit_code, kExitOk);
  return absl::StrSplit(parsed.out, '\n', absl::SkipEmpty());
}

TEST(CompletionTest, CommandsFollowTheTree) {
  EXPECT_THAT(After({""}), UnorderedElementsAre("saga", "parked", "retry", "resolve", "definition", "backup", "hold",
                                                "doctor", "completion"));
  EXPECT_THAT(After({}), Contains("saga"));
  EXPECT_THAT(After({"saga", ""}), UnorderedElementsAre("start", "run", "get", "list", "watch", "history", "cancel",
                                                        "parked", "retry", "resolve"));
  EXPECT_THAT(After({"definition", "dis"}), ElementsAre("disable"));
  EXPECT_THAT(After({"retry", "--all", "--cause", "RES"}), ElementsAre("RESTORED"));
  EXPECT_THAT(After({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
}

TEST(CompletionTest, OptionsOfTheCommandAndItsParentsAreOffered) {
  const auto options = After({"saga", "run", "book", "--"});
  EXPECT_THAT(options, Contains("--until-finished"));
  EXPECT_THAT(options, Contains("--address"));
  EXPECT_THAT(options, Contains("--help"));
  EXPECT_THAT(options, Not(Contains("--filter")));
  EXPECT_THAT(After({"resolve", "--a"}), UnorderedElementsAre("--as", "--address"));
}

TEST(CompletionTest, ValuesOfAFixedSetAreOffered) {
  EXPECT_THAT(After({"resolve", "a", "charge", "--as", ""}), UnorderedElementsAre("done", "undone"));
  EXPECT_THAT(After({"saga", "get", "-o", "j"}), ElementsAre("json"));
  EXPECT_THAT(After({"-o", "json", "saga", "ge"}), ElementsAre("get")) << "an option's value is no command";
  EXPECT_THAT(After({"--tls", "sa"}), ElementsAre("saga")) << "a flag takes no value";
}

TEST(CompletionTest, NothingIsOfferedWhereFilesOrIdsBelong) {
  EXPECT_THAT(After({"definition", "apply", "-f", ""}), IsEmpty());
  EXPECT_THAT(After({"saga", "get", ""}), IsEmpty());
}

TEST(CompletionTest, EveryShellHasItsScript) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const auto parsed = ParseArguments({"completion", shell});
    EXPECT_FALSE(parsed.options.has_value());
    EXPECT_EQ(parsed.exit_code, kExitOk);
    EXPECT_THAT(parsed.out, testing::HasSubstr("tuttictl"));
    EXPECT_THAT(parsed.out, testing::HasSubstr(std::string(kCompleteCommand)));
  }
}

}  // namespace
}  // namespace tutti::ctl
