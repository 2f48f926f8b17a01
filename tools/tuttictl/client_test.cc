#include "tools/tuttictl/client.h"

#include <algorithm>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/grpc_status.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tutti/storage/v1/record.pb.h"
#include "tutti/v1/admin_service.grpc.pb.h"
#include "tutti/v1/definition_service.grpc.pb.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::ctl {
namespace {

using testing::HasSubstr;

// Answers with what the test prepared.
class FakeSagas final : public v1::SagaService::Service {
 public:
  grpc::Status StartSaga(grpc::ServerContext*, const v1::StartSagaRequest* request,
                         v1::StartSagaResponse* response) override {
    start = *request;
    response->mutable_saga()->set_saga_id(request->saga_id());
    return ToGrpcStatus(status);
  }
  grpc::Status GetSaga(grpc::ServerContext*, const v1::GetSagaRequest* request,
                       v1::GetSagaResponse* response) override {
    if (request->raw()) {
      *response->mutable_raw() = raw;
      return grpc::Status::OK;
    }
    *response->mutable_saga() = saga;
    return ToGrpcStatus(status);
  }
  grpc::Status WatchSaga(grpc::ServerContext* context, const v1::WatchSagaRequest*,
                         grpc::ServerWriter<v1::WatchSagaResponse>* writer) override {
    v1::WatchSagaResponse response;
    for (const auto& event : history) {
      *response.mutable_event() = event;
      writer->Write(response);
    }
    while (hang && !context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  }
  grpc::Status RetrySaga(grpc::ServerContext*, const v1::RetrySagaRequest* request, v1::RetrySagaResponse*) override {
    retry = *request;
    return ToGrpcStatus(status);
  }
  grpc::Status BatchRetrySagas(grpc::ServerContext*, const v1::BatchRetrySagasRequest* request,
                               v1::BatchRetrySagasResponse* response) override {
    batches.push_back(*request);
    for (const auto& parking : request->parkings()) {
      auto* result = response->add_results();
      result->set_saga_id(parking.saga_id());
      result->set_code(parking.saga_id() == stale ? "FAILED_PRECONDITION" : "OK");
    }
    return ToGrpcStatus(status);
  }
  grpc::Status ResolveStep(grpc::ServerContext*, const v1::ResolveStepRequest* request,
                           v1::ResolveStepResponse*) override {
    resolve = *request;
    return ToGrpcStatus(status);
  }
  grpc::Status ListSagas(grpc::ServerContext*, const v1::ListSagasRequest* request,
                         v1::ListSagasResponse* response) override {
    filter = request->filter();
    const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    const int end = std::min(first + std::min(request->page_size(), 2), 5);
    for (int i = first; i < end; ++i) {
      *response->add_sagas() = saga;
      response->mutable_sagas()->rbegin()->set_saga_id(absl::StrCat("saga-", i));
    }
    if (end < 5) response->set_next_page_token(absl::StrCat(end));
    if (end == 5 && damaged) {
      response->add_unreadable()->set_saga_id("damaged");
      response->mutable_unreadable(0)->set_error("its stored bytes are damaged");
    }
    return grpc::Status::OK;
  }

  // The history's last entry, and the saga it leads to.
  void End(v1::EventType type, v1::SagaState state) {
    AddEvent(type, state);
    saga.set_state(state);
  }
  void AddEvent(v1::EventType type, v1::SagaState state) {
    v1::HistoryEvent& event = history.emplace_back();
    event.set_sequence(static_cast<int64_t>(history.size()));
    event.set_type(type);
    event.set_saga_state(state);
    saga.set_history_sequence(event.sequence());
  }
  void Park(const std::string& name, int64_t sequence) {
    auto* step = saga.add_steps();
    step->set_name(name);
    step->mutable_parking()->set_cause(v1::PARKING_CAUSE_REFUSED);
    step->mutable_parking()->set_operation(v1::OPERATION_COMPENSATION);
    step->mutable_parking()->set_message("no such payment");
    step->mutable_parking()->set_history_sequence(sequence);
    saga.set_parked(true);
  }

  v1::StartSagaRequest start;
  v1::RetrySagaRequest retry;
  std::vector<v1::BatchRetrySagasRequest> batches;
  std::string stale;  // whose parking is another by now
  v1::ResolveStepRequest resolve;
  std::string filter;
  absl::Status status;
  v1::Saga saga;
  v1::RawRecord raw;
  std::vector<v1::HistoryEvent> history;
  bool hang = false;
  bool damaged = false;  // one saga that a listing meets
};

class FakeAdmin final : public v1::AdminService::Service {
 public:
  grpc::Status CreateBackup(grpc::ServerContext*, const v1::CreateBackupRequest*,
                            grpc::ServerWriter<v1::CreateBackupResponse>* writer) override {
    calls += "create ";
    return Tell(writer);
  }
  grpc::Status VerifyBackup(grpc::ServerContext*, const v1::VerifyBackupRequest* request,
                            grpc::ServerWriter<v1::VerifyBackupResponse>* writer) override {
    calls += absl::StrCat("verify ", request->backup_id(), " ");
    return damaged ? ToGrpcStatus(WithReason(absl::DataLossError("000007.sst"), "BACKUP_DAMAGED")) : Tell(writer);
  }
  grpc::Status DeleteBackups(grpc::ServerContext*, const v1::DeleteBackupsRequest* request,
                             v1::DeleteBackupsResponse* response) override {
    calls += absl::StrCat("keep ", request->keep(), " ");
    response->add_deleted_backup_ids(1);
    return grpc::Status::OK;
  }
  grpc::Status ListBackups(grpc::ServerContext*, const v1::ListBackupsRequest*,
                           v1::ListBackupsResponse* response) override {
    response->add_backups()->set_backup_id(4);
    response->add_backups()->set_problem("000007.sst is\x1b gone");
    return grpc::Status::OK;
  }
  grpc::Status GetHold(grpc::ServerContext*, const v1::GetHoldRequest*, v1::GetHoldResponse* response) override {
    if (held) response->mutable_hold()->set_held(true);
    return grpc::Status::OK;
  }
  grpc::Status ReleaseHold(grpc::ServerContext*, const v1::ReleaseHoldRequest* request,
                           v1::ReleaseHoldResponse* response) override {
    calls += absl::StrCat("release ", request->reason(), " by ", request->by());
    response->mutable_hold();
    return grpc::Status::OK;
  }

