// The executable part of one definition revision, as the state machine needs it. Immutable and shared between threads.
#ifndef TUTTI_ORCHESTRATOR_SAGA_RECIPE_H_
#define TUTTI_ORCHESTRATOR_SAGA_RECIPE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::saga {

// gRPC's canonical codes by number; the pure rooms do not include gRPC. 0 is OK, 16 is UNAUTHENTICATED.
using StatusCode = int;

struct RetryPolicy {
  int64_t initial_backoff_ms = 50;
  int64_t max_backoff_ms = 30'000;
  double multiplier = 2.0;
  int max_attempts = 0;  // 0: no limit
  int max_refusals = 5;  // parks retriable actions and compensations; other actions abort at the first refusal
};

struct CommandRecipe {
  std::string method;  // "package.Service/Method"
  int64_t attempt_timeout_ms = 5'000;
  RetryPolicy retry;
  std::map<StatusCode, v1::Outcome> outcomes;  // the definition's overrides of the outcome table
};

struct StepRecipe {
  std::string name;
  std::string participant;
  v1::StepKind kind = v1::STEP_KIND_COMPENSATABLE;
  CommandRecipe action;
  std::optional<CommandRecipe> compensation;
  int64_t deadline_ms = 0;  // from the action's first intent; 0: none
  // Indexes into Recipe::steps. Both include the edges implied by kinds: the pivot comes after every compensatable
  // step, retriable steps after the commit point.
  std::vector<int> dependencies;           // direct
  std::vector<int> transitive_dependents;  // every step that comes after this one, near or far
};

// A request as it will leave, for as many attempts as it takes.
struct MappedRequest {
  std::string bytes;
  std::map<std::string, std::string> metadata;  // keys in lower case, from the definition
};

struct MappedOutput {
  std::string bytes;  // a google.protobuf.Struct, at most limits::kOutputBytesMax
  // Of entries that are left out: "output.total: why". At most limits::kOutputFailuresMax; the last says how many more.
  std::vector<std::string> failures;
};

enum class ReplyVerdict {
  kAccepted,
  kRejected,     // `rejected_when` holds
  kUndecodable,  // not a message of the method's reply type
};

struct JudgedReply {
  ReplyVerdict verdict = ReplyVerdict::kAccepted;
  std::string reason;  // unless accepted: "the reply cannot be decoded as shop.v1.PayReply"
};

// Builds requests from, and reads replies into, a saga record. Pure and thread-safe. The definition room implements it.
// All texts it gives are UTF-8 of at most limits::kStatusMessageBytesMax, so they can go into history as they are.
class Mapper {
 public:
  virtual ~Mapper() = default;

  // Errors (a reference that has no value, a value out of range, a request above limits::kRequestBytesMax) name the
  // field and the reference. What is given can be read by the participant's own parser.
  virtual absl::StatusOr<MappedRequest> MapRequest(int step, v1::Operation operation, absl::string_view key,
                                                   const storage::v1::SagaRecord& saga) const = 0;

  virtual JudgedReply JudgeReply(int step, v1::Operation operation, absl::string_view reply) const = 0;

  // Entries whose references have no value yet are left out until every step has succeeded; from then on they fail. An
  // entry that fails leaves the others as they are.
  virtual MappedOutput MapOutput(const storage::v1::SagaRecord& saga) const = 0;
};

struct Recipe {
  std::string definition;
  int64_t revision = 0;
  int64_t timeout_ms = 0;         // to the commit point; 0: none
  std::vector<StepRecipe> steps;  // as written
  std::shared_ptr<const Mapper> mapper;
};

// Looks up compiled revisions. Thread-safe.
class RecipeSource {
 public:
  virtual ~RecipeSource() = default;
  // Null when there is no such revision.
  virtual std::shared_ptr<const Recipe> Find(absl::string_view definition, int64_t revision) const = 0;
};

// What participants.yaml declares about a participant that the state machine must know.
struct ParticipantTraits {
  bool barrier = false;
  bool refusals_open = false;  // something on the way re-sends calls by itself, so a refusal proves nothing
};

// Thread-safe: shards ask from their own threads, SIGHUP replaces the content.
class ParticipantTraitsSource {
 public:
  virtual ~ParticipantTraitsSource() = default;
  virtual ParticipantTraits TraitsOf(absl::string_view participant) const = 0;
};

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_RECIPE_H_
