#include "orchestrator/api/saga_service.h"

#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>

#include "common/errors.h"
#include "common/grpc_status.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/api/service_world.h"

namespace tutti::api {
namespace {

using testing::HasSubstr;

class SagaServiceTest : public testing::Test {
 protected:
  v1::StartSagaRequest StartRequest(const std::string& saga_id) {
    v1::StartSagaRequest request;
    request.set_saga_id(saga_id);
    request.set_definition("book-ticket");
    *request.mutable_input() = Json(R"({"user": "u1", "price": 1200})");
    return request;
  }
  v1::RunSagaRequest RunRequest(const std::string& saga_id, v1::WaitUntil until = v1::WAIT_UNTIL_UNSPECIFIED) {
    v1::RunSagaRequest request;
    request.set_saga_id(saga_id);
    request.set_definition("book-ticket");
    *request.mutable_input() = Json(R"({"user": "u1", "price": 1200})");
    request.set_wait_until(until);
    return request;
  }
  // The call's error, or OK and its response.
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::SagaService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return FromGrpcStatus((world_.sagas().*method)(&context, request, response));
  }
  absl::Status Start(const v1::StartSagaRequest& request, v1::StartSagaResponse* response) {
    return Call(&v1::SagaService::Stub::StartSaga, request, response);
  }
  absl::Status Run(const v1::RunSagaRequest& request, v1::RunSagaResponse* response) {
    return Call(&v1::SagaService::Stub::RunSaga, request, response);
  }
  absl::Status List(const v1::ListSagasRequest& request, v1::ListSagasResponse* response) {
    response->Clear();
    return Call(&v1::SagaService::Stub::ListSagas, request, response);
  }
  absl::Status History(const v1::GetSagaHistoryRequest& request, v1::GetSagaHistoryResponse* response) {
    response->Clear();
    return Call(&v1::SagaService::Stub::GetSagaHistory, request, response);
  }

  void ExpectViolation(const absl::Status& status, const std::string& reason, const std::string& field) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(ReasonOf(status), reason);
    const auto violations = ViolationsOf(status);
    ASSERT_EQ(violations.size(), 1u) << status;
    EXPECT_EQ(violations[0].field, field);
    EXPECT_NE(violations[0].description, "");
  }

  void CommitPoint(storage::v1::SagaRecord* record) {
    record->set_committed_ms(record->started_ms() + 5);
    record->mutable_steps(0)->set_state(v1::STEP_STATE_SUCCEEDED);
    world_.router().Write(record, {v1::EVENT_TYPE_STEP_SUCCEEDED, v1::EVENT_TYPE_SAGA_COMMITTED});
  }
  void End(storage::v1::SagaRecord* record, v1::SagaState state) {
    record->set_state(state);
    record->set_finished_ms(record->started_ms() + 9);
    world_.router().Write(record, {v1::EVENT_TYPE_SAGA_SUCCEEDED});
  }

  ServiceWorld world_;
};

TEST_F(SagaServiceTest, AStartIsAnsweredWithItsSaga) {
  v1::StartSagaResponse response;
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok());
  EXPECT_FALSE(response.already_started());
  const v1::Saga& saga = response.saga();
  EXPECT_EQ(saga.saga_id(), "b-1");
  EXPECT_EQ(saga.uid(), "uid-b-1");
  EXPECT_EQ(saga.definition(), "book-ticket");
  EXPECT_EQ(saga.revision(), 2);
  EXPECT_EQ(saga.state(), v1::SAGA_STATE_RUNNING);
  ASSERT_EQ(saga.steps_size(), 1);
  EXPECT_EQ(saga.steps(0).participant(), "payment");
  EXPECT_EQ(saga.steps(0).kind(), v1::STEP_KIND_PIVOT);
  EXPECT_EQ(saga.input().fields().at("user").string_value(), "u1");
  EXPECT_EQ(saga.labels().at("user"), "u1");
  EXPECT_EQ(saga.start_time().seconds(), 1'700'000'000);
  EXPECT_FALSE(saga.has_commit_time());
  EXPECT_EQ(saga.history_sequence(), 1);
}