  std::string calls;
  bool damaged = false;
  bool held = false;

 private:
  template <typename Response>
  static grpc::Status Tell(grpc::ServerWriter<Response>* writer) {
    Response response;
    response.mutable_progress()->set_total_bytes(100 << 20);
    for (int tenth = 0; tenth <= 20; ++tenth) {
      response.mutable_progress()->set_copied_bytes(tenth * (5 << 20));
      writer->Write(response);
    }
    response.clear_progress();
    response.mutable_backup()->set_backup_id(4);
    writer->Write(response);
    return grpc::Status::OK;
  }
};

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&sagas_);
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
  }
  int Run(const Options& options) {
    out_.str("");
    err_.str("");
    return RunCommand(options,
                      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials()),
                      terminal_, out_, err_);
  }
  Options For(Command command) {
    Options options;
    options.command = command;
    options.saga_id = "a";
    return options;
  }
  FakeSagas sagas_;
  FakeAdmin admin_;
  Terminal terminal_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::ostringstream out_, err_;
};

TEST_F(ClientTest, StartSendsTheInputAndMintsAnIdThatItTells) {
  Options options;
  options.command = Command::kSagaStart;
  options.definition = "book";
  options.input = "{\"price\":3}";
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  EXPECT_EQ(sagas_.start.definition(), "book");
  EXPECT_EQ(sagas_.start.input().fields().at("price").number_value(), 3);
  EXPECT_EQ(sagas_.start.saga_id().size(), 32u);
  EXPECT_THAT(err_.str(), HasSubstr(sagas_.start.saga_id()));
  EXPECT_THAT(out_.str(), HasSubstr(sagas_.start.saga_id()));
}

