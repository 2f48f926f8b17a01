#include "orchestrator/effects/reflection/reflection_client.h"

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace tutti::effects {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using Deadline = std::chrono::system_clock::time_point;

// A participant must not be able to fill the orchestrator's memory.
constexpr int kFilesMax = 2048;
constexpr size_t kBytesMax = 32 * 1024 * 1024;

struct V1 {
  using Stub = grpc::reflection::v1::ServerReflection::Stub;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
  static auto NewStub(const std::shared_ptr<grpc::ChannelInterface>& channel) {
    return grpc::reflection::v1::ServerReflection::NewStub(channel);
  }
};

struct V1Alpha {
  using Stub = grpc::reflection::v1alpha::ServerReflection::Stub;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
  static auto NewStub(const std::shared_ptr<grpc::ChannelInterface>& channel) {
    return grpc::reflection::v1alpha::ServerReflection::NewStub(channel);
  }
};

// One stream on which the symbol and then every missing import is asked for.
template <typename Version>
class Conversation {
 public:
  Conversation(const std::shared_ptr<grpc::ChannelInterface>& channel, Deadline deadline)
      : stub_(Version::NewStub(channel)) {
    context_.set_deadline(deadline);
    stream_ = stub_->ServerReflectionInfo(&context_);
  }
  ~Conversation() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  absl::StatusOr<FileDescriptorSet> Fetch(absl::string_view symbol) {
    typename Version::Request request;
    request.set_file_containing_symbol(std::string(symbol));
    if (absl::Status status = Ask(request); !status.ok()) return status;
    while (!missing_.empty()) {
      request.set_file_by_filename(*missing_.begin());
      if (absl::Status status = Ask(request); !status.ok()) {
        if (!absl::IsNotFound(status)) return status;
        return absl::UnavailableError(
            absl::StrCat("the server's reflection does not have the imported file ", request.file_by_filename()));
      }
      if (missing_.count(request.file_by_filename()) > 0) {
        return absl::UnavailableError(
            absl::StrCat("asked for the file ", request.file_by_filename(), ", the server's reflection gave another"));
      }
    }
    return std::move(files_);
  }

  bool unimplemented() const { return unimplemented_; }

 private:
  absl::Status Ask(const typename Version::Request& request) {
    typename Version::Response response;
    if (!stream_->Write(request) || !stream_->Read(&response)) return Finish();
    if (response.has_error_response()) {
      const auto& error = response.error_response();
      if (error.error_code() == grpc::StatusCode::NOT_FOUND) return absl::NotFoundError(error.error_message());
      return absl::UnavailableError(absl::StrCat("the server's reflection failed: ", error.error_message()));
    }
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      if (absl::Status status = Take(bytes); !status.ok()) return status;
    }
    if (files_.file_size() == 0) return absl::UnavailableError("the server's reflection gave no file");
    return absl::OkStatus();
  }

  absl::Status Take(const std::string& bytes) {
    FileDescriptorProto file;
    if (!file.ParseFromString(bytes)) return absl::UnavailableError("the server's reflection gave a damaged file");
    missing_.erase(file.name());
    if (!known_.insert(file.name()).second) return absl::OkStatus();
    bytes_ += bytes.size();
    if (files_.file_size() >= kFilesMax || bytes_ > kBytesMax) {
      return absl::UnavailableError("the server's reflection gives more types than can be kept");
    }
    for (const std::string& import : file.dependency()) {
      if (known_.count(import) == 0) missing_.insert(import);
    }
    *files_.add_file() = std::move(file);
    return absl::OkStatus();
  }

  // The stream broke: why?
  absl::Status Finish() {
    finished_ = true;
    const grpc::Status status = stream_->Finish();
    unimplemented_ = status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
    return absl::UnavailableError(status.ok() ? "the server's reflection ended early" : status.error_message());
  }

  grpc::ClientContext context_;
  std::unique_ptr<typename Version::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<typename Version::Request, typename Version::Response>> stream_;
  FileDescriptorSet files_;
  std::set<std::string> known_;
  std::set<std::string> missing_;
  size_t bytes_ = 0;
  bool finished_ = false;
  bool unimplemented_ = false;
};

}  // namespace

absl::StatusOr<FileDescriptorSet> FetchSymbol(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                              absl::string_view symbol, int64_t timeout_ms) {
  const Deadline deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms);
  Conversation<V1> newer(channel, deadline);
  absl::StatusOr<FileDescriptorSet> files = newer.Fetch(symbol);
  if (files.ok() || !newer.unimplemented()) return files;
  Conversation<V1Alpha> older(channel, deadline);
  files = older.Fetch(symbol);
  if (!older.unimplemented()) return files;
  return absl::UnavailableError("the server serves no reflection; switch it on, or give a descriptor set");
}

}  // namespace tutti::effects
