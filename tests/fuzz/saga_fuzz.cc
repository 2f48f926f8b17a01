// A whole saga, out of one run of bytes: descriptors, a definition over them, an input, replies of any kind, over the
// real compiler, state machine and shard and the store in memory. In the end every record, answer and request can be
// read by whom it is for, and no more memory was held than a multiple of what came in.
#include <deque>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/stubs/logging.h"
#include "google/protobuf/util/json_util.h"
#include "orchestrator/api/saga_view.h"
#include "orchestrator/shard/shard_core.h"
#include "orchestrator/store/memory_store.h"
#include "tests/fuzz/memory_meter.h"
#include "tests/fuzz/random_definition.h"
#include "tests/fuzz/random_types.h"
#include "tests/fuzz/target.h"
#include "tutti/v1/saga_service.pb.h"

namespace {

using namespace tutti;        // NOLINT: the target is the program
using namespace tutti::fuzz;  // NOLINT

const std::string kSagaId = "s";  // NOLINT(cert-err58-cpp)
constexpr int kEventsMax = 40;

// Of what came in: descriptors, definition, input and replies. An empty message has two bytes there and some hundreds
// in memory, and a request may hold it twice: as a message and in its bytes. The rest is for what a saga needs anyhow.
constexpr size_t kMemoryTimes = 256;
constexpr size_t kMemoryBytes = 8 * 1024 * 1024;

class OneParticipant final : public definition::DescriptorSource {
 public:
  explicit OneParticipant(const google::protobuf::FileDescriptorSet& files) : files_(files) {}
  bool KnowsParticipant(absl::string_view participant) const override { return participant == "play"; }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view, absl::string_view) override {
    return files_;
  }

 private:
  const google::protobuf::FileDescriptorSet& files_;
};

class FixedClock final : public Clock {
 public:
  int64_t WallMs() const override { return 1'800'000'000'000; }
  int64_t MonotonicMs() const override { return 0; }
};