TEST_F(SagaServiceTest, WithoutRoomNewSagasAreRefusedAndAllElseGoesOn) {
  v1::StartSagaResponse response;
  v1::RunSagaResponse ran;
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok());
  world_.admission().OnDisk(true);
  const auto expect_refused = [](const absl::Status& status) {
    ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(ReasonOf(status), "DISK_SHORT");
  };
  ASSERT_NO_FATAL_FAILURE(expect_refused(Start(StartRequest("b-2"), &response)));
  ASSERT_NO_FATAL_FAILURE(expect_refused(Run(RunRequest("b-3", v1::WAIT_UNTIL_FINISHED), &ran)));
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok()) << "the same start is no new saga";
  EXPECT_TRUE(response.already_started());
  v1::CancelSagaRequest cancel;
  cancel.set_saga_id("b-1");
  v1::CancelSagaResponse cancelled;
  EXPECT_TRUE(Call(&v1::SagaService::Stub::CancelSaga, cancel, &cancelled).ok());
  v1::StartSagaRequest wrong = StartRequest("b-4");
  wrong.clear_input();
  EXPECT_TRUE(absl::IsInvalidArgument(Start(wrong, &response))) << "waiting would not help";
  world_.admission().OnDisk(false);
  EXPECT_TRUE(Start(StartRequest("b-2"), &response).ok());
}

TEST_F(SagaServiceTest, TheSameStartIsOneSagaAndOtherContentIsRefused) {
  v1::StartSagaResponse response;
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok());
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok());
  EXPECT_TRUE(response.already_started());
  v1::StartSagaRequest other = StartRequest("b-1");
  *other.mutable_input() = Json(R"({"user": "u1", "price": 1201})");
  const absl::Status status = Start(other, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), "SAGA_EXISTS");
}

// Accepted, it would wait for a service that nobody can find.
TEST_F(SagaServiceTest, AStartWhoseParticipantIsNotConfiguredIsUnavailableAndNamesIt) {
  v1::StartSagaResponse response;
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok());
  world_.fake_definitions().SetParticipantsKnown(false);
  const absl::Status refused = Start(StartRequest("b-2"), &response);
  ASSERT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused), "PARTICIPANT_NOT_CONFIGURED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("book-ticket calls participant `payment`"));
  v1::RunSagaResponse run;  // for ever, were it taken
  EXPECT_EQ(Run(RunRequest("b-2"), &run), refused);
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok()) << "a saga that is there is told of";
  EXPECT_TRUE(response.already_started());
  v1::StartSagaRequest wrong = StartRequest("b-3");
  wrong.clear_input();
  EXPECT_TRUE(absl::IsInvalidArgument(Start(wrong, &response))) << "what no waiting mends comes first";
  world_.fake_definitions().SetParticipantsKnown(true);
  EXPECT_TRUE(Start(StartRequest("b-2"), &response).ok());
}

// Who said what, and what came of it, whether or not it was taken.
TEST_F(SagaServiceTest, EachWordOfAnOperatorIsALineInTheLog) {
  world_.NewSaga("b-1");
  const auto log_of = [this](const std::string& saga_id) {
    v1::CancelSagaRequest request;
    request.set_saga_id(saga_id);
    request.set_reason("changed \"my\" mind");
    request.set_by("ann");
    v1::CancelSagaResponse response;
    testing::internal::CaptureStderr();
    const absl::Status status = Call(&v1::SagaService::Stub::CancelSaga, request, &response);
    return std::make_pair(status, testing::internal::GetCapturedStderr());
  };
  const auto [taken, line] = log_of("b-1");
  EXPECT_TRUE(taken.ok()) << taken;
  for (const char* part :
       {R"("message":"operator word","word":"cancel","saga_id":"b-1")", R"("by":"ann")",
        R"("reason":"changed \"my\" mind")", R"("caller":"ipv4:127.0.0.1:)", R"("result":"accepted")"}) {
    EXPECT_THAT(line, HasSubstr(part));
  }
  const auto [refused, other_line] = log_of("absent");
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(other_line, HasSubstr(R"("result":"refused: )"));
}

TEST_F(SagaServiceTest, EqualValuesSpelledOtherwiseAreTheSameStart) {
  v1::StartSagaResponse response;
  ASSERT_TRUE(Start(StartRequest("b-1"), &response).ok());
  v1::StartSagaRequest other = StartRequest("b-1");
  *other.mutable_input() = Json(R"({"user": "u1", "price": "1200"})");
  ASSERT_TRUE(Start(other, &response).ok());
  EXPECT_TRUE(response.already_started());
  EXPECT_EQ(response.saga().input().fields().at("price").string_value(), "1200") << "as sent";

  storage::v1::SagaRecord record = world_.NewSaga("b-2");
  CommitPoint(&record);
  v1::RunSagaRequest run = RunRequest("b-2");
  *run.mutable_input() = other.input();
  v1::RunSagaResponse ran;
  ASSERT_TRUE(Run(run, &ran).ok());
  EXPECT_TRUE(ran.already_started());
}

TEST_F(SagaServiceTest, ARunThatSpellsItsInputOtherwiseWaitsAsAnyOther) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  auto run = std::async(std::launch::async, [this] {
    v1::RunSagaRequest request = RunRequest("b-1");
    *request.mutable_input() = Json(R"({"user": "u1", "price": "1200"})");
    v1::RunSagaResponse response;
    EXPECT_TRUE(Run(request, &response).ok());
    return response;
  });
  ASSERT_TRUE(world_.AwaitSubscriptions(1));
  CommitPoint(&record);
  EXPECT_TRUE(run.get().saga().has_commit_time());
}