TEST_F(ClientTest, ARecordIsShownAsFarAsItCanBeRead) {
  storage::v1::SagaRecord record;
  record.set_saga_id("a");
  record.set_definition("book");
  sagas_.raw.set_record(record.SerializeAsString() + "\xff\xff");
  sagas_.raw.set_record_bytes(4'000'000);
  sagas_.raw.set_error("its stored bytes are damaged");
  Options options = For(Command::kSagaGet);
  options.raw = true;
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("definition: \"book\""));
  EXPECT_THAT(out_.str(), HasSubstr("# 4000000 bytes, of which"));
  EXPECT_THAT(out_.str(), HasSubstr("before the damage"));
  EXPECT_THAT(err_.str(), HasSubstr("warning: its stored bytes are damaged"));
}

TEST_F(ClientTest, ListingsWarnOfWhatTheyLeftOut) {
  sagas_.damaged = true;
  for (const Command command : {Command::kSagaList, Command::kParked}) {
    EXPECT_EQ(Run(For(command)), kExitOk) << err_.str();
    EXPECT_EQ(err_.str(),
              "warning: saga damaged is left out: its stored bytes are damaged; see tuttictl saga get --raw damaged\n");
  }
}

TEST_F(ClientTest, RunTellsTheEndByItsExitCode) {
  Options options = For(Command::kSagaRun);
  options.until_finished = true;
  sagas_.AddEvent(v1::EVENT_TYPE_SAGA_STARTED, v1::SAGA_STATE_RUNNING);
  sagas_.End(v1::EVENT_TYPE_SAGA_SUCCEEDED, v1::SAGA_STATE_SUCCEEDED);
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  sagas_.history.back().set_type(v1::EVENT_TYPE_SAGA_COMPENSATED);
  sagas_.saga.set_state(v1::SAGA_STATE_COMPENSATED);
  EXPECT_EQ(Run(options), kExitCompensated);
  EXPECT_THAT(out_.str(), HasSubstr("COMPENSATED"));
}

TEST_F(ClientTest, RunStopsAtTheCommitPointUnlessToldToWaitOn) {
  Options options = For(Command::kSagaRun);
  options.timeout_s = 1;
  sagas_.hang = true;
  sagas_.End(v1::EVENT_TYPE_SAGA_COMMITTED, v1::SAGA_STATE_RUNNING);
  sagas_.saga.mutable_commit_time()->set_seconds(1);
  EXPECT_EQ(Run(options), kExitOk);
  options.until_finished = true;
  EXPECT_EQ(Run(options), kExitTimedOut);
}

TEST_F(ClientTest, RunAndWatchStopAtAParkingButNotAtOneOfThePast) {
  sagas_.AddEvent(v1::EVENT_TYPE_STEP_PARKED, v1::SAGA_STATE_RUNNING);
  sagas_.saga.set_state(v1::SAGA_STATE_RUNNING);
  for (const Command command : {Command::kSagaRun, Command::kSagaWatch}) {
    Options options = For(command);
    options.until_finished = true;
    options.timeout_s = 1;
    sagas_.hang = true;
    sagas_.saga.set_parked(true);
    EXPECT_EQ(Run(options), kExitParked);
    sagas_.saga.set_parked(false);
    EXPECT_EQ(Run(options), kExitTimedOut);
  }
}

TEST_F(ClientTest, WatchPrintsTheTimelineAndTellsTheEnd) {
  sagas_.AddEvent(v1::EVENT_TYPE_SAGA_STARTED, v1::SAGA_STATE_RUNNING);
  sagas_.AddEvent(v1::EVENT_TYPE_STEP_PARKED, v1::SAGA_STATE_RUNNING);
  sagas_.End(v1::EVENT_TYPE_SAGA_COMPENSATED, v1::SAGA_STATE_COMPENSATED);
  Options options = For(Command::kSagaWatch);
  EXPECT_EQ(Run(options), kExitCompensated);
  EXPECT_THAT(out_.str(), HasSubstr("STARTED\n"));
  EXPECT_THAT(out_.str(), HasSubstr("COMPENSATED\n"));
  EXPECT_THAT(out_.str(), testing::Not(HasSubstr("\x1b")));
  options.format = Format::kJson;
  EXPECT_EQ(Run(options), kExitCompensated);
  const std::string json = out_.str();
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 3) << json;
  options.format = Format::kYaml;
  EXPECT_EQ(Run(options), kExitCompensated);
  EXPECT_THAT(out_.str(), testing::StartsWith("---\nsequence: 1\n"));
  sagas_.history.back().set_saga_state(v1::SAGA_STATE_SUCCEEDED);
  EXPECT_EQ(Run(options), kExitOk);
}

