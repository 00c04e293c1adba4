// cli/settings.cc: five places, one order.
#include "cli/settings.h"

#include <array>
#include <cstdlib>

#include <unistd.h>

#include "cli/yaml.h"

namespace volary {
namespace {

enum class Place { flag, variable, project, user, system };

// What one place says.
struct Layer {
  Place place{};
  std::string name = {};  // For messages: "--server", the path of a file.
  std::optional<std::string> server = {};
  std::optional<std::string> token = {};
  std::optional<std::string> token_file = {};
  std::optional<std::string> data_directory = {};
  std::optional<std::string> project = {};
  std::optional<std::string> output = {};
};

std::optional<std::string> text_at(const Yaml& file, std::string_view key) {
  const Yaml* value = file.find(key);
  return value ? std::optional(value->as_text(key)) : std::nullopt;
}

// Paths in a file count from the file's own directory.
std::optional<std::string> path_at(const Yaml& file, std::string_view key, const Path& directory) {
  const auto text = text_at(file, key);
  return text ? std::optional((directory / *text).lexically_normal().string()) : std::nullopt;
}

std::optional<Layer> read_layer(Place place, const Path& path) {
  const auto text = try_read_file(path, 1 << 20);
  if (!text) return std::nullopt;
  const Yaml file = parse_yaml(*text, path.string());
  Layer layer{.place = place, .name = path.string()};
  if (file.kind == Yaml::Kind::nothing) return layer;
  file.allow_only({"server", "token_file", "data_dir", "project", "output"}, "the settings");
  layer.server = text_at(file, "server");
  layer.token_file = path_at(file, "token_file", path.parent_path());
  layer.data_directory = path_at(file, "data_dir", path.parent_path());
  layer.project = text_at(file, "project");
  layer.output = text_at(file, "output");
  if (place != Place::project) return layer;
  if (layer.data_directory)
    throw file.find("data_dir")->error(
        "'data_dir' may not stand in a project's file, whose writer would choose what runs here: "
        "give --data-dir or VOLARY_DATA_DIR");
  if (layer.token_file) {
    const std::string beside = Path(*layer.token_file).lexically_relative(path.parent_path()).string();
    if (beside.starts_with("..") || beside.starts_with("/"))
      throw file.find("token_file")
          ->error("'token_file' in a project's file must name a file beside it or below, not '{}'", *layer.token_file);
  }
  return layer;
}

std::vector<Layer> all_layers(const GlobalFlags& flags, const Surroundings& around) {
  std::vector<Layer> layers;
  layers.push_back({.place = Place::flag, .name = "the command line", .server = flags.server,
                    .token = {}, .token_file = flags.token_file, .data_directory = flags.data_directory,
                    .project = flags.project, .output = flags.output});
  layers.push_back({.place = Place::variable, .name = "the environment", .server = around.variable("VOLARY_SERVER"),
                    .token = around.variable("VOLARY_TOKEN"), .token_file = around.variable("VOLARY_TOKEN_FILE"),
                    .data_directory = around.variable("VOLARY_DATA_DIR"), .project = around.variable("VOLARY_PROJECT"),
                    .output = around.variable("VOLARY_OUTPUT")});
  if (auto layer = read_layer(Place::project, around.working_directory / ".volary.yaml")) layers.push_back(*layer);
  const auto config = around.variable("XDG_CONFIG_HOME");
  const auto home = around.variable("HOME");
  if (config || home)
    if (auto layer = read_layer(Place::user, config ? Path(*config) / "volary/config.yaml"
                                                    : Path(*home) / ".config/volary/config.yaml"))
      layers.push_back(*layer);
  if (auto layer = read_layer(Place::system, around.system_file)) layers.push_back(*layer);
  return layers;
}

const Layer* first_with(const std::vector<Layer>& layers, std::optional<std::string> Layer::* member) {
  for (const Layer& layer : layers)
    if (layer.*member) return &layer;
  return nullptr;
}

Path default_data_directory(const Surroundings& around) {
  if (around.is_root) return "/var/lib/volary";
  if (const auto data = around.variable("XDG_DATA_HOME")) return Path(*data) / "volary";
  if (const auto home = around.variable("HOME")) return Path(*home) / ".local/share/volary";
  throw Error(Errc::invalid, "no place for this user's volumes: HOME is not set; give --data-dir or VOLARY_DATA_DIR");
}

// A token goes only where its own place, or somebody who may know, sends it.
void choose_token(Settings& settings, const std::vector<Layer>& layers, const Layer* server) {
  const bool from_project = server && server->place == Place::project;
  for (const Layer& layer : layers) {
    const bool fits = layer.place == Place::flag || (layer.place == Place::project) == from_project;
    if (!fits || (!layer.token && !layer.token_file)) continue;
    settings.token = layer.token;
    if (layer.token_file && !layer.token) settings.token_file = *layer.token_file;
    return;
  }
  if (from_project)
    throw Error(
        Errc::denied,
        "'{}' names the server {} but no token for it, and it gets none from elsewhere: put 'token_file' beside "
        "'server', or give --token-file",
        server->name, *server->server);
}

}  // namespace

Surroundings real_surroundings() {
  return {.variable =
              [](const std::string& name) {
                const char* value = std::getenv(name.c_str());
                return value && *value ? std::optional<std::string>(value) : std::nullopt;
              },
          .working_directory = std::filesystem::current_path(),
          .is_root = ::geteuid() == 0};
}

Settings load_settings(const GlobalFlags& flags, const Surroundings& around) {
  const std::vector<Layer> layers = all_layers(flags, around);
  Settings settings;
  const Layer* server = first_with(layers, &Layer::server);
  // Who names a data directory on the command line means this machine's server, whatever a file says.
  if (server && server->place != Place::flag && flags.data_directory) server = nullptr;
  if (server) {
    settings.server = *server->server;
    choose_token(settings, layers, server);
  }
  const Layer* data = first_with(layers, &Layer::data_directory);
  const Path directory = data ? Path(*data->data_directory) : default_data_directory(around);
  settings.data_directory = (around.working_directory / directory).lexically_normal();
  if (const Layer* project = first_with(layers, &Layer::project)) settings.project = *project->project;
  if (const Layer* output = first_with(layers, &Layer::output))
    during("reading the settings of " + output->name,
           [&] { settings.format = value_named<Format>(*output->output, "output format"); });
  return settings;
}

}  // namespace volary
