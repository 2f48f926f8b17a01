#include "orchestrator/api/admin_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/grpc_status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server_builder.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/store_testing.h"

namespace tutti::api {
namespace {

using testing::ElementsAre;

class AdminServiceTest : public testing::Test {
 protected:
  AdminServiceTest() {
    std::filesystem::create_directories(home_.path());
    store::RocksDbStoreOptions options;
    options.path = home_.path() / "store";
    store_ = *store::RocksDbStore::Open(options);
    Serve(home_.path() / "backups", std::nullopt);
  }
  ~AdminServiceTest() override { Stop(); }

  void Serve(const std::string& folder, std::optional<storage::v1::HoldRecord> hold) {
    backups_ = std::make_unique<store::Backups>(
        store_.get(),
        store::Backups::Options{
            .folder = folder, .progress_bytes = 4096, .free_bytes = [](const std::string&) { return UINT64_MAX; }});
    hold_ = std::make_unique<store::Hold>(store_.get(), std::move(hold));
    service_ = std::make_unique<AdminService>(
        AdminService::Rooms{.backups = backups_.get(), .hold = hold_.get(), .clock = &clock_});
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::AdminService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }
  void Stop() {
    service_->EndWaits();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    backups_->AwaitIdle();
    server_.reset();
    service_.reset();
  }

  // Until nothing of it compresses into one piece of progress.
  void Fill(int sagas) {
    std::mt19937 random(3);
    for (int i = 0; i < sagas; ++i) {
      store::SagaWrite saga = store::NewSaga(absl::StrCat("saga-", i));
      for (int byte = 0; byte < 2000; ++byte) saga.record.mutable_input()->push_back(static_cast<char>(random()));
      ASSERT_EQ(store::CommitNow(store_.get(), store::SetOf(saga)), store::CommitResult::kDurable);
    }
  }

  struct Heard {
    std::vector<int64_t> copied;
    v1::Backup backup;
    absl::Status status;
  };
  template <typename Response>
  static Heard Read(std::unique_ptr<grpc::ClientReader<Response>> reader) {
    Heard heard;
    for (Response response; reader->Read(&response);) {
      if (response.has_progress()) heard.copied.push_back(response.progress().copied_bytes());
      if (response.has_backup()) heard.backup = response.backup();
    }
    heard.status = FromGrpcStatus(reader->Finish());
    return heard;
  }
  Heard Create() {
    Bound(&context_.emplace());
    return Read(stub_->CreateBackup(&*context_, {}));
  }
  Heard Verify(int64_t id) {
    Bound(&context_.emplace());
    v1::VerifyBackupRequest request;
    request.set_backup_id(id);
    return Read(stub_->VerifyBackup(&*context_, request));
  }
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    Bound(&context);
    return FromGrpcStatus((stub_.get()->*method)(&context, request, response));
  }
  static void Bound(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  store::TemporaryFolder home_;
  SystemClock clock_;
  std::unique_ptr<store::RocksDbStore> store_;
  std::unique_ptr<store::Backups> backups_;
  std::unique_ptr<store::Hold> hold_;
  std::unique_ptr<AdminService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
  std::optional<grpc::ClientContext> context_;
};

TEST_F(AdminServiceTest, ABackupTellsHowFarItIsAndLastWhatItIs) {
  Fill(300);
  const Heard made = Create();
  ASSERT_TRUE(made.status.ok()) << made.status;
  EXPECT_EQ(made.backup.backup_id(), 1);
  EXPECT_EQ(made.backup.store_id(), store_->identity().store_id());
  EXPECT_GT(made.backup.size_bytes(), 500'000);
  ASSERT_FALSE(made.copied.empty());
  EXPECT_EQ(made.copied.front(), 0);
  EXPECT_TRUE(std::is_sorted(made.copied.begin(), made.copied.end()));
  const Heard verified = Verify(0);
  ASSERT_TRUE(verified.status.ok()) << verified.status;
  EXPECT_EQ(verified.backup.SerializeAsString(), made.backup.SerializeAsString());
  EXPECT_EQ(ReasonOf(Verify(7).status), "BACKUP_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Verify(-1).status), "FIELD_INVALID");
  EXPECT_EQ(ReasonOf(Verify(int64_t{1} << 40).status), "FIELD_INVALID");
}

TEST_F(AdminServiceTest, TheNewestAreKept) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Create().status.ok());
  v1::DeleteBackupsResponse deleted;
  EXPECT_EQ(ReasonOf(Call(&v1::AdminService::Stub::DeleteBackups, v1::DeleteBackupsRequest(), &deleted)),
            "FIELD_INVALID")
      << "who forgets to say how many does not lose all of them";
  v1::DeleteBackupsRequest request;
  request.set_keep(1);
  ASSERT_TRUE(Call(&v1::AdminService::Stub::DeleteBackups, request, &deleted).ok());
  EXPECT_THAT(deleted.deleted_backup_ids(), ElementsAre(2, 1));
  v1::ListBackupsResponse listed;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::ListBackups, v1::ListBackupsRequest(), &listed).ok());
  ASSERT_EQ(listed.backups_size(), 1);
  EXPECT_EQ(listed.backups(0).backup_id(), 3);
}