TEST_F(SagaServiceTest, AnAnswerThatClientsWouldNotTakeComesWithoutPayloads) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  google::protobuf::Struct output;
  (*output.mutable_fields())["text"].set_string_value(std::string(limits::kAnswerBytesMax, 'x'));
  record.set_output(output.SerializeAsString());
  CommitPoint(&record);
  v1::StartSagaResponse started;
  ASSERT_TRUE(Start(StartRequest("b-1"), &started).ok());
  v1::RunSagaResponse ran;
  ASSERT_TRUE(Run(RunRequest("b-1"), &ran).ok());
  v1::CancelSagaRequest cancel;
  cancel.set_saga_id("b-1");
  v1::CancelSagaResponse cancelled;
  ASSERT_TRUE(Call(&v1::SagaService::Stub::CancelSaga, cancel, &cancelled).ok());
  v1::GetSagaRequest get;
  get.set_saga_id("b-1");
  v1::GetSagaResponse got;
  ASSERT_TRUE(Call(&v1::SagaService::Stub::GetSaga, get, &got).ok());
  for (const v1::Saga& saga : {started.saga(), ran.saga(), cancelled.saga(), got.saga()}) {
    EXPECT_EQ(saga.saga_id(), "b-1");
    EXPECT_TRUE(saga.payloads_omitted());
    EXPECT_FALSE(saga.has_input());
    EXPECT_FALSE(saga.has_output());
  }
}

TEST_F(SagaServiceTest, LookUpComesBeforeValidation) {
  v1::StartSagaRequest request = StartRequest("b-1");
  *request.mutable_input() = Json("{}");
  v1::StartSagaResponse response;
  ExpectViolation(Start(request, &response), "INPUT_INVALID", "input.user");
  // The router was asked all the same, so that it could find a saga of that id.
  EXPECT_EQ(world_.router().last_start().saga_id, "b-1");
  EXPECT_FALSE(world_.router().last_start().validation.ok());
}

TEST_F(SagaServiceTest, TheCallersTraceGoesWithTheStart) {
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
  v1::StartSagaResponse started;
  grpc::ClientContext start;
  start.AddMetadata("traceparent", parent);
  start.AddMetadata("tracestate", "a=1");
  ASSERT_TRUE(world_.sagas().StartSaga(&start, StartRequest("b-1"), &started).ok());
  EXPECT_EQ(world_.router().last_start().traceparent, parent);
  EXPECT_EQ(world_.router().last_start().tracestate, "a=1");
  v1::RunSagaResponse ran;
  grpc::ClientContext run;
  run.AddMetadata("traceparent", parent);
  run.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  world_.sagas().RunSaga(&run, RunRequest("b-2"), &ran);
  EXPECT_EQ(world_.router().last_start().saga_id, "b-2");
  EXPECT_EQ(world_.router().last_start().traceparent, parent);
  ASSERT_TRUE(Start(StartRequest("b-3"), &started).ok());
  EXPECT_EQ(world_.router().last_start().traceparent, "");
}

