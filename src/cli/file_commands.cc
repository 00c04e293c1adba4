// cli/file_commands.cc: `volary volume files|cat|du|tree`: what versions hold, without mounting them.
#include <algorithm>
#include <map>

#include "cli/command.h"
#include "cli/object_options.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "record/volume.h"

namespace volary {
namespace {

CommandField version_field(std::string& volume) {
  return {.name = "NAME[@VERSION]", .target = &volume, .help = "which volume; its newest version unless told",
          .need = Need::required, .words = Words::volumes};
}

CommandField directory_field(std::optional<std::string>& directory) {
  return {.name = "--directory", .target = &directory, .help = "only what is below it", .value = "DIR"};
}

CommandField depth_field(std::optional<std::string>& depth, std::string help) {
  return {.name = "--depth", .target = &depth, .help = std::move(help), .value = "N"};
}

std::string files_path(const VolumeReference& volume) { return api_path({"volumes", volume.name, "files"}); }

Query files_query(const VolumeReference& volume, const std::optional<std::string>& directory,
                  const std::optional<uint64_t>& depth) {
  Query query;
  if (!volume.version.empty()) query.emplace_back("version", volume.version);
  if (directory) query.emplace_back("directory", *directory);
  if (depth) query.emplace_back("depth", std::to_string(*depth));
  return query;
}

std::optional<uint64_t> depth_of(const std::optional<std::string>& text) {
  return text ? std::optional(parse_count(*text, "--depth", 1)) : std::nullopt;
}

// --- files

struct FilesOptions {
  std::string volume;
  std::optional<std::string> directory;
  std::optional<std::string> depth;
  bool with_details = false;
};

std::vector<CommandField> files_fields(FilesOptions& o) {
  return {version_field(o.volume),
          {.name = "-l,--long", .target = &o.with_details, .help = "with kind, size and digest"},
          directory_field(o.directory), depth_field(o.depth, "only so many levels; all unless told")};
}

std::string long_line(const FileEntry& file) {
  const char kind = file.kind == "directory" ? 'd' : file.kind == "symlink" ? 'l' : file.executable ? 'x' : '-';
  const std::string size = file.kind == "file" ? std::to_string(file.size) : "-";
  const std::string arrow = file.target.empty() ? "" : " -> " + printable(file.target);
  return fmt::format("{} {:>14}  {:12}  {}{}", kind, size, short_digest(file.digest), printable(file.path), arrow);
}

int files(Session& session, const FilesOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  const Query query = files_query(volume, o.directory, depth_of(o.depth));
  const std::string path = files_path(volume);
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(session.client().list(path, query));
    return 0;
  }
  const bool is_long = o.with_details || output.format() == Format::wide;
  session.client().each_page(path, query, [&](const json::array& page) {  // A page at a time: there may be very many.
    std::string lines;
    for (const json::value& item : page) {
      const auto file = typed<FileEntry>(item);
      lines += (is_long ? long_line(file) : printable(file.path)) + "\n";
    }
    output.text(lines);
  });
  return 0;
}

// --- cat

struct CatOptions {
  std::vector<std::string> files;
  std::optional<std::string> output_file;
  std::optional<std::string> range;
};

std::vector<CommandField> cat_fields(CatOptions& o) {
  return {{.name = "NAME[@VERSION]:/PATH", .target = &o.files, .help = "which file; may be given again",
           .need = Need::required, .words = Words::attachments},
          {.name = "-O,--output-file", .target = &o.output_file, .help = "write there instead of to standard output",
           .value = "FILE", .words = Words::files},
          {.name = "--range", .target = &o.range,
           .help = "only these bytes, counted from 0, the last one included; 'FROM-' to the end, '-N' the last N",
           .value = "FROM-TO"}};
}

// As HTTP says it. Throws `invalid` for what is no range.
Client::Headers range_headers(const std::optional<std::string>& range, size_t files) {
  if (!range) return {};
  const size_t dash = range->find('-');
  const auto is_number = [](std::string_view text) {
    return text.size() <= 18 && text.find_first_not_of("0123456789") == text.npos;
  };
  const std::string from = range->substr(0, dash);
  const std::string to = dash == std::string::npos ? "" : range->substr(dash + 1);
  const bool is_range = dash != std::string::npos && is_number(from) && is_number(to) && from.size() + to.size() > 0 &&
                        (from.empty() || to.empty() || std::stoull(from) <= std::stoull(to));
  if (!is_range)
    throw Error(Errc::invalid, "'{}' is no range of bytes: expected FROM-TO, FROM- or -N", printable(*range));
  if (files != 1) throw Error(Errc::invalid, "--range is of one file: {} are given", files);
  return {{"range", "bytes=" + *range}};
}

class OutputSink final : public Sink {
 public:
  explicit OutputSink(Output& output) : output_(output) {}
  void write(std::string_view bytes) override { output_.text(bytes); }

