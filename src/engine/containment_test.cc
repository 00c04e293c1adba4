// engine/containment_test.cc: a container's life against an engine that answers as the test wants.
//
// That real engines answer so is shown by test/e2e/test_containers.py.
#include "engine/containment.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/synced.h"
#include "engine/runs_test.h"
#include "net/scripted_server.h"

namespace volary {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string frame(const std::string& payload) {
  std::string bytes = {1, 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift & 255);
  return bytes + payload;
}

// One container that ends as soon as it is started.
class ContainmentTest : public ::testing::Test {
 protected:
  struct Engine {
    std::vector<std::string> asked;  // "GET /containers/NAME/json"
    // The next answer to a request that begins so: its status, and in the next line its body.
    std::vector<std::pair<std::string, std::string>> wrong;
    bool exists = false;
    bool was_started = false;
    int exit_code = 0;
    std::string log;
  };

  ContainmentTest() {
    make_directory(run_.path(), 0700);
    if (::mkfifo(run_.file("control").c_str(), 0600) < 0) ::abort();
    control_ = Fd(::open(run_.file("control").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    spec_.name = "one";
    spec_.command = {"work"};
    spec_.container.emplace();
    spec_.container->engine = "unix://" + (scratch_.path() / "engine.sock").native();
    spec_.container->image = "a/b:1";
  }

  void answer(Peer& peer, const std::string& request) {
    auto engine = engine_.lock();
    std::string line = request.substr(0, request.find(" HTTP/"));
    if (const size_t version = line.find("/v1.41"); version != line.npos) line.erase(version, 6);
    engine->asked.push_back(line);
    for (auto one = engine->wrong.begin(); one != engine->wrong.end(); ++one) {
      if (!line.starts_with(one->first)) continue;
      const std::string status = one->second.substr(0, one->second.find('\n'));
      const std::string body = one->second.substr(status.size() + 1);
      engine->wrong.erase(one);
      peer.answer(status, body);
      return;
    }
    if (line == "GET /version") peer.answer("200 OK", R"({"ApiVersion":"1.41","MinAPIVersion":"1.12"})");
    else if (line.starts_with("GET /images/")) peer.answer("200 OK", "{}");
    else if (line.starts_with("POST /containers/create")) {
      peer.answer(engine->exists ? "409 Conflict" : "201 Created", "{}");
      engine->exists = true;
    } else if (line.ends_with("/start")) {
      engine->was_started = true;
      peer.answer("204 No Content", "");
    } else if (line.find("/logs?") != line.npos) {
      if (on_logs_) on_logs_();
      peer.answer("200 OK", engine->log);
    } else if (line.starts_with("DELETE ")) {
      engine->exists = false;
      peer.answer("204 No Content", "");
    } else if (!engine->exists) peer.answer("404 Not Found", "{}");
    else peer.answer("200 OK", state(*engine));
  }
  static std::string state(const Engine& engine) {
    if (!engine.was_started) return R"({"Id":"a","State":{"Status":"created","StartedAt":"0001-01-01T00:00:00Z"}})";
    return fmt::format(R"({{"Id":"a","State":{{"Status":"exited","ExitCode":{},"StartedAt":"2026-11-21T12:00:00Z"}}}})",
                       engine.exit_code);
  }

  std::optional<RunOutcome> complete() {
    if (!server_)
      server_.emplace([this](Peer& peer, size_t) {
        while (auto request = peer.read_request()) answer(peer, *request);
      }, scratch_.path() / "engine.sock");
    ReservedFile started(run_.path(), "started"), ending(run_.path(), "ending.json");
    return Containment(run_, spec_, control_, started, ending, {}).run([](const Path&) {});
  }
  std::vector<std::string> asked() { return engine_.lock()->asked; }

  testing::Scratch scratch_;
  RunDirectory run_{scratch_.path() / "run"};
  RunSpec spec_;
  Fd control_;
  Synced<Engine> engine_;
  std::function<void()> on_logs_;  // Before it answers.
  std::optional<ScriptedServer> server_;
};

TEST_F(ContainmentTest, goes_from_the_image_to_the_removal) {
  engine_.lock()->exit_code = 3;
  engine_.lock()->log = frame("2026-11-21T12:00:00Z hello\n");
  const auto outcome = complete();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->exit_code, 3);
  EXPECT_EQ(outcome->error, "");
  EXPECT_EQ(read_file(run_.file("log")), "2026-11-21T12:00:00.000000Z hello\n");
  EXPECT_THAT(asked().back(), StartsWith("DELETE /containers/volary-one"));
}

TEST_F(ContainmentTest, asks_again_when_the_engine_answers_nonsense_about_a_container_that_there_is) {
  engine_.lock()->wrong = {{"GET /containers/volary-one/json", "500 Oh\n{\"message\":\"cut"},
                           {"GET /containers/volary-one/json", "200 OK\n{\"State\":"}};
  const auto outcome = complete();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->exit_code, 0);
  EXPECT_TRUE(engine_.lock()->wrong.empty());
}

TEST_F(ContainmentTest, goes_on_with_the_container_that_one_before_had_asked_for) {
  engine_.lock()->wrong = {{"POST /containers/create", "409 Conflict\n{}"}};  // Being made, not to be found yet.
  const auto outcome = complete();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->exit_code, 0) << outcome->error;
  EXPECT_TRUE(engine_.lock()->wrong.empty());
}

