// job/lineage.cc: the walk of job/lineage.h.
#include "job/lineage.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "core/error.h"
#include "record/job.h"
#include "record/transfer.h"
#include "remote/retry.h"
#include "volume/volumes.h"

namespace volary {
namespace {

// A thing of the graph, by what the tables call it.
struct Thing {
  LineageKind kind{};
  std::string id;       // version: of its volume; job: its; source, target: of the transfer or upload.
  uint64_t number = 0;  // Of a version.
  auto operator<=>(const Thing&) const = default;
};

// One step away from a thing.
struct Neighbour {
  Thing thing;
  std::string how;
};

struct VersionRow {
  std::string volume;
  std::string project;
  std::string project_name;
  std::string origin;
  std::string origin_id;
  std::string source_volume;
  std::string author;
  std::string message;
  Time created_at;
  std::string checksum;
};
BOOST_DESCRIBE_STRUCT(VersionRow, (), (volume, project, project_name, origin, origin_id, source_volume, author, message,
                                       created_at, checksum))

struct Named {
  std::string name;
  std::string project;
  std::string project_name;
};
BOOST_DESCRIBE_STRUCT(Named, (), (name, project, project_name))

struct JobNode {
  std::string name;
  std::string project;
  std::string project_name;
  std::string subject;
  std::string state;
  Time created_at;
  std::optional<Time> removed_at;
};
BOOST_DESCRIBE_STRUCT(JobNode, (), (name, project, project_name, subject, state, created_at, removed_at))

struct TransferNode {
  std::string kind;
  std::string project;
  std::string project_name;
  std::string datastore;
  std::string source_directory;
  std::string destination_directory;
  std::string revision;
  std::optional<PlanSides> found;
  std::string created_by;
  Time created_at;
};
BOOST_DESCRIBE_STRUCT(TransferNode, (), (kind, project, project_name, datastore, source_directory,
                                         destination_directory, revision, found, created_by, created_at))

struct Attached {
  std::string id;  // Of the job or volume on the other side.
  uint64_t number = 0;
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Attached, (), (id, number, path))

std::optional<VersionRow> find_version(Transaction& t, const Thing& thing) {
  return t.find<VersionRow>(
      "SELECT volume.name, volume.project, project.name, version.origin, version.origin_id, version.source_volume, "
      "version.author, version.message, version.created_at, version.checksum FROM version "
      "JOIN volume ON volume.id = version.volume JOIN project ON project.id = volume.project "
      "WHERE version.volume = $1 AND version.number = $2",
      thing.id, thing.number);
}

// Whether such a version holds what the one before it held, but for what was written.
bool is_on_top(Transaction& t, const VersionRow& row) {
  if (row.origin == "upload" || row.origin == "mount") return true;
  if (row.origin != "import") return false;
  return !t.find<std::string>(
      "SELECT id FROM transfer WHERE id = $1 AND strategy = 'mirror' AND destination_directory = ''", row.origin_id);
}

// What runs attached, the newest and those before, and what was pulled for them while they ran.
constexpr std::string_view all_attachments =
    "(SELECT job, volume, version, result, path, number FROM job_attachment UNION "
    "SELECT job, volume, version, result, path, number FROM job_run_attachment UNION "
    "SELECT data_sync.job, data_sync.volume, data_sync.version, 0, path, data_sync.number FROM data_sync "
    "JOIN job_attachment ON job_attachment.job = data_sync.job AND job_attachment.number = data_sync.number "
    "WHERE direction = 'pull' AND data_sync.version > 0 AND past_run = 0 UNION "
    "SELECT data_sync.job, data_sync.volume, data_sync.version, 0, path, data_sync.number FROM data_sync "
    "JOIN job_run_attachment ON job_run_attachment.job = data_sync.job AND run = past_run "
    "AND job_run_attachment.number = data_sync.number WHERE direction = 'pull' AND data_sync.version > 0) AS attached";

// "job-x/2" is made by the second run of job-x.
std::string job_in(const std::string& origin_id) { return origin_id.substr(0, origin_id.find('/')); }

// "volume@3" -> 3.
uint64_t number_in(const std::string& origin_id) {
  return std::strtoull(origin_id.c_str() + origin_id.rfind('@') + 1, nullptr, 10);
}

void add_before_of(Transaction& t, const Thing& thing, const VersionRow& row, std::vector<Neighbour>& found) {
  const auto before = t.find<uint64_t>(
      "SELECT number FROM version WHERE volume = $1 AND number < $2 ORDER BY number DESC LIMIT 1", thing.id,
      thing.number);
  if (before && is_on_top(t, row)) found.push_back({{LineageKind::version, thing.id, *before}, "on top of"});
}

std::vector<Neighbour> before(Transaction& t, const Thing& thing) {
  std::vector<Neighbour> found;
  if (thing.kind == LineageKind::job)
    for (const Attached& one : t.all<Attached>(
             fmt::format("SELECT volume, version, path FROM {} WHERE job = $1 AND version > 0 ORDER BY number, version",
                         all_attachments),
             thing.id))
      found.push_back({{LineageKind::version, one.id, one.number}, "read at " + one.path});
  if (thing.kind != LineageKind::version) return found;
  const auto row = find_version(t, thing);
  if (!row) return found;
  // What a job pushed while it ran is named by that act.
  const auto pushed = t.find<std::string>("SELECT job FROM data_sync WHERE id = $1", row->origin_id);
  if (row->origin == "job") found.push_back({{LineageKind::job, pushed.value_or(job_in(row->origin_id)), 0}, "wrote"});
  else if (!row->source_volume.empty())
    found.push_back({{LineageKind::version, row->source_volume, number_in(row->origin_id)}, row->origin + "d"});
  else if (row->origin != "clone" && row->origin != "restore" && !row->origin_id.empty())
    found.push_back({{LineageKind::source, row->origin_id, 0}, row->origin == "import" ? "imported" : row->origin});
  add_before_of(t, thing, *row, found);
  return found;
}

std::vector<Neighbour> after(Transaction& t, const Thing& thing) {
  std::vector<Neighbour> found;
  if (thing.kind == LineageKind::job)
    for (const Attached& one : t.all<Attached>(
             fmt::format("SELECT volume, result, path FROM {} WHERE job = $1 AND result > 0 ORDER BY number, result",
                         all_attachments),
             thing.id))
      found.push_back({{LineageKind::version, one.id, one.number}, "wrote"});
  if (thing.kind == LineageKind::job)
    for (const Attached& one : t.all<Attached>(
             "SELECT version.volume, version.number, '' FROM data_sync JOIN version ON version.volume = "
             "data_sync.volume AND version.origin = 'job' AND version.origin_id = data_sync.id "
             "WHERE data_sync.job = $1 AND direction = 'push' ORDER BY version.volume, version.number",
             thing.id))
      found.push_back({{LineageKind::version, one.id, one.number}, "wrote"});  // While it ran.
  if (thing.kind != LineageKind::version) return found;
  for (const Attached& one : t.all<Attached>(
           fmt::format("SELECT job, version, path FROM {} WHERE volume = $1 AND version = $2 ORDER BY job",
                       all_attachments),
           thing.id, thing.number))
    found.push_back({{LineageKind::job, one.id, 0}, "read at " + one.path});
  for (const auto& id : t.all<std::string>(
           "SELECT id FROM transfer WHERE volume = $1 AND version = $2 AND kind = 'export_' AND state = 'done' "
           "ORDER BY created_at, id", thing.id, thing.number))
    found.push_back({{LineageKind::target, id, 0}, "exported"});
  for (const Attached& one : t.all<Attached>(
           "SELECT volume, number, origin || 'd' FROM version WHERE source_volume = $1 AND origin_id LIKE $2 "
           "ORDER BY created_at, volume, number", thing.id, "%@" + std::to_string(thing.number)))
    found.push_back({{LineageKind::version, one.id, one.number}, one.path});
  const auto next = t.find<uint64_t>(
      "SELECT number FROM version WHERE volume = $1 AND number > $2 ORDER BY number LIMIT 1", thing.id, thing.number);
  if (!next) return found;
  const Thing later{LineageKind::version, thing.id, *next};
  if (is_on_top(t, *find_version(t, later))) found.push_back({later, "on top of"});
  return found;
}

std::string place(const std::string& datastore, const std::string& directory) { return datastore + ":" + directory; }

// Nodes as one caller may see them.
class Walk {
 public:
  Walk(Transaction& transaction, const Caller& caller, std::set<std::string> projects)
      : t_(transaction), caller_(caller), projects_(std::move(projects)) {}

