// Plays testdata/*.txt. Each block is a command, "----", and the answer, up to a blank line. With TUTTI_REWRITE=1 in
// the environment the answers are written anew; read the diff before you commit it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "orchestrator/saga/transcript_world.h"

namespace tutti::saga {
namespace {

constexpr char kFolder[] = "testdata";

std::vector<std::string> Transcripts() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// The same text with every answer replaced by what the state machine says now.
std::string Replay(const std::string& text) {
  TranscriptWorld world;
  std::string out;
  std::vector<std::string> command;
  bool in_answer = false;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (const std::string& line : lines) {
    if (line == "----") {
      absl::StrAppend(&out, line, "\n", world.Execute(command));
      command.clear();
      in_answer = true;
    } else if (in_answer) {
      if (!line.empty()) continue;
      in_answer = false;
      absl::StrAppend(&out, "\n");
    } else {
      absl::StrAppend(&out, line, "\n");
      if (!line.empty() && line[0] != '#') command.push_back(line);
    }
  }
  return out;
}

class TranscriptTest : public testing::TestWithParam<std::string> {};

TEST_P(TranscriptTest, SaysWhatItSaidBefore) {
  const std::string path = absl::StrCat(kFolder, "/", GetParam(), ".txt");
  const std::string before = Read(path);
  ASSERT_NE(before.find("----"), std::string::npos) << path << " has no command";
  const std::string after = Replay(before);
  if (std::getenv("TUTTI_REWRITE") != nullptr) {
    std::ofstream(path) << after;
    return;
  }
  EXPECT_EQ(before, after) << path;
}

INSTANTIATE_TEST_SUITE_P(All, TranscriptTest, testing::ValuesIn(Transcripts()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tutti::saga
