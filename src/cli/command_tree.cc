// cli/command_tree.cc: the table of contents of the command line, and the questions of cli/command_tree.h.
#include "cli/command_tree.h"

#include <algorithm>
#include <array>

#include "cli/job_exec_command.h"
#include "cli/lineage_commands.h"

namespace volary {

std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (const auto noun :
       {volume_commands, version_commands, diff_commands, prune_commands, file_commands, put_commands, stage_commands,
        download_commands, upload_commands, snapshot_commands, mount_commands, move_commands, transfer_commands,
        datastore_commands, bucket_commands, object_commands, object_upload_commands, object_download_commands,
        secret_commands, job_run_commands, job_commands, job_exec_commands, job_sync_commands, explain_commands,
        node_commands, lineage_commands, receipt_commands, event_commands, billing_commands, cache_commands,
        project_commands, token_commands,
        store_commands, backup_commands, server_commands, fetch_commands, checksum_commands, completion_commands})
    for (Command& command : noun()) all.push_back(std::move(command));
  return all;
}

std::string group_summary(const std::string& group) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 19> summaries = {{
      {"volume", "named sets of files, each a history of immutable versions"},
      {"datastore", "named places elsewhere that volumes are imported from and exported to"},
      {"datastore add", "name a directory, a bucket, a repository or a web server"},
      {"bucket", "the buckets of datastores, and the objects in them"},
      {"bucket object", "upload, download, list, copy, move and delete objects"},
      {"data", "the older words for 'bucket object'"},
      {"secret", "credentials, written once and never shown again"},
      {"upload", "files on their way into volumes, to be resumed or ended"},
      {"transfer", "imports, exports and snapshots, running and past"},
      {"project", "who owns volumes, and how much they may hold"},
      {"job", "run programs on volumes"},
      {"explain", "why a job, a transfer or a volume is where it is"},
      {"flavor", "the units in which jobs ask for what they need"},
      {"billing", "what jobs cost"},
      {"webhook", "who is told elsewhere of what happens"},
      {"cache", "images kept so that mounts are quick"},
      {"token", "who else may ask this server"},
      {"store", "look after what is kept: sweep, scrub, check, repair"},
      {"backup", "copies of everything, and what is made of them again"},
  }};
  for (const auto& [name, summary] : summaries)
    if (name == group) return std::string(summary);
  return "";
}

const Command* find_command(const std::vector<Command>& commands, const std::vector<std::string>& path) {
  for (const Command& command : commands)
    if (command.path == path) return &command;
  return nullptr;
}

std::vector<Child> children_of(const std::vector<Command>& commands, const std::vector<std::string>& path) {
  std::vector<Child> children;
  for (const Command& command : commands) {
    if (command.path.size() <= path.size() || !std::equal(path.begin(), path.end(), command.path.begin())) continue;
    const std::string& word = command.path[path.size()];
    const bool known =
        std::any_of(children.begin(), children.end(), [&](const Child& one) { return one.word == word; });
    if (known) continue;
    std::vector<std::string> below = path;
    below.push_back(word);
    if (const Command* self = find_command(commands, below)) {
      children.push_back({word, self->aliases, self->summary});
    } else {
      std::string group;
      for (const auto& one : below) group += (group.empty() ? "" : " ") + one;
      children.push_back({word, {}, group_summary(group)});
    }
  }
  return children;
}

std::optional<std::string> canonical_word(const std::vector<Command>& commands, const std::vector<std::string>& path,
                                          std::string_view word) {
  for (const Child& child : children_of(commands, path))
    if (child.word == word || std::find(child.aliases.begin(), child.aliases.end(), word) != child.aliases.end())
      return child.word;
  return std::nullopt;
}

std::vector<CommandField> global_fields(GlobalFlags& flags, const Command* command) {
  std::vector<std::string> formats = {"table", "wide", "json", "yaml", "name"};
  if (command) formats.insert(formats.end(), command->formats.begin(), command->formats.end());
  return {
      {.name = "-o,--output", .target = &flags.output, .help = "how to print the answer", .value = "FORMAT",
       .choices = formats},
      {.name = "--server", .target = &flags.server, .help = "the server to ask; this machine's own unless told",
       .value = "URL"},
      {.name = "--token-file", .target = &flags.token_file, .help = "the file with the token for that server",
       .value = "FILE", .words = Words::files},
      {.name = "--data-dir", .target = &flags.data_directory,
       .help = "where this machine's own server keeps everything",
       .value = "DIR", .words = Words::directories},
      {.name = "--project", .target = &flags.project, .help = "the project to work in; the token's own unless told",
       .value = "NAME", .words = Words::projects},
  };
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t errors_max = 2;
  std::string best;
  size_t best_errors = errors_max + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);  // Levenshtein's distance, one row at a time.
    for (size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i);
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t replaced = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      }
    }
    if (row.back() < best_errors && row.back() < candidate.size()) {
      best = candidate;
      best_errors = row.back();
    }
  }
  return best;
}

std::vector<std::string> names_of(const CommandField& field) {
  std::vector<std::string> names;
  size_t start = 0;
  for (size_t comma; (comma = field.name.find(',', start)) != std::string::npos; start = comma + 1)
    names.push_back(field.name.substr(start, comma - start));
  names.push_back(field.name.substr(start));
  return names;
}

bool takes_value(const CommandField& field) { return !std::holds_alternative<bool*>(field.target); }

}  // namespace volary
