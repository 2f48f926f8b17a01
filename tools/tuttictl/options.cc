#include "tools/tuttictl/options.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/program_options.h"
#include "tools/tuttictl/completion.h"
#include "tools/tuttictl/timeline.h"

namespace tutti::ctl {
namespace {

constexpr char kFooter[] =
    "Data goes to standard output, messages to standard error.\n"
    "Exit codes: 0 done or succeeded, 1 error, 2 usage, 3 compensated, 4 parked, 5 timed out waiting, 6 server "
    "unavailable.\n"
    "3 and 4 tell how a saga stands at the end of `saga run` and `saga watch`; see docs/tuttictl.md.";

CLI::App* AddCommand(CLI::App* group, const std::string& name, const std::string& help, Command command,
                     Options* options) {
  CLI::App* app = group->add_subcommand(name, help);
  app->fallthrough();  // so that -o json may stand last
  app->callback([options, command] { options->command = command; });
  return app;
}

void AddReason(CLI::App* command, Options* options, bool required) {
  command->add_option("--reason", options->reason, "Why, for the record")->required(required);
  command->add_option("--by", options->by, "Who, for the record")->capture_default_str();
}

void AddDefinitionCommands(CLI::App* app, Options* options) {
  CLI::App* group = app->add_subcommand("definition", "Apply, read and disable definitions")->require_subcommand(1);
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
  CLI::App* disable = AddCommand(group, "disable", "Refuse new sagas of a definition; those that run go on",
                                 Command::kDefinitionDisable, options);
  disable->add_option("name", options->definition, "Its name")->required();
  AddReason(disable, options, /*required=*/true);
  CLI::App* enable =
      AddCommand(group, "enable", "Take new sagas of a definition again", Command::kDefinitionEnable, options);
  enable->add_option("name", options->definition, "Its name")->required();
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

void AddSagaId(CLI::App* command, Options* options) {
  command->add_option("saga_id", options->saga_id, "The saga's id")->required();
}

void AddRun(CLI::App* group, Options* options) {
  CLI::App* run =
      AddCommand(group, "run", "Start a saga and wait for its commit point or its end", Command::kSagaRun, options);
  AddStartOptions(run, options);
  CLI::Option* until_finished =
      run->add_flag("--until-finished", options->until_finished, "Wait for its end, or until it parks");
  run->add_option_function<std::string>(
         "--wait-until", [options](const std::string& until) { options->until_finished = until == "finished"; },
         "committed (the default), or finished, as --until-finished")
      ->check(CLI::IsMember({"committed", "finished"}))
      ->excludes(until_finished);
}

void AddReading(CLI::App* group, Options* options) {
  CLI::App* get = AddCommand(group, "get", "Show one saga", Command::kSagaGet, options);
  AddSagaId(get, options);
  get->add_flag("--raw", options->raw, "Its record as it is stored, even one that cannot be read");
  CLI::App* list = AddCommand(group, "list", "List sagas, newest first", Command::kSagaList, options);
  list->add_option("--filter", options->filter,
                   "e.g. 'state = RUNNING AND definition = \"book-ticket\" AND labels.user = \"u1\"'");
  list->add_option("--limit", options->limit, "At most this many")->capture_default_str()->check(CLI::PositiveNumber);
  CLI::App* watch =
      AddCommand(group, "watch", "Print a saga's history and what is added to it, until nothing can follow",
                 Command::kSagaWatch, options);
  watch->add_flag("--until-finished", options->until_finished, "Stop as soon as it has ended or is parked");
  CLI::App* history = AddCommand(group, "history", "Print a saga's history", Command::kSagaHistory, options);
  for (CLI::App* command : {watch, history}) {
    AddSagaId(command, options);
    command->add_option("--from", options->from_sequence, "The sequence number to begin with")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
  }
}

void AddSequence(CLI::App* command, Options* options) {
  command
      ->add_option("--sequence", options->parking_sequence,
                   "The parking you looked at, by its sequence in `tuttictl parked`; a later one is then left alone. "
                   "Left out: the present one")
      ->check(CLI::PositiveNumber);
}

std::vector<std::string> CausesOfParking() {
  std::vector<std::string> names;
  for (int cause = 1; cause < v1::ParkingCause_ARRAYSIZE; ++cause) {
    if (!v1::ParkingCause_IsValid(cause)) continue;
    names.push_back(ShortName(static_cast<v1::ParkingCause>(cause)));
  }
  return names;
}

void AddBackupCommands(CLI::App* app, Options* options) {
  CLI::App* group =
      app->add_subcommand("backup", "Make, list, verify and delete backups of the store")->require_subcommand(1);
  group->fallthrough();
  CLI::App* create = AddCommand(group, "create", "Make a backup while sagas go on; tells how far it is",
                                Command::kBackupCreate, options);
  create->add_flag("--verify", options->verify, "Then read all of it");
  create->add_option("--keep", options->keep, "Then delete all but the newest so many")->check(CLI::PositiveNumber);
  AddCommand(group, "list", "All backups, newest first", Command::kBackupList, options);
  CLI::App* verify = AddCommand(group, "verify", "Read all files of a backup and hold them against their checksums",
                                Command::kBackupVerify, options);
  verify->add_option("backup_id", options->backup_id, "Left out: the newest")->check(CLI::PositiveNumber);
  CLI::App* remove = AddCommand(group, "delete", "Delete all but the newest backups", Command::kBackupDelete, options);
  remove->add_option("--keep", options->keep, "How many stay")->required()->check(CLI::PositiveNumber);

  CLI::App* hold =
      app->add_subcommand("hold", "The hold of a store that was restored from a backup")->require_subcommand(1);
  hold->fallthrough();
  AddCommand(hold, "get", "Whether the store is held, and since which backup", Command::kHoldGet, options);
  CLI::App* release =
      AddCommand(hold, "release", "Take new sagas again; what is parked stays parked", Command::kHoldRelease, options);
  AddReason(release, options, /*required=*/true);
}

// For operators: they stand at the top, where they are found in a hurry, and below `saga`, where they are looked for.
void AddOperatorCommands(CLI::App* group, Options* options) {
  CLI::App* parked =
      AddCommand(group, "parked", "Steps that wait for an operator, the newest saga first", Command::kParked, options);
  parked->add_option("--definition", options->definition, "Only sagas of this definition");
  parked->add_option("--limit", options->limit, "Of at most this many sagas")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);

  CLI::App* retry =
      AddCommand(group, "retry", "Give parked steps a fresh budget of attempts", Command::kRetry, options);
  CLI::Option* id = retry->add_option("saga_id", options->saga_id, "The saga's id");
  retry->add_flag("--all", options->all, "Of all sagas, what is parked by --cause")->excludes(id);
  retry->add_option("--cause", options->cause, "With --all: e.g. RESTORED")
      ->transform(CLI::IsMember(CausesOfParking(), CLI::ignore_case));
  retry->add_option("--definition", options->definition, "With --all: only sagas of this definition");
  retry->add_flag("--dry-run", options->dry_run, "With --all: say what would be retried");
  CLI::Option* step = retry->add_option("--step", options->steps, "Only this step; may be repeated")
                          ->expected(1)
                          ->allow_extra_args(false)
                          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  AddSequence(retry, options);
  retry->get_option("--sequence")->needs(step);
  AddReason(retry, options, /*required=*/false);

  CLI::App* resolve = AddCommand(group, "resolve",
                                 "Say what became of a parked step: look at the participant first, Tutti believes you",
                                 Command::kResolve, options);
  AddSagaId(resolve, options);
  resolve
      ->add_option_function<std::string>(
          "step", [options](const std::string& step) { options->steps = {step}; }, "The parked step")
      ->required();
  resolve
      ->add_option_function<std::string>(
          "--as", [options](const std::string& as) { options->resolve_done = as == "done"; },
          "done: its effect is there, exactly once; undone: nothing of it is there")
      ->required()
      ->check(CLI::IsMember({"done", "undone"}));
  resolve->add_option("--reply", options->reply,
                      "With --as done: a JSON object, the action's answer, where a later step reads it");
  AddSequence(resolve, options);
  AddReason(resolve, options, /*required=*/true);
}

void AddSagaCommands(CLI::App* app, Options* options) {
  CLI::App* group = app->add_subcommand("saga", "Start, read and steer sagas")->require_subcommand(1);
  group->fallthrough();
  AddStartOptions(AddCommand(group, "start", "Start a saga", Command::kSagaStart, options), options);
  AddRun(group, options);
  AddReading(group, options);
  CLI::App* cancel =
      AddCommand(group, "cancel", "Undo a saga that is not past its commit point", Command::kSagaCancel, options);
  AddSagaId(cancel, options);
  AddReason(cancel, options, /*required=*/false);
  AddOperatorCommands(group, options);
}

void AddConnection(CLI::App* app, Options* options) {
  app->add_option("--address", options->address, "host:port of the orchestrator")
      ->envname("TUTTI_ADDRESS")
      ->capture_default_str();
  TlsOptions* tls = &options->tls;
  app->add_flag("--tls", tls->enabled, "Speak TLS; so does any of the following")->envname("TUTTI_TLS");
  app->add_option("--tls-ca", tls->ca_file, "PEM; left out: the system's")->envname("TUTTI_TLS_CA");
  app->add_option("--tls-certificate", tls->certificate_file, "PEM; what to show the server")
      ->envname("TUTTI_TLS_CERTIFICATE");
  app->add_option("--tls-private-key", tls->private_key_file, "PEM")->envname("TUTTI_TLS_PRIVATE_KEY");
  app->add_option("--tls-server-name", tls->server_name, "The name in the server's certificate, if not the address's")
      ->envname("TUTTI_TLS_SERVER_NAME");
}

const std::map<std::string, Format> kFormats = {
    {"table", Format::kTable}, {"json", Format::kJson}, {"yaml", Format::kYaml}};
const std::map<std::string, ColorChoice> kColors = {
    {"auto", ColorChoice::kAuto}, {"always", ColorChoice::kAlways}, {"never", ColorChoice::kNever}};

// An option whose value is one of a map's names.
template <typename Enum>
void AddChoice(CLI::App* app, const std::string& names, const std::map<std::string, Enum>& choices,
               const std::string& standard, Enum* value, const std::string& help) {
  std::vector<std::string> known;
  for (const auto& choice : choices) known.push_back(choice.first);
  app->add_option_function<std::string>(
         names, [&choices, value](const std::string& name) { *value = choices.at(name); }, help)
      ->check(CLI::IsMember(known))
      ->default_str(standard);
}

std::unique_ptr<CLI::App> BuildApp(Options* options, std::string* shell) {
  auto app = std::make_unique<CLI::App>(
      "Applies definitions, steers sagas and mends parked ones, at a Tutti orchestrator.", "tuttictl");
  app->footer(kFooter);
  AddVersion(app.get(), "tuttictl");
  app->require_subcommand(1);
  AddConnection(app.get(), options);
  AddChoice(app.get(), "-o,--output", kFormats, "table", &options->format, "How to print data");
  AddChoice(app.get(), "--color", kColors, "auto", &options->color,
            "auto: on a terminal, unless NO_COLOR is set in the environment");
  app->add_option("--timeout", options->timeout_s, "Seconds to wait; left out: 30, and for run and watch without end")
      ->check(CLI::PositiveNumber);
  AddSagaCommands(app.get(), options);
  AddOperatorCommands(app.get(), options);
  AddDefinitionCommands(app.get(), options);
  AddBackupCommands(app.get(), options);
  CLI::App* doctor = AddCommand(app.get(), "doctor", "Look a store through without a server; changes nothing in it",
                                Command::kDoctor, options);
  doctor->add_option("folder", options->folder, "The data folder of an orchestrator that is stopped, or a copy")
      ->required();
  CLI::Option* saga = doctor->add_option("--saga", options->saga_id, "Only what concerns this saga");
  doctor
      ->add_option_function<std::string>(
          "--raw",
          [options](const std::string& id) {
            options->saga_id = id;
            options->raw = true;
          },
          "Instead: show this saga's record as it is stored, damaged or not")
      ->excludes(saga);
  app->add_subcommand("completion", "Print a script that teaches your shell to complete tuttictl")
      ->add_option("shell", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}));
  return app;
}

