#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/live_view.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/requests.h"
#include "tools/tuttictl/saga_stream.h"
#include "tools/tuttictl/timeline.h"

namespace tutti::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever = std::chrono::hours(1);
constexpr milliseconds kTick{250};   // between two looks at the clock
constexpr milliseconds kFlurry{20};  // events this close together are drawn at once

int64_t NowMs() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool IsOver(const v1::Saga& saga) {
  return saga.state() == v1::SAGA_STATE_SUCCEEDED || saga.state() == v1::SAGA_STATE_COMPENSATED;
}

int ExitCodeOf(const v1::Saga& saga, bool until_finished) {
  if (saga.state() == v1::SAGA_STATE_COMPENSATED) return kExitCompensated;
  if (IsOver(saga) || (!until_finished && saga.has_commit_time())) return kExitOk;
  return saga.parked() ? kExitParked : kExitOk;
}

// Tells from the history when there is nothing left to wait for.
class Goal {
 public:
  explicit Goal(Session* session) : session_(session) {}

  // An event of the past may be of a parking that is over, so the saga itself is asked; `saga` then holds the answer.
  absl::StatusOr<bool> IsReached(const v1::HistoryEvent& event, v1::Saga* saga) {
    switch (event.type()) {
      case v1::EVENT_TYPE_SAGA_COMMITTED:
        if (session_->options().until_finished) return false;
        break;
      case v1::EVENT_TYPE_SAGA_SUCCEEDED:
      case v1::EVENT_TYPE_SAGA_COMPENSATED:
      case v1::EVENT_TYPE_STEP_PARKED:
        break;
      default:
        return false;
    }
    if (absl::Status status = session_->ReadSaga(saga); !status.ok()) return status;
    return event.type() != v1::EVENT_TYPE_STEP_PARKED || saga->parked() || IsOver(*saga);
  }

 private:
  Session* const session_;
};

int Interrupted(Session* session, const absl::Status& status, int64_t seen) {
  const int code = session->Fail(status);
  if (absl::IsUnavailable(status) && seen > 0) {
    session->err() << "the saga goes on without us; see the rest with `tuttictl saga watch "
                   << session->options().saga_id << " --from " << seen + 1 << "`\n";
  }
  return code;
}

// Prints events one after another until the stream ends or, when asked for, the goal is reached.
int WatchPlainly(Session* session, Timeline* timeline) {
  Goal goal(session);
  SagaStream stream(session);
  v1::HistoryEvent event;
  v1::Saga saga;
  for (;;) {
    const SagaStream::Next next = stream.Await(kForever, &event);
    if (next == SagaStream::Next::kNothingYet) continue;
    if (next == SagaStream::Next::kEnded) break;
    session->PrintOneOfMany(event, timeline->Line(event));
    if (!session->options().until_finished) continue;
    const auto reached = goal.IsReached(event, &saga);
    if (!reached.ok()) return Interrupted(session, reached.status(), event.sequence());
    if (*reached) return ExitCodeOf(saga, /*until_finished=*/true);
  }
  if (!stream.status().ok()) return Interrupted(session, stream.status(), event.sequence());
  return event.saga_state() == v1::SAGA_STATE_COMPENSATED ? kExitCompensated : kExitOk;
}

// The same on a terminal: the history scrolls, and below it stands how the saga is.
int WatchLive(Session* session, Timeline* timeline) {
  v1::Saga saga;
  if (absl::Status status = session->ReadSaga(&saga); !status.ok()) return session->Fail(status);
  Goal goal(session);
  LiveView view(session->out());
  SagaStream stream(session);
  v1::HistoryEvent event;
  std::string scrolled;
  bool reached = false;
  for (;;) {
    const auto next = reached ? SagaStream::Next::kEnded : stream.Await(scrolled.empty() ? kTick : kFlurry, &event);
    if (next == SagaStream::Next::kEvent) {
      scrolled += timeline->Line(event) + "\n";
      if (!session->options().until_finished) continue;
      const auto is_reached = goal.IsReached(event, &saga);
      if (!is_reached.ok()) return Interrupted(session, is_reached.status(), event.sequence());
      reached = *is_reached;
      continue;
    }
    const bool ended = next == SagaStream::Next::kEnded;
    if (ended && !stream.status().ok()) {
      view.Draw(scrolled, {});
      return Interrupted(session, stream.status(), event.sequence());
    }
    // At the end once more: only reading it again says that it is not settling any more.
    if (event.sequence() > saga.history_sequence() || (ended && !reached)) {
      if (absl::Status status = session->ReadSaga(&saga); !status.ok()) {
        return Interrupted(session, status, event.sequence());
      }
    }
    view.Draw(scrolled, StatusLines(saga, NowMs(), session->terminal()));
    scrolled.clear();
    if (ended) return ExitCodeOf(saga, /*until_finished=*/true);
  }
}

}  // namespace

int WatchSaga(Session* session) {
  Timeline timeline(session->terminal().color);
  if (absl::Status status = PrepareTimeline(session, &timeline); !status.ok()) return session->Fail(status);
  const bool live = session->terminal().live && session->options().format == Format::kTable;
  return live ? WatchLive(session, &timeline) : WatchPlainly(session, &timeline);
}

// Not the service's RunSaga: that does not answer while a saga is parked.
int RunSaga(Session* session) {
  v1::StartSagaResponse started;
  if (absl::Status status = SendStart(session, &started); !status.ok()) return session->Fail(status);
  Goal goal(session);
  SagaStream stream(session);
  v1::HistoryEvent event;
  v1::Saga saga;
  for (bool reached = false; !reached;) {
    const SagaStream::Next next = stream.Await(kForever, &event);
    if (next == SagaStream::Next::kNothingYet) continue;
    if (next == SagaStream::Next::kEnded) {
      if (!stream.status().ok()) return Interrupted(session, stream.status(), event.sequence());
      if (absl::Status status = session->ReadSaga(&saga); !status.ok()) return session->Fail(status);
      break;
    }
    const auto is_reached = goal.IsReached(event, &saga);
    if (!is_reached.ok()) return Interrupted(session, is_reached.status(), event.sequence());
    reached = *is_reached;
  }
  session->Print(saga, RenderSaga(saga));
  return ExitCodeOf(saga, session->options().until_finished);
}

}  // namespace tutti::ctl
