// cli/lineage_command.cc: `volary lineage`.
#include "cli/lineage_commands.h"

#include "cli/lineage_drawing.h"
#include "cli/session.h"
#include "record/reference.h"

namespace volary {
namespace {

struct LineageOptions {
  std::string volume;
  bool upstream = false;
  bool downstream = false;
  std::optional<std::string> depth;
};

std::vector<CommandField> lineage_fields(LineageOptions& o) {
  return {{.name = "VOLUME", .target = &o.volume, .help = "NAME[@VERSION]", .need = Need::required,
           .words = Words::volumes},
          {.name = "--upstream", .target = &o.upstream, .help = "only what it was made of"},
          {.name = "--downstream", .target = &o.downstream, .help = "only what was made of it"},
          {.name = "--depth", .target = &o.depth, .help = "so many steps at most, 1 to 100; 20 unless told",
           .value = "N"}};
}

// How the data came to it, or, on the way down, from what.
std::string how_of(const Lineage& lineage, const LineageNode& node) {
  std::vector<std::string> words;
  for (const LineageEdge& edge : lineage.edges) {
    if (node.step > 0 && edge.to == node.id) words.push_back(edge.how + " (from " + edge.from + ")");
    if (node.step < 0 && edge.from == node.id) words.push_back(edge.how + " (by " + edge.to + ")");
  }
  return or_dash(joined(words, ", "));
}

void print_table(Output& output, const Lineage& lineage) {
  std::vector<std::vector<std::string>> rows;
  for (const LineageNode& node : lineage.nodes)
    rows.push_back({fmt::format("{:+}", node.step), std::string(name_of_value(node.kind)),
                    node.kind == LineageKind::job && node.name != node.id ? node.name + " " + node.id : node.name,
                    how_of(lineage, node), or_dash(short_digest(node.checksum)), or_dash(node.by),
                    node.at ? time_text(*node.at) : "-", or_dash(node.detail)});
  output.table({"STEP", "KIND", "NAME", "HOW", "CHECKSUM", "BY", "CREATED", "DETAIL"}, rows);
}

int lineage(Session& session, const LineageOptions& o) {
  const VolumeReference reference = parse_volume_reference(o.volume);
  if (o.upstream && o.downstream)
    throw Error(Errc::invalid, "--upstream and --downstream exclude each other: without either, both are shown");
  Query query;
  if (!reference.version.empty()) query.emplace_back("version", reference.version);
  if (o.upstream) query.emplace_back("direction", "upstream");
  if (o.downstream) query.emplace_back("direction", "downstream");
  if (o.depth) query.emplace_back("depth", *o.depth);
  const json::value answer = session.client().get(api_path({"volumes", reference.name, "lineage"}), query);
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(answer);
    return 0;
  }
  const auto found = typed<Lineage>(answer);
  switch (output.format()) {
    case Format::dot: output.text(dot_of(found)); break;
    case Format::svg: output.text(svg_of(found)); break;
    case Format::name:
      for (const LineageNode& node : found.nodes) output.line(node.id);
      break;
    default: print_table(output, found);
  }
  if (found.is_cut)
    session.note(fmt::format("there is more: {} things are shown at most, and no more steps than --depth says",
                             lineage_nodes_max));
  return 0;
}

}  // namespace

std::vector<Command> lineage_commands() {
  return {make_command<LineageOptions>(
      {.path = {"lineage"},
       .summary = "show what a version was made of, and what was made of it",
       .example = "volary lineage digits-model@2\n"
                  "volary lineage digits --downstream\n"
                  "volary lineage digits-model -o svg > model.svg\n"
                  "volary lineage digits-model --upstream -o dot | dot -Tpdf > model.pdf",
       .more = "Through the jobs that read and wrote versions, imports (with the commit or the listing that they "
               "read), uploads, snapshots, exports, clones and restores. Things of projects that you may not read are "
               "shown without their names.",
       .formats = {"dot", "svg"}},
      lineage_fields, lineage)};
}

}  // namespace volary
