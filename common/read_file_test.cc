#include "common/read_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;

class ReadFileTest : public ::testing::Test {
 protected:
  ReadFileTest() { std::filesystem::create_directory(folder_); }
  ~ReadFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string Refusal(const std::string& path) {
    return std::string(ReadRegularFile(path, /*bytes_max=*/10).status().message());
  }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("read-file-" + RandomHex128());
};

TEST_F(ReadFileTest, AFileIsReadWhole) {
  std::ofstream(Path("a")) << "0123456789";
  EXPECT_EQ(ReadRegularFile(Path("a"), 10).value(), "0123456789");
  std::filesystem::create_symlink("a", Path("link"));
  EXPECT_EQ(ReadRegularFile(Path("link"), 10).value(), "0123456789") << "as secrets are mounted";
  std::ofstream(Path("empty"));
  EXPECT_EQ(ReadRegularFile(Path("empty"), 10).value(), "");
}

TEST_F(ReadFileTest, WhatIsNotThereOrTooLargeSaysSo) {
  EXPECT_EQ(Refusal(Path("a")), Path("a") + ": No such file or directory");
  std::ofstream(Path("a")) << "0123456789x";
  EXPECT_EQ(Refusal(Path("a")), Path("a") + ": has more than 10 bytes");
}

TEST_F(ReadFileTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(Refusal(Path("pipe")), HasSubstr("is a pipe or a device, not a file"));
  EXPECT_THAT(Refusal("/dev/zero"), HasSubstr("is a pipe or a device, not a file"));
  EXPECT_THAT(Refusal(folder_.string()), HasSubstr("is a folder, not a file"));
}

}  // namespace
}  // namespace tutti
