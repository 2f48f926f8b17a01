#include "tools/tuttictl/options.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "CLI/CLI.hpp"

namespace tutti::ctl {
namespace {

constexpr char kFooter[] =
    "Data goes to standard output, messages to standard error.\n"
    "Exit codes: 0 done or succeeded, 1 error, 2 usage, 3 compensated, 5 timed out waiting, 6 server unavailable.";

CLI::App* AddCommand(CLI::App* group, const std::string& name, const std::string& help, Command command,
                     Options* options) {
  CLI::App* app = group->add_subcommand(name, help);
  app->fallthrough();  // so that -o json may stand last
  app->callback([options, command] { options->command = command; });
  return app;
}

void AddDefinitionCommands(CLI::App* app, Options* options) {
  CLI::App* group = app->add_subcommand("definition", "Apply and read definitions")->require_subcommand(1);
  group->fallthrough();
  CLI::App* apply = AddCommand(group, "apply", "Check a definition and keep it as a new revision if it changed",
                               Command::kDefinitionApply, options);
  apply->add_option("-f,--file", options->file, "YAML or JSON; - is standard input")->capture_default_str();
  apply->add_flag("--dry-run", options->dry_run, "Check everything, keep nothing");
  CLI::App* get =
      AddCommand(group, "get", "Print a definition's source as it was applied", Command::kDefinitionGet, options);
  get->add_option("name", options->definition, "Its name")->required();
  get->add_option("--revision", options->revision, "Left out: the newest")->check(CLI::PositiveNumber);
  AddCommand(group, "list", "The newest revision of each definition", Command::kDefinitionList, options);
}

void AddStartOptions(CLI::App* command, Options* options) {
  command->add_option("definition", options->definition, "What to run")->required();
  command->add_option("--id", options->saga_id,
                      "The saga's id, which makes repeating the start harmless; left out, one is minted");
  command->add_option("--revision", options->revision, "Left out: the newest")->check(CLI::PositiveNumber);
  CLI::Option* input = command->add_option("--input", options->input, "A JSON object");
  command->add_option("--input-file", options->input_file, "A file with a JSON object; - is standard input")
      ->excludes(input);
}

void AddSagaCommands(CLI::App* app, Options* options) {
  CLI::App* group = app->add_subcommand("saga", "Start, read and steer sagas")->require_subcommand(1);
  group->fallthrough();
  AddStartOptions(AddCommand(group, "start", "Start a saga", Command::kSagaStart, options), options);

  CLI::App* run = AddCommand(group, "run", "Start a saga and wait for it", Command::kSagaRun, options);
  AddStartOptions(run, options);
  run->add_option_function<std::string>(
         "--wait-until", [options](const std::string& until) { options->wait_finished = until == "finished"; },
         "committed (the default) or finished")
      ->check(CLI::IsMember({"committed", "finished"}));

  const auto add_id = [options](CLI::App* command) {
    command->add_option("saga_id", options->saga_id, "The saga's id")->required();
  };
  add_id(AddCommand(group, "get", "Show one saga", Command::kSagaGet, options));

  CLI::App* list = AddCommand(group, "list", "List sagas, newest first", Command::kSagaList, options);
  list->add_option("--filter", options->filter,
                   "e.g. 'state = RUNNING AND definition = \"book-ticket\" AND labels.user = \"u1\"'");
  list->add_option("--limit", options->limit, "At most this many")->capture_default_str()->check(CLI::PositiveNumber);

  CLI::App* watch = AddCommand(group, "watch", "Print a saga's history and what is added to it, until it is over",
                               Command::kSagaWatch, options);
  add_id(watch);
  CLI::App* history = AddCommand(group, "history", "Print a saga's history", Command::kSagaHistory, options);
  add_id(history);
  for (CLI::App* command : {watch, history}) {
    command->add_option("--from", options->from_sequence, "The sequence number to begin with")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
  }

  CLI::App* cancel =
      AddCommand(group, "cancel", "Undo a saga that is not past its commit point", Command::kSagaCancel, options);
  add_id(cancel);
  cancel->add_option("--reason", options->reason, "Why, for the record");
  cancel->add_option("--by", options->by, "Who, for the record")->capture_default_str();
}

}  // namespace

ParsedArguments ParseArguments(const std::vector<std::string>& arguments) {
  ParsedArguments parsed;
  Options options;
  if (const char* user = std::getenv("USER"); user != nullptr) options.by = user;

  CLI::App app("Applies definitions and steers sagas of a Tutti orchestrator.", "tuttictl");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.add_option("--address", options.address, "host:port of the orchestrator")
      ->envname("TUTTI_ADDRESS")
      ->capture_default_str();
  std::string format = "table";
  app.add_option("-o,--output", format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_s, "Seconds to wait; left out: 30, and for run and watch without end")
      ->check(CLI::PositiveNumber);
  AddDefinitionCommands(&app, &options);
  AddSagaCommands(&app, &options);

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as the library wants them
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    parsed.exit_code = app.exit(error, out, err) == 0 ? kExitOk : kExitUsage;
    parsed.out = out.str();
    parsed.err = err.str();
    return parsed;
  }
  options.json = format == "json";
  parsed.options = options;
  return parsed;
}

}  // namespace tutti::ctl