TEST_F(SagaServiceTest, StartsThatCannotBeNameTheField) {
  v1::StartSagaResponse response;
  v1::StartSagaRequest request = StartRequest("");
  absl::Status status = Start(request, &response);
  ExpectViolation(status, "SAGA_ID_INVALID", "saga_id");
  EXPECT_THAT(std::string(status.message()), HasSubstr("idempotency key"));
  ExpectViolation(Start(StartRequest("a b"), &response), "SAGA_ID_INVALID", "saga_id");
  ExpectViolation(Start(StartRequest(std::string(limits::kSagaIdBytesMax + 1, 'x')), &response), "SAGA_ID_INVALID",
                  "saga_id");
  request = StartRequest("b-1");
  request.clear_definition();
  ExpectViolation(Start(request, &response), "NAME_INVALID", "definition");
  request = StartRequest("b-1");
  request.set_definition("Not A Name");
  ExpectViolation(Start(request, &response), "NAME_INVALID", "definition");
  request = StartRequest("b-1");
  request.set_revision(-1);
  ExpectViolation(Start(request, &response), "FIELD_INVALID", "revision");
  request = StartRequest("b-1");
  (*request.mutable_input()->mutable_fields())["user"].set_string_value(std::string(limits::kInputBytesMax, 'x'));
  ExpectViolation(Start(request, &response), "INPUT_INVALID", "input");
}

TEST_F(SagaServiceTest, AnUnknownDefinitionOrRevisionIsNotFound) {
  v1::StartSagaResponse response;
  v1::StartSagaRequest request = StartRequest("b-1");
  request.set_definition("nothing");
  absl::Status status = Start(request, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "DEFINITION_NOT_FOUND");
  request = StartRequest("b-1");
  request.set_revision(3);
  status = Start(request, &response);
  EXPECT_EQ(ReasonOf(status), "DEFINITION_NOT_FOUND");
  request.set_revision(1);
  EXPECT_TRUE(Start(request, &response).ok());
  EXPECT_EQ(response.saga().revision(), 1);
}

TEST_F(SagaServiceTest, TheRoutersRefusalsReachTheClientWithTheirDetails) {
  world_.router().RefuseStarts(WithReason(absl::ResourceExhaustedError("the mailbox is full"), "MAILBOX_FULL"));
  v1::StartSagaResponse response;
  EXPECT_EQ(ReasonOf(Start(StartRequest("b-1"), &response)), "MAILBOX_FULL");
  v1::RunSagaResponse run_response;
  EXPECT_EQ(ReasonOf(Run(RunRequest("b-1"), &run_response)), "MAILBOX_FULL");
  EXPECT_TRUE(world_.AwaitSubscriptions(0));
  world_.router().RefuseStarts(absl::UnavailableError("recovering"));
  EXPECT_EQ(ReasonOf(Start(StartRequest("b-1"), &response)), "UNAVAILABLE");
}

TEST_F(SagaServiceTest, ARunWaitsForTheCommitPoint) {
  auto run = std::async(std::launch::async, [this] {
    v1::RunSagaResponse response;
    EXPECT_TRUE(Run(RunRequest("b-1"), &response).ok());
    return response;
  });
  ASSERT_TRUE(world_.AwaitSubscriptions(1));
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  world_.router().Write(&record, {v1::EVENT_TYPE_ATTEMPT_STARTED});
  EXPECT_EQ(run.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
  CommitPoint(&record);
  const v1::RunSagaResponse response = run.get();
  EXPECT_EQ(response.saga().state(), v1::SAGA_STATE_RUNNING);
  EXPECT_TRUE(response.saga().has_commit_time());
  EXPECT_EQ(response.saga().input().fields().at("price").number_value(), 1200);
  EXPECT_TRUE(world_.AwaitSubscriptions(0));
}

TEST_F(SagaServiceTest, ARunUntilFinishedGoesOnWaitingAfterTheCommitPoint) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  CommitPoint(&record);
  auto run = std::async(std::launch::async, [this] {
    v1::RunSagaResponse response;
    EXPECT_TRUE(Run(RunRequest("b-1", v1::WAIT_UNTIL_FINISHED), &response).ok());
    return response;
  });
  ASSERT_TRUE(world_.AwaitSubscriptions(1));
  world_.router().Write(&record, {v1::EVENT_TYPE_ATTEMPT_STARTED});
  End(&record, v1::SAGA_STATE_SUCCEEDED);
  const v1::RunSagaResponse response = run.get();
  EXPECT_EQ(response.saga().state(), v1::SAGA_STATE_SUCCEEDED);
  EXPECT_TRUE(response.saga().has_end_time());
}

