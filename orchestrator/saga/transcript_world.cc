#include "orchestrator/saga/transcript_world.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/outcome.h"
#include "orchestrator/saga/record_check.h"

namespace tutti::saga {
namespace {

using Options = std::map<std::string, std::string>;

std::vector<std::string> Words(const std::string& line) {
  return absl::StrSplit(line, ' ', absl::SkipEmpty());
}

// "key=value" and bare words from `first` on.
Options OptionsOf(const std::vector<std::string>& words, size_t first) {
  Options options;
  for (size_t i = first; i < words.size(); ++i) {
    const std::pair<std::string, std::string> option = absl::StrSplit(words[i], absl::MaxSplits('=', 1));
    options[option.first] = option.second;
  }
  return options;
}

int64_t Number(const std::string& text) {
  int64_t value = 0;
  TUTTI_CHECK(absl::SimpleAtoi(text, &value), text.c_str());
  return value;
}

// "charge/action#2"; the number may be left out.
AttemptId ParseAttempt(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::ByAnyChar("/#"));
  TUTTI_CHECK(parts.size() >= 2, text.c_str());
  return {.step = parts[0],
          .operation = parts[1] == "action" ? v1::OPERATION_ACTION : v1::OPERATION_COMPENSATION,
          .number = parts.size() > 2 ? static_cast<int>(Number(parts[2])) : 0};
}

// "charge@12"
ParkingRef ParseParking(const std::string& text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, '@');
  return {.step = parts.first, .history_sequence = Number(parts.second)};
}

v1::BarrierMark ParseMark(const std::string& name) {
  v1::BarrierMark mark;
  TUTTI_CHECK(v1::BarrierMark_Parse(absl::StrCat("BARRIER_MARK_", name), &mark), name.c_str());
  return mark;
}

void CloseOverDependents(Recipe* recipe) {
  const int count = static_cast<int>(recipe->steps.size());
  std::vector<std::set<int>> before(count);
  // Steps are written in an order that respects their dependencies.
  for (int step = 0; step < count; ++step) {
    for (const int dependency : recipe->steps[step].dependencies) {
      before[step].insert(dependency);
      before[step].insert(before[dependency].begin(), before[dependency].end());
    }
    for (const int earlier : before[step]) recipe->steps[earlier].transitive_dependents.push_back(step);
  }
}

}  // namespace

class TranscriptWorld::FakeMapper final : public Mapper {
 public:
  absl::StatusOr<MappedRequest> MapRequest(int step, v1::Operation operation, absl::string_view key,
                                           const storage::v1::SagaRecord& saga) const override {
    if (broken.contains(absl::StrCat(saga.steps(step).name(), "/", ShortName(operation)))) {
      return absl::InvalidArgumentError("request.amount: ${steps.x.reply.amount} has no value");
    }
    return MappedRequest{.bytes = std::string(key), .metadata = {}};
  }

  JudgedReply JudgeReply(int, v1::Operation, absl::string_view reply) const override {
    if (reply == "rejected") return {ReplyVerdict::kRejected, "the reply says refused: true"};
    if (reply == "garbage") return {ReplyVerdict::kUndecodable, "the reply cannot be decoded as test.v1.Reply"};
    return {};
  }

  MappedOutput MapOutput(const storage::v1::SagaRecord& saga) const override {
    MappedOutput output;
    for (const auto& step : saga.steps()) {
      if (broken_output.contains(step.name()) && step.state() == v1::STEP_STATE_SUCCEEDED) {
        output.failures.push_back(absl::StrCat("output.", step.name(), ": is not UTF-8"));
      }
    }
    return output;
  }

  std::set<std::string> broken;
  std::set<std::string> broken_output;  // steps whose entries fail once they have succeeded
};

ParticipantTraits TranscriptWorld::TraitsOf(absl::string_view participant) const {
  return {.barrier = absl::StrContains(participant, "barrier"),
          .refusals_open = absl::StrContains(participant, "open")};
}

std::string TranscriptWorld::Define(const std::vector<std::string>& lines) {
  const Options saga_options = OptionsOf(Words(lines[0]), 1);
  recipe_ = {.definition = "test", .revision = 1};
  if (saga_options.contains("timeout")) recipe_.timeout_ms = Number(saga_options.at("timeout"));
  mapper_ = std::make_shared<FakeMapper>();
  recipe_.mapper = mapper_;
  std::map<std::string, int> index;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> words = Words(lines[i]);
    const Options options = OptionsOf(words, 1);
    StepRecipe step;
    step.name = words[0];
    step.participant =
        absl::StrCat("plain", options.contains("barrier") ? "-barrier" : "", options.contains("open") ? "-open" : "");
    step.action.attempt_timeout_ms = 1000;
    step.action.retry.max_attempts = 2;
    if (options.contains("kind")) {
      step.kind = options.at("kind") == "pivot" ? v1::STEP_KIND_PIVOT : v1::STEP_KIND_RETRIABLE;
    }
    if (step.kind == v1::STEP_KIND_RETRIABLE) step.action.retry.max_attempts = 0;
    if (options.contains("attempts")) step.action.retry.max_attempts = static_cast<int>(Number(options.at("attempts")));
    if (options.contains("deadline")) step.deadline_ms = Number(options.at("deadline"));
    if (step.kind == v1::STEP_KIND_COMPENSATABLE && !options.contains("none")) {
      step.compensation = CommandRecipe{.attempt_timeout_ms = 1000};
      step.compensation->retry.max_refusals = 2;
      if (options.contains("undo-attempts")) {
        step.compensation->retry.max_attempts = static_cast<int>(Number(options.at("undo-attempts")));
      }
    }
    step.action.retry.max_refusals = 2;
    if (!options.contains("after") && i > 1) step.dependencies = {static_cast<int>(i) - 2};
    if (options.contains("after") && !options.at("after").empty()) {
      for (absl::string_view name : absl::StrSplit(options.at("after"), ',')) {
        step.dependencies.push_back(index.at(std::string(name)));
      }
    }
    index[step.name] = static_cast<int>(i) - 1;
    recipe_.steps.push_back(std::move(step));
  }
  CloseOverDependents(&recipe_);
  record_.Clear();
  history_.clear();
  return "ok\n";
}

