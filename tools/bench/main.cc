// tutti-bench: the processes that tools/bench.sh puts together.
#include <CLI/CLI.hpp>

#include "common/grpc_server.h"
#include "common/program_options.h"
#include "tools/bench/roles.h"

int main(int argc, char** argv) {
  CLI::App app("tutti-bench: load and null processes of tools/bench.sh");
  app.require_subcommand(1);
  tutti::AddVersion(&app, "tutti-bench");
  tutti::bench::ServeOptions serve;
  tutti::bench::LoadOptions load;
  int exit_code = 0;

  CLI::App* participant = app.add_subcommand("participant", "a participant that answers at once");
  CLI::App* chain = app.add_subcommand("null-chain", "an orchestrator that does nothing but call");
  for (CLI::App* server : {participant, chain}) {
    server->add_option("--listen", serve.listen)->capture_default_str();
    server->add_option("--port-file", serve.port_file)->required();
  }
  chain->add_option("--participant", serve.participant, "address of the null participant")->required();
  participant->callback([&] {
    tutti::BlockTerminationSignals();
    exit_code = tutti::bench::ServeNullParticipant(serve);
  });
  chain->callback([&] {
    tutti::BlockTerminationSignals();
    exit_code = tutti::bench::ServeNullChain(serve);
  });

  CLI::App* client = app.add_subcommand("load", "run sagas in closed loops and print a row");
  client->add_option("--target", load.target)->required();
  client->add_option("--definition", load.definition)->required();
  client->add_option("--run-id", load.run_id)->required();
  client->add_option("--clients", load.clients)->check(CLI::PositiveNumber)->capture_default_str();
  client->add_option("--warmup", load.warmup_seconds)->capture_default_str();
  client->add_option("--seconds", load.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  client->callback([&] { exit_code = tutti::bench::RunLoad(load); });

  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
