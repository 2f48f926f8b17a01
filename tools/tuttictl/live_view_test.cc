#include "tools/tuttictl/live_view.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::ctl {
namespace {

using testing::HasSubstr;

v1::Saga Running() {
  v1::Saga saga;
  saga.set_saga_id("order-1");
  saga.set_definition("book-ticket");
  saga.set_revision(3);
  saga.set_state(v1::SAGA_STATE_RUNNING);
  saga.mutable_start_time()->set_seconds(100);
  auto* charge = saga.add_steps();
  charge->set_name("charge");
  charge->set_state(v1::STEP_STATE_SUCCEEDED);
  charge->mutable_start_time()->set_seconds(100);
  charge->mutable_end_time()->set_seconds(101);
  auto* ship = saga.add_steps();
  ship->set_name("ship");
  ship->set_state(v1::STEP_STATE_RUNNING);
  ship->set_action_attempts(4);
  ship->mutable_start_time()->set_seconds(101);
  return saga;
}

TEST(LiveViewTest, TheStatusTellsTheSagaAndEachStep) {
  v1::Saga saga = Running();
  const Terminal terminal{.columns = 200};
  auto lines = StatusLines(saga, 105'500, terminal);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "order-1  book-ticket revision 3  RUNNING  5.5 s");
  EXPECT_EQ(lines[1], "  charge               SUCCEEDED     1.0 s");
  EXPECT_EQ(lines[2], "  ship                 RUNNING       attempt 4 4.5 s");
  auto* parking = saga.mutable_steps(1)->mutable_parking();
  parking->set_cause(v1::PARKING_CAUSE_REFUSED);
  parking->set_message("sold\x1b[2Jout");
  parking->mutable_since()->set_seconds(104);
  saga.set_parked(true);
  lines = StatusLines(saga, 105'500, terminal);
  EXPECT_THAT(lines[0], HasSubstr("RUNNING (parked)"));
  EXPECT_THAT(lines[2], HasSubstr("PARKED for 1.5 s: REFUSED sold [2Jout"));
}

TEST(LiveViewTest, AClockBehindTheServersShowsNoNegativeTimes) {
  EXPECT_THAT(StatusLines(Running(), 99'000, Terminal())[0], HasSubstr("0 ms"));
}

TEST(LiveViewTest, NoLineIsWiderThanTheTerminal) {
  v1::Saga saga = Running();
  saga.mutable_steps(0)->mutable_parking()->set_message(std::string(500, 'x'));
  Terminal terminal{.columns = 40};
  for (const std::string& line : StatusLines(saga, 105'500, terminal)) EXPECT_LT(line.size(), 40u) << line;
  terminal.color = true;
  EXPECT_THAT(StatusLines(saga, 105'500, terminal)[1], testing::StartsWith("\x1b[31m"));
}

TEST(LiveViewTest, ANewStatusReplacesTheFormerOneBelowWhatScrolled) {
  std::ostringstream out;
  LiveView view(out);
  view.Draw("a\n", {"one", "two"});
  EXPECT_EQ(out.str(), "a\none\ntwo\n");
  out.str("");
  view.Draw("b\n", {"three"});
  EXPECT_EQ(out.str(), "\x1b[2A\r\x1b[Jb\nthree\n");
  out.str("");
  view.Draw("", {"four"});
  EXPECT_EQ(out.str(), "\x1b[1A\r\x1b[Jfour\n");
}

}  // namespace
}  // namespace tutti::ctl
