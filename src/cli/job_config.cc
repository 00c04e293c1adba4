// cli/job_config.cc: one function a key of config.yaml; then the words of the command line over it.
#include "cli/job_config.h"

#include <array>
#include <charconv>
#include <cstdlib>

#include "cli/reference.h"
#include "cli/work_files.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct FixedVolume {
  std::string_view key;
  std::string_view path;
  AttachAccess access;
};

constexpr std::array fixed_volumes = {
    FixedVolume{"input_model_data_volume", "/data-volumes/input_model", AttachAccess::ro},
    FixedVolume{"input_dataset_data_volume", "/data-volumes/input_dataset", AttachAccess::ro},
    FixedVolume{"output_checkpoints_data_volume", "/data-volumes/output_checkpoints", AttachAccess::rw},
    FixedVolume{"output_model_data_volume", "/data-volumes/output_model", AttachAccess::rw},
};

struct RefusedKey {
  std::string_view key;
  std::string_view reason;
};

constexpr std::array refused_keys = {
    RefusedKey{"shared_volume",
               "its size could not be enforced. All replicas share /workspace and what is attached; for a directory of "
               "its own, empty at first, write volumes: ['standalone:/pvc-home']"},
};

constexpr std::array refused_resources = {
    RefusedKey{"storage", "a limit on a job's own files could not be enforced"},
};

void read_volume(NewJob& job, const Yaml& value, const FixedVolume& fixed) {
  value.allow_only({"name"}, fixed.key);
  const Yaml* name = value.find("name");
  if (!name) throw value.error("'{}' lacks 'name'", fixed.key);
  const VolumeReference volume = during(fmt::format("reading {}:{}", name->file, name->line), [&] {
    return parse_volume_reference(name->as_text(std::string(fixed.key) + ".name"));
  });
  job.attachments.push_back({.volume = volume.text(), .path = std::string(fixed.path), .access = fixed.access});
}

// "volumes: [corpora@gra/wiki:/data:ro:cache]", as -v has it.
void read_volumes(NewJob& job, const Yaml& value) {
  for (const Yaml& word : value.as_list("volumes"))
    job.attachments.push_back(during(fmt::format("reading {}:{}", word.file, word.line),
                                     [&] { return parse_attachment(word.as_text("volumes")); }));
}

void set_push_target(NewJob& job, const std::string& path, const std::string& target) {
  for (NewAttachment& one : job.attachments) {
    if (one.path != path) continue;
    one.push_to = text_of(parse_push_target(target));
    return;
  }
  throw Error(Errc::invalid, "nothing is attached at '{}', from where changes were to go to '{}': expected the path of "
              "an attachment", printable(path), printable(target));
}

// "push_to: {/out: results@gra/run-1}"
void read_push_targets(NewJob& job, const Yaml& value) {
  for (const auto& [path, target] : value.as_map("push_to"))
    during(fmt::format("reading {}:{}", path.file, path.line),
           [&] { set_push_target(job, path.text, target.as_text("push_to." + path.text)); });
}

// A plain number is in GB, as OICM says; ours may also carry a unit.
uint64_t read_memory(const Yaml& value) {
  std::string text = value.as_text("resources.memory");
  if (text.find_first_not_of("0123456789.") == std::string::npos) text += "GB";
  const uint64_t bytes = during(fmt::format("reading {}:{}", value.file, value.line),
                                [&] { return parse_bytes(text, "an amount of memory"); });
  if (bytes == 0) throw value.error("'resources.memory' is 0: expected more");
  return bytes;
}

void refuse(const Yaml& map, const auto& refused, std::string_view prefix) {
  for (const RefusedKey& one : refused)
    for (const auto& [key, value] : map.pairs)
      if (key.text == one.key) throw key.error("'{}{}' cannot be honoured here: {}", prefix, one.key, one.reason);
}

// Which GPU is not asked for: a machine's engine gives those that it has.
void read_gpus(NewJob& job, const Yaml& value) {
  value.allow_only({"accelerator", "accelerator_count"}, "resources.gpu");
  const Yaml* count = value.find("accelerator_count");
  const uint64_t wanted = count ? count->as_count("resources.gpu.accelerator_count", 0) : 1;
  if (!job.image && wanted == 0) return;
  if (!job.image)
    throw value.error("'resources.gpu' cannot be honoured here: only jobs in a container are given GPUs, and there is "
                      "no 'image'");
  if (!job.container) job.container.emplace();
  job.container->gpus = wanted;
}

