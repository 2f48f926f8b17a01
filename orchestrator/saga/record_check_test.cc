#include "orchestrator/saga/record_check.h"

#include <functional>

#include "gtest/gtest.h"

namespace tutti::saga {
namespace {

using storage::v1::OpenAttempt;
using storage::v1::SagaRecord;

Recipe TwoSteps() {
  Recipe recipe;
  recipe.definition = "buy";
  recipe.revision = 1;
  recipe.steps.resize(2);
  recipe.steps[0].name = "pay";
  recipe.steps[0].compensation = CommandRecipe();
  recipe.steps[1].name = "ship";
  return recipe;
}

SagaRecord Sound() {
  SagaRecord record;
  record.set_saga_id("b-1");
  record.set_uid("u-1");
  record.set_state(v1::SAGA_STATE_RUNNING);
  for (const char* name : {"pay", "ship"}) {
    auto* step = record.add_steps();
    step->set_name(name);
    step->set_state(v1::STEP_STATE_PENDING);
  }
  record.mutable_steps(0)->set_state(v1::STEP_STATE_RUNNING);
  auto* action = record.mutable_steps(0)->mutable_action();
  action->set_attempts(2);
  OpenAttempt* attempt = action->add_open();
  attempt->set_number(2);
  attempt->set_phase(storage::v1::ATTEMPT_PHASE_AWAITED);
  return record;
}

TEST(RecordCheckTest, ARecordThatFitsIsAccepted) {
  EXPECT_TRUE(CheckRecord(TwoSteps(), Sound()).ok());
}

TEST(RecordCheckTest, WhateverCannotBeSteppedIsDataLoss) {
  const std::function<void(SagaRecord*)> damages[] = {
      [](SagaRecord* r) { r->clear_uid(); },
      [](SagaRecord* r) { r->set_uid("u\n"); },
      [](SagaRecord* r) { r->set_traceparent("00-\xC3\xA9"); },
      [](SagaRecord* r) { r->set_tracestate("\x01"); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->set_key("k\x7f"); },
      [](SagaRecord* r) { r->mutable_steps(1)->mutable_compensation()->set_key("\t"); },
      [](SagaRecord* r) { r->set_committed_ms(1); },
      [](SagaRecord* r) { r->set_state(v1::SAGA_STATE_SUCCEEDED); },
      [](SagaRecord* r) { r->set_started_ms(-1); },
      [](SagaRecord* r) { r->set_timeout_at_ms(INT64_MAX); },
      [](SagaRecord* r) { r->set_finished_ms(-1); },
      [](SagaRecord* r) { r->set_last_event_ms(INT64_MAX); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_parking()->set_since_ms(INT64_MIN); },
      [](SagaRecord* r) { r->clear_state(); },
      [](SagaRecord* r) { r->set_state(static_cast<v1::SagaState>(99)); },
      [](SagaRecord* r) { r->clear_steps(); },
      [](SagaRecord* r) { r->mutable_steps(1)->set_name("sail"); },
      [](SagaRecord* r) { r->mutable_steps(1)->clear_state(); },
      [](SagaRecord* r) { r->mutable_steps(1)->mutable_compensation()->set_attempts(1); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->set_attempts(1); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->set_attempts(-1); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->set_budget_start(3); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->set_unmarked_attempt(3); },
      [](SagaRecord* r) { r->mutable_steps(0)->set_deadlines(-1); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->set_retry_at_ms(1); },
      [](SagaRecord* r) { r->mutable_steps(0)->set_state(v1::STEP_STATE_PENDING); },
      [](SagaRecord* r) { r->mutable_steps(1)->mutable_action()->set_retry_at_ms(1); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_compensation()->set_retry_at_ms(1); },
      [](SagaRecord* r) {
        r->set_state(v1::SAGA_STATE_COMPENSATING);
        r->mutable_steps(0)->mutable_action()->set_retry_at_ms(1);
      },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->mutable_open(0)->set_number(0); },
      [](SagaRecord* r) { r->mutable_steps(0)->mutable_action()->mutable_open(0)->clear_phase(); },
      [](SagaRecord* r) {
        auto* action = r->mutable_steps(0)->mutable_action();
        *action->add_open() = action->open(0);
      },
      [](SagaRecord* r) {
        auto* action = r->mutable_steps(0)->mutable_action();
        action->add_open()->set_number(1);
        action->mutable_open(1)->set_phase(storage::v1::ATTEMPT_PHASE_AWAITED);
      },
  };
  for (size_t i = 0; i < std::size(damages); ++i) {
    SagaRecord record = Sound();
    damages[i](&record);
    EXPECT_TRUE(absl::IsDataLoss(CheckRecord(TwoSteps(), record))) << i;
  }
}

}  // namespace
}  // namespace tutti::saga
