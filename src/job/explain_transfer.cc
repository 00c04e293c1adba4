// job/explain_transfer.cc: the parts of job/explain.h about transfers and volumes.
#include "core/error.h"
#include "core/quantity.h"
#include "job/explain.h"
#include "job/explain_lines.h"

namespace volary {
namespace {

constexpr size_t versions_max = 20;  // Of a volume: the newest.

std::string asked_for(const Transfer& transfer) {
  switch (transfer.kind) {
    case TransferKind::import:
      return fmt::format("import of {}:{} into volume '{}'", transfer.datastore, transfer.source_directory,
                         transfer.volume);
    case TransferKind::export_:
      return fmt::format("export of {}@{} to {}:{}", transfer.volume, transfer.version, transfer.datastore,
                         transfer.destination_directory);
    case TransferKind::snapshot:
      return fmt::format("snapshot of '{}' into volume '{}'", transfer.source_directory, transfer.volume);
  }
  return "";
}

std::string counts_text(const TransferCounts& counts) {
  std::string text = fmt::format("{} of {} copied, {} skipped, {} failed", counts.completed,
                                 counted(counts.total, "file"), counts.skipped, counts.failed);
  if (counts.deleted) text += fmt::format(", {} deleted", counts.deleted);
  return text + fmt::format("; {} moved", bytes_text(counts.transferred_bytes));
}

std::string summary_of(const Transfer& transfer, Time now) {
  const int64_t took = transfer.ended_at.value_or(now).micros - transfer.created_at.micros;
  std::string text = fmt::format("The {} is {} {} {}: {}.", asked_for(transfer), name_of_value(transfer.state),
                                 is_terminal(transfer.state) ? "after" : "since", duration_text(took),
                                 counts_text(transfer.counts));
  if (!transfer.waits_for.empty()) text += fmt::format(" It waits: {}.", transfer.waits_for);
  if (!transfer.error.empty())
    text += fmt::format(" {}. 'volary transfer resume {}' goes on with what has come.", one_line(transfer.error),
                        transfer.id);
  return text;
}

void add_end(const Transfer& transfer, std::vector<ExplainedLine>& lines) {
  for (const TransferFailure& one : transfer.failures)
    lines.push_back(moment(transfer.ended_at.value_or(transfer.created_at), Cause::failure,
                           fmt::format("'{}' was {}: {}", one.path,
                                       one.outcome == FileOutcome::failed ? "not copied" : "left out",
                                       one_line(one.reason))));
  if (!transfer.ended_at) return;
  std::string words = fmt::format("{}: {}", name_of_value(transfer.state), counts_text(transfer.counts));
  if (!transfer.verified.empty()) words += "; verified " + transfer.verified;
  lines.push_back(moment(*transfer.ended_at, Cause::state, words));
}

ExplainedLine line_of(const Version& version) {
  std::string words =
      fmt::format("version {} by {}, {}", version.number, version.author, name_of_value(version.origin));
  if (!version.origin_id.empty()) words += " " + version.origin_id;
  if (!version.message.empty()) words += fmt::format(" ({})", version.message);
  ExplainedLine line = moment(version.created_at, Cause::made, words);
  line.files = version.files;
  line.bytes = version.bytes;
  return line;
}

ExplainedLine line_of(const Lease& lease) {
  const std::string who = lease.holder + (lease.name.empty() ? "" : " (" + lease.name + ")") +
                          (lease.user.empty() ? "" : " of " + lease.user);
  ExplainedLine line;
  line.at = lease.acquired_at;
  line.lasts = true;
  line.cause = lease.kind == "reader" ? Cause::now : Cause::writer;
  if (lease.kind == "reader") line.what = fmt::format("{} reads version {}", who, lease.version);
  else if (lease.kind == "writer") line.what = fmt::format("{} writes on top of version {}", who, lease.version);
  else line.what = fmt::format("{} waits to be the next writer", who);
  return line;
}

struct ProjectBooks {
  std::string name;
  uint64_t quota = 0;
  uint64_t used = 0;
};
BOOST_DESCRIBE_STRUCT(ProjectBooks, (), (name, quota, used))

ProjectBooks books_of(Transaction& transaction, const Volume& volume) {
  const std::string quota = volume.storage_type == StorageType::fs ? "quota_fs_bytes" : "quota_obs_bytes";
  return *transaction.find<ProjectBooks>(
      "SELECT name, " + quota +
          ", (SELECT COALESCE(SUM(used_bytes + reserved_bytes), 0) FROM volume WHERE project = project.id AND "
          "storage_type = $2) FROM project WHERE id = $1",
      volume.project, volume.storage_type);
}

std::string quota_text(const Volume& volume, const ProjectBooks& project) {
  const auto left = [](uint64_t quota, uint64_t used) { return bytes_text(quota > used ? quota - used : 0); };
  return fmt::format(
      "{} of its quota of {} are used and {} reserved: {} are left; its project '{}' has {} left of {} for {} volumes",
      bytes_text(volume.used_bytes), bytes_text(volume.quota_bytes), bytes_text(volume.reserved_bytes),
      left(volume.quota_bytes, volume.used_bytes + volume.reserved_bytes), project.name,
      left(project.quota, project.used), bytes_text(project.quota), name_of_value(volume.storage_type));
}

}  // namespace

Explanation Explain::transfer(const Caller& caller, const std::string& id) {
  const Transfer transfer = transfers_.get(caller, id);
  const Time now = clock_.now();
  Explanation answer;
  answer.subject = "transfer " + transfer.id;
  answer.state = std::string(name_of_value(transfer.state));
  answer.lines.push_back(
      moment(transfer.created_at, Cause::asked, fmt::format("{} asked for it: {}", transfer.created_by,
                                                            asked_for(transfer))));
  const TransfersUnderWay under_way = transfers_.under_way();
  const auto happenings = database_.read(
      [&](Transaction& transaction) { return happenings_until_now(transaction, transfer.id, under_way); });
  for (const Happening& one : happenings) {
    ExplainedLine line = volary::line_of(one, now);
    if (one.cause == Cause::writer) line.what = "waited: " + line.what;
    if (one.cause == Cause::phase && line.lasts) {
      line.files = transfer.counts.completed;
      line.bytes = transfer.counts.transferred_bytes;
      line.bytes_per_second = rate_of(*line.bytes, now.micros - line.at.micros);
    }
    answer.lines.push_back(line);
  }
  add_end(transfer, answer.lines);
  sort_lines(answer.lines);
  answer.summary = summary_of(transfer, now);
  return answer;
}

Explanation Explain::volume(const Caller& caller, const std::string& name) {
  const Volume volume = volumes_.get(caller, name);
  const Time now = clock_.now();
  Explanation answer;
  answer.subject = "volume " + volume.name;
  answer.lines.push_back(
      moment(volume.created_at, Cause::asked, fmt::format("{} made it", volume.created_by)));
  const auto versions = volumes_.versions(caller, name);  // Newest first.
  for (size_t i = 0; i < std::min(versions.size(), versions_max); ++i) answer.lines.push_back(line_of(versions[i]));
  const auto leases = volumes_.leases(caller, name);
  for (const Lease& lease : leases) answer.lines.push_back(line_of(lease));
  sort_lines(answer.lines);
  const auto project = database_.read([&](Transaction& transaction) { return books_of(transaction, volume); });
  answer.lines.push_back(moment(now, Cause::now, quota_text(volume, project)));
  std::string holders = leases.empty() ? "nobody holds it" : "held or waited for by " +
                                                                   counted(leases.size(), "user");
  answer.summary =
      fmt::format("Volume '{}' has {}, the newest {}; {}.", volume.name, counted(volume.versions, "version"),
                  volume.head ? fmt::format("{} of {}", volume.head, bytes_text(volume.used_bytes)) : "none", holders);
  return answer;
}

}  // namespace volary