void read_resources(NewJob& job, const Yaml& value) {
  value.allow_only({"cpu", "memory", "storage", "gpu", "flavor"}, "resources");
  refuse(value, refused_resources, "resources.");
  if (const Yaml* cpu = value.find("cpu")) job.cpus = cpu->as_count("resources.cpu", 1);
  if (const Yaml* memory = value.find("memory")) job.memory_bytes = read_memory(*memory);
  if (const Yaml* flavor = value.find("flavor")) job.flavor = flavor->as_text("resources.flavor");
  if (const Yaml* gpu = value.find("gpu"); gpu && gpu->kind != Yaml::Kind::nothing) read_gpus(job, *gpu);
}

void read_publications(NewJob& job, const Yaml& config) {
  if (const Yaml* every = config.find("publish_every"))
    job.publish_every_seconds = during(fmt::format("reading {}:{}", every->file, every->line), [&] {
      return parse_seconds(every->as_text("publish_every"), "an interval");
    });
  if (const Yaml* marker = config.find("publish_marker")) job.publish_marker = marker->as_text("publish_marker");
}

bool is_null(const Yaml& value) {
  return value.kind == Yaml::Kind::nothing || (!value.quoted && (value.text == "~" || value.text == "null"));
}

// Variables, with those that have no value yet: they are taken from where the command runs.
struct Variables {
  std::map<std::string, const Yaml*> empty;

  void read(NewJob& job, const Yaml& map, std::string_view key) {
    for (const auto& [name, value] : map.as_map(key)) {
      if (job.env.contains(name.text) || empty.contains(name.text))
        throw name.error("'{}' is already set by the other of 'config_map' and 'env'", printable(name.text));
      if (is_null(value)) empty.emplace(name.text, &name);
      else job.env.emplace(name.text, value.as_text(std::string(key) + "." + name.text));
    }
  }
};

// What OICM says of each replica, a job says of all of them: they run in one sandbox.
void read_replicas(NewJob& job, const Yaml& config) {
  const Yaml* replicas = config.find("replicas");
  const Yaml* least = config.find("min_available");
  if (replicas) job.replicas = replicas->as_count("replicas", 1);
  if (least) job.min_available = least->as_count("min_available", 1);
  if (least && *job.min_available > job.replicas.value_or(1))
    throw least->error("'min_available' is {}, of {} replicas: expected at most as many", *job.min_available,
                       job.replicas.value_or(1));
  if (replicas && job.image)
    throw replicas->error("'replicas' are processes in the sandbox, and there is an 'image': expected one of both; in "
                          "a container a launcher of its own, such as torchrun, starts several");
  if (job.cpus) *job.cpus *= job.replicas.value_or(1);
  if (job.memory_bytes) *job.memory_bytes *= job.replicas.value_or(1);
}

void read_list_of_dependencies(NewJob& job, const Yaml& list, std::string_view key) {
  for (const Yaml& one : list.as_list(key)) job.dependencies.push_back(one.as_text(key));
}

// Ray's "pip: [torch]" or "pip: {packages: [torch]}", and "env_vars: {…}".
void read_runtime_env(NewJob& job, const Yaml& value) {
  const Yaml env = parse_yaml(value.as_text("runtimeEnvYAML"), value.file + " (runtimeEnvYAML)");
  if (env.kind == Yaml::Kind::nothing) return;
  if (env.kind != Yaml::Kind::map) throw env.error("'runtimeEnvYAML' is not a map of keys: expected pip: [...]");
  env.allow_only({"pip", "env_vars"}, "runtimeEnvYAML");
  if (const Yaml* pip = env.find("pip")) {
    if (!job.dependencies.empty())
      throw value.error("'runtimeEnvYAML' and 'dependencies' both say what pip installs: expected one of both");
    if (pip->kind == Yaml::Kind::map) {
      pip->allow_only({"packages"}, "runtimeEnvYAML.pip");
      if (const Yaml* packages = pip->find("packages")) read_list_of_dependencies(job, *packages, "packages");
    } else {
      read_list_of_dependencies(job, *pip, "runtimeEnvYAML.pip");
    }
  }
  if (const Yaml* variables = env.find("env_vars"))
    for (const auto& [name, text] : variables->as_map("runtimeEnvYAML.env_vars"))
      if (!job.env.emplace(name.text, text.as_text("runtimeEnvYAML.env_vars." + name.text)).second)
        throw value.error("'{}' is set by 'runtimeEnvYAML' and elsewhere too", printable(name.text));
}

