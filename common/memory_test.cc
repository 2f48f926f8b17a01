#include "common/memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace tutti {
namespace {

class SystemMemoryLimitTest : public testing::Test {
 protected:
  SystemMemoryLimitTest() {
    std::string name = (std::filesystem::temp_directory_path() / "tutti-memory-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~SystemMemoryLimitTest() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    std::ofstream(root_ + path) << text << "\n";
  }

  std::string root_;
};

TEST_F(SystemMemoryLimitTest, IsTheMachinesWhereNothingElseIsSaid) {
  const auto machine = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_EQ(SystemMemoryLimit(root_), machine);
  Write("/proc/self/cgroup", "0::/a/b");
  Write("/sys/fs/cgroup/a/b/memory.max", "max");
  EXPECT_EQ(SystemMemoryLimit(root_), machine);
  Write("/proc/self/cgroup", "4:memory:/a");
  Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(SystemMemoryLimit(root_), machine);
}

TEST_F(SystemMemoryLimitTest, IsTheTightestOfTheGroupsAbove) {
  Write("/proc/self/cgroup", "0::/a/b");
  Write("/sys/fs/cgroup/a/b/memory.max", "2000000");
  EXPECT_EQ(SystemMemoryLimit(root_), 2'000'000);
  Write("/sys/fs/cgroup/a/memory.max", "1000000");
  EXPECT_EQ(SystemMemoryLimit(root_), 1'000'000);
}

TEST_F(SystemMemoryLimitTest, IsThatOfTheTopWhereThePathIsTheHosts) {
  Write("/proc/self/cgroup", "0::/kubepods/pod1/container");
  Write("/sys/fs/cgroup/memory.max", "3000000");
  EXPECT_EQ(SystemMemoryLimit(root_), 3'000'000);
}

TEST_F(SystemMemoryLimitTest, KnowsTheFirstVersionToo) {
  Write("/proc/self/cgroup", "9:name=systemd:/a\n4:cpu,memory:/a/b\n0::/");
  Write("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "4000000");
  EXPECT_EQ(SystemMemoryLimit(root_), 4'000'000);
  Write("/proc/self/cgroup", "4:memory_of_others:/a/b");
  EXPECT_GT(SystemMemoryLimit(root_), 4'000'000);
}

TEST(ResidentBytesTest, GrowsWithWhatIsTouched) {
  const uint64_t before = ResidentBytes();
  ASSERT_GT(before, 0);
  const std::string touched(64 << 20, 'x');
  EXPECT_GE(ResidentBytes(), before + touched.size() / 2);
}

}  // namespace
}  // namespace tutti
