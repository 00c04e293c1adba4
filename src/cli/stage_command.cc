// cli/stage_command.cc: `volary volume stage`.
#include "cli/command.h"
#include "cli/watch.h"

namespace volary {
namespace {

struct StageOptions {
  std::string volume;
  bool detach = false;
};

std::vector<CommandField> stage_fields(StageOptions& o) {
  return {{.name = "NAME", .target = &o.volume, .help = "which volume, of storage type obs", .need = Need::required,
           .words = Words::volumes},
          {.name = "--detach", .target = &o.detach, .help = "print the transfer's id and do not wait for it"}};
}

int stage(Session& session, const StageOptions& o) {
  const json::value accepted = session.client().post(api_path({"volumes", o.volume, "stagings"}), {});
  const auto transfer = typed<Transfer>(accepted);
  if (!o.detach) return end_of_transfer(session, watch_transfer(session, transfer.id));
  if (session.output().is_structured()) session.output().document(accepted);
  else session.output().line(transfer.id);
  session.note("to watch it:  volary transfer watch " + transfer.id);
  return 0;
}

}  // namespace

std::vector<Command> stage_commands() {
  return {make_command<StageOptions>(
      {.path = {"volume", "stage"}, .summary = "make what a volume's bucket holds now its next version",
       .example = "volary volume stage wiki\n"
                  "volary volume stage wiki --detach",
       .more = "The files of a volume of storage type obs are objects in a bucket, which other tools may change at any "
               "time. A version is what the bucket held at a moment; objects that have not changed are not fetched "
               "again, and without a change no version is made. Jobs that attach the volume without naming a version "
               "do this first."},
      stage_fields, stage)};
}

}  // namespace volary
