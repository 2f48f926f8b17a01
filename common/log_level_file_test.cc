#include "common/log_level_file.h"

#include <filesystem>
#include <fstream>

#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

using testing::HasSubstr;

TEST(LogLevelFileTest, TheWordInTheFileHoldsWhileItIsThere) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("log-level-" + RandomHex128());
  std::filesystem::create_directory(folder);
  InitLogging("test", LogLevel::kWarning);
  const auto read = [&](const char* word) {
    if (word == nullptr) {
      std::filesystem::remove(folder / "log-level");
    } else {
      std::ofstream(folder / "log-level", std::ios::trunc) << word;
    }
    testing::internal::CaptureStderr();
    ReadLogLevel(folder, LogLevel::kWarning);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(read(nullptr), "");
  EXPECT_THAT(read("debug\n"), HasSubstr(R"("is":"debug","was":"warning")"));
  EXPECT_TRUE(LogEnabled(LogLevel::kDebug));
  EXPECT_EQ(read("debug"), "") << "nothing changes";
  EXPECT_THAT(read("error"), HasSubstr(R"("is":"error","was":"debug")"));
  EXPECT_FALSE(LogEnabled(LogLevel::kWarning));
  for (const char* wrong : {"", "loud", "debug info"}) {
    EXPECT_THAT(read(wrong), HasSubstr("must be debug, info, warning or error"));
    EXPECT_FALSE(LogEnabled(LogLevel::kWarning)) << "the former holds";
  }
  // From quiet to quiet by way of a level at which nobody hears of it.
  EXPECT_EQ(read(nullptr), "");
  EXPECT_TRUE(LogEnabled(LogLevel::kWarning));
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tutti