std::string value_here(const Yaml& name) {
  if (const char* here = std::getenv(name.text.c_str())) return here;
  throw name.error("'{}' has no value here, and is not set where this command runs: write a value, or set it",
                   printable(name.text));
}

// "HF_TOKEN: hf_…", "HF_TOKEN:" for the value it has here, or "HF_TOKEN: {secret: hf, key: token}".
void read_secrets(NewJob& job, const Yaml& map) {
  for (const auto& [name, value] : map.as_map("secrets")) {
    const std::string what = "secrets." + name.text;
    NewJobSecret& one = job.secrets[name.text];
    if (job.env.contains(name.text)) throw name.error("'{}' is set elsewhere too", printable(name.text));
    if (value.kind == Yaml::Kind::map) {
      value.allow_only({"secret", "key"}, what);
      const Yaml* secret = value.find("secret");
      if (!secret) throw value.error("'{}' lacks 'secret'", what);
      one.secret = secret->as_text(what + ".secret");
      if (const Yaml* key = value.find("key")) one.key = key->as_text(what + ".key");
    } else {
      one.value = is_null(value) ? value_here(name) : value.as_text(what);
    }
  }
}

int64_t parse_priority(const std::string& text, std::string_view what) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  if (!is_whole || number < -priority_max || number > priority_max)
    throw Error(Errc::invalid, "{} is '{}': expected a whole number from {} to {}", what, printable(text),
                -priority_max, priority_max);
  return number;
}

// "on-timeout", "on-failure[:N]", "always[:N]"
AutoRestart parse_restart(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string word = text.substr(0, colon);
  AutoRestart restart;
  if (word == "on-timeout" && colon == text.npos) restart.on = RestartOn::timeout;
  else if (word == "on-failure") restart.on = RestartOn::failure;
  else if (word == "always") restart.on = RestartOn::any;
  else
    throw Error(Errc::invalid, "'{}' says not when a job is run again: expected on-timeout, on-failure[:N] or "
                "always[:N], with N for how often after failures", printable(text));
  if (colon != text.npos) restart.failures_max = parse_count(text.substr(colon + 1), "how often a job is run again", 1);
  return restart;
}

// "auto_restart: true", or as the command line has it.
void read_restart(NewJob& job, const Yaml& value) {
  const std::string text = value.as_text("auto_restart");
  if (!value.quoted && (text == "false" || text == "no")) return;
  if (!value.quoted && (text == "true" || text == "yes")) job.auto_restart = AutoRestart{RestartOn::timeout};
  else
    job.auto_restart =
        during(fmt::format("reading {}:{}", value.file, value.line), [&] { return parse_restart(text); });
}

Variables read_config(NewJob& job, const Yaml& config) {
  config.allow_only({"name", "command", "timeout", "auto_restart", "priority", "resources", "replicas", "min_available",
                     "config_map", "env",
                     "input_model_data_volume", "input_dataset_data_volume", "output_checkpoints_data_volume",
                     "output_model_data_volume", "volumes", "push_to", "publish_every", "publish_marker", "image",
                     "shared_volume", "dependencies", "runtimeEnvYAML", "secrets"},
                    "a job's file");
  refuse(config, refused_keys, "");
  if (const Yaml* name = config.find("name")) job.name = name->as_text("name");
  if (const Yaml* command = config.find("command")) {
    for (const Yaml& word : command->as_list("command")) job.command.push_back(word.as_text("command"));
    if (job.command.empty()) throw command->error("'command' is an empty list: expected a program and its words");
  }
  if (const Yaml* image = config.find("image")) read_image(job, *image);
  if (const Yaml* timeout = config.find("timeout"))
    job.timeout_seconds = during(fmt::format("reading {}:{}", timeout->file, timeout->line),
                                 [&] { return parse_seconds(timeout->as_text("timeout"), "a timeout"); });
  if (const Yaml* restart = config.find("auto_restart")) read_restart(job, *restart);
  if (const Yaml* priority = config.find("priority"))
    job.priority = during(fmt::format("reading {}:{}", priority->file, priority->line),
                          [&] { return parse_priority(priority->as_text("priority"), "'priority'"); });
  if (const Yaml* resources = config.find("resources")) read_resources(job, *resources);
  for (const FixedVolume& fixed : fixed_volumes)
    if (const Yaml* volume = config.find(fixed.key)) read_volume(job, *volume, fixed);
  if (const Yaml* volumes = config.find("volumes")) read_volumes(job, *volumes);
  if (const Yaml* targets = config.find("push_to")) read_push_targets(job, *targets);
  read_publications(job, config);
  Variables variables;
  for (const std::string_view key : {"config_map", "env"})
    if (const Yaml* map = config.find(key)) variables.read(job, *map, key);
  read_replicas(job, config);
  if (const Yaml* list = config.find("dependencies"); list && !is_null(*list))
    read_list_of_dependencies(job, *list, "dependencies");
  if (const Yaml* env = config.find("runtimeEnvYAML"); env && !is_null(*env)) read_runtime_env(job, *env);
  if (const Yaml* secrets = config.find("secrets"); secrets && !is_null(*secrets)) read_secrets(job, *secrets);
  return variables;
}