 private:
  Output& output_;
};

void stream_files(Session& session, const std::vector<FileReference>& files, const Client::Headers& headers,
                  Sink& sink) {
  for (const FileReference& file : files) {
    Query query = {{"path", file.path}};
    if (!file.volume.version.empty()) query.emplace_back("version", file.volume.version);
    session.client().stream(api_path({"volumes", file.volume.name, "content"}), query, sink, headers);
  }
}

int cat(Session& session, const CatOptions& o) {
  std::vector<FileReference> files;
  for (const std::string& text : o.files) files.push_back(parse_file_reference(text));
  const Client::Headers headers = range_headers(o.range, files.size());
  if (o.output_file) {
    const Path path = std::filesystem::absolute(*o.output_file);
    TempFile file(path.parent_path());  // A file that came only in part is none.
    stream_files(session, files, headers, file);
    file.move_to(path);
  } else {
    OutputSink sink(session.output());
    stream_files(session, files, headers, sink);
  }
  return 0;
}

// --- du

struct DuOptions {
  std::string volume;
  std::optional<std::string> directory;
  std::optional<std::string> depth;
};

std::vector<CommandField> du_fields(DuOptions& o) {
  return {version_field(o.volume), directory_field(o.directory),
          depth_field(o.depth, "directories of so many levels; 1 unless told")};
}

int du(Session& session, const DuOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  Query query = files_query(volume, o.directory, depth_of(o.depth).value_or(1));
  query.emplace_back("directoriesOnly", "true");
  json::array directories = session.client().list(files_path(volume), query);
  const auto version = typed<Version>(session.client().get(
      api_path({"volumes", volume.name, "versions", volume.version.empty() ? "head" : volume.version})));
  if (!o.directory || TreePath::parse_directory(*o.directory).is_root()) {
    FileEntry all;
    all.path = ".";
    all.kind = "directory";
    all.size = version.bytes;
    all.files = version.files;
    directories.push_back(to_json(all));
  } else {
    // The directory itself is an entry of the one that holds it.
    const TreePath path = TreePath::parse_directory(*o.directory);
    Query above = files_query(volume, path.parent().text(), 1);
    above.emplace_back("directoriesOnly", "true");
    for (const json::value& one : session.client().list(files_path(volume), above))
      if (typed<FileEntry>(one).path == path.text()) directories.push_back(one);
  }
  session.output().list<FileEntry>(directories, {{"DIRECTORY", [](const FileEntry& f) { return printable(f.path); }},
                                                 {"SIZE", [](const FileEntry& f) { return bytes_text(f.size); }},
                                                 {"FILES", [](const FileEntry& f) { return std::to_string(f.files); }},
                                                 {"BYTES", [](const FileEntry& f) { return std::to_string(f.size); },
                                                  Show::wide}});
  return 0;
}

// --- tree

struct TreeOptions {
  std::string volume;
  std::optional<std::string> directory;
  std::optional<std::string> depth;
};

std::vector<CommandField> tree_fields(TreeOptions& o) {
  return {version_field(o.volume), directory_field(o.directory),
          depth_field(o.depth, "so many levels; all unless told")};
}

using Children = std::map<std::string, std::vector<FileEntry>>;  // By the directory that holds them.

void draw(const Children& children, const std::string& directory, const std::string& margin, std::string& lines) {
  const auto found = children.find(directory);
  if (found == children.end()) return;
  for (const FileEntry& one : found->second) {
    const bool is_last = &one == &found->second.back();
    const std::string name(TreePath::parse(one.path).name());
    const std::string arrow = one.target.empty() ? "" : " -> " + printable(one.target);
    const std::string size = one.kind == "file" ? "  " + bytes_text(one.size) : "";
    lines += fmt::format("{}{}{}{}{}{}\n", margin, is_last ? "└── " : "├── ", printable(name),
                         one.kind == "directory" ? "/" : "", arrow, size);
    if (one.kind == "directory") draw(children, one.path, margin + (is_last ? "    " : "│   "), lines);
  }
}

int tree(Session& session, const TreeOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  const json::array items =
      session.client().list(files_path(volume), files_query(volume, o.directory, depth_of(o.depth)));
  if (session.output().is_structured()) {
    session.output().document(items);
    return 0;
  }
  Children children;  // Paths come in the order of their bytes, which is not that of a drawing: "a-b" is before "a/c".
  uint64_t files = 0;
  for (const json::value& item : items) {
    auto file = typed<FileEntry>(item);
    files += file.kind == "directory" ? 0 : 1;
    const std::string parent = TreePath::parse(file.path).parent().text();
    children[parent].push_back(std::move(file));
  }
  const std::string top = o.directory ? TreePath::parse_directory(*o.directory).text() : "";
  std::string lines = volume.text() + (top.empty() ? "" : ":/" + printable(top)) + "\n";
  draw(children, top, "", lines);
  session.output().text(lines);
  session.note(counted(files, "file", "files") + ", " + counted(items.size() - files, "directory", "directories"));
  return 0;
}

}  // namespace

std::vector<Command> file_commands() {
  return {
      make_command<FilesOptions>({.path = {"volume", "files"}, .summary = "list the files of a version",
                                  .example = "volary volume files -l wiki@3 --directory train"},
                                 files_fields, files),
      make_command<CatOptions>({.path = {"volume", "cat"}, .summary = "print files of a version",
                                .example = "volary volume cat wiki@3:/train/a.txt\n"
                                           "volary volume cat wiki:/train/part-1 wiki:/train/part-2 -O train.txt\n"
                                           "volary volume cat llama:/model.safetensors --range 0-7",
                                .more = "The bytes are compared with the version's digest on their way, unless only a "
                                        "range of them is asked for."},
                               cat_fields, cat),
      make_command<DuOptions>({.path = {"volume", "du"}, .summary = "show what the directories of a version hold",
                               .example = "volary volume du wiki@3 --directory train --depth 2"},
                              du_fields, du),
      make_command<TreeOptions>({.path = {"volume", "tree"}, .summary = "draw the directories and files of a version",
                                 .example = "volary volume tree wiki@3 --depth 2"},
                                tree_fields, tree),
  };
}

}  // namespace volary
