// The payment binary as a process: crashes around the commit, and what the next process knows.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "participants/sdk/test_command.h"
#include "participants/sdk/test_directory.h"
#include "tutti/participant/v1/fault_service.grpc.pb.h"
#include "tutti/payment/v1/payment_service.grpc.pb.h"

namespace tutti::payment {
namespace {

using participant::CallMethod;
using participant::TestAnswer;
using participant::TestCommand;
using Stub = v1::PaymentService::Stub;

class PaymentProcessTest : public testing::Test {
 protected:
  PaymentProcessTest() { Spawn(); }
  ~PaymentProcessTest() override {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  void Spawn() {
    const std::string port_file = directory_.path() + "/ports";
    std::filesystem::remove(port_file);
    std::vector<std::string> args = {TUTTI_PAYMENT_BINARY, "--data-dir", directory_.path() + "/data",
                                     "--port-file",        port_file,    "--enable-fault-injection"};
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ), 0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!std::filesystem::exists(port_file)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the process does not serve";
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    int port = 0;
    int metrics_port = 0;
    std::string text;
    std::getline(std::ifstream(port_file), text);
    ASSERT_EQ(std::sscanf(text.c_str(), "{\"grpc\":%d,\"health\":%*d,\"metrics\":%d}", &port, &metrics_port), 2)
        << text;
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
    stub_ = v1::PaymentService::NewStub(channel_);
  }

  // The status the process ended with by itself.
  int Reap() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  void TopUp() {
    v1::TopUpRequest request;
    request.set_user_id("u");
    request.set_amount(100);
    request.set_request_id("r1");
    v1::TopUpResponse reply;
    ASSERT_TRUE(CallMethod(stub_.get(), &Stub::TopUp, request, &reply).status.ok());
  }

  TestAnswer Charge() {
    v1::ChargeRequest request;
    request.set_user_id("u");
    request.set_amount(30);
    v1::ChargeResponse reply;
    const TestCommand command;
    return CallMethod(stub_.get(), &Stub::Charge, request, &reply, &command);
  }

  int64_t Balance() {
    v1::GetWalletRequest request;
    request.set_user_id("u");
    v1::GetWalletResponse reply;
    EXPECT_TRUE(CallMethod(stub_.get(), &Stub::GetWallet, request, &reply).status.ok());
    return reply.wallet().balance();
  }

  void CrashAt(participant::v1::FaultKind kind) {
    participant::v1::SetFaultRequest request;
    request.mutable_fault()->set_method("tutti.payment.v1.PaymentService/Charge");
    request.mutable_fault()->set_kind(kind);
    participant::v1::SetFaultResponse reply;
    const auto stub = participant::v1::FaultService::NewStub(channel_);
    ASSERT_TRUE(CallMethod(stub.get(), &participant::v1::FaultService::Stub::SetFault, request, &reply).status.ok());
  }

  participant::TestDirectory directory_;
  pid_t pid_ = 0;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

TEST_F(PaymentProcessTest, ACrashBeforeTheCommitLeavesNothing) {
  TopUp();
  CrashAt(participant::v1::FAULT_KIND_CRASH_BEFORE_COMMIT);
  EXPECT_EQ(Charge().status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(Reap(), 137);
  Spawn();
  EXPECT_EQ(Balance(), 100);
  EXPECT_EQ(Charge().mark, "applied");
  EXPECT_EQ(Balance(), 70);
}

TEST_F(PaymentProcessTest, ACrashAfterTheCommitChargesOnce) {
  TopUp();
  CrashAt(participant::v1::FAULT_KIND_CRASH_AFTER_COMMIT);
  EXPECT_EQ(Charge().status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(Reap(), 137);
  Spawn();
  EXPECT_EQ(Balance(), 70);
  EXPECT_EQ(Charge().mark, "applied");
  EXPECT_EQ(Balance(), 70);
}

TEST_F(PaymentProcessTest, TerminationDrainsAndEndsWell) {
  TopUp();
  // An idle synchronous client answers no GOAWAY, and the server would wait for it.
  stub_.reset();
  channel_.reset();
  ASSERT_EQ(kill(pid_, SIGTERM), 0);
  EXPECT_EQ(Reap(), 0);
}

}  // namespace
}  // namespace tutti::payment