// An empty word is mostly a shell's variable that is not set; taken for "left out" it would, for --id, start a second
// saga.
void RefuseEmptyWords(CLI::App* app) {
  const CLI::Validator check(
      [](const std::string& word) {
        return word.empty() ? std::string("is empty; give a value, or leave it out") : "";
      },
      "");
  for (CLI::Option* option : app->get_options()) {
    if (option->get_expected_max() > 0) option->check(check);
  }
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) RefuseEmptyWords(command);
}

// What no single option's check can see.
std::string Contradiction(const Options& options) {
  if (options.parking_sequence != 0 && options.steps.size() > 1) return "--sequence belongs to one --step";
  if (options.command == Command::kRetry) {
    if (options.all != !options.cause.empty()) return "--all and --cause need each other";
    if (!options.all && options.saga_id.empty()) return "name a saga, or --all with a --cause";
    if (options.all && (!options.steps.empty() || !options.saga_id.empty())) return "--all excludes a saga and --step";
    if (!options.all && (options.dry_run || !options.definition.empty()))
      return "--dry-run and --definition belong to --all";
  }
  if (!options.reply.empty() && !options.resolve_done) return "--reply belongs to --as done";
  if (options.tls.certificate_file.empty() != options.tls.private_key_file.empty()) {
    return "--tls-certificate and --tls-private-key need each other";
  }
  return "";
}