TEST_F(SagaServiceTest, ARunOfASagaThatIsPastThePointAnswersAtOnce) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  CommitPoint(&record);
  v1::RunSagaResponse response;
  ASSERT_TRUE(Run(RunRequest("b-1", v1::WAIT_UNTIL_COMMITTED), &response).ok());
  EXPECT_TRUE(response.already_started());
  End(&record, v1::SAGA_STATE_SUCCEEDED);
  ASSERT_TRUE(Run(RunRequest("b-1", v1::WAIT_UNTIL_FINISHED), &response).ok());
  EXPECT_EQ(response.saga().state(), v1::SAGA_STATE_SUCCEEDED);
}

TEST_F(SagaServiceTest, ARunThatWasUndoneIsAnOkAnswerWithItsReason) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  auto run = std::async(std::launch::async, [this] {
    v1::RunSagaResponse response;
    EXPECT_TRUE(Run(RunRequest("b-1"), &response).ok());
    return response;
  });
  ASSERT_TRUE(world_.AwaitSubscriptions(1));
  record.mutable_abort_reason()->set_message("no points");
  End(&record, v1::SAGA_STATE_COMPENSATED);
  const v1::RunSagaResponse response = run.get();
  EXPECT_EQ(response.saga().state(), v1::SAGA_STATE_COMPENSATED);
  EXPECT_EQ(response.saga().abort_reason().message(), "no points");
}

TEST_F(SagaServiceTest, AClientThatGoesAwayEndsItsWaitAndNothingElse) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  grpc::ClientContext context;
  auto run = std::async(std::launch::async, [&] {
    v1::RunSagaResponse response;
    return world_.sagas().RunSaga(&context, RunRequest("b-1"), &response).error_code();
  });
  ASSERT_TRUE(world_.AwaitSubscriptions(1));
  context.TryCancel();
  EXPECT_EQ(run.get(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(world_.AwaitSubscriptions(0));
  EXPECT_EQ(world_.router().last_word(), "");
  CommitPoint(&record);
  v1::RunSagaResponse response;
  EXPECT_TRUE(Run(RunRequest("b-1"), &response).ok());
}

TEST_F(SagaServiceTest, AnotherSagasRunIsNotAnsweredToAConflictingStart) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  End(&record, v1::SAGA_STATE_SUCCEEDED);
  v1::RunSagaRequest request = RunRequest("b-1");
  request.set_revision(1);
  v1::RunSagaResponse response;
  EXPECT_EQ(ReasonOf(Run(request, &response)), "SAGA_EXISTS");
}

TEST_F(SagaServiceTest, ADrainAnswersRunsThatWaitAndThoseThatCome) {
  world_.NewSaga("b-1");
  auto run = std::async(std::launch::async, [this] {
    v1::RunSagaResponse response;
    return Run(RunRequest("b-1"), &response);
  });
  ASSERT_TRUE(world_.AwaitSubscriptions(1));
  world_.EndWaits();
  EXPECT_EQ(ReasonOf(run.get()), "SHUTTING_DOWN");
  v1::RunSagaResponse response;
  EXPECT_EQ(ReasonOf(Run(RunRequest("b-1"), &response)), "SHUTTING_DOWN");
}

TEST_F(SagaServiceTest, AnUnknownWaitIsRefused) {
  v1::RunSagaResponse response;
  ExpectViolation(Run(RunRequest("b-1", static_cast<v1::WaitUntil>(9)), &response), "FIELD_INVALID", "wait_until");
}

