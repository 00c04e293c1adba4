// job/workplace.cc: files, mounts and harvests of one job, for job/workplace.h.
#include "job/workplace.h"

#include <unistd.h>

#include <cctype>

#include "core/error_of.h"
#include "core/fault.h"
#include "engine/engine_client.h"
#include "job/container_request.h"
#include "job/request.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

constexpr const char* work_mount = "work";      // Below the staging directory.
constexpr const char* work_target = "/workspace";

Digest tree_of(const AttachmentRow& attachment) {
  return attachment.tree.empty() ? empty_tree().tree : Digest::parse(attachment.tree);
}

// What the job knows an attachment by: its volume or container; of a URL, its last part.
std::string name_of(const JobRow& job, const AttachmentRow& attachment) {
  if (!attachment.is_staged) return attachment.volume;
  const AttachSource source = parse_attach_source(job.spec.attachments.at(attachment.number).volume);
  if (source.kind == SourceKind::standalone) return "standalone";
  if (source.url.empty()) return source.name;
  return source.url.substr(source.url.rfind('/') + 1);
}

// "VOLARY_VOLUME_DIGITS_MODEL_PATH" for volume "digits-model".
std::string path_variable(std::string_view volume) {
  std::string name = "VOLARY_VOLUME_";
  for (const char c : volume)
    name += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
  return name + "_PATH";
}

// Which part of its volume is attached.
TreePath part_of(const JobRow& job, const AttachmentRow& attachment) {
  if (attachment.is_staged) return {};
  const AttachSource source = parse_attach_source(job.spec.attachments.at(attachment.number).volume);
  return TreePath::parse_directory(source.path);
}

struct Head {
  uint64_t head = 0;
  std::string tree;
};
BOOST_DESCRIBE_STRUCT(Head, (), (head, tree))

bool final_push_begun(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment) {
  for (const SyncRow& sync : syncs_of(transaction, job.id))
    if (sync.number == attachment.number && sync.direction == SyncDirection::push && !sync.manual) return true;
  return false;
}

void give_to_job(const Path& path) {
  if (::geteuid() != 0) return;
  if (::lchown(path.c_str(), job_uid, job_uid) < 0) throw error_from_errno(errno, "change the owner of", path.native());
}

// That what the job changed became a version, and how much it was.
void note_made(Transaction& transaction, const std::string& job, const std::string& version,
               const std::vector<TreeChange>& changes, Time began, Time now) {
  uint64_t files = 0;
  uint64_t bytes = 0;
  for (const TreeChange& change : changes) {
    if (!change.entry || change.entry->kind == EntryKind::directory) continue;
    ++files;
    bytes += change.entry->size;
  }
  note_happening(transaction, job, {Cause::made, began, now, "what it wrote became " + version, "", files, bytes});
}

MountPlan plan_of_work(const Path& directory) {
  MountPlan plan;
  plan.steps.push_back({"bind", directory.native(), work_mount, ""});
  plan.root = work_mount;
  plan.writable = true;
  return plan;
}

}  // namespace

size_t Workplace::remove_stray_containers() {
  const auto engine = ::geteuid() == 0 ? find_engine(engine_) : std::nullopt;
  return engine ? volary::remove_stray_containers(*engine, jobs_directory_) : 0;
}

void Workplace::write_files(const JobRow& job) {
  const JobPlaces at = places(job);
  make_directories(at.run, 0700);
  make_directory(at.work);
  give_to_job(at.work);
  for (const WorkFile& file : job.spec.files) {
    const TreePath path = TreePath::parse(file.path);
    Path directory = at.work;
    for (const std::string_view part : path.parent().components()) {
      directory /= part;
      make_directory(directory);
      give_to_job(directory);
    }
    TempFile written(directory, file.executable ? 0755 : 0644);
    written.write(decode_base64(file.content, file.path));
    give_to_job(written.path());
    written.move_to(directory / path.name());
  }
}

