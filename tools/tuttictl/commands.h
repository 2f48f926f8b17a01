// What each command does. All take their options from the session and give the exit code.
#ifndef TUTTI_TOOLS_TUTTICTL_COMMANDS_H_
#define TUTTI_TOOLS_TUTTICTL_COMMANDS_H_

#include <ostream>

#include "tools/tuttictl/session.h"

namespace tutti::ctl {

// definition_commands.cc
int ApplyDefinition(Session* session);
int GetDefinition(Session* session);
int ListDefinitions(Session* session);
int DisableDefinition(Session* session);
int EnableDefinition(Session* session);

// saga_commands.cc
int StartSaga(Session* session);
int GetSaga(Session* session);
int ListSagas(Session* session);
int GetHistory(Session* session);
int CancelSaga(Session* session);

// watch_commands.cc
int RunSaga(Session* session);
int WatchSaga(Session* session);

// operator_commands.cc
int ListParked(Session* session);
int RetrySaga(Session* session);
int RetryAll(Session* session);
int ResolveStep(Session* session);

// backup_commands.cc
int CreateBackup(Session* session);
int ListBackups(Session* session);
int VerifyBackup(Session* session);
int DeleteBackups(Session* session);
int GetHold(Session* session);
int ReleaseHold(Session* session);

// doctor_command.cc. Without a server, so without a session.
int Doctor(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_COMMANDS_H_