TEST_F(SagaServiceTest, GetShowsParkingAndSettling) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  record.mutable_steps(0)->mutable_parking()->set_cause(v1::PARKING_CAUSE_REFUSED);
  record.mutable_steps(0)->mutable_parking()->set_history_sequence(2);
  world_.router().Write(&record, {v1::EVENT_TYPE_STEP_PARKED});
  v1::GetSagaRequest request;
  request.set_saga_id("b-1");
  v1::GetSagaResponse response;
  ASSERT_TRUE(Call(&v1::SagaService::Stub::GetSaga, request, &response).ok());
  EXPECT_TRUE(response.saga().parked());
  EXPECT_FALSE(response.saga().settling());
  EXPECT_EQ(response.saga().steps(0).parking().history_sequence(), 2);
  EXPECT_EQ(response.saga().input().fields().at("user").string_value(), "u1");

  record = world_.NewSaga("b-2");
  record.mutable_steps(0)->mutable_action()->set_attempts(1);
  auto* attempt = record.mutable_steps(0)->mutable_action()->add_open();
  attempt->set_number(1);
  attempt->set_phase(storage::v1::ATTEMPT_PHASE_LINGERING);
  End(&record, v1::SAGA_STATE_COMPENSATED);
  request.set_saga_id("b-2");
  ASSERT_TRUE(Call(&v1::SagaService::Stub::GetSaga, request, &response).ok());
  EXPECT_FALSE(response.saga().parked());
  EXPECT_TRUE(response.saga().settling());
}

TEST_F(SagaServiceTest, ReadersOfASagaThatIsNotThereAreToldSo) {
  v1::GetSagaRequest request;
  request.set_saga_id("nobody");
  v1::GetSagaResponse response;
  absl::Status status = Call(&v1::SagaService::Stub::GetSaga, request, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "SAGA_NOT_FOUND");
  EXPECT_THAT(std::string(status.message()), HasSubstr("nobody"));
  v1::GetSagaHistoryRequest history_request;
  history_request.set_saga_id("nobody");
  v1::GetSagaHistoryResponse history;
  EXPECT_EQ(ReasonOf(History(history_request, &history)), "SAGA_NOT_FOUND");
  request.clear_saga_id();
  ExpectViolation(Call(&v1::SagaService::Stub::GetSaga, request, &response), "SAGA_ID_INVALID", "saga_id");
}

TEST_F(SagaServiceTest, ListingsArePagedWithoutGapsOrRepeatsAndWithoutPayload) {
  for (int i = 0; i < 7; ++i) world_.NewSaga("b-" + std::to_string(i));
  v1::ListSagasRequest request;
  request.set_page_size(3);
  request.set_filter("state = RUNNING AND labels.user = \"u1\"");
  std::set<std::string> seen;
  v1::ListSagasResponse response;
  std::string first_token;
  do {
    request.set_page_token(response.next_page_token());
    ASSERT_TRUE(List(request, &response).ok());
    EXPECT_LE(response.sagas_size(), 3);
    for (const v1::Saga& saga : response.sagas()) {
      EXPECT_TRUE(seen.insert(saga.saga_id()).second) << saga.saga_id();
      EXPECT_FALSE(saga.has_input());
      EXPECT_FALSE(saga.has_output());
    }
    if (first_token.empty()) first_token = response.next_page_token();
  } while (!response.next_page_token().empty());
  EXPECT_EQ(seen.size(), 7u);

  request.set_page_token(first_token);
  request.set_filter("state = SUCCEEDED");
  ExpectViolation(List(request, &response), "PAGE_TOKEN_INVALID", "page_token");
  request.set_page_token("");
  ASSERT_TRUE(List(request, &response).ok());
  EXPECT_EQ(response.sagas_size(), 0);
}

TEST_F(SagaServiceTest, ListingsRefuseWhatTheyDoNotUnderstand) {
  v1::ListSagasRequest request;
  v1::ListSagasResponse response;
  request.set_filter("colour = red");
  ExpectViolation(List(request, &response), "FILTER_INVALID", "filter");
  request.clear_filter();
  request.set_page_size(-1);
  ExpectViolation(List(request, &response), "PAGE_SIZE_INVALID", "page_size");
}

TEST_F(SagaServiceTest, HistoryIsPagedFromAnySequence) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  for (int i = 0; i < 6; ++i) world_.router().Write(&record, {v1::EVENT_TYPE_RETRY_SCHEDULED});
  v1::GetSagaHistoryRequest request;
  request.set_saga_id("b-1");
  request.set_from_sequence(2);
  request.set_page_size(4);
  v1::GetSagaHistoryResponse response;
  ASSERT_TRUE(History(request, &response).ok());
  ASSERT_EQ(response.events_size(), 4);
  EXPECT_EQ(response.events(0).sequence(), 2);
  request.set_page_token(response.next_page_token());
  ASSERT_TRUE(History(request, &response).ok());
  ASSERT_EQ(response.events_size(), 2);
  EXPECT_EQ(response.events(0).sequence(), 6);
  EXPECT_EQ(response.next_page_token(), "");
  request.set_from_sequence(3);
  ExpectViolation(History(request, &response), "PAGE_TOKEN_INVALID", "page_token");
  request.clear_page_token();
  request.set_from_sequence(-1);
  ExpectViolation(History(request, &response), "FIELD_INVALID", "from_sequence");
}