TEST_F(ContainmentTest, leaves_no_container_behind_when_it_cannot_go_on) {
  make_directory(run_.file("created"));  // So that it cannot be written.
  EXPECT_THROW(complete(), Error);
  EXPECT_FALSE(engine_.lock()->exists);
  EXPECT_FALSE(engine_.lock()->was_started);
}

TEST_F(ContainmentTest, keeps_the_registrys_password_until_the_container_is_made) {
  write_file_durably(run_.file("credentials"), "secret", 0600);
  engine_.lock()->wrong = {{"POST /images/create", "200 OK\n{\"status\":\"x\"}"},
                           {"POST /containers/create", "500 Oh\n{\"message\":\"no space left\"}"}};
  const auto outcome = complete();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error, "no space left");
  EXPECT_FALSE(is_present(run_.file("credentials")));
}

TEST_F(ContainmentTest, writes_a_last_line_without_its_end_as_soon_as_the_disk_takes_it) {
  if (::mount("tmpfs", run_.path().c_str(), "tmpfs", 0, "size=64k") < 0) GTEST_SKIP() << "no right to mount";
  const Path filler = run_.file("filler");
  engine_.lock()->log = frame("2026-11-21T12:00:00Z half a line");
  // Not while it runs, when other files come and go beside it.
  engine_.lock()->wrong = {{"GET /containers/volary-one/logs?", "500 Oh\n{}"}};
  on_logs_ = [&, readings = 0]() mutable {
    if (++readings == 2) remove_file(filler);
    if (readings > 1) return;
    const Fd fd = create_file(filler);
    const std::string page(4096, 'x');
    while (::write(fd.get(), page.data(), page.size()) > 0) {
    }
  };
  const auto outcome = complete();
  const auto log = try_read_file(run_.file("log"));
  const bool was_refused = !is_present(filler);
  ::umount2(run_.path().c_str(), MNT_DETACH);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(log, "2026-11-21T12:00:00.000000Z half a line\n");
  EXPECT_TRUE(was_refused);
}

TEST_F(ContainmentTest, goes_on_after_its_last_line_where_the_engine_has_begun_its_log_anew) {
  const std::string known =
      "2026-11-21T12:00:00.000000Z " + std::string(1000, 'x') + "\n2026-11-21T12:00:05.000000Z old\n";
  write_file_durably(run_.file("log"), known + "2026-11-21T12:00:06.0");  // Cut by a full disk.
  engine_.lock()->log = frame("2026-11-21T12:00:05Z old\n") + frame("2026-11-21T12:00:06Z new\n");
  ASSERT_TRUE(complete());
  EXPECT_EQ(read_file(run_.file("log")),
            known + "2026-11-21T12:00:06.0\n2026-11-21T12:00:05.000000Z [volary: the engine dropped part of the log]\n"
                    "2026-11-21T12:00:06.000000Z new\n");
}

TEST_F(ContainmentTest, forgets_the_registrys_password_when_no_supervisor_comes_up) {
  spec_.container->credentials = "secret";
  try {
    make_runner("/bin/false")->start(run_.path(), spec_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "unavailable: the supervisor of run 'one' did not come up: ");
  }
  EXPECT_FALSE(is_present(run_.file("credentials")));
}

TEST_F(ContainmentTest, does_not_take_a_line_of_the_process_for_one_of_its_init) {
  engine_.lock()->exit_code = 9;
  engine_.lock()->log = frame("2026-11-21T12:00:00Z [FATAL tini (7)] exec work failed: No such file or directory\n");
  EXPECT_EQ(complete()->exit_code, 9);
}

TEST_F(ContainmentTest, tells_what_init_said_though_it_be_no_text) {
  engine_.lock()->exit_code = 127;
  engine_.lock()->log = frame("2026-11-21T12:00:00Z [FATAL tini (7)] exec w\xff failed: No such file or directory\n");
  const auto outcome = complete();
  EXPECT_EQ(outcome->exit_code, 127);
  EXPECT_EQ(outcome->error, "the command 'work' was not found in the image: [FATAL tini (7)] exec w\\xff failed: "
                            "No such file or directory");
}

}  // namespace
}  // namespace volary
