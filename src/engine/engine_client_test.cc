// engine/engine_client_test.cc: what is asked of an engine byte by byte, and what its answers mean.
//
// That real ones understand it is shown by test/e2e/test_containers.py.
#include "engine/engine_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/runs_test.h"
#include "net/scripted_server.h"

namespace volary {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class EngineClientTest : public ::testing::Test {
 protected:
  // Answers the question for its version, then the next one by `status` and `body`.
  EngineClient answered(const std::string& status, const std::string& body) {
    const std::string socket = scratch_.path() / "engine.sock";
    server_.emplace(
        [=, this](Peer& peer, size_t) {
          while (auto request = peer.read_request()) {
            if (request->starts_with("GET /version ")) {
              peer.answer("200 OK", version_);
              continue;
            }
            *asked_.lock() = *request;
            peer.answer(status, body);
          }
        },
        socket);
    return EngineClient("unix://" + socket);
  }
  std::string asked() { return *asked_.lock(); }
  static std::string error_of(const std::function<void()>& work) {
    try {
      work();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  testing::Scratch scratch_;
  std::string version_ = R"({"ApiVersion":"1.41","MinAPIVersion":"1.12","Version":"20.10.24"})";
  Synced<std::string> asked_;
  std::optional<ScriptedServer> server_;
};

TEST_F(EngineClientTest, speaks_the_oldest_version_that_a_newer_engine_still_knows) {
  version_ = R"({"ApiVersion":"1.52","MinAPIVersion":"1.44"})";
  answered("404 Not Found", "{}").find("x");
  EXPECT_THAT(asked(), StartsWith("GET /v1.44/containers/x/json HTTP/1.1"));
}

TEST_F(EngineClientTest, speaks_no_newer_version_than_an_older_engine_knows) {
  version_ = R"({"ApiVersion":"1.40","MinAPIVersion":"1.24"})";
  EXPECT_EQ(answered("404 Not Found", "{}").find("x"), std::nullopt);
  EXPECT_THAT(asked(), StartsWith("GET /v1.40/containers/x/json HTTP/1.1"));
}

TEST_F(EngineClientTest, names_a_version_that_is_none_and_asks_again_for_the_next_request) {
  version_ = R"({"ApiVersion":"1.x","MinAPIVersion":"1.24"})";
  EngineClient client = answered("404 Not Found", "{}");
  EXPECT_EQ(error_of([&] { client.find("x"); }),
            "unavailable: the container engine speaks version '1.x' of its API: expected one such as 1.41");
}

TEST_F(EngineClientTest, asks_for_the_version_again_after_an_answer_that_the_request_is_no_good) {
  EngineClient client = answered("400 Bad Request", R"({"message":"client version 1.41 is too old"})");
  EXPECT_EQ(error_of([&] { client.find("x"); }), "invalid: client version 1.41 is too old");
  server_.reset();
  remove_file(scratch_.path() / "engine.sock");
  version_ = R"({"ApiVersion":"1.52","MinAPIVersion":"1.44"})";
  answered("404 Not Found", "{}");
  EXPECT_EQ(client.find("x"), std::nullopt);
  EXPECT_THAT(asked(), StartsWith("GET /v1.44/containers/x/json HTTP/1.1"));
}

TEST_F(EngineClientTest, tells_an_answer_that_was_cut_short_as_it_is) {
  EngineClient client = answered("500 Oh", R"({"message":"no sp)");
  EXPECT_EQ(error_of([&] { client.find("x"); }), R"(unavailable: {"message":"no sp)");
}

TEST_F(EngineClientTest, reads_how_a_container_is) {
  const auto state = answered("200 OK", R"({"Id":"abc","State":{"Status":"exited","Running":false,"Paused":false,
    "OOMKilled":true,"Pid":0,"ExitCode":137,"Error":"","StartedAt":"2026-11-21T16:00:00.5+01:00",
    "FinishedAt":"2026-11-21T15:00:01.25Z"},
    "NetworkSettings":{"Ports":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"}],"9/tcp":null}}})").find("x");
  ASSERT_TRUE(state);
  EXPECT_FALSE(state->is_running);
  EXPECT_TRUE(state->is_out_of_memory);
  EXPECT_EQ(state->exit_code, 137);
  EXPECT_EQ(to_text(*state->started_at), "2026-11-21T15:00:00.500000Z");
  EXPECT_EQ(to_text(*state->ended_at), "2026-11-21T15:00:01.250000Z");
  EXPECT_THAT(state->ports, ::testing::ElementsAre("8080 at 127.0.0.1:32768"));
}

TEST_F(EngineClientTest, knows_a_container_that_never_ran) {
  const auto state = answered("200 OK", R"({"Id":"a","State":{"Status":"created","StartedAt":"0001-01-01T00:00:00Z"}})")
                         .find("x");
  ASSERT_TRUE(state);
  EXPECT_FALSE(state->is_running);
  EXPECT_EQ(state->started_at, std::nullopt);
}

TEST_F(EngineClientTest, fetches_by_repository_and_version_with_credentials_in_their_own_header) {
  std::vector<std::string> told;
  answered("200 OK", R"({"status":"Pulling from a/b","id":"1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"l1"}
{"status":"Downloading","progressDetail":{"current":1048576,"total":4194304},"id":"l1"}
{"status":"Already exists","id":"l2"}
{"status":"Pull complete","id":"l1"})")
      .pull(parse_image_name("127.0.0.1:5055/a/b:1"), "Y3JlZA==", {}, [&](const std::string& line) {
        told.push_back(line);
      });
  EXPECT_THAT(asked(), StartsWith("POST /v1.41/images/create?fromImage=127.0.0.1%3A5055%2Fa%2Fb&tag=1 HTTP/1.1"));
  EXPECT_THAT(asked(), HasSubstr("X-Registry-Auth: Y3JlZA==\r\n"));
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told[1], "fetches the image 127.0.0.1:5055/a/b:1: 0 of 1 layers, 1.00 MiB of 4.00 MiB");
  EXPECT_EQ(told.back(), "fetches the image 127.0.0.1:5055/a/b:1: 2 of 2 layers, 1.00 MiB of 4.00 MiB");
}

TEST_F(EngineClientTest, says_why_an_image_cannot_be_had_by_status_or_in_the_middle) {
  const ImageName image = parse_image_name("a/b:1");
  EngineClient refusing = answered("404 Not Found", R"({"message":"pull access denied for a/b"})");
  EXPECT_EQ(error_of([&] { refusing.pull(image, "", {}, [](const auto&) {}); }),
            "invalid: the image a/b:1 cannot be had: pull access denied for a/b");
  server_.reset();
  remove_file(scratch_.path() / "engine.sock");
  EngineClient breaking = answered("200 OK", "{\"status\":\"x\",\"id\":\"l\"}\n{\"error\":\"unexpected EOF\"}\n");
  EXPECT_EQ(error_of([&] { breaking.pull(image, "", {}, [](const auto&) {}); }),
            "invalid: the image a/b:1 cannot be had: unexpected EOF");
}

TEST_F(EngineClientTest, takes_what_is_done_already_for_success_and_tells_the_engines_words_of_the_rest) {
  EXPECT_EQ(error_of([&] { answered("304 Not Modified", "").start("x"); }), "");
  server_.reset();
  remove_file(scratch_.path() / "engine.sock");
  EngineClient ended = answered("409 Conflict", R"({"message":"is not running"})");
  EXPECT_EQ(error_of([&] { ended.kill("x", "SIGTERM"); }), "");
  EXPECT_THAT(asked(), StartsWith("POST /v1.41/containers/x/kill?signal=SIGTERM HTTP/1.1"));
  server_.reset();
  remove_file(scratch_.path() / "engine.sock");
  EngineClient full = answered("500 Oh", R"({"cause":"c","message":"no space left","response":500})");
  EXPECT_EQ(error_of([&] { full.remove("x"); }), "unavailable: no space left");
}

TEST_F(EngineClientTest, asks_for_gpus_in_the_way_that_the_engine_has) {
  const auto asked_with = [&](const std::string& facts, const std::vector<uint64_t>& wanted) {
    server_.reset();
    remove_file(scratch_.path() / "engine.sock");
    EngineClient client = answered("200 OK", facts);
    std::string body;
    const std::string error = error_of([&] { body = print_json(client.gpu_requests(wanted)); });
    return error + body;
  };
  EXPECT_EQ(asked_with(R"({"Runtimes":{"runc":{"path":"runc"},"nvidia":{"path":"x"}}})", {1, 3}),
            R"([{"Driver":"","DeviceIDs":["1","3"],"Capabilities":[["gpu"]]}])");
  const std::string devices = R"({"DiscoveredDevices":[{"Source":"cdi","ID":"nvidia.com/gpu=all"},)"
                              R"({"Source":"cdi","ID":"nvidia.com/gpu=0"},{"Source":"cdi","ID":"nvidia.com/gpu=1"}]})";
  EXPECT_EQ(asked_with(devices, {1}), R"([{"Driver":"cdi","DeviceIDs":["nvidia.com/gpu=1"]}])");
  EXPECT_THAT(asked_with(devices, {0, 2}),
              HasSubstr("unavailable: GPU 2 was given to the job, and the container engine at unix:"));
  EXPECT_THAT(asked_with("{}", {0}),
              HasSubstr(" does not have it: expected NVIDIA's runtime, or a CDI device nvidia.com/gpu=0"));
  server_.reset();
  remove_file(scratch_.path() / "engine.sock");
  EXPECT_EQ(answered("200 OK", devices).gpus(), (std::vector<uint64_t>{0, 1}));
}

TEST(EngineAddress, is_a_unix_socket) {
  EXPECT_EQ(socket_of_engine("unix:///run/x.sock"), "/run/x.sock");
  EXPECT_THROW(socket_of_engine("tcp://127.0.0.1:2375"), Error);
  EXPECT_THROW(socket_of_engine("unix://run/x.sock"), Error);
  EXPECT_EQ(find_engine("unix:///run/x.sock"), "unix:///run/x.sock");
}

TEST(RegistryCredentials, are_base64_of_json_that_a_header_may_hold) {
  EXPECT_EQ(registry_credentials("u", "p?~", "r.io"),
            "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InA_fiIsInNlcnZlcmFkZHJlc3MiOiJyLmlvIn0=");
}

}  // namespace
}  // namespace volary
