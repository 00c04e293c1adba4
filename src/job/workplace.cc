// job/workplace.cc: files, mounts and harvests of one job, for job/workplace.h.
#include "job/workplace.h"

#include <unistd.h>

#include <cctype>

#include "core/error.h"
#include "core/fault.h"
#include "engine/engine_client.h"
#include "job/container_request.h"
#include "job/request.h"
#include "volume/happenings.h"
#include "volume/ledger.h"

namespace volary {
namespace {

constexpr const char* work_mount = "work";      // Below the staging directory.
constexpr const char* work_target = "/workspace";

Digest tree_of(const AttachmentRow& attachment) {
  return attachment.tree.empty() ? empty_tree().tree : Digest::parse(attachment.tree);
}

// "VOLARY_VOLUME_DIGITS_MODEL_PATH" for volume "digits-model".
std::string path_variable(std::string_view volume) {
  std::string name = "VOLARY_VOLUME_";
  for (const char c : volume)
    name += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
  return name + "_PATH";
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
    MountPlan plan = one.access == AttachAccess::ro ? mounter_.prepare_read_only(tree_of(one), name)
                                              : mounter_.prepare_writable(tree_of(one), name, at.scratch(one.number));
    spec.binds.push_back({plan.root, one.path, plan.writable});
    spec.env[path_variable(one.volume)] = one.path;
    plans.push_back(std::move(plan));
  }
  for (const auto& [name, value] : job.spec.env) spec.env[name] = value;
  spec.mounts = to_json(plans);
  fault::point("job.prepared");
  return spec;
}

void Workplace::finalise_attachment(const JobRow& job, const AttachmentRow& attachment) {
  const Path scratch = places(job).scratch(attachment.number);
  if (attachment.result != 0 || !is_present(scratch)) return;
  const Time began = clock_.now();
  const Digest base = tree_of(attachment);
  const auto commit = store_.begin_commit();
  Progress progress;
  const Harvest harvested =
      harvest(store_, *commit, base, scratch,
              attachment.access == AttachAccess::rwd ? Deletions::keep : Deletions::drop, progress);
  fault::point("job.harvested");
  const TreeSummary tree = apply_changes(store_, *commit, base, harvested.changes);
  if (tree.tree == base) return;
  commit->publish();
  fault::point("job.published");
  database_.write([&](Transaction& transaction) {
    std::string message = "job " + job.name;
    if (!harvested.left_out.empty()) message += fmt::format(" ({} special files left out)", harvested.left_out.size());
    const uint64_t number = commit_version(
        transaction, {attachment.volume_id, tree, job.subject, message, Origin::job, {"job", job.id}, 0}, clock_.now());
    transaction.run("UPDATE job_attachment SET result = $3 WHERE job = $1 AND number = $2", job.id, attachment.number,
                    number);
    note_made(transaction, job.id, fmt::format("{}@{}", attachment.volume, number), harvested.changes, began,
              clock_.now());
  });
  fault::point("job.committed");
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
  const JobPlaces at = places(job);
  if (!is_present(at.directory)) return;
  for (const DirectoryEntry& entry : list_directory(at.directory))
    if (entry.name != at.run.filename()) remove_tree(at.directory / entry.name);
}

}  // namespace volary