TEST_F(ClientTest, OnATerminalTheStatusIsRedrawnBelowTheHistory) {
  terminal_.live = true;
  sagas_.saga.set_saga_id("order-1");
  sagas_.AddEvent(v1::EVENT_TYPE_SAGA_STARTED, v1::SAGA_STATE_RUNNING);
  sagas_.End(v1::EVENT_TYPE_SAGA_COMPENSATED, v1::SAGA_STATE_COMPENSATED);
  EXPECT_EQ(Run(For(Command::kSagaWatch)), kExitCompensated);
  EXPECT_THAT(out_.str(), HasSubstr("STARTED\n"));
  EXPECT_THAT(out_.str(), testing::ContainsRegex("order-1 .*COMPENSATED.*\n$"));
}

TEST_F(ClientTest, ParkedListsTheStepsOfParkedSagas) {
  sagas_.saga.add_steps()->set_name("fine");
  sagas_.Park("charge", 7);
  Options options = For(Command::kParked);
  options.definition = "book";
  options.limit = 1;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_EQ(sagas_.filter, "parked = true AND definition = \"book\"");
  EXPECT_THAT(out_.str(), testing::ContainsRegex("saga-0 .*charge +COMPENSATION +REFUSED .* 7 +no such payment\n"));
  EXPECT_THAT(out_.str(), testing::Not(HasSubstr("fine")));
  options.format = Format::kYaml;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("history_sequence: 7\n"));
}

TEST_F(ClientTest, RetryPassesTheParkingsItFound) {
  sagas_.Park("charge", 7);
  sagas_.Park("ship", 9);
  Options options = For(Command::kRetry);
  options.reason = "it is back";
  options.by = "ann";
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  ASSERT_EQ(sagas_.retry.steps_size(), 2);
  EXPECT_EQ(sagas_.retry.steps(1).step(), "ship");
  EXPECT_EQ(sagas_.retry.steps(1).history_sequence(), 9);
  EXPECT_EQ(sagas_.retry.reason(), "it is back");
  EXPECT_EQ(sagas_.retry.by(), "ann");
  options.steps = {"charge"};
  EXPECT_EQ(Run(options), kExitOk);
  ASSERT_EQ(sagas_.retry.steps_size(), 1);
  EXPECT_EQ(sagas_.retry.steps(0).history_sequence(), 7);
  options.parking_sequence = 3;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_EQ(sagas_.retry.steps(0).history_sequence(), 3);
}

TEST_F(ClientTest, RetryAllNamesTheParkingsOfItsCauseAndNoOthers) {
  sagas_.Park("charge", 7);
  sagas_.Park("ship", 9);
  sagas_.saga.mutable_steps(1)->mutable_parking()->set_cause(v1::PARKING_CAUSE_RESTORED);
  Options options = For(Command::kRetryAll);
  options.cause = "RESTORED";
  options.definition = "book";
  options.reason = "compared";
  options.by = "ann";
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  EXPECT_EQ(sagas_.filter, "parked = true AND definition = \"book\"");
  ASSERT_EQ(sagas_.batches.size(), 3u) << "one for each page";
  int parkings = 0;
  for (const auto& batch : sagas_.batches) {
    EXPECT_EQ(batch.reason(), "compared");
    EXPECT_EQ(batch.by(), "ann");
    EXPECT_FALSE(batch.validate_only());
    for (const auto& parking : batch.parkings()) {
      EXPECT_EQ(parking.step(), "ship");
      EXPECT_EQ(parking.history_sequence(), 9);
      ++parkings;
    }
  }
  EXPECT_EQ(parkings, 5);
  EXPECT_THAT(out_.str(), HasSubstr("retried 5 steps"));
  sagas_.stale = "saga-3";
  options.dry_run = true;
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_THAT(out_.str(), HasSubstr("saga-3"));
  EXPECT_THAT(out_.str(), HasSubstr("would retry 4 steps, refused 1"));
  EXPECT_TRUE(sagas_.batches.back().validate_only());
}