RunSpec Workplace::prepare(const JobRow& job) {
  const JobPlaces at = places(job);
  write_files(job);
  fault::point("job.files_written");
  RunSpec spec;
  spec.name = job.id;
  spec.command = job.spec.command;
  spec.cpus = job.spec.cpus;
  spec.memory_bytes = job.spec.memory_bytes;
  spec.env = {{"VOLARY_JOB_ID", job.id}, {"VOLARY_JOB_NAME", job.name}};
  if (job.spec.image) spec.container = container_of(job, secrets_, engine_);
  else spec.env.insert({{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"USER", "volary"},
                        {"LANG", "C.UTF-8"}});

  std::vector<MountPlan> plans;
  if (!job.spec.image || !job.spec.files.empty()) {  // An image may have its own program there.
    plans.push_back(plan_of_work(at.work));
    spec.binds.push_back({work_mount, work_target, true});
    spec.working_directory = work_target;
    spec.env["HOME"] = work_target;
  }
  const auto attachments = database_.read([&](Transaction& t) { return attachments_of(t, job.id); });
  for (const AttachmentRow& one : attachments) {
    const std::string name = "volume-" + std::to_string(one.number);
    const Digest tree = mounted_tree(job, one);
    MountPlan plan = one.access == AttachAccess::ro ? mounter_.prepare_read_only(tree, name)
                                                    : mounter_.prepare_writable(tree, name, at.scratch(one.number));
    spec.binds.push_back({plan.root, one.path, plan.writable});
    spec.env[path_variable(name_of(job, one))] = one.path;
    plans.push_back(std::move(plan));
  }
  for (const auto& [name, value] : job.spec.env) spec.env[name] = value;
  spec.mounts = to_json(plans);
  fault::point("job.prepared");
  return spec;
}

// The tree that the job's directory is of: of a volume's subdirectory, that one's.
Digest Workplace::mounted_tree(const JobRow& job, const AttachmentRow& attachment) const {
  const Digest whole = tree_of(attachment);
  const TreePath below = part_of(job, attachment);
  if (below.is_root()) return whole;
  const auto entry = find_entry(store_, whole, below);
  if (entry && entry->kind == EntryKind::directory) return entry->digest;
  if (!entry && attachment.access != AttachAccess::ro) return empty_tree().tree;
  throw Error(Errc::not_found, "version {} of volume '{}' has no directory '{}'", attachment.version, attachment.volume,
              below.text());
}

// What the volume holds with the job's changes; published. `told`: what was left out, for the version's message.
Workplace::Harvested Workplace::harvest_attachment(const JobRow& job, const AttachmentRow& attachment, Commit& commit,
                                                   Writers writers) {
  const Path scratch = places(job).scratch(attachment.number);
  const Time began = clock_.now();
  Progress progress;
  Harvest harvested =
      harvest(store_, commit, mounted_tree(job, attachment), scratch,
              attachment.access == AttachAccess::rwd ? Deletions::keep : Deletions::drop, progress, writers);
  fault::point("job.harvested");
  if (const TreePath below = part_of(job, attachment); !below.is_root())
    for (TreeChange& change : harvested.changes) change.path = below / change.path;
  Harvested made;
  made.began = began;
  if (!harvested.left_out.empty())
    made.told = fmt::format(" ({} left out: {}{})", harvested.left_out.size(), harvested.left_out.front(),
                            harvested.left_out.size() > 1 ? ", …" : "");
  made.tree = apply_changes(store_, commit, tree_of(attachment), harvested.changes);
  made.changes = std::move(harvested.changes);
  if (made.tree.tree != tree_of(attachment)) commit.publish();
  fault::point("job.published");
  return made;
}

