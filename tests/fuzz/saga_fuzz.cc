// A whole saga, out of one run of bytes: descriptors, a definition over them, an input, replies of any kind, over the
// real compiler, state machine and shard and the store in memory, with restarts and operators' words between. In the
// end every record, answer and request can be read by whom it is for, and no more memory was held than a multiple of
// what came in. The bytes are sections (ByteReader), so that what is found for one of them goes with what is found for
// another: old types, new types, their service, the definition's steps, its output, the input, then one for each event.
#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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
constexpr int kWordsMax = 4;

// Of what came in: descriptors, definition, input and replies. Everything may be held some times over. An empty message
// of a few maps has two bytes there and a kilobyte in memory, but what is decoded at a time has a limit of its own; the
// arena that it lies on may double beyond. The rest is for what a saga needs anyhow.
size_t MemoryMax(size_t bytes_in) {
  constexpr size_t kTimes = 16;
  constexpr size_t kDecodedTimes = 1024;
  constexpr size_t kBytes = 8 * 1024 * 1024;
  return kBytes + kTimes * bytes_in + std::min(kDecodedTimes * bytes_in, 2 * limits::kDecodedBytesMax);
}

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

// What JSON can write: its numbers are finite.
bool IsJson(const google::protobuf::Struct& object);

bool IsJson(const google::protobuf::Value& value) {
  if (value.has_number_value()) return std::isfinite(value.number_value());
  if (value.has_struct_value()) return IsJson(value.struct_value());
  for (const auto& element : value.list_value().values()) {
    if (!IsJson(element)) return false;
  }
  return true;
}

bool IsJson(const google::protobuf::Struct& object) {
  for (const auto& [key, value] : object.fields()) {
    if (!IsJson(value)) return false;
  }
  return true;
}

