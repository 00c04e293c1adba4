// job/workplace.cc: files, mounts and harvests of one job, for job/workplace.h.
#include "job/workplace.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <iterator>
#include <set>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/random.h"
#include "engine/dependencies.h"
#include "engine/engine_client.h"
#include "engine/run_directory.h"
#include "engine/showing.h"
#include "job/container_request.h"
#include "job/place_news.h"
#include "job/request.h"
#include "job/secret_variables.h"
#include "store/difference.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

constexpr const char* work_mount = "work";      // Below the staging directory.
constexpr uint64_t pip_cache_bytes_max = 4ull << 30;
constexpr std::string_view temp_file_prefix = ".volary-";  // Of what a crash left.

uint64_t bytes_below(const Path& directory) {
  uint64_t sum = 0;
  std::error_code gone;  // Jobs write there meanwhile.
  for (std::filesystem::recursive_directory_iterator one(directory, gone), end; one != end; one.increment(gone)) {
    if (gone) break;
    struct stat status {};
    if (::lstat(one->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      sum += static_cast<uint64_t>(status.st_size);
  }
  return sum;
}

constexpr std::string_view forgotten_prefix = "forgotten-";

// Jobs that have it mounted go on with what is left of it. What cannot be removed now is removed the next time.
void forget_cache(const Path& cache) {
  const Path among = cache.parent_path();
  (void)error_of([&] {
    rename_file(cache, among / (std::string(forgotten_prefix) + random_hex(8)));
    for (const DirectoryEntry& entry : list_directory(among))
      if (entry.name.starts_with(forgotten_prefix)) remove_tree(among / entry.name);
  });
}

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

Head head_of(Transaction& transaction, const AttachmentRow& attachment) {
  return *transaction.find<Head>(
      "SELECT head, COALESCE(tree, '') FROM volume LEFT JOIN version ON version.volume = volume.id AND number = head "
      "WHERE id = $1",
      attachment.volume_id);
}

bool final_push_begun(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment) {
  for (const SyncRow& sync : syncs_of(transaction, job.id))
    if (sync.number == attachment.number && sync.occasion == SyncOccasion::end) return true;
  return false;
}

// And not a pull.
bool has_made_any(Transaction& transaction, const AttachmentRow& attachment) {
  return transaction
      .find<uint64_t>("SELECT number FROM version WHERE volume = $1 AND number > $2 AND origin = 'job' LIMIT 1",
                      attachment.volume_id, attachment.version)
      .has_value();
}

// What names the version that a run's end makes: of one volume there is one at most.
std::string final_act(const JobRow& job) {
  return job.run == 1 ? job.id : fmt::format("{}/{}", job.id, job.run);
}

// "work.3" -> 3, "work" -> 1.
uint64_t run_in(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == name.npos ? 1 : std::strtoull(name.c_str() + dot + 1, nullptr, 10);
}

bool is_run_directory(const std::string& name) { return name == "run" || name.starts_with("run."); }

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

// Of a file on its way into what the process writes to.
std::string name_while_brought(const SyncRow& sync) { return std::string(temp_file_prefix) + sync.id; }

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
  spec.name = job.id + places(job).suffix;
  spec.command = job.spec.command;
  if (job.cpu > 0) spec.cpus = job.cpu;
  if (job.memory_bytes > 0) spec.memory_bytes = job.memory_bytes;
  spec.replicas = job.spec.replicas;
  spec.log_bytes = log_bytes_;
  spec.shows = true;
  spec.env = {{"VOLARY_JOB_ID", job.id}, {"VOLARY_JOB_NAME", job.name},
              {"VOLARY_JOB_RUN", std::to_string(job.run)}};
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
  // A pending job is to be started, with what was made ready before.
  const Preparing preparing = job.state == JobState::PENDING ? Preparing::again : Preparing::first;
  for (const AttachmentRow& one : attachments) {
    const std::string name = "volume-" + std::to_string(one.number);
    const Digest tree = mounted_tree(job, one);
    MountPlan plan = one.access == AttachAccess::ro ? mounter_.prepare_read_only(tree, name, preparing)
                                                    : mounter_.prepare_writable(tree, name, at.scratch(one.number));
    spec.binds.push_back({plan.root, one.path, plan.writable});
    spec.env[path_variable(name_of(job, one))] = one.path;
    plans.push_back(std::move(plan));
  }
  for (const auto& [name, value] : job.spec.env) spec.env[name] = value;
  for (const auto& [name, value] : secret_variables(secrets_, job)) spec.env[name] = value;
  add_dependencies(job, spec);
  spec.mounts = to_json(plans);
  fault::point("job.prepared");
  return spec;
}

ShowRequest Workplace::prepare_pulled(const JobRow& job, const SyncRow& sync) {
  auto attachment = database_.read([&](Transaction& t) { return attachments_of(t, job.id); }).at(sync.number);
  attachment.version = sync.version;
  attachment.tree = database_.read([&](Transaction& transaction) {
    return transaction.find<std::string>("SELECT tree FROM version WHERE volume = $1 AND number = $2", sync.volume_id,
                                         sync.version).value_or("");
  });
  const std::string name = fmt::format("volume-{}-{}", attachment.number, sync.id);
  return {sync.id, to_json(mounter_.prepare_read_only(mounted_tree(job, attachment), name)), attachment.path};
}

// First the version is there that stands for what the job is given: by the end of the pull, what it is to push is what
// differs from that. Its tree.
Digest Workplace::keep_arrived(const JobRow& job, const SyncRow& sync, const Arrival& arrival) {
  const AttachmentRow& attachment = arrival.attachment;
  auto changes = arrival.comes_back
                     ? news_of(store_, {arrival.pushed, arrival.last, arrival.now},
                               attachment.access == AttachAccess::rwd ? Removed::goes : Removed::stays)
                     : changes_of(difference(store_, arrival.last, arrival.now));
  const auto commit = store_.begin_commit();
  const TreeSummary tree = apply_changes(store_, *commit, arrival.pushed, std::move(changes));
  if (tree.tree != arrival.pushed) commit->publish();
  database_.write([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    if (!now_job || now_job->state != JobState::RUNNING || now_job->run != job.run)
      throw Error(Errc::conflict, "the job ended first");
    const uint64_t number =
        tree.tree == arrival.pushed
            ? attachment.pushed
            : commit_version(transaction,
                             {.volume_id = attachment.volume_id, .tree = tree, .author = job.subject,
                              .message = "what was new while the job ran", .origin = Origin::clone,
                              .holder = {"job", job.id}, .origin_id = arrival.from},
                             clock_.now());
    transaction.run("UPDATE data_sync SET volume = $2, version = $3 WHERE id = $1", sync.id, attachment.volume_id,
                    number);
    fault::point("job.arrival_kept");
  });
  return tree.tree;
}

BroughtIn Workplace::bring_in(const JobRow& job, const SyncRow& sync, const Arrival& arrival,
                              const std::function<bool()>& goes_on) {
  const Digest kept = arrival.kept ? *arrival.kept : keep_arrived(job, sync, arrival);
  const Digest before = arrival.comes_back ? arrival.pushed : arrival.last;
  const Digest after = arrival.comes_back ? kept : arrival.now;
  const Fd directory = open_written(RunDirectory(places(job).run), arrival.attachment.path);
  return volary::bring_in(store_, directory, before, after, name_while_brought(sync), goes_on);
}

// Wheels are kept for later jobs of the same person in the project: they are programs, and what one puts there the
// next one runs. More than fit are forgotten.
void Workplace::add_dependencies(const JobRow& job, RunSpec& spec) const {
  if (job.spec.dependencies.empty()) return;
  const Path cache = jobs_directory_.parent_path() / "pip" / job.project / Digest::of(job.subject).hex();
  const bool is_first_time = job.state == JobState::INITIALIZING;  // Of two.
  if (is_first_time && is_present(cache) && bytes_below(cache) > pip_cache_bytes_max) forget_cache(cache);
  make_directories(cache, 0755);
  give_to_job(cache);
  spec.dependencies = job.spec.dependencies;
  spec.pip_cache = pip_cache_target;
  spec.install_seconds = job.spec.timeout_seconds.value_or(timeout_seconds_default);
  spec.binds.push_back({cache.native(), pip_cache_target, true});
  const std::string packages = std::string(work_target) + "/" + dependencies_directory;
  const auto put_first = [&](const char* variable, const std::string& path) {
    std::string& value = spec.env[variable];
    value = path + (value.empty() ? "" : ":" + value);
  };
  put_first("PYTHONPATH", packages);
  put_first("PATH", packages + "/bin");
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

// A file that never held still stays as it was published last.
void Workplace::keep_published(const JobRow& job, const AttachmentRow& attachment, Harvest& harvested) const {
  const Head head = database_.read([&](Transaction& t) { return head_of(t, attachment); });
  if (head.tree.empty() || fault::planted("harvest.forgets_published")) return;
  for (const TreePath& path : harvested.restless) {
    const TreePath whole = part_of(job, attachment) / path;
    if (auto entry = find_entry(store_, Digest::parse(head.tree), whole)) harvested.changes.push_back({whole, entry});
  }
}

// What the job removed stays at a place that no removals are pushed to: not as it was when the job began, but as it was
// pushed or brought since.
void Workplace::keep_at_place(const AttachmentRow& attachment, Harvest& harvested) const {
  if (attachment.push_datastore.empty() || attachment.pushed == attachment.version) return;
  const auto pushed = database_.read([&](Transaction& transaction) {
    return transaction.find<Digest>("SELECT tree FROM version WHERE volume = $1 AND number = $2", attachment.volume_id,
                                    attachment.pushed);
  });
  if (!pushed) return;
  std::set<std::string> touched;
  for (const TreeChange& change : harvested.changes) touched.insert(change.path.text());
  auto changes = successors_of(store_, tree_of(attachment), *pushed);
  std::erase_if(changes, [&](const TreeChange& one) {  // What is the job's now is told below.
    const auto below = touched.lower_bound(one.path.text() + "/");
    return one.entry && below != touched.end() && TreePath::parse(*below).is_within(one.path);
  });
  std::swap(changes, harvested.changes);
  std::move(changes.begin(), changes.end(), std::back_inserter(harvested.changes));
}

// What the volume holds with the job's changes; published. `told`: what was left out, for the version's message.
Workplace::Harvested Workplace::harvest_attachment(const JobRow& job, const AttachmentRow& attachment, Commit& commit,
                                                   Writers writers) {
  const Path scratch = places(job).scratch(attachment.number);
  const Time began = clock_.now();
  if (writers == Writers::gone)
    for (const SyncRow& sync : database_.read([&](Transaction& t) { return syncs_of(t, job.id); }))
      if (sync.number == attachment.number && sync.direction == SyncDirection::pull)
        forget_bring_in(scratch, name_while_brought(sync));
  Progress progress;
  Harvest harvested =
      harvest(store_, commit, mounted_tree(job, attachment), scratch,
              attachment.access == AttachAccess::rwd ? Deletions::keep : Deletions::drop, progress, writers);
  fault::point("job.harvested");
  if (job.spec.publish_marker)
    std::erase_if(harvested.changes, [&](const TreeChange& one) {
      return one.path.text() == *job.spec.publish_marker && one.entry && one.entry->kind == EntryKind::file;
    });
  if (const TreePath below = part_of(job, attachment); !below.is_root())
    for (TreeChange& change : harvested.changes) change.path = below / change.path;
  if (!harvested.restless.empty()) keep_published(job, attachment, harvested);
  if (attachment.access == AttachAccess::rw) keep_at_place(attachment, harvested);
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
  const Head head = head_of(transaction, attachment);
  if (head.tree == tree.tree.hex() || (head.tree.empty() && tree.tree == empty_tree().tree)) return head.head;
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
                                        "job " + job.name + harvested.told, final_act(job));
    if (number != attachment.version && has_made_any(transaction, attachment)) {
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
    const bool runs = job.state == JobState::RUNNING;
    const Harvested harvested =
        harvest_attachment(job, attachment, *commit, runs ? Writers::there : Writers::gone);
    database_.write([&](Transaction& transaction) {
      const auto now_job = find_job(transaction, job.id);
      if (!now_job || now_job->state != job.state || now_job->run != job.run) return;  // Its end does it.
      const Holder holder{"job", job.id};
      if (!runs)
        take_writer(transaction, attachment.volume_id, attachment.volume, attachment.version, holder, clock_.now());
      const uint64_t before = head_of(transaction, attachment).head;
      const uint64_t number =
          commit_tree(transaction, job, attachment, harvested.tree,
                      "job " + job.name + (runs ? " while it runs" : "") + harvested.told, sync.id);
      if (!runs) release_leases(transaction, holder);
      const bool is_there = number == before && (attachment.push_datastore.empty() || number == attachment.pushed);
      if (is_there && sync.occasion == SyncOccasion::interval) {
        transaction.run("DELETE FROM data_sync WHERE id = $1", sync.id);
        return;
      }
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

bool Workplace::has_left(const JobRow& job) const {
  const Path directory = places(job).directory;
  if (!is_present(directory)) return false;
  for (const DirectoryEntry& entry : list_directory(directory)) {
    if (run_in(entry.name) > job.run) continue;
    if (!is_run_directory(entry.name)) {
      if (job.state != JobState::ERROR) return true;
      continue;
    }
    for (const DirectoryEntry& file : list_directory(directory / entry.name))
      if (file.name == "credentials" || file.name.starts_with(temp_file_prefix) ||
          (file.name == "spec.json" && !job.spec.secrets.empty()))
        return true;
  }
  return false;
}

void Workplace::remove_secrets(const JobRow& job) {
  const JobPlaces at = places(job);
  if (!is_present(at.directory)) return;
  for (const DirectoryEntry& entry : list_directory(at.directory)) {
    if (!is_run_directory(entry.name) || run_in(entry.name) > job.run) continue;
    const RunDirectory run(at.directory / entry.name);
    const bool is_supervised = run.is_locked();
    if (!job.spec.secrets.empty() && (!is_supervised || run.has_ended()))
      remove_file(run.file("spec.json"));  // Its environment has their values.
    if (is_supervised) continue;           // What else there is, its supervisor removes or still writes.
    remove_file(run.file("credentials"));
    for (const DirectoryEntry& file : list_directory(run.path()))
      if (file.name.starts_with(temp_file_prefix)) remove_file(run.path() / file.name);
  }
}

void Workplace::clean(const JobRow& job) {
  remove_secrets(job);
  if (job.state == JobState::ERROR) return;
  const JobPlaces at = places(job);
  database_.write([&](Transaction& transaction) {
    for (const std::string& volume : find_left_staged(transaction)) empty_staged(transaction, volume);
  });
  if (!is_present(at.directory)) return;
  for (const DirectoryEntry& entry : list_directory(at.directory))
    if (!is_run_directory(entry.name) && run_in(entry.name) <= job.run) remove_tree(at.directory / entry.name);
}

}  // namespace volary
