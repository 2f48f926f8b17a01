// A directory of its own for a test, gone afterwards.
#ifndef TUTTI_PARTICIPANTS_SDK_TEST_DIRECTORY_H_
#define TUTTI_PARTICIPANTS_SDK_TEST_DIRECTORY_H_

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/check.h"

namespace tutti::participant {

class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tutti-test-XXXXXX").string();
    TUTTI_CHECK(mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
    path_ = name;
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_TEST_DIRECTORY_H_