// As a client with its language's defaults takes it.
template <typename Answer>
void CheckAnswer(const Answer& answer) {
  const std::string bytes = answer.SerializeAsString();
  TUTTI_CHECK(bytes.size() <= limits::kAnswerBytesMax, "an answer fits a client");
  TUTTI_CHECK(Answer().ParseFromString(bytes), "a client can read the answer");
  std::string json;
  TUTTI_CHECK(google::protobuf::util::MessageToJsonString(answer, &json).ok(), "an answer can be printed");
}

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
        barrier_(reader->Section().OneIn(4)),
        core_(NewCore()) {}

  void Run(std::string input, std::map<std::string, std::string> labels) {
    shard::StartRequest start{.saga_id = kSagaId, .fingerprint = "f", .definition = recipe_->definition, .revision = 1};
    start.input = std::move(input);
    start.labels = std::move(labels);
    const auto started = [](const absl::StatusOr<shard::StartResult>& result) {
      TUTTI_CHECK(result.ok(), result.status().ToString().c_str());
    };
    messages_.push_back(shard::StartMessage{std::move(start), started});
    ProcessMessages();
    CheckWhatIsKept();
    int words = 0;
    for (int i = 0; i < kEventsMax; ++i) {
      ByteReader section = reader_.Section();
      saga::Event event{.saga_id = kSagaId, .now_ms = clock_.WallMs() + i, .random = static_cast<uint64_t>(i)};
      if (section.OneIn(8)) Restart(section.Bool());
      if (section.OneIn(8)) Tell(saga::CancelRequested{"no more", "operator"});
      if (!events_.empty()) {
        event.body = Received(&section, std::exchange(events_.front(), {}));
        events_.pop_front();
        messages_.push_back(std::move(event));
        ProcessMessages();
      } else if (++words > kWordsMax || !TellAboutParked(&section)) {
        break;
      }
      CheckWhatIsKept();
    }
    CheckHistory();
  }

  size_t bytes_in() const { return bytes_in_; }

  std::shared_ptr<const saga::Recipe> Find(absl::string_view, int64_t) const override { return recipe_; }
  saga::ParticipantTraits TraitsOf(absl::string_view) const override { return {.barrier = barrier_}; }

  void Send(saga::SendCommand command) override {
    CheckRequest(command);
    command.request.clear();
    events_.push_back(std::move(command));
  }
  void Drop(const saga::DropCommand&) override {}
  void Set(saga::SetTimer timer) override { events_.push_back(std::move(timer)); }
  void Publish(const storage::v1::SagaRecord&, const std::vector<v1::HistoryEvent>&) override {}
  void OnHistory(const storage::v1::SagaRecord&, const std::vector<v1::HistoryEvent>&) override {}
  void OnRecovered(const storage::v1::SagaRecord&) override {}
  void OnExpired(const storage::v1::SagaRecord&) override {}
  void OnUnreadable(const std::string&, const absl::Status& why) override {
    TUTTI_CHECK(false, why.ToString().c_str());
  }
  void OnBatch(size_t) override {}

 private:
  // What is under way, outside the shard.
  using Pending = std::variant<std::monostate, saga::SendCommand, saga::SetTimer>;

  std::unique_ptr<shard::ShardCore> NewCore() {
    return std::make_unique<shard::ShardCore>(
        Context(), 1, [this](shard::Message message) { messages_.push_back(std::move(message)); },
        [](const absl::Status& status) { TUTTI_CHECK(false, status.ToString().c_str()); });
  }

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
    while (!messages_.empty()) core_->Process(std::exchange(messages_, {}));
  }

  // What the old one waited for may still come, or not.
  void Restart(bool forget) {
    if (forget) events_.clear();
    core_ = NewCore();
    const absl::Status recovered = core_->Recover(0, limits::kSlots);
    TUTTI_CHECK(recovered.ok(), recovered.ToString().c_str());
    ProcessMessages();
  }

  void Tell(shard::SagaWord word) {
    messages_.push_back(shard::WordMessage{kSagaId, std::move(word), [](const auto&) {}});
    ProcessMessages();
  }

  decltype(saga::Event::body) Received(ByteReader* reader, Pending pending) {
    if (auto* timer = std::get_if<saga::SetTimer>(&pending)) return saga::TimerFired{std::move(timer->timer)};
    return Answer(reader, std::get<saga::SendCommand>(pending));
  }

  // With the invoker's own care for messages.
  decltype(saga::Event::body) Answer(ByteReader* reader, const saga::SendCommand& command) {
    const size_t kind = reader->Below(12);
    if (kind == 7) return saga::AttemptTimedOut{command.attempt};
    const std::string message = kind < 5 ? "" : TruncateUtf8(reader->Bytes(16), limits::kStatusMessageBytesMax);
    if (kind == 6) return saga::NotSent{command.attempt, message};
    saga::ReplyReceived reply{.attempt = command.attempt};
    reply.mark = static_cast<v1::BarrierMark>(reader->Below(v1::BarrierMark_ARRAYSIZE));
    if (kind == 5) {
      reply.code = static_cast<int>(1 + reader->Below(17));
      reply.message = message;
    } else {
      const auto& type = *MethodOf(types_, command.method)->output_type();
      reply.reply = kind == 4 ? reader->Bytes(64) : RandomMessage(reader, types_, type, limits::kReplyBytesMax);
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

  void CheckWhatIsKept() {
    const auto record = store_.GetSaga(kSagaId);
    TUTTI_CHECK(record.ok(), record.status().ToString().c_str());
    TUTTI_CHECK(record->output().size() <= limits::kOutputBytesMax, "an output keeps to its limit");
    v1::GetSagaResponse answer;
    *answer.mutable_saga() = api::ToSaga(*record, &revision_);
    CheckAnswer(answer);
    TUTTI_CHECK(record->output().empty() || answer.saga().has_output(), "an output is shown");
    TUTTI_CHECK(IsJson(answer.saga().output()) && IsJson(answer.saga().input()), "JSON can write a payload");
    const auto page = store_.ListSagas({.labels = {record->labels().begin(), record->labels().end()}});
    TUTTI_CHECK(page.ok() && page->sagas.size() == 1, "a list shows the saga");
  }

  void CheckHistory() {
    const auto history = store_.GetHistory(kSagaId, 0, limits::kPageSizeMax);
    TUTTI_CHECK(history.ok(), history.status().ToString().c_str());
    v1::GetSagaHistoryResponse answer;
    answer.mutable_events()->Assign(history->begin(), history->end());
    CheckAnswer(answer);
  }

  // An operator's word about the first step that is parked, with a reply of any kind; false when none is.
  bool TellAboutParked(ByteReader* reader) {
    const auto record = store_.GetSaga(kSagaId);
    const auto parked = std::find_if(record->steps().begin(), record->steps().end(),
                                     [](const auto& step) { return step.has_parking(); });
    if (parked == record->steps().end()) return false;
    saga::ParkingRef parking{parked->name(), parked->parking().history_sequence()};
    if (reader->Bool()) {
      Tell(saga::RetryRequested{{std::move(parking)}, "mended", "operator"});
      return true;
    }
    auto reply = revision_.compiled->EncodeReply(parked->name(), RandomContent(reader));
    if (!reply.ok()) return false;
    Tell(saga::ResolveRequested{.parking = std::move(parking),
                                .resolution = v1::RESOLUTION_DONE,
                                .reply = *std::move(reply),
                                .reason = "looked",
                                .by = "operator"});
    return true;
  }

  std::optional<google::protobuf::Struct> RandomContent(ByteReader* reader) {
    if (reader->OneIn(3)) return std::nullopt;
    std::optional<google::protobuf::Struct> content(std::in_place);
    const std::string bytes =
        RandomMessage(reader, types_, *google::protobuf::Struct::descriptor(), limits::kInputBytesMax);
    bytes_in_ += bytes.size();
    if (!content->ParseFromString(bytes)) content->Clear();
    return content;
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
  std::deque<Pending> events_;
  size_t bytes_in_ = 0;
  std::unique_ptr<shard::ShardCore> core_;
};

bool IsDefault(const google::protobuf::Value& value) {
  if (value.has_string_value()) return value.string_value().empty() || value.string_value() == "0";
  if (value.has_list_value()) return value.list_value().values().empty();
  return (value.has_number_value() && value.number_value() == 0) || (value.has_bool_value() && !value.bool_value());
}

// Without defaults, as a client may leave them out: shown again, it is much more.
void LeaveOutDefaults(google::protobuf::Struct* object) {
  std::vector<std::string> left_out;
  for (auto& [key, value] : *object->mutable_fields()) {
    if (value.has_struct_value()) LeaveOutDefaults(value.mutable_struct_value());
    if (value.has_list_value()) {
      for (auto& element : *value.mutable_list_value()->mutable_values()) {
        if (element.has_struct_value()) LeaveOutDefaults(element.mutable_struct_value());
      }
    }
    if (IsDefault(value)) left_out.push_back(key);
  }
  for (const std::string& key : left_out) object->mutable_fields()->erase(key);
}

// As a client sends it: an input of the type as JSON writes it, with or without defaults, or any object.
google::protobuf::Struct RandomSent(ByteReader* reader, const RandomTypes& types,
                                    const google::protobuf::Descriptor& type,
                                    const definition::CompiledDefinition& definition, size_t* bytes_in) {
  const size_t kind = reader->Below(4);
  google::protobuf::Struct sent;
  if (kind == 3) {
    const auto& any_object = *google::protobuf::Struct::descriptor();
    if (!sent.ParseFromString(RandomMessage(reader, types, any_object, limits::kInputBytesMax))) sent.Clear();
  } else {
    const std::string bytes = RandomMessage(reader, types, type, limits::kInputBytesMax);
    *bytes_in += bytes.size();
    auto shown = definition.DecodeInput(bytes);
    if (shown.ok()) sent = *std::move(shown);
    if (kind == 2) LeaveOutDefaults(&sent);
  }
  *bytes_in += sent.ByteSizeLong();
  return sent;
}

// Encoded; nothing when the definition takes no such input.
std::optional<std::string> Encoded(const google::protobuf::Struct& sent,
                                   const definition::CompiledDefinition& definition) {
  if (sent.ByteSizeLong() > limits::kInputBytesMax) return std::nullopt;
  auto encoded = definition.EncodeInput(sent);
  TUTTI_CHECK(encoded.ok() || absl::IsInvalidArgument(encoded.status()), encoded.status().ToString().c_str());
  if (!encoded.ok()) return std::nullopt;
  const absl::Status shown = definition.DecodeInput(*encoded).status();
  // Too large it may be, with its defaults.
  TUTTI_CHECK(!absl::IsDataLoss(shown) && !absl::StrContains(shown.message(), "too deep"), shown.ToString().c_str());
  return *std::move(encoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] static const bool quiet = (google::protobuf::SetLogHandler(nullptr), true);
  const MemoryMeter meter;
  ByteReader reader({reinterpret_cast<const char*>(data), size});
  const RandomTypes types(&reader);
  if (types.service() == nullptr) return 0;
  const auto [text, input_type] = RandomDefinition(&reader, types);
  OneParticipant source(types.files());
  auto compiled = definition::Compile(text, 1, &source);
  if (!compiled.ok()) {
    TUTTI_CHECK(absl::IsInvalidArgument(compiled.status()), compiled.status().ToString().c_str());
    return 0;
  }
  catalog::Revision revision{.record = {}, .compiled = compiled->definition};
  size_t bytes_in = size + text.size() + types.files().ByteSizeLong();
  ByteReader input_section = reader.Section();
  auto input =
      Encoded(RandomSent(&input_section, types, *input_type, *revision.compiled, &bytes_in), *revision.compiled);
  if (!input.has_value()) return 0;
  auto labels = revision.compiled->MapLabels(*input);
  if (!labels.ok()) return 0;
  World world(&reader, types, std::move(revision));
  world.Run(*std::move(input), *std::move(labels));
  bytes_in += world.bytes_in();
  const size_t peak = meter.PeakBytes();
  TUTTI_CHECK(peak <= MemoryMax(bytes_in), absl::StrCat(peak, " bytes were held, ", bytes_in, " came in").c_str());
  return 0;
}
