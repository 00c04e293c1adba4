// cli/local_server_test.cc: this machine's own server, started by the command that needs it.
#include "cli/local_server.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"
#include "cli/program_test.h"
#include "core/workers.h"

namespace volary {
namespace {

class OwnServer : public testing::Test {
 protected:
  ~OwnServer() override {
    if (const auto process = listening_process(scratch_.path("data/volary.sock"))) end_process(*process, 10);
  }
  Scratch scratch_;
};

TEST_F(OwnServer, IsStartedByTheFirstCommandAndUsedByTheNext) {
  const Ran first = run_volary(scratch_, {"volume", "ls", "-o", "json"});
  EXPECT_EQ(first.out, "[]\n") << first.err;
  EXPECT_EQ(first.code, 0);
  EXPECT_EQ(run_volary(scratch_, {"volume", "ls", "-o", "json"}).code, 0);
  EXPECT_EQ(read_file(scratch_.path("data/starts")), "started\n");
}

TEST_F(OwnServer, IsStartedOnceByCommandsThatComeTogether) {
  for_each_index(8, 8, [&](size_t) { EXPECT_EQ(run_volary(scratch_, {"volume", "ls"}).code, 0); });
  EXPECT_EQ(read_file(scratch_.path("data/starts")), "started\n");
}

TEST_F(OwnServer, SaysItsLastWordsWhenItCannotStart) {
  scratch_.write("data/refuse", "");
  const Ran ran = run_volary(scratch_, {"volume", "ls"});
  EXPECT_EQ(ran.code, 8);
  EXPECT_NE(ran.err.find("ended at once; its last words:\nvolary: corrupt: the database of '"), std::string::npos)
      << ran.err;
}

TEST_F(OwnServer, IsStoppedByName) {
  EXPECT_EQ(run_volary(scratch_, {"server", "status"}).code, 8);
  EXPECT_FALSE(is_present(scratch_.path("data")));
  ASSERT_EQ(run_volary(scratch_, {"volume", "ls"}).code, 0);
  const Ran stop = run_volary(scratch_, {"server", "stop"});
  EXPECT_EQ(stop.code, 0) << stop.err;
  EXPECT_TRUE(stop.err.starts_with("stopped process ")) << stop.err;
  EXPECT_EQ(listening_process(scratch_.path("data/volary.sock")), std::nullopt);
  EXPECT_NE(run_volary(scratch_, {"server", "stop"}).err.find("nothing to stop"), std::string::npos);
}

TEST_F(OwnServer, ComesBackAfterItWasKilled) {
  ASSERT_EQ(run_volary(scratch_, {"volume", "ls"}).code, 0);
  const auto process = listening_process(scratch_.path("data/volary.sock"));
  ASSERT_TRUE(process);
  ::kill(*process, SIGKILL);
  end_process(*process, 10);
  EXPECT_EQ(run_volary(scratch_, {"volume", "ls"}).code, 0);
}

TEST_F(OwnServer, SaysHowToGetALostTokenBack) {
  ASSERT_EQ(run_volary(scratch_, {"volume", "ls"}).code, 0);
  remove_file(scratch_.path("data/admin.token"));
  const Ran ran = run_volary(scratch_, {"volume", "ls"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("is gone: end the server with 'volary server stop'"), std::string::npos) << ran.err;
}

TEST(SocketPath, MustBeShortEnoughForTheKernel) {
  const std::string error =
      error_of([] { endpoint_of({.data_directory = "/" + std::string(120, 'x'), .program = ""}); });
  EXPECT_NE(error.find("is too long for a socket"), std::string::npos) << error;
}

}  // namespace
}  // namespace volary
