// job/request_test.cc: what a job may not ask for, in words.
#include "job/request.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"

namespace volary {
namespace {

std::string error_of(const NewJob& request) {
  try {
    check_request(request);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

NewJob sound() {
  NewJob job;
  job.command = {"true"};
  return job;
}

TEST(a_request, that_is_sound_is_accepted) { EXPECT_EQ(error_of(sound()), ""); }

TEST(a_request, needs_a_command) {
  EXPECT_EQ(error_of(NewJob{}), "invalid: the job has no command: expected a program and its arguments");
}

TEST(a_request, keeps_volumes_out_of_the_systems_places_and_each_other) {
  const auto with = [](std::vector<std::string> paths) {
    NewJob job = sound();
    for (const auto& path : paths) job.attachments.push_back({"v", path, AttachAccess::ro});
    return error_of(job);
  };
  EXPECT_EQ(with({"/data", "/data2", "/workspace/in"}), "");
  EXPECT_EQ(with({"/usr/share"}), "invalid: '/usr/share' is no place for a volume: '/usr' belongs to the system");
  EXPECT_EQ(with({"data"}), "invalid: 'data' is no place for a volume: expected an absolute path such as /data");
  EXPECT_EQ(with({"/a/../b"}), "invalid: 'a/../b' cannot name a file in a volume: '..' is not a name here");
  EXPECT_EQ(with({"/a", "/a/b"}),
            "invalid: '/a' and '/a/b' cannot both hold a volume: expected places outside each other");
}

TEST(a_request, with_dependencies_keeps_volumes_out_of_where_pip_works) {
  const auto with = [](const char* path, std::vector<std::string> dependencies) {
    NewJob job = sound();
    job.attachments.push_back({"v", path, AttachAccess::ro});
    job.dependencies = std::move(dependencies);
    return error_of(job);
  };
  for (const char* path : {"/pip-cache", "/pip-cache/v", "/workspace/.dependencies", "/workspace/.dependencies/bin"}) {
    EXPECT_EQ(with(path, {}), "");
    const std::string error = with(path, {"torch"});
    EXPECT_TRUE(error.starts_with("invalid: '" + std::string(path) + "' is no place for a volume: ")) << error;
    EXPECT_TRUE(error.ends_with(" holds what pip installs for the job")) << error;
  }
  EXPECT_EQ(with("/pip-cache2", {"torch"}), "");
}

TEST(a_request, asks_for_enough_and_within_the_priorities) {
  NewJob job = sound();
  job.memory_bytes = 1 << 20;
  EXPECT_EQ(error_of(job), "invalid: 1.00 MiB of memory were asked for: expected at least 4.00 MiB");
  job = sound();
  job.cpus = 0;
  EXPECT_EQ(error_of(job), "invalid: 0 cpus were asked for: expected at least 1");
  job = sound();
  job.priority = -100;
  EXPECT_EQ(error_of(job), "");
  job.priority = 101;
  EXPECT_EQ(error_of(job), "invalid: a priority of 101 was asked for: expected -100 to 100");
}

TEST(a_request, for_a_container_needs_no_command_but_an_image_by_its_name) {
  NewJob job;
  job.image = "python:3.12";
  EXPECT_EQ(error_of(job), "");
  job.image = "Python";
  EXPECT_EQ(error_of(job),
            "invalid: 'Python' is no name of an image: expected one such as python:3.12, "
            "registry.example.org/team/train:1 or NAME@sha256:DIGEST, in lower case");
  job = sound();
  job.container.emplace();
  EXPECT_EQ(error_of(job), "invalid: a container was asked for without an image: expected 'image' too");
}

TEST(a_request, for_a_container_names_what_is_wrong_with_it) {
  const auto with = [](const NewContainer& container, AttachAccess access = AttachAccess::ro) {
    NewJob job = sound();
    job.image = "python:3.12";
    job.container = container;
    job.attachments.push_back({"v", "/data", access});
    return error_of(job);
  };
  NewContainer container;
  container.user = "1000:1000";
  EXPECT_EQ(with(container), "");
  EXPECT_EQ(with(container, AttachAccess::rw),
            "invalid: user 1000:1000 could not write volume 'v': files of volumes belong to 42420; expected no other "
            "user, or the volume read-only");
  container.user = "42420:0";
  EXPECT_EQ(with(container, AttachAccess::rwd), "");
  for (const char* user : {"root", "1000:", ":1", "-1", "1:2:3", "4294967295", ""}) {
    container.user = user;
    EXPECT_EQ(with(container), "invalid: '" + std::string(user) +
                                   "' is no user of a container: expected UID or UID:GID, such as 1000:1000");
  }
  container = {};
  container.ports = {"8080", "80:8080"};
  EXPECT_EQ(with(container), "");
  container.ports = {"80:8080", "080:9090"};
  EXPECT_EQ(with(container), "invalid: port 80 of the host was asked for twice: expected it once");
  for (const char* port : {"0", "http", "80:", "1:2:3", "65536", "127.0.0.1:80:80"}) {
    container.ports = {port};
    EXPECT_EQ(with(container),
              "invalid: '" + std::string(port) +
                  "' is no port of a container: expected PORT or HOST_PORT:PORT, such as 8080 or 80:8080");
  }
  container = {};
  container.pull = Pull::never;
  container.registry_secret = "s";
  EXPECT_EQ(with(container),
            "invalid: a secret for the registry was given, but nothing is to be fetched: expected one of both");
}

TEST(a_request, names_what_is_wrong_with_its_environment) {
  NewJob job = sound();
  job.env["2x"] = "1";
  EXPECT_EQ(error_of(job),
            "invalid: '2x' cannot name an environment variable: expected letters, digits and '_'");
}

TEST(base64, is_read_with_its_padding_and_nothing_else) {
  EXPECT_EQ(decode_base64("", "x"), "");
  EXPECT_EQ(decode_base64("aGVsbG8=", "x"), "hello");
  EXPECT_EQ(decode_base64("aGk=", "x"), "hi");
  for (const char* text : {"a", "aGk", "a===", "aGk=aGk=", "aG k", "=AAA"})
    EXPECT_THROW(decode_base64(text, "x"), Error) << text;
}

RC_GTEST_PROP(base64, gives_back_what_was_encoded, (const std::string& bytes)) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t size = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < size; ++k)
      group |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + k])) << (16 - 8 * k);
    for (size_t k = 0; k < 4; ++k) text += k <= size ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  RC_ASSERT(decode_base64(text, "x") == bytes);
}

}  // namespace
}  // namespace volary
