// cli/command.h: what a command is: a row of the table that parsing, help and completion are made of.
//
// A command's options are a plain struct; its row says how words fill the fields of that struct, and what to run then.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace volary {

class Session;

// What may stand in a field, for completion.
enum class Words {
  anything,
  files,
  directories,
  volumes,
  attachments,  // VOLUME:/PATH
  jobs,
  transfers,
  datastores,
  containers,  // CONTAINER@DATASTORE
  prefixes,  // DATASTORE:PREFIX
  secrets,
  tokens,
  projects,
  flavors,
  uploads,
};

enum class Need { optional, required };

using FieldTarget =
    std::variant<bool*, std::string*, std::optional<std::string>*, std::vector<std::string>*>;

// One option ("-f,--file") or one word by its place ("NAME"; a vector takes all that are left).
struct CommandField {
  std::string name = {};
  FieldTarget target = {};
  std::string help = {};
  std::string value = {};  // What help calls an option's value: "SIZE".
  Need need = Need::optional;
  std::vector<std::string> choices = {};  // If not empty, nothing else is accepted.
  Words words = Words::anything;
  bool value_may_lack = false;  // Of an option with a text: "--plan" alone is "".
  std::string value_alone = {};  // Of an option whose value comes after '=' only: what it is when it stands alone.
  bool has_dashes = false;      // A list by its place: what stands after "--" is its alone.

  bool is_option() const { return name.starts_with("-"); }
};

struct Command {
  std::vector<std::string> path = {};     // {"volume", "create"}
  std::vector<std::string> aliases = {};  // Of the last word.
  std::string summary = {};               // One line, without a full stop.
  std::string example = {};               // One or more lines, each a whole command.
  std::vector<CommandField> fields = {};
  std::function<int(Session&)> run = {};  // The exit code.
  std::string more = {};                  // Sentences for the help page, after the summary.
  std::vector<std::string> formats = {};  // What -o takes besides what it always takes.
};

// The words of a command, apart from its fields.
struct CommandText {
  std::vector<std::string> path;
  std::vector<std::string> aliases = {};
  std::string summary = {};
  std::string example = {};
  std::string more = {};
  std::vector<std::string> formats = {};
};

// A row whose fields fill an `Options`, which `run` then gets.
template <class Options>
Command make_command(CommandText text, std::vector<CommandField> (*fields)(Options&),
                     int (*run)(Session&, const Options&)) {
  auto options = std::make_shared<Options>();  // Shared by the row's fields, which point into it, and by what runs.
  return {.path = std::move(text.path),
          .aliases = std::move(text.aliases),
          .summary = std::move(text.summary),
          .example = std::move(text.example),
          .fields = fields(*options),
          .run = [options, run](Session& session) { return run(session, *options); },
          .more = std::move(text.more),
          .formats = std::move(text.formats)};
}

// --- the table: one function a noun, each in its own file
std::vector<Command> volume_commands();      // volume_commands.cc
std::vector<Command> version_commands();     // version_commands.cc
std::vector<Command> diff_commands();        // diff_command.cc
std::vector<Command> prune_commands();       // prune_commands.cc
std::vector<Command> file_commands();        // file_commands.cc
std::vector<Command> put_commands();         // put_command.cc
std::vector<Command> stage_commands();       // stage_command.cc
std::vector<Command> download_commands();    // download_command.cc
std::vector<Command> upload_commands();      // upload_commands.cc
std::vector<Command> snapshot_commands();    // snapshot_command.cc
std::vector<Command> mount_commands();       // mount_commands.cc
std::vector<Command> move_commands();        // move_commands.cc
std::vector<Command> transfer_commands();    // transfer_commands.cc
std::vector<Command> project_commands();     // project_commands.cc
std::vector<Command> datastore_commands();   // datastore_commands.cc
std::vector<Command> bucket_commands();      // bucket_commands.cc
std::vector<Command> object_commands();      // object_commands.cc
std::vector<Command> object_upload_commands();    // object_upload_command.cc
std::vector<Command> object_download_commands();  // object_download_command.cc
std::vector<Command> datastore_add_commands();   // datastore_add_commands.cc; part of the former
std::vector<Command> secret_commands();      // secret_commands.cc
std::vector<Command> job_run_commands();     // job_run_command.cc
std::vector<Command> job_commands();         // job_commands.cc
std::vector<Command> job_sync_commands();    // job_sync_commands.cc
std::vector<Command> billing_commands();     // billing_commands.cc
std::vector<Command> node_commands();        // node_commands.cc
std::vector<Command> explain_commands();     // explain_commands.cc
std::vector<Command> cache_commands();       // cache_commands.cc
std::vector<Command> event_commands();       // event_commands.cc
std::vector<Command> token_commands();       // token_commands.cc
std::vector<Command> store_commands();       // store_commands.cc
std::vector<Command> backup_commands();      // backup_commands.cc
std::vector<Command> server_commands();      // server_commands.cc
std::vector<Command> fetch_commands();       // fetch_command.cc
std::vector<Command> checksum_commands();    // checksum_command.cc
std::vector<Command> completion_commands();  // completion_command.cc

// All of them, in the order in which help shows them.
std::vector<Command> all_commands();

// What groups of commands are: "volume" -> "named histories of immutable versions".
std::string group_summary(const std::string& group);

}  // namespace volary