TEST_F(SagaServiceTest, ACancelIsRoutedAndItsFieldsAreLimited) {
  world_.NewSaga("b-1");
  v1::CancelSagaRequest request;
  request.set_saga_id("b-1");
  request.set_reason("changed my mind");
  request.set_by("u1");
  v1::CancelSagaResponse response;
  ASSERT_TRUE(Call(&v1::SagaService::Stub::CancelSaga, request, &response).ok());
  EXPECT_EQ(response.saga().saga_id(), "b-1");
  EXPECT_EQ(world_.router().last_word(), "b-1|cancel by u1: changed my mind");
  request.set_by(std::string(limits::kLabelBytesMax + 1, 'x'));
  ExpectViolation(Call(&v1::SagaService::Stub::CancelSaga, request, &response), "FIELD_INVALID", "by");
  request.set_reason(std::string(limits::kStatusMessageBytesMax + 1, 'x'));
  ExpectViolation(Call(&v1::SagaService::Stub::CancelSaga, request, &response), "FIELD_INVALID", "reason");
  request.clear_saga_id();
  ExpectViolation(Call(&v1::SagaService::Stub::CancelSaga, request, &response), "SAGA_ID_INVALID", "saga_id");
}

TEST_F(SagaServiceTest, ARetryNamesItsParkings) {
  world_.NewSaga("b-1");
  v1::RetrySagaRequest request;
  v1::RetrySagaResponse response;
  request.set_saga_id("b-1");
  request.set_reason("mended");
  request.set_by("ops");
  ExpectViolation(Call(&v1::SagaService::Stub::RetrySaga, request, &response), "FIELD_INVALID", "steps");
  request.add_steps()->set_step("charge");
  ASSERT_TRUE(Call(&v1::SagaService::Stub::RetrySaga, request, &response).ok());
  EXPECT_EQ(response.saga().saga_id(), "b-1");
  EXPECT_EQ(world_.router().last_word(), "b-1|retry by ops: mended");
}

TEST_F(SagaServiceTest, RetriesInBulkAreAnsweredOneByOne) {
  world_.NewSaga("b-1");
  v1::BatchRetrySagasRequest request;
  v1::BatchRetrySagasResponse response;
  const auto retry = &v1::SagaService::Stub::BatchRetrySagas;
  ExpectViolation(Call(retry, request, &response), "FIELD_INVALID", "parkings");
  for (const char* id : {"b-1", "nobody", "b-1"}) {
    auto* parking = request.add_parkings();
    parking->set_saga_id(id);
    parking->set_step("charge");
    parking->set_history_sequence(7);
  }
  request.set_reason("mended");
  request.set_by("ops");
  ASSERT_TRUE(Call(retry, request, &response).ok());
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_EQ(response.results(0).code(), "OK");
  EXPECT_EQ(response.results(1).saga_id(), "nobody");
  EXPECT_EQ(response.results(1).code(), "NOT_FOUND");
  EXPECT_EQ(response.results(2).code(), "OK");
  EXPECT_EQ(world_.router().last_word(), "b-1|retry by ops: mended");
  request.mutable_parkings(1)->set_saga_id("no id");
  ExpectViolation(Call(retry, request, &response), "SAGA_ID_INVALID", "parkings[1].saga_id");
  request.mutable_parkings(1)->set_saga_id("b-1");
  request.set_reason(std::string(limits::kStatusMessageBytesMax + 1, 'x'));
  ExpectViolation(Call(retry, request, &response), "FIELD_INVALID", "reason");
  request.clear_reason();
  while (request.parkings_size() <= limits::kPageSizeMax) *request.add_parkings() = request.parkings(0);
  ExpectViolation(Call(retry, request, &response), "FIELD_INVALID", "parkings");
}