TEST_F(AdminServiceTest, ACallerWhoGoesAwayEndsItsBackup) {
  Fill(300);
  Stop();
  Serve(home_.path() / "backups", std::nullopt);
  {
    grpc::ClientContext context;
    const auto reader = stub_->CreateBackup(&context, {});
    v1::CreateBackupResponse first;
    ASSERT_TRUE(reader->Read(&first));
    context.TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  backups_->AwaitIdle();
  // It may have been over before it heard; then it is whole.
  const auto left = backups_->List();
  ASSERT_TRUE(left.ok());
  for (const auto& backup : *left) EXPECT_TRUE(Verify(backup.id).status.ok());
  EXPECT_TRUE(Create().status.ok());
}

TEST_F(AdminServiceTest, WithoutAFolderItSaysWhatIsMissing) {
  Stop();
  Serve("", std::nullopt);
  EXPECT_EQ(ReasonOf(Create().status), "BACKUP_NOT_CONFIGURED");
  EXPECT_EQ(ReasonOf(Verify(0).status), "BACKUP_NOT_CONFIGURED");
}

TEST_F(AdminServiceTest, AShutdownEndsWhatWouldGoOn) {
  service_->EndWaits();
  EXPECT_EQ(ReasonOf(Create().status), "SHUTTING_DOWN");
}

TEST_F(AdminServiceTest, AHoldIsToldAndReleasedWithAReason) {
  v1::GetHoldResponse none;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::GetHold, v1::GetHoldRequest(), &none).ok());
  EXPECT_FALSE(none.has_hold());
  v1::ReleaseHoldResponse released;
  v1::ReleaseHoldRequest request;
  EXPECT_EQ(ReasonOf(Call(&v1::AdminService::Stub::ReleaseHold, request, &released)), "FIELD_INVALID");
  request.set_reason("books compared");
  request.set_by("ann");
  EXPECT_EQ(ReasonOf(Call(&v1::AdminService::Stub::ReleaseHold, request, &released)), "NOT_HELD");
  Stop();
  storage::v1::HoldRecord record;
  record.set_hold_id("h1");
  record.mutable_backup()->set_backup_id(5);
  record.mutable_backup()->set_created_ms(1'700'000'000'000);
  Serve(home_.path() / "backups", record);
  v1::GetHoldResponse held;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::GetHold, v1::GetHoldRequest(), &held).ok());
  EXPECT_TRUE(held.hold().held());
  EXPECT_EQ(held.hold().backup_id(), 5);
  EXPECT_EQ(held.hold().backup_time().seconds(), 1'700'000'000);
  ASSERT_TRUE(Call(&v1::AdminService::Stub::ReleaseHold, request, &released).ok());
  EXPECT_FALSE(released.hold().held());
  EXPECT_EQ(released.hold().released_by(), "ann");
  EXPECT_FALSE(hold_->held());
}

}  // namespace
}  // namespace tutti::api
