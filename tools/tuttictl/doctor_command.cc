#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "orchestrator/doctor/doctor.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/timeline.h"
#include "tools/tuttictl/yaml.h"
#include "tutti/tuttictl/v1/output.pb.h"

namespace tutti::ctl {
namespace {

// What a damaged store holds must not steer the terminal.
void PrintLines(const std::string& text, std::ostream& out) {
  for (const absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n'))
    out << Printable(line) << "\n";
}

int Fail(const absl::Status& status, std::ostream& err) {
  err << RenderError(status);
  return kExitError;
}

int ShowRaw(const Options& options, std::ostream& out, std::ostream& err) {
  std::ostringstream record;
  if (absl::Status shown = doctor::ShowRaw(options.folder, options.saga_id, record); !shown.ok()) {
    return Fail(shown, err);
  }
  PrintLines(record.str(), out);
  return kExitOk;
}

void PrintExamination(const Options& options, const doctor::Findings& findings, tuttictl::v1::Examination examination,
                      std::ostream& out) {
  examination.set_sagas(findings.sagas);
  examination.set_active_sagas(findings.active);
  examination.set_events(findings.events);
  examination.set_index_entries(findings.index_entries);
  examination.set_definition_revisions(findings.revisions);
  out << (options.format == Format::kJson ? RenderJson(examination, /*indent=*/true) : RenderYaml(examination));
}

}  // namespace

int Doctor(const Options& options, std::ostream& out, std::ostream& err) {
  if (options.raw) return ShowRaw(options, out, err);
  const bool as_text = options.format == Format::kTable;
  tuttictl::v1::Examination examination;
  const auto findings = doctor::Examine(options.folder, options.saga_id, [&](const doctor::Flaw& flaw) {
    if (as_text) return PrintLines(absl::StrCat(flaw.where, ": ", flaw.what), out);
    auto* told = examination.add_flaws();
    told->set_where(Printable(flaw.where));
    told->set_what(Printable(flaw.what));
  });
  if (!findings.ok()) return Fail(findings.status(), err);
  if (as_text) {
    PrintLines(doctor::Summary(*findings), out);
  } else {
    PrintExamination(options, *findings, std::move(examination), out);
  }
  return findings->flaws == 0 ? kExitOk : kExitError;
}

}  // namespace tutti::ctl
