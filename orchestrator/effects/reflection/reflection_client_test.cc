#include "orchestrator/effects/reflection/reflection_client.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>

#include "common/grpc_server.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/grpcpp.h"
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
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("unit.proto"));
}

TEST(ReflectionClientTest, ASilentServerCostsTheTimeoutAndNoMore) {
  V1Fake service;
  service.silent = true;
  FakeServer server(&service);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(absl::IsUnavailable(FetchSymbol(server.channel(), "shop.Shop", 200).status()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST(ReflectionClientTest, AServerWithoutReflectionIsUnavailableAndSaysWhatToDo) {
  class Refusing final : public grpc::reflection::v1::ServerReflection::Service {
  } service;  // UNIMPLEMENTED
  FakeServer server(&service);
  const absl::Status status = FetchSymbol(server.channel(), "shop.Shop").status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("give a descriptor set"));
}

TEST(ReflectionClientTest, NobodyListeningIsUnavailable) {
  int port = 0;
  {
    const auto server = GrpcServer::Start({}, {});
    ASSERT_TRUE(server.ok());
    port = (*server)->port();
  }
  EXPECT_TRUE(absl::IsUnavailable(FetchSymbol(ChannelTo(port), "shop.Shop", 2'000).status()));
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
  EXPECT_TRUE(absl::IsFailedPrecondition(write("syntax = \"proto3\";").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(LoadDescriptorSet(path + ".missing").status()));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace tutti::effects
