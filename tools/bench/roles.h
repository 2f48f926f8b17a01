// The processes of a benchmark; each runs until SIGTERM (load: until its time is over) and returns an exit code.
#ifndef TUTTI_TOOLS_BENCH_ROLES_H_
#define TUTTI_TOOLS_BENCH_ROLES_H_

#include <string>

namespace tutti::bench {

struct ServeOptions {
  std::string listen = "127.0.0.1:0";
  std::string port_file;
  std::string participant;  // null chain only: where the null participant listens
};

// Answers at once.
int ServeNullParticipant(const ServeOptions& options);

// RunSaga as three calls in a row to the null participant, and nothing else: no store, no definition, no retry. What an
// orchestrator costs is its distance from this.
int ServeNullChain(const ServeOptions& options);

struct LoadOptions {
  std::string target;
  std::string definition;
  std::string run_id;  // makes saga ids of one run differ from another's
  int clients = 1;     // each waits for its answer before it asks again
  double warmup_seconds = 1;
  double seconds = 5;
};

// RunSaga to its end, over and over. Prints one JSON object; anything but SUCCEEDED makes the exit code 1.
int RunLoad(const LoadOptions& options);

}  // namespace tutti::bench

#endif  // TUTTI_TOOLS_BENCH_ROLES_H_
