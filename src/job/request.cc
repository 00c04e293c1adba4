// job/request.cc: the rules of job/request.h.
#include "job/request.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/name.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "engine/dependencies.h"
#include "job/container_request.h"
#include "job/publications.h"
#include "job/runs.h"
#include "job/secret_variables.h"

namespace volary {
namespace {

constexpr size_t work_files_max = 1024;
constexpr uint64_t replicas_max = 64;
constexpr size_t dependencies_max = 256;

constexpr uint64_t memory_bytes_min = 4 << 20;  // Less would not even start.

// Places of the sandbox that a volume must not cover.
constexpr std::string_view taken_paths[] = {"/proc", "/dev", "/sys", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc",
                                            "/run"};

bool is_within(std::string_view path, std::string_view other) {
  return path == other || (path.starts_with(other) && path.size() > other.size() && path[other.size()] == '/');
}

void check_path(const std::string& path, const NewJob& request) {
  if (!path.starts_with('/') || path == "/")
    throw Error(Errc::invalid, "'{}' is no place for a volume: expected an absolute path such as /data",
                printable(path));
  TreePath::parse(std::string_view(path).substr(1));
  for (const std::string_view taken : taken_paths)
    if (is_within(path, taken))
      throw Error(Errc::invalid, "'{}' is no place for a volume: '{}' belongs to the system", path, taken);
  if (path == "/workspace" || path == "/tmp")
    throw Error(Errc::invalid,
                "'{}' is no place for a volume: it is the job's own; expected a path below it or elsewhere", path);
  if (request.dependencies.empty()) return;
  const std::string packages = std::string(work_target) + "/" + dependencies_directory;
  for (const std::string_view taken : {std::string_view(pip_cache_target), std::string_view(packages)})
    if (is_within(path, taken))
      throw Error(Errc::invalid, "'{}' is no place for a volume: '{}' holds what pip installs for the job", path,
                  taken);
}

void check_attachments(const NewJob& request) {
  const auto& attachments = request.attachments;
  for (size_t i = 0; i < attachments.size(); ++i) {
    check_path(attachments[i].path, request);
    for (size_t j = 0; j < i; ++j)
      if (is_within(attachments[i].path, attachments[j].path) || is_within(attachments[j].path, attachments[i].path))
        throw Error(Errc::invalid, "'{}' and '{}' cannot both hold a volume: expected places outside each other",
                    attachments[j].path, attachments[i].path);
  }
}

void check_env(const std::map<std::string, std::string>& env) {
  for (const auto& [name, value] : env) {
    check_variable_name(name);
    if (value.find('\0') != std::string::npos)
      throw Error(Errc::invalid, "the environment variable {} holds a NUL byte: expected none", name);
  }
}

void check_restart(const NewJob& request) {
  if (!request.auto_restart || !request.auto_restart->failures_max) return;
  const uint64_t wanted = *request.auto_restart->failures_max;
  if (request.auto_restart->on == RestartOn::timeout)
    throw Error(Errc::invalid, "the job is run again after a timeout only, but {} times after failures: expected one "
                "of both", wanted);
  if (wanted < 1 || wanted > failures_max_max)
    throw Error(Errc::invalid, "a job cannot be run again {} times after failures: expected 1 to {}", wanted,
                failures_max_max);
}

void check_replicas(const NewJob& request) {
  const uint64_t replicas = request.replicas.value_or(1);
  if (replicas < 1 || replicas > replicas_max)
    throw Error(Errc::invalid, "{} replicas were asked for: expected 1 to {}", replicas, replicas_max);
  if (request.min_available.value_or(1) < 1 || request.min_available.value_or(1) > replicas)
    throw Error(Errc::invalid, "{} replicas are to be available at least, of {}: expected 1 to {}",
                *request.min_available, replicas, replicas);
  if (request.image && request.replicas)
    throw Error(Errc::invalid, "replicas are processes in the sandbox, and the job has an image: expected one of both; "
                "in a container a launcher of its own, such as torchrun, starts several");
}

void check_dependencies(const NewJob& request) {
  if (request.dependencies.empty()) return;
  if (request.image)
    throw Error(Errc::invalid, "dependencies are installed in the sandbox, and the job has an image: expected one of "
                "both, and what is needed in the image");
  if (request.dependencies.size() > dependencies_max)
    throw Error(Errc::invalid, "{} dependencies were asked for: expected at most {}", request.dependencies.size(),
                dependencies_max);
  for (const std::string& one : request.dependencies) {
    const bool is_file = one.starts_with("-r ") && one.size() > 3;
    if (is_file) TreePath::parse(std::string_view(one).substr(3));
    if (one.empty() || (one[0] == '-' && !is_file) || one.find_first_of(std::string_view("\n\r\0", 3)) != one.npos)
      throw Error(Errc::invalid, "'{}' is no dependency: expected what pip takes, such as torch>=2, or -r FILE",
                  printable(one));
  }
}

}  // namespace

void check_variable_name(const std::string& name) {
  bool good = !name.empty() && !(name[0] >= '0' && name[0] <= '9');
  for (const char c : name) good = good && (std::isalnum(static_cast<unsigned char>(c)) || c == '_');
  if (!good)
    throw Error(Errc::invalid, "'{}' cannot name an environment variable: expected letters, digits and '_'",
                printable(name));
}

void check_request(const NewJob& request) {
  check_restart(request);
  check_replicas(request);
  check_dependencies(request);
  check_secret_variables(request);
  if (request.name) Name::parse(*request.name, "job");
  check_container_request(request);
  const bool may_lack_command = request.image && request.command.empty();  // Then the image's is run.
  if (!may_lack_command && (request.command.empty() || request.command[0].empty()))
    throw Error(Errc::invalid, "the job has no command: expected a program and its arguments");
  for (const std::string& word : request.command)
    if (word.find('\0') != std::string::npos)
      throw Error(Errc::invalid, "the command holds a NUL byte: expected none");
  check_publications(request);
  check_env(request.env);
  check_attachments(request);
  if (request.files.size() > work_files_max)
    throw Error(Errc::invalid, "the job brings {} files: expected at most {}", request.files.size(), work_files_max);
  for (const WorkFile& file : request.files) {
    TreePath::parse(file.path);
    decode_base64(file.content, file.path);
  }
  if (request.timeout_seconds && (*request.timeout_seconds < 1 || *request.timeout_seconds > timeout_seconds_max))
    throw Error(Errc::invalid, "a timeout of {} seconds cannot be: expected 1 to {} (28 days)",
                *request.timeout_seconds, timeout_seconds_max);
  if (request.cpus && *request.cpus < 1)
    throw Error(Errc::invalid, "{} cpus were asked for: expected at least 1", *request.cpus);
  if (request.memory_bytes && *request.memory_bytes < memory_bytes_min)
    throw Error(Errc::invalid, "{} of memory were asked for: expected at least {}", bytes_text(*request.memory_bytes),
                bytes_text(memory_bytes_min));
  const int64_t priority = request.priority.value_or(0);
  if (priority < -priority_max || priority > priority_max)
    throw Error(Errc::invalid, "a priority of {} was asked for: expected {} to {}", priority, -priority_max,
                priority_max);
}

std::string decode_base64(std::string_view text, std::string_view what) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto refuse = [&] { throw Error(Errc::invalid, "the content of '{}' is not base64", printable(what)); };
  if (text.size() % 4 != 0) refuse();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  while (!text.empty()) {
    uint32_t group = 0;
    size_t padding = 0;
    for (size_t i = 0; i < 4; ++i) {
      const size_t value = alphabet.find(text[i]);
      if (text[i] == '=' && text.size() == 4 && i >= 2) {
        ++padding;
      } else if (value == alphabet.npos || padding > 0) {
        refuse();
      } else {
        group |= static_cast<uint32_t>(value) << (18 - 6 * i);
      }
    }
    const char three[3] = {static_cast<char>(group >> 16), static_cast<char>(group >> 8), static_cast<char>(group)};
    bytes.append(three, 3 - padding);
    text.remove_prefix(4);
  }
  return bytes;
}

}  // namespace volary