void add_env(NewJob& job, const std::string& word) {
  if (word.find('=') != std::string::npos) {
    auto [key, value] = parse_assignment(word, "--env");
    job.env.insert_or_assign(std::move(key), std::move(value));
    return;
  }
  const char* here = std::getenv(word.c_str());
  if (!here) throw Error(Errc::invalid, "--env {} takes the value from here, but '{}' is not set here", word, word);
  job.env.insert_or_assign(word, here);
}

void add_words(NewJob& job, const JobWords& words) {
  if (words.name) job.name = *words.name;
  if (!words.command.empty()) job.command = words.command;
  for (const auto& word : words.attachments) job.attachments.push_back(parse_attachment(word));
  for (const auto& word : words.push_to) {
    const auto [path, target] = parse_assignment(word, "--push-to", "/PATH=CONTAINER@ALIAS/PREFIX");
    set_push_target(job, path, target);
  }
  for (const auto& word : words.env) add_env(job, word);
  for (const auto& word : words.labels) job.labels.insert(parse_assignment(word, "--label"));
  if (words.timeout) job.timeout_seconds = parse_seconds(*words.timeout, "a timeout");
  if (words.publish_every) job.publish_every_seconds = parse_seconds(*words.publish_every, "an interval");
  if (words.publish_marker) job.publish_marker = *words.publish_marker;
  if (words.auto_restart) job.auto_restart = parse_restart(*words.auto_restart);
  if (words.cpus) job.cpus = parse_count(*words.cpus, "--cpu", 1);
  if (words.memory) job.memory_bytes = parse_bytes(*words.memory, "an amount of memory");
  if (words.flavor) job.flavor = *words.flavor;
  if (words.priority) job.priority = parse_priority(*words.priority, "--priority");
  add_container(job, words.container);
}

void check_paths(const NewJob& job) {
  for (size_t i = 0; i < job.attachments.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (job.attachments[i].path == job.attachments[j].path)
        throw Error(Errc::invalid, "'{}' and '{}' are both to stand at '{}': expected two different paths",
                    job.attachments[j].volume, job.attachments[i].volume, job.attachments[i].path);
}

}  // namespace

NewJob read_job(const std::optional<Path>& file, const JobWords& words) {
  NewJob job;
  if (!file) {
    add_words(job, words);
    if (job.command.empty() && !job.image)
      throw Error(Errc::invalid, "there is nothing to run: give -f FILE, an IMAGE, or a command after '--'");
    check_paths(job);
    return job;
  }
  const Yaml config = parse_yaml(read_file(*file, 1 << 20), file->string());
  if (config.kind != Yaml::Kind::map) throw config.error("the file is not a map of keys: expected a job's file");
  const Variables variables = read_config(job, config);
  add_words(job, words);
  for (const auto& [name, value] : variables.empty)
    if (!job.env.contains(name)) job.env.emplace(name, value_here(*value));
  check_paths(job);
  const Path directory = file->has_parent_path() ? file->parent_path() : Path(".");
  job.files = read_work_files(directory, file->filename().string());
  if (!config.find("dependencies") && job.dependencies.empty() && !job.image && is_present(directory / "main.py") &&
      is_present(directory / "requirements.txt"))
    job.dependencies = {"-r requirements.txt"};
  if (job.command.empty()) {
    if (!is_present(directory / "main.py"))
      throw Error(Errc::not_found, "'{}' has no 'command', and there is no main.py beside it to run", file->string());
    job.command = {"python3", "main.py"};
  }
  return job;
}

}  // namespace volary