  void go(const Thing& start, LineageDirection direction, uint64_t depth) {
    id_of(start, 0);
    if (direction != LineageDirection::downstream) spread(start, -1, depth);
    if (direction != LineageDirection::upstream) spread(start, 1, depth);
  }

  Lineage take() {
    std::vector<std::pair<int64_t, size_t>> order;
    for (size_t i = 0; i < nodes_.size(); ++i) order.emplace_back(nodes_[i].step, i);
    std::sort(order.begin(), order.end());
    Lineage lineage;
    for (const auto& [step, index] : order) lineage.nodes.push_back(nodes_[index]);
    lineage.edges = std::move(edges_);
    lineage.is_cut = is_cut_;
    return lineage;
  }

 private:
  void spread(const Thing& start, int64_t sign, uint64_t depth) {
    std::deque<std::pair<Thing, uint64_t>> due = {{start, 0}};
    while (!due.empty()) {
      const auto [thing, step] = due.front();
      due.pop_front();
      const std::string here = *id_of(thing, 0);
      for (const Neighbour& one : sign < 0 ? before(t_, thing) : after(t_, thing)) {
        if (step == depth) {
          is_cut_ = true;
          break;
        }
        const bool is_new = !ids_.contains(one.thing);
        const auto there = id_of(one.thing, sign * static_cast<int64_t>(step + 1));
        if (!there) continue;
        if (sign < 0) add_edge({*there, here, one.how});
        else add_edge({here, *there, one.how});
        const bool is_seen = nodes_[index_.at(*there)].kind != LineageKind::hidden;
        if (is_new && is_seen) due.emplace_back(one.thing, step + 1);
      }
    }
  }

