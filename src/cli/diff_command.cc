// cli/diff_command.cc: `volary volume diff`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "record/difference.h"

namespace volary {
namespace {

struct DiffOptions {
  std::string from;
  std::optional<std::string> to;
  bool summary = false;
  bool name_only = false;
};

std::vector<CommandField> diff_fields(DiffOptions& o) {
  return {{.name = "NAME[@VERSION]", .target = &o.from,
           .help = "the older side; without a version, the one before the other side", .need = Need::required,
           .words = Words::volumes},
          {.name = "OTHER[@VERSION]", .target = &o.to, .help = "the newer side; the newest version of NAME unless told",
           .words = Words::volumes},
          {.name = "--summary", .target = &o.summary, .help = "only how much of each"},
          {.name = "--name-only", .target = &o.name_only, .help = "only the paths that differ"}};
}

std::string signed_bytes(uint64_t before, uint64_t after) {
  return after >= before ? "+" + bytes_text(after - before) : "-" + bytes_text(before - after);
}

std::string line_of(const FileDifference& one) {
  const std::string path = printable(one.path);
  const uint64_t before = one.size_before.value_or(0);
  const uint64_t after = one.size_after.value_or(0);
  switch (one.change) {
    case FileChange::added: return fmt::format("+ {}  {}", path, bytes_text(after));
    case FileChange::removed: return fmt::format("- {}  {}", path, bytes_text(before));
    case FileChange::changed: return fmt::format("~ {}  {} ({})", path, bytes_text(after), signed_bytes(before, after));
    case FileChange::renamed:
      return fmt::format("> {}  from {}, {}", path, printable(one.from.value_or("")), bytes_text(after));
  }
  return path;
}

std::string summary_of(const DifferenceTotals& t) {
  return fmt::format("{} added, {} removed, {} changed, {} renamed; {} more, {} less", t.added, t.removed, t.changed,
                     t.renamed, bytes_text(t.bytes_added), bytes_text(t.bytes_removed));
}

int diff(Session& session, const DiffOptions& o) {
  const VolumeReference from = parse_volume_reference(o.from);
  Query query;
  if (!from.version.empty()) query.emplace_back("version", from.version);
  if (o.to) {
    const VolumeReference to = parse_volume_reference(*o.to);
    query.emplace_back("otherVolume", to.name);
    if (!to.version.empty()) query.emplace_back("otherVersion", to.version);
  }
  query.emplace_back("limit", o.summary ? "0" : session.output().is_structured() ? "100000" : "10000");
  const std::string path = api_path({"volumes", from.name, "difference"});
  json::value whole;
  json::array items;
  std::optional<std::string> cursor;
  DifferenceTotals totals;
  do {
    Query asked = query;
    if (cursor) asked.emplace_back("cursor", *cursor);
    const json::value answer = session.client().get(path, asked, Patience::endless);  // It may compare very much.
    const auto page = typed<VersionDifference>(answer);
    if (session.output().is_structured()) {
      if (!cursor) whole = answer;
      const json::array& part = answer.as_object().at("items").as_array();
      items.insert(items.end(), part.begin(), part.end());
    } else {
      std::string lines;
      for (const FileDifference& one : page.items) lines += (o.name_only ? printable(one.path) : line_of(one)) + "\n";
      session.output().text(lines);
    }
    totals = page.totals;
    cursor = o.summary ? std::nullopt : page.next_cursor;
  } while (cursor);
  if (session.output().is_structured()) {
    whole.as_object()["items"] = std::move(items);
    whole.as_object().erase("nextCursor");
    session.output().document(whole);
  } else if (o.summary) {
    session.output().line(summary_of(totals));
  } else if (!o.name_only) {
    session.note(summary_of(totals));
  }
  return 0;
}

}  // namespace

std::vector<Command> diff_commands() {
  return {make_command<DiffOptions>(
      {.path = {"volume", "diff"}, .summary = "show how two versions differ",
       .example = "volary volume diff wiki\nvolary volume diff wiki@3 wiki@7 --summary\n"
                  "volary volume diff wiki@head wiki-clean",
       .more = "'+' is added, '-' removed, '~' changed, '>' renamed: the same content at another path."},
      diff_fields, diff)};
}

}  // namespace volary