TEST_F(ClientTest, ABackupIsVerifiedBeforeOlderOnesAreDeleted) {
  Options options = For(Command::kBackupCreate);
  options.verify = true;
  options.keep = 3;
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  EXPECT_EQ(admin_.calls, "create verify 4 keep 3 ");
  EXPECT_THAT(err_.str(), HasSubstr("copying: 50 % of about 100.0 MiB\n"));
  EXPECT_THAT(err_.str(), HasSubstr("verifying: 100 %"));
  EXPECT_THAT(err_.str(), HasSubstr("deleted backup 1\n"));
  const std::string told = err_.str();
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 11 + 1 + 11 + 1) << told;
  admin_.calls.clear();
  admin_.damaged = true;
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_EQ(admin_.calls, "create verify 4 ");
  EXPECT_THAT(err_.str(), HasSubstr("BACKUP_DAMAGED"));
}

TEST_F(ClientTest, BackupsAreListedWithWhatIsWrongWithThem) {
  EXPECT_EQ(Run(For(Command::kBackupList)), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("000007.sst is  gone"));
  Options options = For(Command::kBackupList);
  options.format = Format::kJson;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("\"backup_id\": \"4\""));
}

TEST_F(ClientTest, AHoldIsShownAndReleased) {
  EXPECT_EQ(Run(For(Command::kHoldGet)), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("never restored"));
  admin_.held = true;
  EXPECT_EQ(Run(For(Command::kHoldGet)), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("new sagas are refused"));
  Options options = For(Command::kHoldRelease);
  options.reason = "compared";
  options.by = "ann";
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_EQ(admin_.calls, "release compared by ann");
}

TEST_F(ClientTest, WhatIsNotParkedIsNotRetried) {
  EXPECT_EQ(Run(For(Command::kRetry)), kExitError);
  EXPECT_THAT(err_.str(), HasSubstr("is not parked"));
  sagas_.Park("charge", 7);
  Options options = For(Command::kRetry);
  options.steps = {"charge", "ship"};
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_THAT(err_.str(), HasSubstr("step ship of saga"));
  EXPECT_EQ(sagas_.retry.saga_id(), "");
}

TEST_F(ClientTest, ResolveSendsTheWordAndTheReply) {
  sagas_.Park("charge", 7);
  Options options = For(Command::kResolve);
  options.steps = {"charge"};
  options.resolve_done = true;
  options.reply = "{\"payment_id\":\"p1\"}";
  options.reason = "seen in the ledger";
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  EXPECT_EQ(sagas_.resolve.history_sequence(), 7);
  EXPECT_EQ(sagas_.resolve.resolution(), v1::RESOLUTION_DONE);
  EXPECT_EQ(sagas_.resolve.reply().fields().at("payment_id").string_value(), "p1");
  EXPECT_EQ(sagas_.resolve.reason(), "seen in the ledger");
  options.reply = "nonsense";
  EXPECT_EQ(Run(options), kExitError);
}

TEST_F(ClientTest, ListFollowsPagesUpToItsLimit) {
  Options options;
  options.command = Command::kSagaList;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("saga-4"));
  EXPECT_EQ(err_.str(), "");
  options.limit = 3;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("saga-2"));
  EXPECT_THAT(out_.str(), testing::Not(HasSubstr("saga-3")));
  EXPECT_THAT(err_.str(), HasSubstr("there are more"));
}

TEST_F(ClientTest, RefusalsShowTheirViolationsOnStandardError) {
  Options options;
  options.command = Command::kSagaStart;
  options.saga_id = "a";
  sagas_.status = InvalidArgumentError("INPUT_INVALID", {{"input.price", "is missing"}});
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "error: INVALID_ARGUMENT INPUT_INVALID\n  input.price: is missing\n");
}

TEST_F(ClientTest, BadInputIsRefusedBeforeAnythingIsSent) {
  Options options;
  options.command = Command::kSagaStart;
  options.input = "[]";
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_EQ(sagas_.start.saga_id(), "");
}

TEST_F(ClientTest, NoServerIsUnavailable) {
  server_->Shutdown();
  server_.reset();
  EXPECT_EQ(Run(For(Command::kSagaRun)), kExitUnavailable);
}

}  // namespace
}  // namespace tutti::ctl