  void add_edge(LineageEdge edge) {
    for (const LineageEdge& one : edges_)
      if (one.from == edge.from && one.to == edge.to && one.how == edge.how) return;
    edges_.push_back(std::move(edge));
  }

  // Makes its node if there is none; nothing if there is no room.
  std::optional<std::string> id_of(const Thing& thing, int64_t step) {
    if (const auto known = ids_.find(thing); known != ids_.end()) return known->second;
    if (nodes_.size() == lineage_nodes_max) {
      is_cut_ = true;
      return std::nullopt;
    }
    std::string project;
    LineageNode node = described(thing, project);
    if (project.empty() || !projects_.contains(project)) {
      node = {};
      node.kind = LineageKind::hidden;
      node.id = fmt::format("hidden-{}", ++hidden_);
      node.name = "not visible to you";
    }
    node.step = step;
    ids_[thing] = node.id;
    index_[node.id] = nodes_.size();
    nodes_.push_back(std::move(node));
    return ids_[thing];
  }

  LineageNode described(const Thing& thing, std::string& project) {
    switch (thing.kind) {
      case LineageKind::version: return version(thing, project);
      case LineageKind::job: return job(thing, project);
      case LineageKind::source:
      case LineageKind::target: return transfer(thing, project);
      case LineageKind::hidden: break;
    }
    return {};
  }

  LineageNode version(const Thing& thing, std::string& project) {
    LineageNode node;
    node.kind = thing.kind;
    const auto named = t_.find<Named>(
        "SELECT volume.name, project.id, project.name FROM volume JOIN project ON project.id = volume.project "
        "WHERE volume.id = $1", thing.id);
    if (!named) {  // Nobody knows any more whose it was; it has no name that could be told.
      project = caller_.project;
      node.id = fmt::format("{}@{}", thing.id, thing.number);
      node.name = "a deleted volume";
      node.detail = "deleted";
      return node;
    }
    project = named->project;
    node.project = named->project_name;
    node.name = fmt::format("{}@{}", named->name, thing.number);
    // Names are unique in a project only.
    node.id = project == caller_.project ? node.name : named->project_name + "/" + node.name;
    const auto row = find_version(t_, thing);
    if (!row) {
      node.detail = "deleted";
      return node;
    }
    node.by = row->author;
    node.at = row->created_at;
    node.checksum = row->checksum;
    node.detail = row->message;
    return node;
  }