// One shard and everything around it.
class World final : public saga::RecipeSource,
                    public saga::ParticipantTraitsSource,
                    public effects::CommandSender,
                    public effects::TimerService,
                    public effects::Publisher,
                    public shard::ShardObserver {
 public:
  World(ByteReader* reader, const RandomTypes& types, catalog::Revision revision)
      : reader_(*reader),
        types_(types),
        revision_(std::move(revision)),
        recipe_(revision_.compiled->recipe()),
        barrier_(reader->OneIn(4)),
        core_(
            Context(), 1, [this](shard::Message message) { messages_.push_back(std::move(message)); },
            [](const absl::Status& status) { TUTTI_CHECK(false, status.ToString().c_str()); }) {}

  void Run(std::string input, std::map<std::string, std::string> labels) {
    shard::StartRequest start{.saga_id = kSagaId, .fingerprint = "f", .definition = recipe_->definition, .revision = 1};
    start.input = std::move(input);
    start.labels = std::move(labels);
    const auto started = [](const absl::StatusOr<shard::StartResult>& result) {
      TUTTI_CHECK(result.ok(), result.status().ToString().c_str());
    };
    messages_.push_back(shard::StartMessage{std::move(start), started});
    ProcessMessages();
    for (int i = 0; i < kEventsMax && !events_.empty(); ++i) {
      saga::Event event = std::move(events_.front());
      events_.pop_front();
      event.saga_id = kSagaId;
      event.now_ms = clock_.WallMs() + i;
      event.random = static_cast<uint64_t>(i);
      messages_.push_back(std::move(event));
      ProcessMessages();
      CheckWhatIsKept(false);
    }
    MaybeResolve();
    CheckWhatIsKept(true);
  }

  size_t bytes_in() const { return bytes_in_; }

  std::shared_ptr<const saga::Recipe> Find(absl::string_view, int64_t) const override { return recipe_; }
  saga::ParticipantTraits TraitsOf(absl::string_view) const override { return {.barrier = barrier_}; }

  void Send(saga::SendCommand command) override {
    CheckRequest(command);
    events_.push_back({.body = Answer(command)});
  }
  void Drop(const saga::DropCommand&) override {}
  void Set(saga::SetTimer timer) override { events_.push_back({.body = saga::TimerFired{std::move(timer.timer)}}); }
  void Publish(const storage::v1::SagaRecord&, const std::vector<v1::HistoryEvent>&) override {}
  void OnHistory(const storage::v1::SagaRecord&, const std::vector<v1::HistoryEvent>&) override {}
  void OnRecovered(const storage::v1::SagaRecord&) override {}
  void OnExpired(const storage::v1::SagaRecord&) override {}
  void OnUnreadable(const std::string&, const absl::Status& why) override {
    TUTTI_CHECK(false, why.ToString().c_str());
  }
  void OnBatch(size_t) override {}

 private:
  shard::ShardContext Context() {
    return {.machine = &machine_,
            .recipes = this,
            .store = &store_,
            .reader = &store_,
            .sender = this,
            .timers = this,
            .publisher = this,
            .observer = this,
            .clock = &clock_};
  }

  void ProcessMessages() {
    while (!messages_.empty()) core_.Process(std::exchange(messages_, {}));
  }

  // With the invoker's own care for messages.
  decltype(saga::Event::body) Answer(const saga::SendCommand& command) {
    const size_t kind = reader_.Below(8);
    if (kind == 7) return saga::AttemptTimedOut{command.attempt};
    const std::string message = TruncateUtf8(reader_.Bytes(16), limits::kStatusMessageBytesMax);
    if (kind == 6) return saga::NotSent{command.attempt, message};
    saga::ReplyReceived reply{.attempt = command.attempt};
    reply.mark = static_cast<v1::BarrierMark>(reader_.Below(v1::BarrierMark_ARRAYSIZE));
    if (kind == 5) {
      reply.code = static_cast<int>(1 + reader_.Below(17));
      reply.message = message;
    } else {
      const auto* method = MethodOf(types_, command.method);
      reply.reply =
          kind == 4 ? reader_.Bytes(64) : RandomMessage(&reader_, *method->output_type(), limits::kReplyBytesMax);
    }
    bytes_in_ += reply.reply.size();
    return reply;
  }

  // As the participant's own server would read it.
  void CheckRequest(const saga::SendCommand& command) {
    TUTTI_CHECK(command.request.size() <= limits::kRequestBytesMax, "a request keeps to its limit");
    google::protobuf::Arena arena;
    auto* message = participant_.GetPrototype(MethodOf(types_, command.method)->input_type())->New(&arena);
    TUTTI_CHECK(message->ParseFromString(command.request), "a participant can read its request");
  }

  void CheckWhatIsKept(bool finished) {
    const auto record = store_.GetSaga(kSagaId);
    TUTTI_CHECK(record.ok(), record.status().ToString().c_str());
    TUTTI_CHECK(record->output().size() <= limits::kOutputBytesMax, "an output keeps to its limit");
    v1::GetSagaResponse answer;
    *answer.mutable_saga() = api::ToSaga(*record, &revision_);
    const std::string bytes = answer.SerializeAsString();
    TUTTI_CHECK(bytes.size() <= limits::kAnswerBytesMax, "an answer fits a client");
    TUTTI_CHECK(v1::GetSagaResponse().ParseFromString(bytes), "a client can read the answer");
    TUTTI_CHECK(record->output().empty() || answer.saga().has_output(), "an output is shown");
    std::string json;
    const bool printed = !finished || google::protobuf::util::MessageToJsonString(answer, &json).ok();
    TUTTI_CHECK(printed, "an answer can be printed");
    TUTTI_CHECK(store_.GetHistory(kSagaId, 0, limits::kPageSizeMax).ok(), "the history can be read");
    const auto page = store_.ListSagas({.labels = {record->labels().begin(), record->labels().end()}});
    TUTTI_CHECK(page.ok() && page->sagas.size() == 1, "a list shows the saga");
  }

  // An operator's word about the first step that is parked, with a reply of any kind.
  void MaybeResolve() {
    const auto record = store_.GetSaga(kSagaId);
    for (const auto& step : record->steps()) {
      if (!step.has_parking()) continue;
      std::optional<google::protobuf::Struct> content(std::in_place);
      if (!content->ParseFromString(reader_.Bytes(64))) content.reset();
      auto reply = revision_.compiled->EncodeReply(step.name(), content);
      if (!reply.ok()) return;
      saga::ResolveRequested resolve{.parking = {step.name(), step.parking().history_sequence()},
                                     .resolution = v1::RESOLUTION_DONE,
                                     .reply = *std::move(reply),
                                     .reason = "looked",
                                     .by = "operator"};
      messages_.push_back(shard::WordMessage{kSagaId, std::move(resolve), [](const auto&) {}});
      return ProcessMessages();
    }
  }

  ByteReader& reader_;
  const RandomTypes& types_;
  const catalog::Revision revision_;
  const std::shared_ptr<const saga::Recipe> recipe_;
  const bool barrier_;
  const saga::StateMachine machine_{saga::Settings{}, this};
  store::MemoryStore store_{store::MemoryStore::Options{.inline_done = true}};
  const FixedClock clock_;
  google::protobuf::DynamicMessageFactory participant_;
  std::vector<shard::Message> messages_;
  std::deque<saga::Event> events_;
  size_t bytes_in_ = 0;
  shard::ShardCore core_;
};

