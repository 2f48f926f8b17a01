// What every command works with: a server to ask, and where answers go.
#ifndef TUTTI_TOOLS_TUTTICTL_SESSION_H_
#define TUTTI_TOOLS_TUTTICTL_SESSION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "common/grpc_status.h"
#include "grpcpp/grpcpp.h"
#include "tools/tuttictl/options.h"
#include "tutti/v1/admin_service.grpc.pb.h"
#include "tutti/v1/definition_service.grpc.pb.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::ctl {

// What standard output is.
struct Terminal {
  bool color = false;
  bool live = false;  // the cursor may be moved
  int columns = 80;
};

// Not thread-safe.
class Session {
 public:
  // `out` and `err` must outlive it.
  Session(Options options, std::shared_ptr<grpc::Channel> channel, Terminal terminal, std::ostream& out,
          std::ostream& err);

  const Options& options() const { return options_; }
  const Terminal& terminal() const { return terminal_; }
  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  v1::SagaService::Stub* sagas() { return sagas_.get(); }
  v1::DefinitionService::Stub* definitions() { return definitions_.get(); }
  v1::AdminService::Stub* admin() { return admin_.get(); }

  // One request, one answer, e.g. Call(sagas(), &v1::SagaService::Stub::GetSaga, request, &response).
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(&context, /*is_single_answer=*/true);
    return FromGrpcStatus((stub->*method)(&context, request, response));
  }
  // --timeout counts from the start of the command, over all its calls. Without it, single answers have 30 s each.
  void SetDeadline(grpc::ClientContext* context, bool is_single_answer) const;

  absl::Status ReadSaga(v1::Saga* saga);

  // In the format that was asked for; `table` is how people read it.
  void Print(const google::protobuf::Message& message, const std::string& table);
  // As one of a stream: a line of JSON, a YAML document, or `line`. Flushes: somebody is watching.
  void PrintOneOfMany(const google::protobuf::Message& message, const std::string& line);
  // Tells the error and gives the exit code for it.
  int Fail(const absl::Status& status);

 private:
  const Options options_;
  const Terminal terminal_;
  std::ostream& out_;
  std::ostream& err_;
  const std::unique_ptr<v1::SagaService::Stub> sagas_;
  const std::unique_ptr<v1::DefinitionService::Stub> definitions_;
  const std::unique_ptr<v1::AdminService::Stub> admin_;
  std::optional<std::chrono::system_clock::time_point> deadline_;
};

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_SESSION_H_
