#include "orchestrator/effects/reflection/reflection_client.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/grpc_server.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "orchestrator/effects/participant_endpoint.h"
#include "orchestrator/effects/raw_participant.h"
#include "orchestrator/effects/reflection/descriptor_file.h"

namespace tutti::effects {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::set<std::string> Names(const FileDescriptorSet& files) {
  std::set<std::string> names;
  for (const FileDescriptorProto& file : files.file()) names.insert(file.name());
  return names;
}

// shop.proto imports item.proto imports unit.proto.
FileDescriptorSet ShopFiles() {
  FileDescriptorSet files;
  const auto add = [&files](const char* name, const char* import, const char* message) {
    FileDescriptorProto* file = files.add_file();
    file->set_name(name);
    file->set_package("shop");
    if (import != nullptr) file->add_dependency(import);
    auto* type = file->add_message_type();
    type->set_name(message);
    type->add_nested_type()->set_name("Inner");
    return file;
  };
  add("unit.proto", nullptr, "Unit");
  add("item.proto", "unit.proto", "Item");
  add("shop.proto", "item.proto", "Order")->add_service()->set_name("Shop");
  return files;
}

void ExpectPermanent(const absl::Status& status, const char* what) {
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  EXPECT_THAT(std::string(status.message()), HasSubstr("descriptor_set"));
}

// Gives one file a time, as servers in other languages do.
template <typename Service, typename Request, typename Response>
class OneFileReflection final : public Service {
 public:
  grpc::Status ServerReflectionInfo(grpc::ServerContext*,
                                    grpc::ServerReaderWriter<Response, Request>* stream) override {
    Request request;
    while (stream->Read(&request)) {
      if (silent) continue;
      Response response;
      const FileDescriptorProto* found = nullptr;
      for (const FileDescriptorProto& file : files.file()) {
        if (file.name() == request.file_by_filename() || request.file_containing_symbol() == "shop.Shop") found = &file;
      }
      if (found == nullptr) {
        response.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
        response.mutable_error_response()->set_error_message("not here");
      } else {
        response.mutable_file_descriptor_response()->add_file_descriptor_proto(found->SerializeAsString());
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  FileDescriptorSet files = ShopFiles();
  bool silent = false;
};

using V1Fake =
    OneFileReflection<grpc::reflection::v1::ServerReflection::Service, grpc::reflection::v1::ServerReflectionRequest,
                      grpc::reflection::v1::ServerReflectionResponse>;
using V1AlphaFake = OneFileReflection<grpc::reflection::v1alpha::ServerReflection::Service,
                                      grpc::reflection::v1alpha::ServerReflectionRequest,
                                      grpc::reflection::v1alpha::ServerReflectionResponse>;

std::shared_ptr<grpc::Channel> ChannelTo(int port) {
  return grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
}

class FakeServer {
 public:
  explicit FakeServer(grpc::Service* service) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service);
    server_ = builder.BuildAndStart();
  }
  std::shared_ptr<grpc::Channel> channel() const { return ChannelTo(port_); }
  std::shared_ptr<grpc::Channel> ParticipantChannel(size_t reply_bytes_max) const {
    ParticipantEndpoint endpoint;
    endpoint.target = absl::StrCat("127.0.0.1:", port_);
    return MakeChannel(endpoint, /*certificates=*/nullptr, reply_bytes_max);
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(ReflectionClientTest, AsksOurOwnServer) {
  const auto server = GrpcServer::Start({}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = ChannelTo((*server)->port());
  const auto files = FetchSymbol(channel, "grpc.health.v1.Health");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_TRUE(Names(*files).count("grpc/health/v1/health.proto") > 0);
  EXPECT_TRUE(absl::IsNotFound(FetchSymbol(channel, "no.such.Service").status()));
}

TEST(ReflectionClientTest, FollowsImportsToTheirEnd) {
  V1Fake service;
  FakeServer server(&service);
  const auto files = FetchSymbol(server.channel(), "shop.Shop");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(Names(*files), ElementsAre("item.proto", "shop.proto", "unit.proto"));
}

TEST(ReflectionClientTest, FallsBackToV1Alpha) {
  V1AlphaFake service;
  FakeServer server(&service);
  const auto files = FetchSymbol(server.channel(), "shop.Shop");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->file_size(), 3);
  EXPECT_TRUE(absl::IsNotFound(FetchSymbol(server.channel(), "shop.Shup").status()));
}

TEST(ReflectionClientTest, AMissingImportIsNotAMissingSymbol) {
  V1Fake service;
  service.files.mutable_file()->DeleteSubrange(0, 1);
  FakeServer server(&service);
  const absl::Status status = FetchSymbol(server.channel(), "shop.Shop").status();
  ExpectPermanent(status, "unit.proto");
}

TEST(ReflectionClientTest, ASilentServerCostsTheTimeoutAndNoMore) {
  V1Fake service;
  service.silent = true;
  FakeServer server(&service);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(absl::IsUnavailable(FetchSymbol(server.channel(), "shop.Shop", "", 200).status()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST(ReflectionClientTest, AServerWithoutReflectionSaysWhatToDo) {
  class Refusing final : public grpc::reflection::v1::ServerReflection::Service {
  } service;  // UNIMPLEMENTED
  FakeServer server(&service);
  const absl::Status status = FetchSymbol(server.channel(), "shop.Shop").status();
  ExpectPermanent(status, "serves no reflection");
}

// One answer to every question.
class Saying final : public grpc::reflection::v1::ServerReflection::Service {
 public:
  grpc::Status ServerReflectionInfo(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<grpc::reflection::v1::ServerReflectionResponse,
                               grpc::reflection::v1::ServerReflectionRequest>* stream) override {
    const auto token = context->client_metadata().find("authorization");
    authorization =
        token == context->client_metadata().end() ? "" : std::string(token->second.data(), token->second.size());
    grpc::reflection::v1::ServerReflectionRequest request;
    while (end.ok() && stream->Read(&request)) stream->Write(answer);
    return end;
  }
  grpc::reflection::v1::ServerReflectionResponse answer;
  grpc::Status end;
  std::string authorization;
};

TEST(ReflectionClientTest, AFaultThatWillNotPassIsToldFromOneThatMay) {
  const std::pair<grpc::StatusCode, absl::StatusCode> ends[] = {
      {grpc::StatusCode::UNAUTHENTICATED, absl::StatusCode::kFailedPrecondition},
      {grpc::StatusCode::PERMISSION_DENIED, absl::StatusCode::kFailedPrecondition},
      {grpc::StatusCode::NOT_FOUND, absl::StatusCode::kNotFound},
      {grpc::StatusCode::UNAVAILABLE, absl::StatusCode::kUnavailable},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, absl::StatusCode::kUnavailable},
      {grpc::StatusCode::INTERNAL, absl::StatusCode::kUnavailable}};
  for (const auto& [end, expected] : ends) {
    Saying service;
    service.end = grpc::Status(end, "because");
    FakeServer server(&service);
    const absl::Status ended = FetchSymbol(server.channel(), "shop.Shop").status();
    EXPECT_EQ(ended.code(), expected) << end << " " << ended;
    EXPECT_THAT(std::string(ended.message()), HasSubstr("because"));

    Saying polite;
    polite.answer.mutable_error_response()->set_error_code(end);
    polite.answer.mutable_error_response()->set_error_message("because");
    FakeServer other(&polite);
    const absl::Status answered = FetchSymbol(other.channel(), "shop.Shop").status();
    EXPECT_EQ(answered.code(), expected) << end << " " << answered;
  }
}

TEST(ReflectionClientTest, AnswersThatCannotBeUsedArePermanent) {
  Saying nothing;
  FakeServer silent(&nothing);
  ExpectPermanent(FetchSymbol(silent.channel(), "shop.Shop").status(), "gave no file");
  Saying garbage;
  garbage.answer.mutable_file_descriptor_response()->add_file_descriptor_proto("\xff\xff");
  FakeServer damaged(&garbage);
  ExpectPermanent(FetchSymbol(damaged.channel(), "shop.Shop").status(), "damaged file");
  Saying stubborn;  // whatever is asked for, it gives shop.proto
  stubborn.answer.mutable_file_descriptor_response()->add_file_descriptor_proto(
      ShopFiles().file(2).SerializeAsString());
  FakeServer other(&stubborn);
  ExpectPermanent(FetchSymbol(other.channel(), "shop.Shop").status(), "gave another file");
  Saying flood;
  for (int i = 0; i < 5'000; ++i) {
    FileDescriptorProto file;
    file.set_name(std::to_string(i));
    flood.answer.mutable_file_descriptor_response()->add_file_descriptor_proto(file.SerializeAsString());
  }
  FakeServer endless(&flood);
  ExpectPermanent(FetchSymbol(endless.channel(), "shop.Shop").status(), "files");
}

TEST(ReflectionClientTest, FilesLargerThanRepliesMayBe) {
  V1Fake service;
  FileDescriptorProto* file = service.files.mutable_file(2);
  auto* codes = file->add_enum_type();
  codes->set_name("Codes");
  for (int i = 0; file->ByteSizeLong() < 2 * limits::kReplyBytesMax; ++i) {
    for (int j = 0; j < 1000; ++j) codes->add_value()->set_name(absl::StrCat("CODE_NUMBER_", i, "_", j));
  }
  FakeServer server(&service);
  const auto files = FetchSymbol(server.ParticipantChannel(limits::kDescriptorBytesMax), "shop.Shop");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->file_size(), 3);
  ExpectPermanent(FetchSymbol(server.ParticipantChannel(limits::kReplyBytesMax), "shop.Shop").status(), "split");
}

TEST(ReflectionClientTest, TheTokenGoesAlong) {
  Saying service;
  FakeServer server(&service);
  EXPECT_FALSE(FetchSymbol(server.channel(), "shop.Shop").ok());
  EXPECT_EQ(service.authorization, "");
  EXPECT_FALSE(FetchSymbol(server.channel(), "shop.Shop", "sesame").ok());
  EXPECT_EQ(service.authorization, "Bearer sesame");
}

TEST(ReflectionClientTest, AnHttpStatusMayPass) {
  for (const char* status : {"401", "403", "404", "503"}) {
    raw::Participant proxy([status](uint32_t stream, int) {
      return raw::Headers(stream, {{":status", status}}, /*end_stream=*/true);
    });
    const absl::Status answer = FetchSymbol(ChannelTo(proxy.port()), "shop.Shop").status();
    EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
    EXPECT_THAT(std::string(answer.message()), HasSubstr(status));
  }
}

TEST(ReflectionClientTest, ItWaitsForAConnectionThatTakesItsTime) {
  raw::Participant far([](uint32_t stream, int) { return raw::Status(stream, "5", "not here"); },
                       [](int) {
                         std::this_thread::sleep_for(std::chrono::milliseconds(500));
                         return true;
                       });
  effects::ParticipantEndpoint endpoint;
  endpoint.target = absl::StrCat("127.0.0.1:", far.port());
  EXPECT_TRUE(absl::IsNotFound(FetchSymbol(MakeChannel(endpoint, /*certificates=*/nullptr), "shop.Shop").status()));
}

TEST(ReflectionClientTest, NobodyListeningIsUnavailable) {
  int port = 0;
  {
    const auto server = GrpcServer::Start({}, {});
    ASSERT_TRUE(server.ok());
    port = (*server)->port();
  }
  EXPECT_TRUE(absl::IsUnavailable(FetchSymbol(ChannelTo(port), "shop.Shop", "", 200).status()));
}

TEST(DescriptorFileTest, FindsTypesAndWhatTheyImport) {
  const FileDescriptorSet files = ShopFiles();
  EXPECT_THAT(Names(*FindSymbolIn(files, "shop.Shop")), ElementsAre("item.proto", "shop.proto", "unit.proto"));
  EXPECT_THAT(Names(*FindSymbolIn(files, "shop.Item")), ElementsAre("item.proto", "unit.proto"));
  EXPECT_THAT(Names(*FindSymbolIn(files, "shop.Unit.Inner")), ElementsAre("unit.proto"));
  for (const char* unknown : {"shop.Unit.Outer", "shop", "Shop", "shop.", "shopping.Shop", ""}) {
    EXPECT_TRUE(absl::IsNotFound(FindSymbolIn(files, unknown).status())) << unknown;
  }
}

TEST(DescriptorFileTest, LoadsACompleteSetOnly) {
  const std::string path = ::testing::TempDir() + "/tutti_descriptor_file_test.binpb";
  const auto write = [&path](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return LoadDescriptorSet(path);
  };
  EXPECT_EQ(write(ShopFiles().SerializeAsString())->file_size(), 3);
  FileDescriptorSet torn = ShopFiles();
  torn.mutable_file()->DeleteSubrange(0, 1);
  EXPECT_THAT(std::string(write(torn.SerializeAsString()).status().message()), HasSubstr("--include_imports"));
  for (const absl::Status& status :
       {write("syntax = \"proto3\";").status(), write("").status(), write(torn.SerializeAsString()).status(),
        LoadDescriptorSet(path + ".missing").status(), LoadDescriptorSet(::testing::TempDir()).status(),
        LoadDescriptorSet("/dev/zero").status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  }
  EXPECT_THAT(std::string(LoadDescriptorSet(path + ".missing").status().message()), HasSubstr("cannot be read"));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace tutti::effects