  LineageNode job(const Thing& thing, std::string& project) {
    LineageNode node;
    node.kind = thing.kind;
    node.id = node.name = thing.id;
    const auto row = t_.find<JobNode>(
        "SELECT job.name, job.project, project.name, job.subject, job.state, job.created_at, job.removed_at FROM job "
        "JOIN project ON project.id = job.project WHERE job.id = $1", thing.id);
    if (!row) {  // Of an earlier program, that forgot deleted jobs; it was of the volume's project.
      project = caller_.project;
      node.detail = "deleted";
      return node;
    }
    project = row->project;
    node.project = row->project_name;
    node.name = row->name;
    node.by = row->subject;
    node.at = row->created_at;
    node.detail = row->removed_at ? "deleted" : row->state;
    return node;
  }

  LineageNode transfer(const Thing& thing, std::string& project) {
    LineageNode node;
    node.kind = thing.kind;
    node.id = thing.id;
    const auto row = t_.find<TransferNode>(
        "SELECT transfer.kind, transfer.project, project.name, transfer.datastore, transfer.source_directory, "
        "transfer.destination_directory, transfer.revision, transfer.found, transfer.created_by, transfer.created_at "
        "FROM transfer JOIN project ON project.id = transfer.project WHERE transfer.id = $1", thing.id);
    if (!row) return upload(thing, project);
    project = row->project;
    node.project = row->project_name;
    node.by = row->created_by;
    node.at = row->created_at;
    if (thing.kind == LineageKind::target) node.name = place(row->datastore, row->destination_directory);
    else if (row->kind == "snapshot") node.name = row->source_directory;
    else node.name = place(row->datastore, row->source_directory);
    if (!row->revision.empty()) node.detail = "commit " + row->revision;
    else if (thing.kind == LineageKind::source && row->found)
      node.detail = fmt::format("listing {} of {} object{}", row->found->listing, row->found->objects,
                                row->found->objects == 1 ? "" : "s");
    return node;
  }

  LineageNode upload(const Thing& thing, std::string& project) {
    LineageNode node;
    node.kind = thing.kind;
    node.id = thing.id;
    if (const auto row = t_.find<Named>("SELECT upload.source, project.id, project.name FROM upload "
                                        "JOIN project ON project.id = upload.project WHERE upload.id = $1", thing.id)) {
      project = row->project;
      node.project = row->project_name;
      node.name = row->name.empty() ? "upload" : "upload of " + row->name;
    } else {  // A mount, which is gone when its version is made.
      project = caller_.project;
      node.name = thing.id.starts_with("mount-") ? "mount" : thing.id;
    }
    return node;
  }

  Transaction& t_;
  const Caller& caller_;
  const std::set<std::string> projects_;
  std::vector<LineageNode> nodes_;
  std::vector<LineageEdge> edges_;
  std::map<Thing, std::string> ids_;
  std::map<std::string, size_t> index_;
  size_t hidden_ = 0;
  bool is_cut_ = false;
};

}  // namespace

Lineage Lineages::of(const Caller& caller, const std::string& volume_name, const LineageRequest& request) {
  if (request.depth < 1 || request.depth > lineage_depth_max)
    throw Error(Errc::invalid, "a lineage of depth {} cannot be: expected 1 to {}", request.depth, lineage_depth_max);
  std::set<std::string> projects = {caller.project};
  for (const std::string& one : access_.projects_of(caller)) {
    const Caller there{caller.subject_id, caller.name, caller.tenant, one};
    const auto refusal = error_of([&] {
      access_.require(there, Permission::volume_read);
      access_.require(there, Permission::job_read);
    });
    if (!refusal) projects.insert(one);
  }
  return database_.read([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, volume_name);
    const Version version = get_version(transaction, volume, request.version);
    Walk walk(transaction, caller, std::move(projects));
    walk.go({LineageKind::version, volume.id, version.number}, request.direction, request.depth);
    Lineage lineage = walk.take();
    lineage.subject = fmt::format("{}@{}", volume.name, version.number);
    lineage.direction = request.direction;
    return lineage;
  });
}

}  // namespace volary