// The number of the version with that tree: the newest one, if it has it already.
uint64_t Workplace::commit_tree(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment,
                                const TreeSummary& tree, const std::string& message, const std::string& act) {
  const auto head = transaction.find<Head>(
      "SELECT head, COALESCE(tree, '') FROM volume LEFT JOIN version ON version.volume = volume.id AND number = head "
      "WHERE id = $1",
      attachment.volume_id);
  if (head->tree == tree.tree.hex() || (head->tree.empty() && tree.tree == empty_tree().tree)) return head->head;
  return commit_version(transaction,
                        {.volume_id = attachment.volume_id, .tree = tree, .author = job.subject, .message = message,
                         .origin = Origin::job, .holder = {"job", job.id}, .origin_id = act},
                        clock_.now());
}

void Workplace::finalise_attachment(const JobRow& job, const AttachmentRow& attachment) {
  const bool is_pushed = !attachment.push_datastore.empty();
  if (attachment.result != 0 || !is_present(places(job).scratch(attachment.number)) || is_standalone(attachment))
    return;
  const auto is_begun = database_.read([&](Transaction& t) { return final_push_begun(t, job, attachment); });
  if (is_begun) return;
  const auto commit = store_.begin_commit();
  const Harvested harvested = harvest_attachment(job, attachment, *commit, Writers::gone);
  database_.write([&](Transaction& transaction) {
    const uint64_t number = commit_tree(transaction, job, attachment, harvested.tree,
                                        "job " + job.name + harvested.told, job.id);
    if (number != attachment.version) {
      transaction.run("UPDATE job_attachment SET result = $3 WHERE job = $1 AND number = $2", job.id, attachment.number,
                      number);
      note_made(transaction, job.id, fmt::format("{}@{}", attachment.volume, number), harvested.changes,
                harvested.began, clock_.now());
    }
    if (is_pushed) begin_push(transaction, job, attachment, number, "", clock_.now());
  });
  fault::point("job.committed");
}

void Workplace::publish(const JobRow& job, const SyncRow& sync) {
  const auto error = error_of([&] {
    const auto attachments = database_.read([&](Transaction& t) { return attachments_of(t, job.id); });
    const AttachmentRow& attachment = attachments.at(sync.number);
    const auto commit = store_.begin_commit();
    const Harvested harvested = harvest_attachment(job, attachment, *commit, Writers::there);
    database_.write([&](Transaction& transaction) {
      const auto now_job = find_job(transaction, job.id);
      if (!now_job || now_job->state != JobState::RUNNING) return;  // Its end does it.
      const uint64_t number =
          commit_tree(transaction, job, attachment, harvested.tree,
                      "job " + job.name + " while it runs" + harvested.told, sync.id);
      begin_push(transaction, job, attachment, number, sync.id, clock_.now());
      if (!harvested.told.empty())
        transaction.run("UPDATE data_sync SET reason = $2 WHERE id = $1", sync.id, harvested.told.substr(1));
    });
  });
  if (error)
    database_.write([&](Transaction& t) { end_sync(t, sync.id, SyncState::ERROR, error->what(), clock_.now()); });
}

void Workplace::finalise(const JobRow& job) {
  if (job.ending == name_of_value(JobState::ERROR)) return;
  const auto attachments = database_.read([&](Transaction& t) { return attachments_of(t, job.id); });
  for (const AttachmentRow& one : attachments)
    if (one.access != AttachAccess::ro)
      during(fmt::format("making the next version of volume '{}' from {}", one.volume,
                         places(job).scratch(one.number).native()),
             [&] { finalise_attachment(job, one); });
}

void Workplace::clean(const JobRow& job) {
  if (job.state == JobState::ERROR) return;
  database_.write([&](Transaction& transaction) {
    for (const std::string& volume : find_left_staged(transaction)) empty_staged(transaction, volume);
    transaction.run("UPDATE staged SET used_at = $2 WHERE job = '' AND volume IN (SELECT volume FROM data_sync "
                    "WHERE job = $1)",
                    job.id, clock_.now());
  });
  const JobPlaces at = places(job);
  if (!is_present(at.directory)) return;
  for (const DirectoryEntry& entry : list_directory(at.directory))
    if (entry.name != at.run.filename()) remove_tree(at.directory / entry.name);
}

}  // namespace volary