std::string TranscriptWorld::Execute(const std::vector<std::string>& lines) {
  const std::vector<std::string> words = Words(lines[0]);
  const std::string& verb = words[0];
  if (verb == "saga") return Define(lines);
  if (verb == "start") return Step(StartRequested{.uid = "uid", .fingerprint = "fp"});
  if (verb == "cancel") return Step(CancelRequested{.reason = "changed my mind", .by = "client"});
  if (verb == "recover") return Step(Recovered{});
  // Read back from a backup, or after a restart while the store is still held.
  if (verb == "restore") return Step(Recovered{.hold = {.id = words.at(1), .what = "restored from backup 5"}});
  if (verb == "sagatimeout") return Step(TimerFired{{.kind = TimerKind::kSagaTimeout}});
  if (verb == "wait") {
    now_ms_ += Number(words.at(1));
    return "ok\n";
  }
  if (verb == "times") return Times();
  if (verb == "deadline") {
    const int number = words.size() > 2 ? static_cast<int>(Number(words[2])) : 0;
    return Step(TimerFired{{.kind = TimerKind::kStepDeadline, .attempt = {.step = words.at(1), .number = number}}});
  }
  if (verb == "retry") {
    RetryRequested retry{.reason = "mended", .by = "operator"};
    for (size_t i = 1; i < words.size(); ++i) retry.parkings.push_back(ParseParking(words[i]));
    return Step(std::move(retry));
  }
  if (verb == "resolve") {
    return Step(ResolveRequested{.parking = ParseParking(words.at(1)),
                                 .resolution = words.at(2) == "done" ? v1::RESOLUTION_DONE : v1::RESOLUTION_UNDONE,
                                 .reason = "looked",
                                 .by = "operator"});
  }
  if (verb == "output") {
    mapper_->broken_output.insert(words.at(1));
    return "ok\n";
  }
  const AttemptId attempt = ParseAttempt(words.at(1));
  if (verb == "mapping") {
    const std::string name = absl::StrCat(attempt.step, "/", ShortName(attempt.operation));
    words.at(2) == "breaks" ? (void)mapper_->broken.insert(name) : (void)mapper_->broken.erase(name);
    return "ok\n";
  }
  if (verb == "notsent") return Step(NotSent{.attempt = attempt, .message = "no READY channel"});
  if (verb == "timeout") return Step(AttemptTimedOut{attempt});
  if (verb == "grace") return Step(TimerFired{{.kind = TimerKind::kGraceOver, .attempt = attempt}});
  if (verb == "backoff") return Step(TimerFired{{.kind = TimerKind::kBackoffOver, .attempt = attempt}});
  TUTTI_CHECK(verb == "reply", verb.c_str());
  const Options options = OptionsOf(words, 3);
  ReplyReceived reply{.attempt = attempt, .code = StatusCodeFromName(words.at(2)), .elapsed_ms = 3};
  TUTTI_CHECK(reply.code >= 0, words[2].c_str());
  if (reply.code != kOk) reply.message = "no";
  if (options.contains("mark")) reply.mark = ParseMark(options.at("mark"));
  if (options.contains("pushback")) reply.pushback_ms = Number(options.at("pushback"));
  if (options.contains("body")) reply.reply = options.at("body");
  return Step(reply);
}

// When each entry of the history says it was, from the first on, and the duration it tells.
std::string TranscriptWorld::Times() {
  std::string out;
  const auto ms = [](const v1::HistoryEvent& event) {
    return event.time().seconds() * 1000 + event.time().nanos() / 1'000'000;
  };
  for (const v1::HistoryEvent& event : history_) {
    absl::StrAppend(&out, event.sequence(), " +", ms(event) - ms(history_.front()), "ms");
    if (event.duration_ms() != 0) absl::StrAppend(&out, " took ", event.duration_ms(), "ms");
    absl::StrAppend(&out, "\n");
  }
  return out;
}

std::string TranscriptWorld::Step(decltype(Event::body) body) {
  const Event event{.saga_id = "s1", .now_ms = now_ms_, .random = 42, .body = std::move(body)};
  const Decision decision = StateMachine(settings_, this).Step(recipe_, event, &record_);
  const absl::Status fits = CheckRecord(recipe_, record_);
  TUTTI_CHECK(fits.ok(), fits.ToString().c_str());  // a restart must be able to read what any step leaves
  history_.insert(history_.end(), decision.history.begin(), decision.history.end());
  std::string out;
  if (!decision.answer.ok()) absl::StrAppend(&out, "refused: ", decision.reason, ": ", decision.answer.message(), "\n");
  for (const v1::HistoryEvent& entry : decision.history) absl::StrAppend(&out, Describe(entry), "\n");
  for (const Effect& effect : decision.effects) absl::StrAppend(&out, "  ", Describe(effect), "\n");
  if (!decision.record_changed) absl::StrAppend(&out, "unchanged\n");
  return absl::StrCat(out, "= ", Describe(record_),
                      IsTerminal(record_.state()) && IsSettling(record_) ? " (settling)" : "", "\n");
}

}  // namespace tutti::saga