TEST_F(SagaServiceTest, ADryRunOfARetryInBulkSaysWhatIsParkedSo) {
  storage::v1::SagaRecord record = world_.NewSaga("b-1");
  record.mutable_steps(0)->mutable_parking()->set_cause(v1::PARKING_CAUSE_RESTORED);
  record.mutable_steps(0)->mutable_parking()->set_history_sequence(2);
  world_.router().Write(&record, {v1::EVENT_TYPE_STEP_PARKED});
  v1::BatchRetrySagasRequest request;
  request.set_validate_only(true);
  for (const auto& [step, sequence] : {std::pair("charge", 2), {"charge", 1}, {"ship", 2}}) {
    auto* parking = request.add_parkings();
    parking->set_saga_id("b-1");
    parking->set_step(step);
    parking->set_history_sequence(sequence);
  }
  v1::BatchRetrySagasResponse response;
  ASSERT_TRUE(Call(&v1::SagaService::Stub::BatchRetrySagas, request, &response).ok());
  EXPECT_EQ(response.results(0).code(), "OK");
  EXPECT_EQ(response.results(1).reason(), "PARKING_STALE");
  EXPECT_EQ(response.results(2).reason(), "STEP_NOT_FOUND");
  EXPECT_EQ(world_.router().last_word(), "") << "nothing was said to any saga";
}

// What was acknowledged after the backup is unknown to the store, and a repeat of it must not do it again.
TEST_F(SagaServiceTest, AStoreThatIsHeldTakesNoNewSagasAndStillKnowsItsOwn) {
  storage::v1::HoldRecord hold;
  hold.set_hold_id("h1");
  ServiceWorld held(hold);
  const auto start = [&](const std::string& id, v1::StartSagaResponse* response) {
    grpc::ClientContext context;
    return FromGrpcStatus(held.sagas().StartSaga(&context, StartRequest(id), response));
  };
  v1::StartSagaResponse response;
  const absl::Status refused = start("b-1", &response);
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), "STORE_HELD");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::RunSagaResponse run;
  EXPECT_EQ(ReasonOf(FromGrpcStatus(held.sagas().RunSaga(&context, RunRequest("b-1"), &run))), "STORE_HELD");
  ASSERT_TRUE(held.hold().Release("compared", "ann", 1).ok());
  ASSERT_TRUE(start("b-1", &response).ok());
  ServiceWorld again(hold);
  EXPECT_EQ(ReasonOf(start("b-2", &response)), "") << "of the store that was released";
}

TEST_F(SagaServiceTest, AReplyGivenByHandIsLimitedAsOneThatComes) {
  world_.NewSaga("b-1");
  v1::ResolveStepRequest request;
  v1::ResolveStepResponse response;
  request.set_saga_id("b-1");
  request.set_step("charge");
  request.set_reason("saw it in the ledger");
  request.set_resolution(v1::RESOLUTION_DONE);
  (*request.mutable_reply()->mutable_fields())["text"].set_string_value(std::string(limits::kReplyBytesMax, 'x'));
  ExpectViolation(Call(&v1::SagaService::Stub::ResolveStep, request, &response), "FIELD_INVALID", "reply");
}

TEST_F(SagaServiceTest, AResolutionSaysWhatWhyAndByWhom) {
  world_.NewSaga("b-1");
  v1::ResolveStepRequest request;
  v1::ResolveStepResponse response;
  request.set_saga_id("b-1");
  request.set_step("charge");
  request.set_by("ops");
  request.set_reason("saw it in the ledger");
  ExpectViolation(Call(&v1::SagaService::Stub::ResolveStep, request, &response), "FIELD_INVALID", "resolution");
  request.set_resolution(v1::RESOLUTION_UNDONE);
  request.mutable_reply();
  ExpectViolation(Call(&v1::SagaService::Stub::ResolveStep, request, &response), "FIELD_INVALID", "reply");
  request.set_resolution(v1::RESOLUTION_DONE);
  ASSERT_TRUE(Call(&v1::SagaService::Stub::ResolveStep, request, &response).ok());
  EXPECT_EQ(world_.router().last_word(), "b-1|resolve charge as DONE by ops: saw it in the ledger");
  request.clear_reason();
  ExpectViolation(Call(&v1::SagaService::Stub::ResolveStep, request, &response), "FIELD_INVALID", "reason");
}

}  // namespace
}  // namespace tutti::api