// Encoded; nothing when the definition takes no such input.
std::optional<std::string> RandomInput(ByteReader* reader, const RandomTypes& types,
                                       const definition::CompiledDefinition& definition, size_t* bytes_in) {
  const std::string bytes = RandomMessage(reader, InputOf(types), limits::kInputBytesMax);
  const auto shown = definition.DecodeInput(bytes);
  const google::protobuf::Struct sent = shown.ok() ? *shown : google::protobuf::Struct();
  if (sent.ByteSizeLong() > limits::kInputBytesMax) return std::nullopt;
  *bytes_in += bytes.size() + sent.ByteSizeLong();
  auto encoded = definition.EncodeInput(sent);
  TUTTI_CHECK(encoded.ok() || absl::IsInvalidArgument(encoded.status()), encoded.status().ToString().c_str());
  if (!encoded.ok()) return std::nullopt;
  return *std::move(encoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] static const bool quiet = (google::protobuf::SetLogHandler(nullptr), true);
  const MemoryMeter meter;
  ByteReader reader({reinterpret_cast<const char*>(data), size});
  const RandomTypes types(&reader);
  if (types.service() == nullptr) return 0;
  const std::string text = RandomDefinition(&reader, types);
  OneParticipant source(types.files());
  auto compiled = definition::Compile(text, 1, &source);
  if (!compiled.ok()) {
    TUTTI_CHECK(absl::IsInvalidArgument(compiled.status()), compiled.status().ToString().c_str());
    return 0;
  }
  catalog::Revision revision{.record = {}, .compiled = compiled->definition};
  size_t bytes_in = size + text.size() + types.files().ByteSizeLong();
  auto input = RandomInput(&reader, types, *revision.compiled, &bytes_in);
  if (!input.has_value()) return 0;
  auto labels = revision.compiled->MapLabels(*input);
  if (!labels.ok()) return 0;
  World world(&reader, types, std::move(revision));
  world.Run(*std::move(input), *std::move(labels));
  bytes_in += world.bytes_in();
  const size_t peak = meter.PeakBytes();
  TUTTI_CHECK(peak <= kMemoryBytes + kMemoryTimes * bytes_in,
              absl::StrCat(peak, " bytes were held, ", bytes_in, " came in").c_str());
  return 0;
}
