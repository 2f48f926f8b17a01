#include "common/grpc_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/call_observer.h"
#include "common/certificates_testing.h"
#include "common/descriptor_limit_testing.h"
#include "common/health_service.h"
#include "common/limits.h"
#include "common/mutex.h"
#include "common/raw_client_testing.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr auto kPatience = std::chrono::seconds(20);

std::shared_ptr<grpc::Channel> ChannelTo(int port) {
  return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
}

std::unique_ptr<GrpcServer> MustStart(const GrpcServerOptions& options = {},
                                      const std::vector<grpc::Service*>& services = {}) {
  auto server = GrpcServer::Start(options, services);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

grpc::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                         HealthCheckResponse* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  HealthCheckRequest request;
  request.set_service(service);
  return Health::NewStub(channel)->Check(&context, request, response);
}

TEST(HealthTest, CheckFollowsServing) {
  auto server = MustStart();
  const auto channel = ChannelTo(server->port());
  HealthCheckResponse response;
  ASSERT_TRUE(CheckHealth(channel, "", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server->SetServing(true);
  ASSERT_TRUE(CheckHealth(channel, "grpc.health.v1.Health", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(CheckHealth(channel, "no.such.Service", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(HealthTest, ProbeListenerTellsTheSame) {
  GrpcServerOptions options;
  options.health_address = "127.0.0.1:0";
  auto server = MustStart(options);
  ASSERT_GT(server->health_port(), 0);
  server->SetServing(true);
  HealthCheckResponse response;
  ASSERT_TRUE(CheckHealth(ChannelTo(server->health_port()), "", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
}

TEST(HealthTest, LivenessIsForProbesOnlyAndOutlastsServing) {
  GrpcServerOptions options;
  options.health_address = "127.0.0.1:0";
  options.drain_delay_ms = 1'000;
  auto server = MustStart(options);
  const auto probe = ChannelTo(server->health_port());
  HealthCheckResponse response;
  ASSERT_TRUE(CheckHealth(probe, kLivenessService, &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << "alive before it serves";
  EXPECT_EQ(CheckHealth(ChannelTo(server->port()), kLivenessService, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);

  server->SetServing(true);
  auto stub = Health::NewStub(probe);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  auto watch = stub->Watch(&context, HealthCheckRequest());
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  auto drained = std::async(std::launch::async, [&] { server->Drain(); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(CheckHealth(probe, kLivenessService, &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << "a drain is not a death";
  context.TryCancel();
  drained.get();
}

TEST(HealthTest, WatchSendsChangesAndEndsWithTheDrain) {
  auto server = MustStart();
  auto stub = Health::NewStub(ChannelTo(server->port()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  auto reader = stub->Watch(&context, {});
  HealthCheckResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server->SetServing(true);
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server->Drain();  // would last the whole drain deadline if the watch held on
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(HealthTest, WatchOfAnUnknownServiceSaysSoAndStaysOpen) {
  auto server = MustStart();
  auto stub = Health::NewStub(ChannelTo(server->port()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  HealthCheckRequest request;
  request.set_service("no.such.Service");
  auto reader = stub->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

template <typename Reflection, typename Request, typename Response>
struct ReflectionVersion {
  using Stub = Reflection;
  using Req = Request;
  using Resp = Response;
};

template <typename T>
class ReflectionTest : public testing::Test {
 protected:
  // Asks all in one conversation, as the tools do.
  std::vector<typename T::Resp> Ask(const std::vector<typename T::Req>& requests) {
    auto stub = T::Stub::NewStub(ChannelTo(server_->port()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    auto stream = stub->ServerReflectionInfo(&context);
    std::vector<typename T::Resp> responses;
    for (const auto& request : requests) {
      typename T::Resp response;
      if (!stream->Write(request) || !stream->Read(&response)) break;
      responses.push_back(response);
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(responses.size(), requests.size());
    return responses;
  }
  const std::unique_ptr<GrpcServer> server_ = MustStart();
};

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;
using Versions = testing::Types<
    ReflectionVersion<v1::ServerReflection, v1::ServerReflectionRequest, v1::ServerReflectionResponse>,
    ReflectionVersion<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>>;
TYPED_TEST_SUITE(ReflectionTest, Versions);

TYPED_TEST(ReflectionTest, ListsEveryServiceAndDescribesEach) {
  typename TypeParam::Req list;
  list.set_list_services("*");
  std::set<std::string> names;
  const auto listed = this->Ask({list});
  for (const auto& service : listed.at(0).list_services_response().service()) names.insert(service.name());
  EXPECT_EQ(names, (std::set<std::string>{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                          "grpc.reflection.v1alpha.ServerReflection"}));
  std::vector<typename TypeParam::Req> requests;
  for (const auto& name : names) requests.emplace_back().set_file_containing_symbol(name);
  for (const auto& response : this->Ask(requests)) {
    EXPECT_GT(response.file_descriptor_response().file_descriptor_proto_size(), 0);
  }
}

TYPED_TEST(ReflectionTest, ErrorDetailsCanBeResolvedWithTheirImports) {
  typename TypeParam::Req request;
  request.set_file_containing_symbol("google.rpc.RetryInfo");
  const auto responses = this->Ask({request});
  const auto& files = responses.at(0).file_descriptor_response();
  std::set<std::string> names;
  for (const auto& bytes : files.file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    names.insert(file.name());
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"google/rpc/error_details.proto", "google/protobuf/duration.proto"}));
}

TYPED_TEST(ReflectionTest, UnknownNamesAreErrorsInsideTheConversation) {
  typename TypeParam::Req symbol, file, nothing;
  symbol.set_file_containing_symbol("no.such.Thing");
  file.set_file_by_filename("no/such.proto");
  const auto responses = this->Ask({symbol, file, nothing});
  EXPECT_EQ(responses.at(0).error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(responses.at(1).error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(responses.at(2).error_response().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TYPED_TEST(ReflectionTest, FilesAreFoundByName) {
  typename TypeParam::Req request;
  request.set_file_by_filename("grpc/health/v1/health.proto");
  EXPECT_EQ(this->Ask({request}).at(0).file_descriptor_response().file_descriptor_proto_size(), 1);
}

// Holds its calls until told, to stand for work in flight.
class HoldingService final : public tutti::v1::SagaService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetSaga(grpc::CallbackServerContext* context, const tutti::v1::GetSagaRequest*,
                                    tutti::v1::GetSagaResponse* response) override {
    response->mutable_saga()->set_uid("held");
    auto* reactor = context->DefaultReactor();
    arrived_.set_value(reactor);
    return reactor;
  }
  std::promise<grpc::ServerUnaryReactor*> arrived_;
};

TEST(DrainTest, LetsACallInFlightFinishAndRefusesNewOnes) {
  HoldingService service;
  auto server = MustStart({}, {&service});
  server->SetServing(true);
  const auto channel = ChannelTo(server->port());
  auto call = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    tutti::v1::GetSagaResponse response;
    const grpc::Status status = tutti::v1::SagaService::NewStub(channel)->GetSaga(&context, {}, &response);
    return std::make_pair(status, response.saga().uid());
  });
  auto arrived = service.arrived_.get_future();
  ASSERT_EQ(arrived.wait_for(kPatience), std::future_status::ready);
  auto drained = std::async(std::launch::async, [&] { server->Drain(); });
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  HealthCheckResponse response;
  while (CheckHealth(ChannelTo(server->port()), "", &response).ok()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "new calls are still taken";
  }
  EXPECT_EQ(drained.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  arrived.get()->Finish(grpc::Status::OK);
  const auto [status, uid] = call.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(uid, "held");
  ASSERT_EQ(drained.wait_for(kPatience), std::future_status::ready);
}

// Starts call after call until the server is gone. UNAVAILABLE is the only error a client is told to answer by asking
// again, so nothing else may come out of a drain, however the calls meet it.
std::map<grpc::StatusCode, int> CodesDuringADrain(const GrpcServerOptions& options,
                                                  const std::function<std::shared_ptr<grpc::Channel>(int)>& connect) {
  auto server = MustStart(options);
  server->SetServing(true);
  std::atomic<int> answered{0};
  std::atomic<bool> over{false};
  Mutex mu;
  std::map<grpc::StatusCode, int> codes;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      const auto channel = connect(server->port());
      std::map<grpc::StatusCode, int> seen;
      while (!over.load()) {
        HealthCheckResponse response;
        const grpc::Status status = CheckHealth(channel, "", &response);
        ++seen[status.error_code()];
        if (status.ok()) ++answered;
      }
      MutexLock lock(&mu);
      for (const auto& [code, count] : seen) codes[code] += count;
    });
  }
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (answered.load() < 100 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  server->Drain();
  over.store(true);
  for (std::thread& client : clients) client.join();
  return codes;
}

std::shared_ptr<grpc::Channel> ChannelOfItsOwn(int port, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return grpc::CreateCustomChannel(absl::StrCat("localhost:", port), credentials, arguments);
}

TEST(DrainTest, ACallThatMeetsTheShutdownIsUnavailable) {
  for (int round = 0; round < 10; ++round) {
    const auto codes =
        CodesDuringADrain({}, [](int port) { return ChannelOfItsOwn(port, grpc::InsecureChannelCredentials()); });
    EXPECT_THAT(codes, testing::UnorderedElementsAre(testing::Key(grpc::StatusCode::OK),
                                                     testing::Key(grpc::StatusCode::UNAVAILABLE)));
  }
}

TEST(DrainTest, ACallThatOutlivesTheDeadlineIsUnavailable) {
  HoldingService service;
  GrpcServerOptions options;
  options.drain_deadline_ms = 50;
  auto server = MustStart(options, {&service});
  auto call = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    tutti::v1::GetSagaResponse response;
    return tutti::v1::SagaService::NewStub(ChannelTo(server->port()))->GetSaga(&context, {}, &response);
  });
  auto arrived = service.arrived_.get_future();
  ASSERT_EQ(arrived.wait_for(kPatience), std::future_status::ready);
  auto drained = std::async(std::launch::async, [&] { server->Drain(); });
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::UNAVAILABLE);  // while its handler is still busy
  arrived.get()->Finish(grpc::Status::OK);
  ASSERT_EQ(drained.wait_for(kPatience), std::future_status::ready);
}

TEST(DrainTest, WaitsAreEndedOnceNobodyCanStartAnotherOne) {
  HoldingService service;
  auto server = MustStart({}, {&service});
  auto call = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    tutti::v1::GetSagaResponse response;
    return tutti::v1::SagaService::NewStub(ChannelTo(server->port()))->GetSaga(&context, {}, &response);
  });
  auto arrived = service.arrived_.get_future();
  ASSERT_EQ(arrived.wait_for(kPatience), std::future_status::ready);
  server->Drain([&] {
    HealthCheckResponse response;
    EXPECT_EQ(CheckHealth(ChannelTo(server->port()), "", &response).error_code(), grpc::StatusCode::UNAVAILABLE);
    arrived.get()->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "ended"));
  });
  EXPECT_EQ(call.get().error_message(), "ended");
}

// Answers at once, and counts.
class CountingService final : public tutti::v1::SagaService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetSaga(grpc::CallbackServerContext* context, const tutti::v1::GetSagaRequest*,
                                    tutti::v1::GetSagaResponse*) override {
    ++calls;
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::atomic<int> calls{0};
};

grpc::Status Get(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& saga_id,
    const std::function<void(grpc::ClientContext*)>& prepare = [](grpc::ClientContext*) {}) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  prepare(&context);
  tutti::v1::GetSagaRequest request;
  tutti::v1::GetSagaResponse response;
  request.set_saga_id(saga_id);
  return tutti::v1::SagaService::NewStub(channel)->GetSaga(&context, request, &response);
}

TEST(BoundsTest, CompressedRequestsAreRefusedAsTheyCame) {
  CountingService service;
  auto server = MustStart({}, {&service});
  const auto channel = ChannelTo(server->port());
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    const grpc::Status status = Get(channel, std::string(100'000, '0'), [&](grpc::ClientContext* context) {
      context->set_compression_algorithm(algorithm);
    });
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  }
  EXPECT_EQ(service.calls, 0);
  EXPECT_TRUE(Get(channel, "plain").ok());
}

TEST(BoundsTest, RequestsHaveALimit) {
  CountingService service;
  auto server = MustStart({}, {&service});
  const auto channel = ChannelTo(server->port());
  EXPECT_TRUE(Get(channel, std::string(limits::kRequestMessageBytesMax - 100, 'x')).ok());
  EXPECT_EQ(Get(channel, std::string(limits::kRequestMessageBytesMax, 'x')).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(service.calls, 1);
}

// The settings that the server announces when a connection begins, by their numbers in RFC 9113.
std::map<int, uint32_t> SettingsOf(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience{.tv_sec = std::chrono::seconds(kPatience).count(), .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                          24 + 9);  // and no settings of our own
  EXPECT_EQ(send(fd, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
  std::string frame;
  const auto read_to = [&](size_t bytes) {
    char buffer[256];
    while (frame.size() < bytes) {
      const ssize_t got = recv(fd, buffer, std::min(sizeof(buffer), bytes - frame.size()), 0);
      if (got <= 0) return false;
      frame.append(buffer, static_cast<size_t>(got));
    }
    return true;
  };
  const auto number = [&](size_t at, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(frame[at + i]);
    return value;
  };
  std::map<int, uint32_t> settings;
  constexpr size_t kHeaderBytes = 9;
  if (read_to(kHeaderBytes) && number(3, 1) == 4 && read_to(kHeaderBytes + number(0, 3))) {
    for (size_t at = kHeaderBytes; at + 6 <= frame.size(); at += 6) {
      settings[static_cast<int>(number(at, 2))] = number(at + 2, 4);
    }
  }
  close(fd);
  return settings;
}

TEST(BoundsTest, AConnectionIsToldWhatItMaySend) {
  const auto server = MustStart();
  std::map<int, uint32_t> settings = SettingsOf(server->port());
  constexpr int kMaxConcurrentStreams = 3;
  constexpr int kMaxHeaderListSize = 6;
  EXPECT_EQ(settings[kMaxConcurrentStreams], static_cast<uint32_t>(limits::kConnectionStreamsMax));
  EXPECT_EQ(settings[kMaxHeaderListSize], static_cast<uint32_t>(limits::kHeaderBytesHardMax));
}

void ExpectThatOnlyTheCallWithTooManyHeadersEnds(const std::shared_ptr<grpc::Channel>& channel,
                                                 HoldingService* service) {
  auto held = std::async(std::launch::async, [&] { return Get(channel, "held"); });
  auto arrived = service->arrived_.get_future();
  ASSERT_EQ(arrived.wait_for(kPatience), std::future_status::ready);
  for (const size_t bytes : {limits::kHeaderBytesMax, static_cast<size_t>(limits::kHeaderBytesHardMax) - 4096}) {
    const grpc::Status fat = Get(
        channel, "fat", [&](grpc::ClientContext* context) { context->AddMetadata("cookie", std::string(bytes, 'c')); });
    EXPECT_EQ(fat.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(fat.error_message(), testing::HasSubstr("at most 8192 are taken"));
  }
  arrived.get()->Finish(grpc::Status::OK);
  const grpc::Status status = held.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(BoundsTest, TooManyHeadersEndTheirCallAndNotItsNeighbours) {
  HoldingService service;
  auto server = MustStart({}, {&service});
  ExpectThatOnlyTheCallWithTooManyHeadersEnds(ChannelTo(server->port()), &service);
}

TEST(ConnectionsTest, WhoSaysNothingIsLeft) {
  GrpcServerOptions options;
  options.health_address = "127.0.0.1:0";
  options.connections.handshake_ms = 200;
  auto server = MustStart(options);
  for (const int port : {server->port(), server->health_port()}) {
    RawClient silent(port);
    RawClient half(port);
    ASSERT_TRUE(half.Send("PRI * HTTP/2.0\r\n\r\nSM"));
    for (RawClient* client : {&silent, &half}) {
      bool ended = false;
      client->ReadAll(&ended);
      EXPECT_TRUE(ended);
    }
  }
}

TEST(ConnectionsTest, AnIdleOneEndsAndItsClientComesBackUnawares) {
  GrpcServerOptions options;
  options.connections.idle_ms = 100;
  auto server = MustStart(options);
  const auto watching = ChannelOfItsOwn(server->port(), grpc::InsecureChannelCredentials());
  auto stub = Health::NewStub(watching);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  auto watch = stub->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  const auto calling = ChannelOfItsOwn(server->port(), grpc::InsecureChannelCredentials());
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(CheckHealth(calling, "", &response).ok()) << round;
    EXPECT_TRUE(Await([&] { return calling->GetState(false) != GRPC_CHANNEL_READY; })) << round;
  }
  EXPECT_EQ(watching->GetState(false), GRPC_CHANNEL_READY) << "a call that is open is no idleness";
  server->SetServing(true);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  context.TryCancel();
  EXPECT_FALSE(watch->Finish().ok());
}

// HTTP/2's preface and empty settings, and nothing ever after.
constexpr char kHello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0";

TEST(ConnectionsTest, WhoVanishedIsFoundOutAndWhoIsOnlySilentStays) {
  GrpcServerOptions options;
  options.connections.keepalive_ms = 50;
  options.connections.keepalive_timeout_ms = 100;
  auto server = MustStart(options);
  auto stub = Health::NewStub(ChannelOfItsOwn(server->port(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  auto watch = stub->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  for (int round = 0; round < 4; ++round) {
    RawClient vanished(server->port());
    ASSERT_TRUE(vanished.Send(absl::string_view(kHello, sizeof(kHello))));
    bool ended = false;
    vanished.ReadAll(&ended);
    EXPECT_TRUE(ended) << round;
  }
  server->SetServing(true);
  ASSERT_TRUE(watch->Read(&response)) << "it answered every ping";
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  context.TryCancel();
  EXPECT_FALSE(watch->Finish().ok());
}

TEST(ConnectionsTest, APeerHasHalfOfThemAndIsToldAtOnce) {
  GrpcServerOptions options;
  options.connections.max = 8;
  options.connections.look_ms = 5;
  auto server = MustStart(options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 4; ++i) clients.emplace_back(server->port());
  ASSERT_TRUE(Await([&] { return server->listener().connections == 4; }));
  RawClient beyond(server->port());
  EXPECT_TRUE(beyond.EndsUnanswered());
  EXPECT_TRUE(Await([&] { return server->listener().refused[static_cast<size_t>(ConnectionRefusal::kPeer)] == 1; }));
  clients.clear();
  EXPECT_TRUE(Await([&] {
    HealthCheckResponse response;
    return CheckHealth(ChannelOfItsOwn(server->port(), grpc::InsecureChannelCredentials()), "", &response).ok();
  })) << "what they leave is free again";
}

HealthCheckResponse::ServingStatus StatusOf(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  HealthCheckResponse response;
  return CheckHealth(channel, service, &response).ok() ? response.status() : HealthCheckResponse::UNKNOWN;
}

TEST(ConnectionsTest, HealthSaysWhenNobodyIsAcceptedAndWhenTheyAreAgain) {
  GrpcServerOptions options;
  options.health_address = "127.0.0.1:0";
  options.connections.look_ms = 5;
  options.connections.deaf_after_ms = 100;
  options.connections.lost_after_ms = 300;
  auto server = MustStart(options);
  server->SetServing(true);
  const auto api = ChannelOfItsOwn(server->port(), grpc::InsecureChannelCredentials());
  const auto probe = ChannelOfItsOwn(server->health_port(), grpc::InsecureChannelCredentials());
  ASSERT_EQ(StatusOf(api, ""), HealthCheckResponse::SERVING);
  ASSERT_EQ(StatusOf(probe, kLivenessService), HealthCheckResponse::SERVING);
  ASSERT_TRUE(Await([&] { return server->listener().accepting && server->listener().has_room; }));
  {
    const int lowest_free = dup(0);
    close(lowest_free);
    const DescriptorsLimited limited(static_cast<size_t>(lowest_free) + 1);  // the client's own
    RawClient waiting(server->port());
    ASSERT_TRUE(waiting.connected());
    EXPECT_TRUE(Await([&] { return StatusOf(api, "") == HealthCheckResponse::NOT_SERVING; }));
    EXPECT_EQ(StatusOf(probe, ""), HealthCheckResponse::NOT_SERVING);
    EXPECT_FALSE(server->listener().accepting);
    EXPECT_TRUE(Await([&] { return StatusOf(probe, kLivenessService) == HealthCheckResponse::NOT_SERVING; }));
    server->SetServing(true);
    EXPECT_EQ(StatusOf(api, ""), HealthCheckResponse::NOT_SERVING) << "wanting to serve is not being able to";
  }
  EXPECT_TRUE(Await([&] { return StatusOf(api, "") == HealthCheckResponse::SERVING; }));
  EXPECT_EQ(StatusOf(probe, kLivenessService), HealthCheckResponse::SERVING);
  EXPECT_EQ(StatusOf(ChannelOfItsOwn(server->port(), grpc::InsecureChannelCredentials()), ""),
            HealthCheckResponse::SERVING);
}

TEST(StartTest, PortInUseIsUnavailable) {
  auto server = MustStart();
  GrpcServerOptions options;
  options.address = absl::StrCat("127.0.0.1:", server->port());
  EXPECT_EQ(GrpcServer::Start(options, {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST(GrpcServerTest, APortThatCannotBeIsNotTakenForAnother) {
  for (const char* address : {"127.0.0.1:99999", "127.0.0.1:65536", "[::1]:99999999999999999999"}) {
    GrpcServerOptions options;
    options.address = address;
    const absl::Status status = GrpcServer::Start(options, {}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(address));
  }
}

// A self-signed certificate for 127.0.0.1 and its key, in a folder of their own.
class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / absl::StrCat("tutti-tls-", ::getpid());
    std::filesystem::create_directories(folder_);
    WriteSelfSignedCertificate(folder_);
    options_.certificate_file = folder_ / "cert.pem";
    options_.private_key_file = folder_ / "key.pem";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Read(const std::string& name) {
    std::ifstream in(folder_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  grpc::Status CheckOverTls(int port, bool with_certificate) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = Read("cert.pem");
    if (with_certificate) {
      ssl.pem_cert_chain = Read("cert.pem");
      ssl.pem_private_key = Read("key.pem");
    }
    HealthCheckResponse response;
    return CheckHealth(grpc::CreateChannel(absl::StrCat("localhost:", port), grpc::SslCredentials(ssl)), "", &response);
  }
  std::filesystem::path folder_;
  GrpcServerOptions options_;
};

TEST_F(TlsTest, ServesOverTlsAndRefusesPlaintext) {
  auto server = MustStart(options_);
  EXPECT_TRUE(CheckOverTls(server->port(), /*with_certificate=*/false).ok());
  HealthCheckResponse response;
  EXPECT_FALSE(CheckHealth(ChannelTo(server->port()), "", &response).ok());
}

TEST_F(TlsTest, ACallThatMeetsTheShutdownIsUnavailable) {
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = Read("cert.pem");
  const auto codes =
      CodesDuringADrain(options_, [&](int port) { return ChannelOfItsOwn(port, grpc::SslCredentials(ssl)); });
  EXPECT_THAT(codes, testing::UnorderedElementsAre(testing::Key(grpc::StatusCode::OK),
                                                   testing::Key(grpc::StatusCode::UNAVAILABLE)));
}

TEST_F(TlsTest, ClientCaMakesClientsShowACertificate) {
  options_.client_ca_file = options_.certificate_file;
  auto server = MustStart(options_);
  EXPECT_FALSE(CheckOverTls(server->port(), /*with_certificate=*/false).ok());
  const grpc::Status status = CheckOverTls(server->port(), /*with_certificate=*/true);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsTest, TooManyHeadersEndTheirCallAndNotItsNeighbours) {
  HoldingService service;
  auto server = MustStart(options_, {&service});
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = Read("cert.pem");
  ExpectThatOnlyTheCallWithTooManyHeadersEnds(ChannelOfItsOwn(server->port(), grpc::SslCredentials(ssl)), &service);
}

TEST_F(TlsTest, UnusableFilesAreNamed) {
  options_.private_key_file = options_.certificate_file;
  const absl::Status status = GrpcServer::Start(options_, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("private_key_file"));
}

class NotedCalls final : public CallObserver {
 public:
  void OnServed(absl::string_view method) override {
    MutexLock lock(&mu_);
    served_.insert(std::string(method));
  }
  void OnBegin(absl::string_view) override {
    MutexLock lock(&mu_);
    ++in_flight_;
  }
  void OnEnd(absl::string_view method, int code, double seconds) override {
    EXPECT_GE(seconds, 0);
    MutexLock lock(&mu_);
    --in_flight_;
    ended_.push_back(absl::StrCat(method, " ", code));
    changed_.SignalAll();
  }
  std::vector<std::string> AwaitEnded(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    MutexLock lock(&mu_);
    while (ended_.size() < count && changed_.WaitUntil(&mu_, deadline)) {
    }
    return ended_;
  }
  std::set<std::string> served() {
    MutexLock lock(&mu_);
    return served_;
  }
  int in_flight() {
    MutexLock lock(&mu_);
    return in_flight_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::set<std::string> served_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> ended_ ABSL_GUARDED_BY(mu_);
  int in_flight_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST(CallObserverTest, HearsOfEveryCallAndItsStatus) {
  NotedCalls calls;
  GrpcServerOptions options;
  options.observer = &calls;
  auto server = MustStart(options);
  EXPECT_THAT(calls.served(), testing::IsSupersetOf({"grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"}));
  const auto channel = ChannelTo(server->port());
  HealthCheckResponse response;
  ASSERT_TRUE(CheckHealth(channel, "", &response).ok());
  CheckHealth(channel, "no.such.Service", &response);
  EXPECT_THAT(calls.AwaitEnded(2),
              testing::ElementsAre("grpc.health.v1.Health/Check 0", "grpc.health.v1.Health/Check 5"));
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    HealthCheckRequest request;
    auto watch = Health::NewStub(channel)->Watch(&context, request);
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(calls.in_flight(), 1);
    context.TryCancel();
    while (watch->Read(&response)) {
    }
    watch->Finish().ok();
  }
  EXPECT_THAT(calls.AwaitEnded(3).back(), "grpc.health.v1.Health/Watch 1");
  EXPECT_EQ(calls.in_flight(), 0);
}

TEST(CallObserverTest, AMethodThatIsNotServedIsNobodys) {
  NotedCalls calls;
  GrpcServerOptions options;
  options.observer = &calls;
  auto server = MustStart(options);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  tutti::v1::GetSagaResponse response;
  EXPECT_EQ(tutti::v1::SagaService::NewStub(ChannelTo(server->port()))->GetSaga(&context, {}, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  server->Drain();
  EXPECT_THAT(calls.AwaitEnded(0), testing::IsEmpty());
}

}  // namespace
}  // namespace tutti
