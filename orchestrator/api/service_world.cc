#include "orchestrator/api/service_world.h"

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/errors.h"
#include "google/protobuf/util/json_util.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server_builder.h"
#include "orchestrator/saga/describe.h"

namespace tutti::api {
namespace {

constexpr int64_t kStartMs = 1'700'000'000'000;
constexpr std::chrono::seconds kBound(20);

}  // namespace

google::protobuf::Struct Json(const std::string& json) {
  google::protobuf::Struct value;
  TUTTI_CHECK(google::protobuf::util::JsonStringToMessage(json, &value).ok(), json.c_str());
  return value;
}

void Gate::Pass() {
  MutexLock lock(&mu_);
  ++waiting_;
  changed_.SignalAll();
  while (!open_) changed_.Wait(&mu_);
  --waiting_;
}

bool Gate::AwaitWaiting(int count) {
  const auto deadline = std::chrono::steady_clock::now() + kBound;
  MutexLock lock(&mu_);
  while (waiting_ < count && changed_.WaitUntil(&mu_, deadline)) {
  }
  return waiting_ >= count;
}

FakeDefinition::FakeDefinition(const std::string& name, int64_t revision) : recipe_(std::make_shared<saga::Recipe>()) {
  recipe_->definition = name;
  recipe_->revision = revision;
  saga::StepRecipe step;
  step.name = "charge";
  step.participant = "payment";
  step.kind = v1::STEP_KIND_PIVOT;
  recipe_->steps.push_back(step);
}

absl::StatusOr<std::string> FakeDefinition::EncodeInput(const google::protobuf::Struct& input) const {
  if (!input.fields().contains("user")) {
    return InvalidArgumentError("INPUT_INVALID", {{"input.user", "is missing"}});
  }
  google::protobuf::Struct kept = input;
  if (const auto price = kept.mutable_fields()->find("price");
      price != kept.mutable_fields()->end() && price->second.has_number_value()) {
    price->second.set_string_value(absl::StrCat(price->second.number_value()));
  }
  return kept.SerializeAsString();
}

absl::StatusOr<std::optional<std::string>> FakeDefinition::EncodeReply(
    absl::string_view, const std::optional<google::protobuf::Struct>& reply) const {
  if (!reply.has_value()) return std::nullopt;
  return reply->fields().empty() ? "reply" : reply->SerializeAsString();
}

absl::StatusOr<google::protobuf::Struct> FakeDefinition::DecodeInput(absl::string_view encoded) const {
  google::protobuf::Struct input;
  if (!input.ParseFromString(std::string(encoded))) return absl::DataLossError("not an input");
  return input;
}

absl::StatusOr<std::map<std::string, std::string>> FakeDefinition::MapLabels(absl::string_view encoded_input) const {
  const auto input = DecodeInput(encoded_input);
  if (!input.ok()) return input.status();
  return std::map<std::string, std::string>{{"user", input->fields().at("user").string_value()}};
}

FakeDefinitions::FakeDefinitions() {
  Add("book-ticket", 1);
  Add("book-ticket", 2);
}

std::shared_ptr<const catalog::Revision> FakeDefinitions::Add(const std::string& name, int64_t number) {
  auto revision = std::make_shared<catalog::Revision>();
  revision->record.set_version(1);
  revision->record.set_name(name);
  revision->record.set_revision(number);
  revision->record.set_source(name);
  revision->record.set_digest("digest");
  revision->record.set_created_ms(kStartMs);
  revision->compiled = std::make_shared<FakeDefinition>(name, number);
  MutexLock lock(&mu_);
  revisions_[name][number] = revision;
  return revision;
}

absl::StatusOr<catalog::ApplyResult> FakeDefinitions::Apply(absl::string_view source, bool dry_run) {
  applies.Pass();
  if (source == "broken") return InvalidArgumentError("INVALID_DEFINITION", {{"line 1", "this is not a definition"}});
  catalog::ApplyResult result;
  if (auto present = Get(source, 0); present.ok()) {
    result.revision = *present;
    result.unchanged = true;
    return result;
  }
  if (!dry_run) {
    result.revision = Add(std::string(source), 1);
    return result;
  }
  auto revision = std::make_shared<catalog::Revision>();
  revision->record.set_name(std::string(source));
  revision->record.set_revision(1);
  result.revision = revision;
  return result;
}

absl::StatusOr<std::shared_ptr<const catalog::Revision>> FakeDefinitions::Get(absl::string_view name,
                                                                              int64_t revision) const {
  MutexLock lock(&mu_);
  const auto found = revisions_.find(std::string(name));
  if (found == revisions_.end()) return absl::NotFoundError(absl::StrCat("there is no definition ", name));
  if (revision == 0) return found->second.rbegin()->second;
  const auto exact = found->second.find(revision);
  if (exact == found->second.end()) return absl::NotFoundError(absl::StrCat(name, " has no revision ", revision));
  return exact->second;
}

std::vector<std::shared_ptr<const catalog::Revision>> FakeDefinitions::List() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<const catalog::Revision>> newest;
  for (const auto& [name, revisions] : revisions_) newest.push_back(revisions.rbegin()->second);
  return newest;
}

std::optional<storage::v1::DisablementRecord> FakeDefinitions::FindDisablement(absl::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = disablements_.find(name);
  if (found == disablements_.end()) return std::nullopt;
  return found->second;
}

bool FakeDefinitions::KnowsParticipant(absl::string_view) const {
  return participants_known_;
}

