// cli/oic.cc: what the tool prints and when.
#include "cli/oic.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <dirent.h>

#include "core/error.h"
#include "core/workers.h"
#include "store/checksum.h"

namespace volary {
namespace {

constexpr std::string_view usage_text = R"(usage: oic [-h] [-c CHECKSUM] [-s] path

Generate checksum to verify with OICM platform

positional arguments:
  path                  Directory to scan when generating the checksum
                        (recursive)

options:
  -h, --help            show this help message and exit
  -c, --checksum CHECKSUM
                        The reference checksum to compare with the computed
                        value
  -s, --silent          Run in silent mode
)";

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int usage_error(const std::string& message) {
  print(usage_text);
  std::fflush(stdout);
  std::fputs(("\noic: ❌ Error: " + message + "\n").c_str(), stderr);
  return 2;
}

// The tool logs each file as it begins it, directories in the order of their names.
void log_files(const Path& directory) {
  for (const DirectoryEntry& entry : list_directory(directory)) {
    if (entry.type == DT_DIR) log_files(directory / entry.name);
    if (entry.type == DT_REG) std::fputs(("INFO:OICM_Checksum:Start hashing: " + entry.name + "\n").c_str(), stderr);
  }
}

// What has been read of the words so far; a message when they are wrong.
struct OicWords {
  OicOptions options;
  bool help = false;
  bool has_path = false;
  std::vector<std::string> extra;

  void take_word(const std::string& word) {
    if (has_path) {
      extra.push_back(word);
    } else {
      options.path = word;
      has_path = true;
    }
  }
};

bool is_abbreviation(const std::string& word, std::string_view option) {
  return word.size() > 2 && option.starts_with(word);
}

// Python's argparse: -c VALUE, -cVALUE, -sc VALUE, --checksum VALUE, --checksum=VALUE, and any beginning of a long
// option.
std::string read_words(const std::vector<std::string>& arguments, OicWords& words) {
  const auto value_after = [&](size_t& i) -> const std::string* {
    const bool there = i + 1 < arguments.size() && (!arguments[i + 1].starts_with("-") || arguments[i + 1] == "-");
    return there ? &arguments[++i] : nullptr;
  };
  bool only_words = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const std::string name = word.substr(0, word.find('='));
    if (only_words || !word.starts_with("-") || word == "-") {
      words.take_word(word);
    } else if (word == "--") {
      only_words = true;
    } else if (is_abbreviation(name, "--checksum")) {
      const std::string* value = name.size() < word.size() ? nullptr : value_after(i);
      if (name.size() < word.size()) words.options.checksum = word.substr(name.size() + 1);
      else if (value) words.options.checksum = *value;
      else return "argument -c/--checksum: expected one argument";
    } else if (is_abbreviation(word, "--silent")) {
      words.options.silent = true;
    } else if (is_abbreviation(word, "--help")) {
      words.help = true;
    } else {
      for (size_t k = 1; k < word.size(); ++k) {
        if (word[k] == 's') {
          words.options.silent = true;
        } else if (word[k] == 'h') {
          words.help = true;
        } else if (word[k] == 'c') {
          const std::string* value = k + 1 < word.size() ? nullptr : value_after(i);
          if (k + 1 < word.size()) words.options.checksum = word.substr(k + 1);
          else if (value) words.options.checksum = *value;
          else return "argument -c/--checksum: expected one argument";
          break;
        } else {
          words.extra.push_back(word);
          break;
        }
      }
    }
    if (words.help) return "";
  }
  if (!words.has_path) return "the following arguments are required: path";
  std::string extra;
  for (const auto& one : words.extra) extra += (extra.empty() ? "" : " ") + one;
  return extra.empty() ? "" : "unrecognized arguments: " + extra;
}

int checksum_like_oic(const OicOptions& options) {
  const auto status = stat_of(options.path, Follow::yes);
  if (!status) {
    print("❌ Error: " + options.path + " does not exist\n");
    return 1;
  }
  if (!S_ISDIR(status->st_mode)) {
    print("❌ Error: " + Path(options.path).lexically_normal().string() + " should be a directory\n");
    return 1;
  }
  if (!options.silent) log_files(options.path);
  const auto start = std::chrono::steady_clock::now();
  Progress progress;
  const DirectoryChecksum found = checksum_of_directory(options.path, progress, cores());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::string rule = options.silent ? "" : std::string(100, '=') + "\n";
  const std::string checksum = found.checksum.hex();
  print(rule + fmt::format("Files: {}\nSize: {}\nTime: {:.4f} seconds\nChecksum: {}\n", found.files,
                           oic_size_text(found.bytes), seconds, checksum));
  if (!options.checksum.empty() && options.checksum == checksum) print("\n✅ Checksum verified\n");
  print(rule);
  return 0;
}

}  // namespace

std::string oic_size_text(uint64_t bytes) {
  static constexpr std::array units = {"KB", "MB", "GB", "TB", "PB"};
  if (bytes == 0) return "0";
  if (bytes < 1024) return fmt::format("{}B", bytes);
  // The power comes from floating-point logarithms, as in the tool, so that both round alike.
  const auto power = std::min<size_t>(
      static_cast<size_t>(std::log(static_cast<double>(bytes)) / std::log(1024.0)), units.size());
  const double value = static_cast<double>(bytes) / std::pow(1024.0, static_cast<double>(power));
  return value == std::floor(value) ? fmt::format("{:.0f}{}", value, units[power - 1])
                                    : fmt::format("{:.2f}{}", value, units[power - 1]);
}

int print_oic(const OicOptions& options) {
  try {
    return checksum_like_oic(options);
  } catch (const Error& error) {  // The main of another program: whatever goes wrong, its exit code is 1.
    std::fputs(("ERROR:OICM_Checksum:" + error.message() + "\n").c_str(), stderr);
    return 1;
  }
}

int run_oic(const std::vector<std::string>& arguments) {
  OicWords words;
  const std::string wrong = read_words(arguments, words);
  if (words.help) {
    print(usage_text);
    return 0;
  }
  if (!wrong.empty()) return usage_error(wrong);
  return print_oic(words.options);
}

}  // namespace volary
