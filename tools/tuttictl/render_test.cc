#include "tools/tuttictl/render.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::ctl {
namespace {

using testing::HasSubstr;

TEST(RenderTest, ColumnsAlign) {
  EXPECT_EQ(Table({{"A", "B"}, {"long", "b"}, {"x"}}), "A     B\nlong  b\nx\n");
}

TEST(RenderTest, FieldViolationsStandOneOnALine) {
  EXPECT_EQ(RenderError(InvalidArgumentError("DEFINITION_INVALID", {{"name (line 1)", "is missing"}, {"", "is bad"}})),
            "error: INVALID_ARGUMENT DEFINITION_INVALID\n  name (line 1): is missing\n  is bad\n");
}

TEST(RenderTest, OtherErrorsShowCodeReasonAndMessage) {
  EXPECT_EQ(RenderError(absl::NotFoundError("there is no saga a")), "error: NOT_FOUND: there is no saga a\n");
  EXPECT_EQ(RenderError(WithReason(absl::FailedPreconditionError("too late"), "COMMITTED")),
            "error: FAILED_PRECONDITION COMMITTED: too late\n");
}

TEST(RenderTest, SagaShowsStateReasonAndSteps) {
  v1::Saga saga;
  saga.set_saga_id("order-1");
  saga.set_definition("book-ticket");
  saga.set_revision(3);
  saga.set_state(v1::SAGA_STATE_COMPENSATED);
  saga.set_settling(true);
  saga.mutable_abort_reason()->set_cause(v1::ABORT_CAUSE_CANCELLED);
  saga.mutable_abort_reason()->set_by("ann");
  saga.mutable_start_time()->set_seconds(100);
  saga.mutable_end_time()->set_seconds(102);
  auto* step = saga.add_steps();
  step->set_name("charge");
  step->set_kind(v1::STEP_KIND_PIVOT);
  step->set_state(v1::STEP_STATE_COMPENSATED);
  step->mutable_parking()->set_cause(v1::PARKING_CAUSE_REFUSED);
  const std::string text = RenderSaga(saga);
  EXPECT_THAT(text, HasSubstr("book-ticket revision 3"));
  EXPECT_THAT(text, HasSubstr("COMPENSATED (settling)"));
  EXPECT_THAT(text, HasSubstr("cancelled by ann"));
  EXPECT_THAT(text, HasSubstr("after 2.0 s"));
  EXPECT_THAT(text, HasSubstr("charge  PIVOT  COMPENSATED"));
  EXPECT_THAT(text, HasSubstr("REFUSED since"));
}

TEST(RenderTest, JsonKeepsProtoNamesAndDefaults) {
  v1::Definition definition;
  definition.set_name("d");
  EXPECT_THAT(RenderJson(definition, false), HasSubstr("\"revision\":\"0\""));
  EXPECT_THAT(RenderJson(v1::Saga(), false), HasSubstr("\"saga_id\":\"\""));
}

}  // namespace
}  // namespace tutti::ctl