absl::Status FakeDefinitions::Disable(absl::string_view name, absl::string_view reason, absl::string_view by) {
  if (auto known = Get(name, 0); !known.ok()) return known.status();
  MutexLock lock(&mu_);
  storage::v1::DisablementRecord& disablement = disablements_[std::string(name)];
  disablement.set_reason(std::string(reason));
  disablement.set_by(std::string(by));
  disablement.set_since_ms(kStartMs);
  return absl::OkStatus();
}

absl::Status FakeDefinitions::Enable(absl::string_view name) {
  if (auto known = Get(name, 0); !known.ok()) return known.status();
  MutexLock lock(&mu_);
  disablements_.erase(std::string(name));
  return absl::OkStatus();
}

void FakeRouter::Start(shard::StartRequest request, shard::StartDone done) {
  MutexLock one_at_a_time(&start_mu_);
  {
    MutexLock lock(&mu_);
    last_start_ = request;
    if (!refusal_.ok()) return done(refusal_);
  }
  if (auto present = store_->GetSaga(request.saga_id); present.ok()) {
    const bool differs = present->start_fingerprint() != request.fingerprint;
    return done(shard::StartResult{*std::move(present), /*already_started=*/true, differs});
  }
  if (!request.validation.ok()) return done(request.validation);
  storage::v1::SagaRecord record;
  record.set_version(1);
  record.set_saga_id(request.saga_id);
  record.set_uid("uid-" + request.saga_id);
  record.set_definition(request.definition);
  record.set_revision(request.revision);
  record.set_start_fingerprint(request.fingerprint);
  record.set_asked_revision(request.asked_revision);
  record.set_state(v1::SAGA_STATE_RUNNING);
  record.set_input(request.input);
  for (const auto& [key, value] : request.labels) (*record.mutable_labels())[key] = value;
  record.set_started_ms(kStartMs);
  record.add_steps()->set_name("charge");
  record.mutable_steps(0)->set_state(v1::STEP_STATE_RUNNING);
  Write(&record, {v1::EVENT_TYPE_SAGA_STARTED});
  done(shard::StartResult{record, /*already_started=*/false});
}

void FakeRouter::Tell(std::string saga_id, shard::SagaWord word, shard::SagaDone done) {
  saga::Event event;
  event.body = std::visit([](auto& body) -> decltype(saga::Event::body) { return body; }, word);
  {
    MutexLock lock(&mu_);
    last_word_ = absl::StrCat(saga_id, "|", saga::Describe(event));
  }
  done(store_->GetSaga(saga_id));
}

std::vector<v1::HistoryEvent> FakeRouter::Commit(storage::v1::SagaRecord* record,
                                                 const std::vector<v1::EventType>& events, const std::string& message) {
  store::SagaWrite write;
  if (const auto present = store_->GetSaga(record->saga_id()); present.ok()) {
    write.previous = store::SagaWrite::Indexed{present->state(), false};
  }
  for (const v1::EventType type : events) {
    record->set_last_sequence(record->last_sequence() + 1);
    v1::HistoryEvent& event = write.history.emplace_back();
    event.set_sequence(record->last_sequence());
    event.set_type(type);
    event.set_message(message);
  }
  write.record = *record;
  const std::vector<v1::HistoryEvent> history = write.history;
  store::WriteSet write_set;
  write_set.sagas.push_back(std::move(write));
  bool durable = false;
  store_->Commit(std::move(write_set), [&durable](store::CommitResult result, const absl::Status&) {
    durable = result == store::CommitResult::kDurable;
  });
  TUTTI_CHECK(durable, "the store commits inline");
  return history;
}

void FakeRouter::Write(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events,
                       const std::string& message) {
  const std::vector<v1::HistoryEvent> history = Commit(record, events, message);
  hub_->Publish(*record, history);
}

void FakeRouter::RefuseStarts(absl::Status status) {
  MutexLock lock(&mu_);
  refusal_ = std::move(status);
}

shard::StartRequest FakeRouter::last_start() const {
  MutexLock lock(&mu_);
  return last_start_;
}

std::string FakeRouter::last_word() const {
  MutexLock lock(&mu_);
  return last_word_;
}

ServiceWorld::ServiceWorld(std::optional<storage::v1::HoldRecord> hold)
    : store_(store::MemoryStore::Options{.inline_done = true}),
      reader_(&store_),
      router_(&store_, &hub_),
      hold_(&store_, std::move(hold)),
      saga_service_({&router_, &reader_, &fake_definitions_, &hub_, &admission_, &hold_}),
      definition_service_(&fake_definitions_) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&saga_service_);
  builder.RegisterService(&definition_service_);
  server_ = builder.BuildAndStart();
  TUTTI_CHECK(server_ != nullptr, "no server");
  channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
  sagas_ = v1::SagaService::NewStub(channel_);
  definition_stub_ = v1::DefinitionService::NewStub(channel_);
}

ServiceWorld::~ServiceWorld() {
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

storage::v1::SagaRecord ServiceWorld::NewSaga(const std::string& saga_id) {
  v1::StartSagaRequest request;
  request.set_saga_id(saga_id);
  request.set_definition("book-ticket");
  *request.mutable_input() = Json(R"({"user": "u1", "price": 1200})");
  v1::StartSagaResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kBound);
  const grpc::Status status = sagas_->StartSaga(&context, request, &response);
  TUTTI_CHECK(status.ok(), status.error_message().c_str());
  return *store_.GetSaga(saga_id);
}

bool ServiceWorld::AwaitSubscriptions(int64_t count) const {
  const auto bound = std::chrono::steady_clock::now() + kBound;
  while (hub_.subscriptions() != count) {
    if (std::chrono::steady_clock::now() > bound) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tutti::api
