#include "common/memory_file.h"

#include <sys/stat.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <thread>

#include "gtest/gtest.h"

namespace tutti {
namespace {

std::string Content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

time_t Modified(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mtime : 0;
}

TEST(MemoryFileTest, APathReadsWhatWasSetLastAndEachHasATimeOfItsOwn) {
  MemoryFile file;
  std::string path;
  std::set<time_t> times;
  for (const std::string content : {"first", "", "a longer third"}) {
    ASSERT_TRUE(file.Replace(content).ok());
    if (path.empty()) path = file.path();
    EXPECT_EQ(file.path(), path);
    EXPECT_EQ(Content(path), content);
    times.insert(Modified(path));
  }
  EXPECT_EQ(times.size(), 3u);
  EXPECT_EQ(times.count(0), 0u);
}

TEST(MemoryFileTest, NoReaderSeesAPart) {
  MemoryFile file;
  const std::string one(20'000, '1'), other(30'000, '2');
  ASSERT_TRUE(file.Replace(one).ok());
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) ASSERT_TRUE(file.Replace(i % 2 == 0 ? other : one).ok());
  });
  for (int i = 0; i < 2'000; ++i) {
    const std::string content = Content("/proc/self/fd/" + file.path().substr(14));
    ASSERT_TRUE(content == one || content == other) << content.size();
  }
  stop = true;
  writer.join();
}

// A library's thread may look once more; it must meet nothing of a stranger's, nor what was secret.
TEST(MemoryFileTest, APathThatIsGoneIsEmptyAndBelongsToTheNextOfItsKind) {
  auto file = std::make_unique<MemoryFile>();
  ASSERT_TRUE(file->Replace("secret").ok());
  const std::string path = file->path();
  file.reset();
  const std::ifstream stranger("/proc/self/status");
  EXPECT_EQ(Content(path), "");
  MemoryFile next;
  ASSERT_TRUE(next.Replace("next").ok());
  EXPECT_EQ(next.path(), path);
  EXPECT_EQ(Content(path), "next");
}

}  // namespace
}  // namespace tutti
