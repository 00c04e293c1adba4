// cli/work_files.cc: the walk of cli/work_files.h.
#include "cli/work_files.h"

#include <array>

#include <dirent.h>

#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct FileGathering {
  std::vector<WorkFile> files;
  uint64_t bytes = 0;
  Path root;
  std::string left_out;  // The job's file itself.

  void below(const std::string& prefix) {
    const Path directory = prefix.empty() ? root : root / prefix;
    for (const DirectoryEntry& entry : list_directory(directory)) {
      const std::string path = prefix.empty() ? entry.name : prefix + "/" + entry.name;
      if (entry.name.starts_with(".") || path == left_out || entry.name == "__pycache__") continue;
      if (entry.type == DT_DIR) below(path);
      else add(path, entry.type);
    }
  }

  void add(const std::string& path, unsigned char type) {
    const Path full = root / path;
    if (type != DT_REG)
      throw Error(Errc::invalid, "'{}' is neither a file nor a directory: only such can travel with a job",
                  full.string());
    TreePath::parse(path);
    if (files.size() == work_files_max) refuse_more();
    const std::string content = read_file(full, work_bytes_max);
    bytes += content.size();
    if (bytes > work_bytes_max) refuse_more();
    const auto status = stat_of(full);
    files.push_back({.path = path, .content = base64_text(content),
                     .executable = status && (status->st_mode & S_IXUSR) != 0});
  }

  [[noreturn]] void refuse_more() const {
    throw Error(
        Errc::exhausted,
        "the files beside '{}' are more than {} or larger than {} together: put what is large into a data volume",
        (root / left_out).string(), work_files_max, bytes_text(work_bytes_max));
  }
};

}  // namespace

std::string base64_text(std::string_view bytes) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) text += k <= count ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::vector<WorkFile> read_work_files(const Path& directory, const std::string& config_name) {
  FileGathering gathering{.files = {}, .root = directory, .left_out = config_name};
  gathering.below("");
  return std::move(gathering.files);
}

}  // namespace volary
