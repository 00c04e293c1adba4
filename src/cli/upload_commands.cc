// cli/upload_commands.cc: `volary upload ls|get|abort`: what is on its way into volumes, and nobody may be sending.
#include "cli/command.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/upload.h"

namespace volary {
namespace {

const std::vector<Column<Upload>>& upload_columns() {
  static const std::vector<Column<Upload>> columns = {
      {"ID", [](const Upload& u) { return u.id; }},
      {"VOLUME", [](const Upload& u) { return u.volume; }},
      {"DIRECTORY", [](const Upload& u) { return "/" + u.directory; }},
      {"SOURCE", [](const Upload& u) { return or_dash(u.source); }},
      {"STATE", [](const Upload& u) { return std::string(name_of_value(u.state)); }},
      {"FILES", [](const Upload& u) { return std::to_string(u.files); }},
      {"SIZE", [](const Upload& u) { return bytes_text(u.bytes); }},
      {"LAST", [](const Upload& u) { return time_text(u.touched_at); }},
      {"BY", [](const Upload& u) { return or_dash(u.created_by); }, Show::wide},
      {"VERSION", [](const Upload& u) { return u.version ? std::to_string(u.version) : "-"; }, Show::wide},
      {"RESERVED", [](const Upload& u) { return bytes_text(u.reserved_bytes); }, Show::wide},
      {"EXPIRES AFTER", [](const Upload& u) { return seconds_text(static_cast<int64_t>(u.expire_seconds)); },
       Show::wide}};
  return columns;
}

struct ListOptions {
  std::optional<std::string> volume;
};

std::vector<CommandField> list_fields(ListOptions& o) {
  return {{.name = "--volume", .target = &o.volume, .help = "only those into this volume", .value = "NAME",
           .words = Words::volumes}};
}

int list(Session& session, const ListOptions& o) {
  Query query;
  if (o.volume) query.emplace_back("volume", *o.volume);
  session.output().list<Upload>(session.client().list(api_path({"uploads"}), query), upload_columns());
  return 0;
}

struct OneOptions {
  std::string id;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which upload", .need = Need::required, .words = Words::uploads}};
}

int get(Session& session, const OneOptions& o) {
  session.output().record<Upload>(session.client().get(api_path({"uploads", o.id})), upload_columns());
  return 0;
}

int abort_one(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"uploads", o.id}));
  if (!session.output().is_structured()) session.output().line(o.id);
  return 0;
}

}  // namespace

std::vector<Command> upload_commands() {
  return {
      make_command<ListOptions>({.path = {"upload", "ls"}, .aliases = {"list"}, .summary = "list unfinished uploads",
                                 .example = "volary upload ls --volume wiki -o wide"},
                                list_fields, list),
      make_command<OneOptions>({.path = {"upload", "get"}, .aliases = {"describe"}, .summary = "show one upload",
                                .example = "volary upload get upl-0123456789abcdef -o json"},
                               one_fields, get),
      make_command<OneOptions>({.path = {"upload", "abort"}, .aliases = {"rm"},
                                .summary = "end an upload; nothing of it is left, and others may write the volume",
                                .example = "volary upload abort upl-0123456789abcdef"},
                               one_fields, abort_one),
  };
}

}  // namespace volary