void Parse(CLI::App* app, const std::vector<std::string>& arguments, const Options& options, ParsedArguments* parsed) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as the library wants them
    app->parse(reversed);
    if (const std::string what = Contradiction(options); !what.empty()) throw CLI::ValidationError(what);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    parsed->exit_code = app->exit(error, out, err) == 0 ? kExitOk : kExitUsage;
    parsed->out = out.str();
    parsed->err = err.str();
  }
}

}  // namespace

ParsedArguments ParseArguments(const std::vector<std::string>& arguments) {
  ParsedArguments parsed;
  Options options;
  std::string shell;
  if (const char* user = std::getenv("USER"); user != nullptr) options.by = user;
  const auto app = BuildApp(&options, &shell);
  // Not a command of the tree: its words are somebody's unfinished command line.
  if (!arguments.empty() && arguments.front() == kCompleteCommand) {
    for (const std::string& word : Candidates(*app, {arguments.begin() + 1, arguments.end()})) {
      absl::StrAppend(&parsed.out, word, "\n");
    }
    return parsed;
  }
  RefuseEmptyWords(app.get());
  Parse(app.get(), arguments, options, &parsed);
  if (parsed.exit_code != kExitOk || !parsed.out.empty()) return parsed;
  if (!shell.empty()) {
    parsed.out = CompletionScript(shell);
    return parsed;
  }
  TlsOptions& tls = options.tls;
  tls.enabled = tls.enabled || !absl::StrCat(tls.ca_file, tls.certificate_file, tls.server_name).empty();
  if (options.command == Command::kRetry && options.all) options.command = Command::kRetryAll;
  parsed.options = options;
  return parsed;
}

}  // namespace tutti::ctl
