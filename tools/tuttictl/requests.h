// Requests that more than one command makes.
#ifndef TUTTI_TOOLS_TUTTICTL_REQUESTS_H_
#define TUTTI_TOOLS_TUTTICTL_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "tools/tuttictl/session.h"
#include "tools/tuttictl/timeline.h"

namespace tutti::ctl {

// Starts the saga of the options. Says on standard error when an earlier start had made it.
absl::Status SendStart(Session* session, v1::StartSagaResponse* response);

// Page after page, up to --limit. Warns of sagas that could not be read, on standard error. `more` says whether that
// left any out.
absl::Status ReadSagas(Session* session, const std::string& filter, v1::ListSagasResponse* all, bool* more);

// On standard error.
void WarnOfUnreadable(Session* session, const v1::ListSagasResponse& page);

// A timeline that begins in the middle still counts from the saga's start.
absl::Status PrepareTimeline(Session* session, Timeline* timeline);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_REQUESTS_H_
