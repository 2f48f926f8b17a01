#include "common/reflection_service.h"

#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace tutti {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

const DescriptorPool& Pool() {
  return *DescriptorPool::generated_pool();
}

// The file and all it imports, each once: clients then need not ask again for each import.
template <typename FileResponse>
void AddWithImports(const FileDescriptor* file, std::set<const FileDescriptor*>* seen, FileResponse* out) {
  if (!seen->insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) AddWithImports(file->dependency(i), seen, out);
}

template <typename Response>
absl::Status AddFile(const FileDescriptor* file, const std::string& asked, Response* response) {
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("nothing is known about ", asked));
  std::set<const FileDescriptor*> seen;
  AddWithImports(file, &seen, response->mutable_file_descriptor_response());
  return absl::OkStatus();
}

template <typename Response>
absl::Status AddExtensionNumbers(const std::string& type_name, Response* response) {
  const Descriptor* type = Pool().FindMessageTypeByName(type_name);
  if (type == nullptr) return absl::NotFoundError(absl::StrCat("nothing is known about ", type_name));
  std::vector<const FieldDescriptor*> extensions;
  Pool().FindAllExtensions(type, &extensions);
  auto* out = response->mutable_all_extension_numbers_response();
  out->set_base_type_name(type_name);
  for (const FieldDescriptor* extension : extensions) out->add_extension_number(extension->number());
  return absl::OkStatus();
}

template <typename Request, typename Response>
absl::Status AnswerOne(const Request& request, const ServiceNames& names, Response* response) {
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      return AddFile(Pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
    case Request::kFileContainingSymbol:
      return AddFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()),
                     request.file_containing_symbol(), response);
    case Request::kFileContainingExtension: {
      const auto& asked = request.file_containing_extension();
      const Descriptor* type = Pool().FindMessageTypeByName(asked.containing_type());
      const FieldDescriptor* extension =
          type == nullptr ? nullptr : Pool().FindExtensionByNumber(type, asked.extension_number());
      return AddFile(extension == nullptr ? nullptr : extension->file(),
                     absl::StrCat("extension ", asked.extension_number(), " of ", asked.containing_type()), response);
    }
    case Request::kAllExtensionNumbersOfType:
      return AddExtensionNumbers(request.all_extension_numbers_of_type(), response);
    case Request::kListServices:
      response->mutable_list_services_response();
      for (const std::string& name : names) response->mutable_list_services_response()->add_service()->set_name(name);
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError("the request asks for nothing that this server knows");
  }
}

// One conversation: read, answer, write, in turn, until the client half-closes.
template <typename Request, typename Response>
class Conversation final : public grpc::ServerBidiReactor<Request, Response> {
 public:
  explicit Conversation(std::shared_ptr<const ServiceNames> names) : names_(std::move(names)) {
    this->StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      this->Finish(grpc::Status::OK);
      return;
    }
    response_.Clear();
    response_.set_valid_host(request_.host());
    *response_.mutable_original_request() = request_;
    const absl::Status status = AnswerOne(request_, *names_, &response_);
    if (!status.ok()) {
      response_.mutable_error_response()->set_error_code(static_cast<int>(status.code()));
      response_.mutable_error_response()->set_error_message(std::string(status.message()));
    }
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      this->StartRead(&request_);
    } else {
      this->Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
    }
  }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<const ServiceNames> names_;
  Request request_;
  Response response_;
};

// The two versions differ in their package's name only.
template <typename Base, typename Request, typename Response>
class ReflectionService final : public Base {
 public:
  explicit ReflectionService(std::shared_ptr<const ServiceNames> names) : names_(std::move(names)) {}
  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(grpc::CallbackServerContext*) override {
    return new Conversation<Request, Response>(names_);
  }

 private:
  const std::shared_ptr<const ServiceNames> names_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeReflectionServices(std::shared_ptr<const ServiceNames> names) {
  namespace v1 = grpc::reflection::v1;
  namespace v1alpha = grpc::reflection::v1alpha;
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(
      std::make_unique<ReflectionService<v1::ServerReflection::CallbackService, v1::ServerReflectionRequest,
                                         v1::ServerReflectionResponse>>(names));
  services.push_back(
      std::make_unique<ReflectionService<v1alpha::ServerReflection::CallbackService, v1alpha::ServerReflectionRequest,
                                         v1alpha::ServerReflectionResponse>>(names));
  return services;
}

}  // namespace tutti
