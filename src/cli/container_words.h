// cli/container_words.h: what the command line says of a job's container.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/yaml.h"
#include "record/job.h"

namespace volary {

struct ContainerWords {
  std::optional<std::string> image;  // By its place.
  std::optional<std::string> image_option;
  std::optional<std::string> pull;
  std::optional<std::string> registry_secret;
  std::vector<std::string> entrypoint;
  std::optional<std::string> user;
  std::vector<std::string> ports;
  std::optional<std::string> gpus;
  bool read_only = false;
};

// The options; the image's place is the command's own.
std::vector<CommandField> container_fields(ContainerWords& words);

// 'image' of a job's file: a name, or a map of registry, name and tag, with our own key 'secret'.
void read_image(NewJob& job, const Yaml& value);

// Throws `invalid` for what needs an image, where there is none.
void add_container(NewJob& job, const ContainerWords& words);

}  // namespace volary
