#include "orchestrator/effects/reflection/reflection_client.h"

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "orchestrator/effects/call_answer.h"

namespace tutti::effects {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using Deadline = std::chrono::system_clock::time_point;

constexpr int kFilesMax = 2048;  // with limits::kDescriptorBytesMax: a participant must not fill the memory

// A fault that will not pass by itself; there is always the other way to hand in types.
absl::Status Permanent(absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, ", or name a descriptor_set in participants.yaml (protoc --include_imports -o)"));
}

absl::Status Refused(absl::string_view message) {
  return Permanent(absl::StrCat("the server's reflection refuses the question (", message,
                                "): check the participant's tls and bearer_token_file"));
}

absl::Status TooLarge() {
  return Permanent(absl::StrCat("the server's reflection gives more than ", limits::kDescriptorBytesMax >> 20,
                                " MiB or ", kFilesMax, " files: split the service"));
}

// How the stream ended before it had answered. UNIMPLEMENTED stays: the caller knows another version to try.
absl::Status StatusOfEnd(const grpc::Status& end) {
  if (end.ok()) return absl::UnavailableError("the server's reflection ended early");
  const grpc::Status word = OwnWord(end);
  const std::string& message = word.error_message();
  switch (word.error_code()) {
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(message);
    case grpc::StatusCode::NOT_FOUND:
      return absl::NotFoundError(message);
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return Refused(message);
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      if (absl::StartsWith(message, "Received message larger than max")) return TooLarge();
      [[fallthrough]];
    default:
      return absl::UnavailableError(absl::StrCat("the server's reflection failed: ", message));
  }
}

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
  Conversation(const std::shared_ptr<grpc::ChannelInterface>& channel, absl::string_view bearer_token,
               Deadline deadline)
      : stub_(Version::NewStub(channel)) {
    context_.set_deadline(deadline);
    context_.set_wait_for_ready(true);  // the connection may break between our look and the call
    if (!bearer_token.empty()) context_.AddMetadata("authorization", absl::StrCat("Bearer ", bearer_token));
    stream_ = stub_->ServerReflectionInfo(&context_);
  }
  ~Conversation() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  // UNIMPLEMENTED when the server does not speak this version.
  absl::StatusOr<FileDescriptorSet> Fetch(absl::string_view symbol) {
    typename Version::Request request;
    request.set_file_containing_symbol(std::string(symbol));
    if (absl::Status status = Ask(request); !status.ok()) return status;
    while (!missing_.empty()) {
      const std::string name = *missing_.begin();
      request.set_file_by_filename(name);
      if (absl::Status status = Ask(request); !status.ok()) {
        if (!absl::IsNotFound(status)) return status;
        return Permanent(absl::StrCat("the server's reflection does not have ", name,
                                      ", which another of its files imports: let it serve all imports"));
      }
      if (missing_.count(name) > 0) {
        return Permanent(absl::StrCat("asked for ", name, ", the server's reflection gave another file: mend it"));
      }
    }
    return std::move(files_);
  }

 private:
  absl::Status Ask(const typename Version::Request& request) {
    typename Version::Response response;
    if (!stream_->Write(request) || !stream_->Read(&response)) {
      finished_ = true;
      return StatusOfEnd(stream_->Finish());
    }
    if (response.has_error_response()) {
      const auto& error = response.error_response();
      return StatusOfEnd(grpc::Status(static_cast<grpc::StatusCode>(error.error_code()), error.error_message()));
    }
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      if (absl::Status status = Take(bytes); !status.ok()) return status;
    }
    if (files_.file_size() == 0) return Permanent("the server's reflection gave no file: mend it");
    return absl::OkStatus();
  }

  absl::Status Take(const std::string& bytes) {
    bytes_ += bytes.size();
    if (files_.file_size() >= kFilesMax || bytes_ > limits::kDescriptorBytesMax) return TooLarge();
    FileDescriptorProto file;
    if (!file.ParseFromString(bytes)) return Permanent("the server's reflection gave a damaged file: mend it");
    missing_.erase(file.name());
    if (!known_.insert(file.name()).second) return absl::OkStatus();
    for (const std::string& import : file.dependency()) {
      if (known_.count(import) == 0) missing_.insert(import);
    }
    *files_.add_file() = std::move(file);
    return absl::OkStatus();
  }

  grpc::ClientContext context_;
  std::unique_ptr<typename Version::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<typename Version::Request, typename Version::Response>> stream_;
  FileDescriptorSet files_;
  std::set<std::string> known_;
  std::set<std::string> missing_;
  size_t bytes_ = 0;
  bool finished_ = false;
};

}  // namespace

absl::StatusOr<FileDescriptorSet> FetchSymbol(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                              absl::string_view symbol, absl::string_view bearer_token,
                                              int64_t timeout_ms) {
  const Deadline deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms);
  if (!channel->WaitForConnected(deadline)) {
    return absl::UnavailableError(absl::StrCat("no connection came about within ", timeout_ms, " ms"));
  }
  absl::StatusOr<FileDescriptorSet> files = Conversation<V1>(channel, bearer_token, deadline).Fetch(symbol);
  if (!absl::IsUnimplemented(files.status())) return files;
  files = Conversation<V1Alpha>(channel, bearer_token, deadline).Fetch(symbol);
  if (!absl::IsUnimplemented(files.status())) return files;
  return Permanent("the server serves no reflection: switch it on");
}

}  // namespace tutti::effects
