// cli/cache_commands.cc: `volary cache ls|prune`.
#include "cli/command.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/mount.h"

namespace volary {
namespace {

const std::vector<Column<CachedImage>>& cache_columns() {
  static const std::vector<Column<CachedImage>> columns = {
      {"TREE", [](const CachedImage& c) { return c.tree.empty() || c.kind == "data" ? c.name : short_digest(c.tree); }},
      {"KIND", [](const CachedImage& c) { return c.kind; }},
      {"VERSIONS", [](const CachedImage& c) { return or_dash(joined(c.versions, ",")); }},
      {"SIZE", [](const CachedImage& c) { return bytes_text(c.bytes); }},
      {"LAST USED", [](const CachedImage& c) { return time_text(c.last_used); }},
      {"IN USE BY", [](const CachedImage& c) { return or_dash(joined(c.users, ", ")); }},
      {"NAME", [](const CachedImage& c) { return c.name; }, Show::wide}};
  return columns;
}

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int list(Session& session, const NoOptions&) {
  session.output().list<CachedImage>(session.client().list(api_path({"cache"})), cache_columns());
  return 0;
}

struct PruneOptions {
  std::optional<std::string> older_than;
  std::optional<std::string> to;
  bool dry_run = false;
};

std::vector<CommandField> prune_fields(PruneOptions& o) {
  return {{.name = "--older-than", .target = &o.older_than,
           .help = "what was not used for this time goes; 72h unless told", .value = "TIME"},
          {.name = "--to", .target = &o.to, .help = "then the least recently used, until so much is left",
           .value = "SIZE"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would go"}};
}

int prune(Session& session, const PruneOptions& o) {
  PruneRequest request{.older_than_seconds = {}, .to_bytes = {}, .dry_run = o.dry_run};
  if (o.older_than) request.older_than_seconds = parse_seconds(*o.older_than, "--older-than");
  if (o.to) request.to_bytes = parse_bytes(*o.to, "--to");
  const json::value answer =
      session.client().post(api_path({"cache", "prune"}), to_json(request), {}, Patience::endless);
  if (session.output().is_structured()) {
    session.output().document(answer);
    return 0;
  }
  const auto pruned = typed<PrunedCache>(answer);
  session.output().list<CachedImage>(answer.at("removed").as_array(), cache_columns());
  session.note(fmt::format("{}{} of {} images and link farms, {} stay", o.dry_run ? "would free " : "freed ",
                           bytes_text(pruned.bytes), pruned.removed.size(), bytes_text(pruned.kept_bytes)));
  return 0;
}

}  // namespace

std::vector<Command> cache_commands() {
  return {
      make_command<NoOptions>({.path = {"cache", "ls"}, .summary = "list what is kept so that mounts are quick",
                               .example = "volary cache ls"},
                              no_fields, list),
      make_command<PruneOptions>({.path = {"cache", "prune"}, .summary = "remove what was not used for long",
                                  .example = "volary cache prune --older-than 12h --to 2GiB",
                                  .more = "What is in use stays. The server does this by itself, too."},
                                 prune_fields, prune),
  };
}

}  // namespace volary
