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
  return begun(session, accepted, o.detach ? Detach::yes : Detach::no);
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
