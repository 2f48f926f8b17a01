#include "common/program_options.h"

#include <sstream>

#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(VersionTest, ALineNamesProgramAndVersion) {
  const std::string line = VersionLine("tutti-x");
  EXPECT_EQ(line.rfind(std::string("tutti-x ") + kVersion, 0), 0u) << line;
  EXPECT_EQ(line.find('(') != std::string::npos, kRevision[0] != '\0') << line;
}

TEST(ProgramOptionsTest, VersionIsAnsweredBeforeWhatIsRequired) {
  CLI::App app;
  std::string needed;
  app.add_option("--needed", needed)->required();
  AddVersion(&app, "tutti-x");
  try {
    app.parse("--version");
    FAIL();
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    EXPECT_EQ(app.exit(error, out, err), 0);
    EXPECT_EQ(out.str(), VersionLine("tutti-x") + "\n");
    EXPECT_EQ(err.str(), "");
  }
}

TEST(ProgramOptionsTest, WhatWasGivenIsToldUnlessItIsTheDefault) {
  CLI::App app;
  int shards = 2, threads = 3;
  std::string folder;
  bool brave = false;
  app.add_option("--shards", shards)->capture_default_str();
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--folder", folder);
  app.add_flag("--brave", brave);
  app.parse("--shards 2 --threads 4 --folder /x --brave");
  EXPECT_EQ(GivenOptions(app), "--threads=4 --folder=/x --brave=true");
}

}  // namespace
}  // namespace tutti
