// cli/job_config.h: a job as a file: OICM's config.yaml, read strictly.
//
// OICM's keys keep their meaning: four data volumes at fixed paths under /data-volumes, resources, replicas,
// dependencies, secrets, config_map and env; main.py beside the file is the entry point, requirements.txt beside it
// what is installed. Our own keys are name, command, timeout, auto_restart, priority, resources.flavor, volumes (a
// list of what -v says), push_to, publish_every and publish_marker. A key that this engine cannot honour is refused
// with its line and the reason, never accepted and ignored.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/container_words.h"
#include "cli/yaml.h"
#include "core/file.h"
#include "record/job.h"

namespace volary {

// What the command line adds to the file, or says instead of it.
struct JobWords {
  std::optional<std::string> name;
  std::vector<std::string> command;
  std::vector<std::string> attachments;  // As of record/attach.h.
  std::vector<std::string> push_to;      // "/PATH=TARGET"
  std::vector<std::string> env;          // "KEY=VALUE", or "KEY": the value it has here.
  std::vector<std::string> labels;       // "KEY=VALUE"
  std::optional<std::string> timeout;
  std::optional<std::string> cpus;
  std::optional<std::string> memory;
  std::optional<std::string> flavor;
  std::optional<std::string> priority;  // "-5"
  std::optional<std::string> publish_every;
  std::optional<std::string> publish_marker;
  std::optional<std::string> auto_restart;  // "on-timeout", "on-failure[:N]", "always[:N]"
  ContainerWords container;
};

// The job that `file` (none: only the words) and `words` describe, with the files beside `file`.
NewJob read_job(const std::optional<Path>& file, const JobWords& words);

}  // namespace volary
