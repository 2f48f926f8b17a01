#include "tools/tuttictl/input.h"

#include <filesystem>
#include <fstream>

#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::ctl {
namespace {

TEST(InputTest, ObjectsAreRead) {
  const auto input = ParseInput(" {\"user\":\"u1\",\"price\":9007199254740992,\"f\":1.5e300} ");
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->fields().at("user").string_value(), "u1");
  EXPECT_EQ(input->fields().at("price").number_value(), 9007199254740992.0);
  EXPECT_TRUE(ParseInput("")->fields().empty());
}

TEST(InputTest, IntegersThatWouldLoseDigitsAreRefused) {
  for (const std::string json :
       {"{\"a\":9007199254740993}", "{\"a\":[-9007199254740993]}", "{\"a\\\"\":\"x\",\"b\":99999999999999999999999}"}) {
    const auto status = ParseInput(json).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << json;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("write it as a string")) << json;
  }
  EXPECT_TRUE(ParseInput("{\"a\":\"9007199254740993\"}").ok());
  EXPECT_TRUE(ParseInput("{\"a\":\"\\\"9007199254740993\"}").ok());
}

TEST(InputTest, WhatIsNoObjectOrRepeatsAKeyIsRefused) {
  for (const std::string json : {"[1]", "3", "{\"a\":", "{\"a\":1,\"a\":2}", "nonsense"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseInput(json).status())) << json;
  }
}

TEST(InputTest, WhatNestsTooDeepIsRefusedAtOnce) {
  const auto nested = [](int depth) { return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
  EXPECT_TRUE(ParseInput(nested(30)).ok());
  EXPECT_THAT(std::string(ParseInput(nested(50'000)).status().message()), testing::HasSubstr("nests deeper than 100"));
  EXPECT_TRUE(ParseInput("{\"a\":\"" + std::string(200, '[') + "\"}").ok());
}

TEST(InputTest, WhatHasNoEndIsGivenUp) {
  EXPECT_THAT(std::string(ReadFileOrStdin("/dev/zero").status().message()), testing::HasSubstr("more than 16 MiB"));
}

TEST(InputTest, FilesAreReadWhole) {
  const auto path = std::filesystem::temp_directory_path() / ("tuttictl-input-" + RandomHex128());
  const std::string text(200'000, 'x');
  std::ofstream(path) << text;
  EXPECT_EQ(ReadFileOrStdin(path).value(), text);
  std::filesystem::remove(path);
  EXPECT_TRUE(absl::IsNotFound(ReadFileOrStdin(path).status()));
}

}  // namespace
}  // namespace tutti::ctl
