// cli/container_words.cc: the options of `volary job run` that need an image.
#include "cli/container_words.h"

#include "cli/reference.h"

namespace volary {

std::vector<CommandField> container_fields(ContainerWords& o) {
  return {{.name = "--image", .target = &o.image_option,
           .help = "run in a container of this image, as IMAGE by its place", .value = "IMAGE"},
          {.name = "--pull", .target = &o.pull, .help = "fetch the image if it is missing, the default, or as told",
           .value = "WHEN", .choices = {"missing", "always", "never"}},
          {.name = "--registry-secret", .target = &o.registry_secret,
           .help = "a secret with username and password, for the image's registry", .value = "NAME",
           .words = Words::secrets},
          {.name = "--entrypoint", .target = &o.entrypoint,
           .help = "instead of the image's; may be given again, a word each", .value = "WORD"},
          {.name = "--user", .target = &o.user, .help = "who the process is; 42420:42420 unless told",
           .value = "UID[:GID]"},
          {.name = "-p,--port", .target = &o.ports,
           .help = "show a port of the container at 127.0.0.1, at any free port unless told; may be given again",
           .value = "[HOST:]PORT"},
          {.name = "-g,--gpu", .target = &o.gpus,
           .help = "how many GPUs it gets, of its own; 1 unless told, where there are any and --cpu is not given",
           .value = "N"},
          {.name = "--read-only", .target = &o.read_only,
           .help = "the image's files cannot be changed; /tmp and volumes can"}};
}

void read_image(NewJob& job, const Yaml& value) {
  if (value.kind != Yaml::Kind::map) {
    job.image = value.as_text("image");
    return;
  }
  value.allow_only({"registry", "name", "tag", "username", "password", "secret"}, "image");
  for (const char* key : {"username", "password"})
    if (const Yaml* word = value.find(key); word && word->kind != Yaml::Kind::nothing && !word->text.empty())
      throw word->error("'image.{}' would be stored and shown with the job: make a secret of username and password "
                        "('volary secret create'), and give its name as 'image.secret'", key);
  const auto text = [&](const char* key) {
    const Yaml* found = value.find(key);
    return found && found->kind != Yaml::Kind::nothing ? found->as_text(std::string("image.") + key) : std::string();
  };
  const std::string registry = text("registry"), name = text("name"), tag = text("tag"), secret = text("secret");
  if (name.empty()) throw value.error("'image' lacks 'name'");
  job.image = (registry.empty() ? "" : registry + "/") + name + (tag.empty() ? "" : ":" + tag);
  if (secret.empty()) return;
  job.container.emplace();
  job.container->registry_secret = secret;
}

void add_container(NewJob& job, const ContainerWords& words) {
  if (words.image && words.image_option)
    throw Error(Errc::invalid, "two images were given, '{}' by its place and '{}' by --image: expected one",
                *words.image, *words.image_option);
  if (words.image_option) job.image = words.image_option;
  if (words.image) job.image = words.image;
  NewContainer container = job.container.value_or(NewContainer{});
  if (words.pull) container.pull = value_named<Pull>(*words.pull, "value of --pull");
  if (words.registry_secret) container.registry_secret = words.registry_secret;
  if (!words.entrypoint.empty()) container.entrypoint = words.entrypoint;
  if (words.user) container.user = words.user;
  if (!words.ports.empty()) container.ports = words.ports;
  if (words.gpus) container.gpus = parse_count(*words.gpus, "--gpu", 0);
  if (words.read_only) container.read_only_root = true;
  if (to_json(container) == to_json(NewContainer{})) return;
  if (!job.image)
    throw Error(Errc::invalid,
                "--pull, --registry-secret, --entrypoint, --user, --port, --gpu and --read-only are for containers: "
                "expected an IMAGE with them");
  job.container = container;
}

}  // namespace volary
