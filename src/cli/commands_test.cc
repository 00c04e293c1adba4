// cli/commands_test.cc: whole commands as processes, against an API with set answers: output, exit codes, Ctrl-C.
#include <chrono>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include "cli/program_test.h"
#include "record/job.h"
#include "record/token.h"
#include "record/transfer.h"
#include "record/volume.h"

namespace volary {
namespace {

class CommandsOn : public testing::Test {
 protected:
  Ran volary(std::vector<std::string> words, const std::string& input = "", Variables more = {}) {
    more.insert({{"VOLARY_SERVER", api_.url()}, {"VOLARY_TOKEN", "t"}});
    return run_volary(scratch_, std::move(words), std::move(more), input);
  }

  static std::string volume_json(uint64_t head) {
    Volume volume;
    volume.id = "vol-1";
    volume.name = "digits";
    volume.data_type = DataType::dataset;
    volume.quota_bytes = 1 << 30;
    volume.used_bytes = 1536;
    volume.head = head;
    volume.tags = {"a", "b"};
    return print_json(to_json(volume));
  }

  static std::string transfer_json(TransferState state, uint64_t version, const std::string& error = "") {
    Transfer transfer;
    transfer.id = "xfer-1";
    transfer.volume = "digits";
    transfer.datastore = "mine";
    transfer.source_directory = "data";
    transfer.state = state;
    transfer.version = version;
    transfer.error = error;
    transfer.counts = {.total = 4, .completed = 3, .skipped = 1, .bytes_total = 2048, .bytes_done = 2048};
    return print_json(to_json(transfer));
  }

  static std::string job_json(std::vector<JobState> states, std::optional<int64_t> exit_code = {}) {
    Job job;
    job.id = "job-1";
    job.name = "train";
    job.state = states.back();
    job.exit_code = exit_code;
    for (const JobState state : states)
      job.history.push_back({.state = state, .date = parse_time("2026-11-20T21:34:05Z"), .reason = ""});
    if (is_terminal(job.state)) {
      job.history.back().reason = "because";
      job.attachments = {{.volume = "m", .path = "/m", .access = AttachAccess::rw, .version = 1, .result = 2}};
    }
    return print_json(to_json(job));
  }

  void on_job(JobState end, std::optional<int64_t> exit_code) {
    api_.on("POST /api/v1/jobs", 202, job_json({JobState::QUEUED}));
    api_.on("GET /api/v1/jobs/job-1", 200, job_json({JobState::QUEUED}));
    api_.on("GET /api/v1/jobs/job-1/log", [](const Request&) {
      return stream_response("text/plain",
                             {"2026-11-20T22:54:08.315117Z hello\n2026-", "11-20T22:54:08.315117Z end\n"});
    });
    api_.on("GET /api/v1/jobs/job-1/events", [end, exit_code](const Request&) {
      return stream_response("text/event-stream",
                             {event_text("job", job_json({JobState::QUEUED, JobState::RUNNING})),
                              event_text("job", job_json({JobState::QUEUED, JobState::RUNNING, end}, exit_code))});
    });
  }

  Scratch scratch_;
  FakeApi api_{scratch_.path("s")};
};

TEST_F(CommandsOn, VolumeCreatePrintsTheName) {
  api_.on("POST /api/v1/volumes", 201, volume_json(0));
  const Ran ran =
      volary({"volume", "create", "digits", "--type", "dataset", "--quota", "1GiB", "--tag", "a", "--tag", "b"});
  EXPECT_EQ(ran.out, "digits\n") << ran.err;
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(
      api_.requests(),
      std::vector<std::string>{
          R"(POST /api/v1/volumes {"name":"digits","dataType":"dataset","quotaBytes":1073741824,"tags":["a","b"]})"});
}

TEST_F(CommandsOn, VolumeCreateMayFindOne) {
  api_.on("POST /api/v1/volumes", [](const Request&) { return problem_response(409, "exists", "'digits' exists"); });
  api_.on("GET /api/v1/volumes/digits", 200, volume_json(3));
  const Ran found = volary({"volume", "create", "digits", "--if-not-exists"});
  EXPECT_EQ(found.out, "digits\n");
  EXPECT_EQ(found.err, "volume 'digits' exists already: unchanged\n");
  EXPECT_EQ(found.code, 0);
  const Ran refused = volary({"volume", "create", "digits"});
  EXPECT_EQ(refused.err, "volary: exists: 'digits' exists\n     while doing a thing\n");
  EXPECT_EQ(refused.code, 5);
}

TEST_F(CommandsOn, VolumeListIsATable) {
  api_.on("GET /api/v1/volumes", 200, R"({"items":[)" + volume_json(3) + "]}");
  EXPECT_EQ(volary({"volume", "list"}).out,
            "NAME    TYPE     STORAGE  HEAD  FILES  USED      QUOTA     TAGS\n"
            "digits  dataset  fs       3     0      1.50 KiB  1.00 GiB  a,b\n");
  EXPECT_EQ(volary({"volume", "ls", "-o", "name"}).out, "digits\n");
}

TEST_F(CommandsOn, EveryCodeHasItsExitStatus) {
  const std::vector<std::pair<std::string, int>> codes = {
      {"invalid", 2}, {"denied", 3}, {"not_found", 4}, {"exists", 5}, {"conflict", 6}, {"exhausted", 7},
      {"unavailable", 8}, {"corrupt", 9}, {"internal", 70}};
  for (const auto& [code, status] : codes) {
    const std::string name = code;
    api_.on("GET /api/v1/me", [name](const Request&) { return problem_response(400, name, "so it is"); });
    const Ran ran = volary({"whoami"});
    EXPECT_EQ(ran.code, status) << code;
    EXPECT_TRUE(ran.err.starts_with("volary: " + code + ": so it is\n")) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(CommandsOn, UsageErrorsExitWithTwo) {
  EXPECT_EQ(volary({"volume", "create"}).code, 2);
  EXPECT_EQ(volary({"volum"}).code, 2);
  const Ran group = volary({"volume"});
  EXPECT_EQ(group.code, 2);
  EXPECT_TRUE(group.err.starts_with("Usage: volary volume COMMAND\n"));
  EXPECT_EQ(volary({"volume", "--help"}).code, 0);
  EXPECT_EQ(volary({"--version"}).out, "volary 9.9.9\n");
}

TEST_F(CommandsOn, NothingIsAskedWithoutATerminal) {
  const Ran ran = volary({"volume", "rm", "digits"}, "y\n");
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err,
            "volary: invalid: Delete volume 'digits' with all its versions? Nobody can be asked here: give -y to "
            "say yes\n");
  EXPECT_TRUE(api_.requests().empty());
  EXPECT_EQ(volary({"volume", "rm", "digits", "-y"}).code, 4);
  EXPECT_EQ(volary({"volume", "rm", "digits", "-y", "--missing-ok"}).code, 0);
}

TEST_F(CommandsOn, ImportWaitsAndPrintsTheVersion) {
  api_.on("POST /api/v1/volumes/digits/imports", 202, transfer_json(TransferState::queued, 0));
  api_.on("GET /api/v1/transfers/xfer-1/events", [](const Request&) {
    return stream_response("text/event-stream", {event_text("transfer", transfer_json(TransferState::running, 0)),
                                                 event_text("transfer", transfer_json(TransferState::done, 4))});
  });
  const Ran ran = volary({"volume", "import", "digits", "--from", "mine:data", "--strategy", "no-overwrite"});
  EXPECT_EQ(ran.out, "digits@4\n") << ran.err;
  EXPECT_EQ(ran.err, "3 copied (2.00 KiB), 1 skipped, 0 deleted\n");
  EXPECT_NE(api_.requests()[0].find(R"("strategy":"no_overwrite")"), std::string::npos);
  EXPECT_EQ(volary({"volume", "import", "digits", "--from", "mine:data", "--detach"}).out, "xfer-1\n");
  api_.on("POST /api/v1/transfers/xfer-1/retry", 202, transfer_json(TransferState::queued, 0));
  const Ran again = volary({"transfer", "retry", "xfer-1", "--detach"});
  EXPECT_EQ(again.out, "xfer-1\n");
  EXPECT_EQ(again.err, "to watch it:  volary transfer watch xfer-1\n");
}

TEST_F(CommandsOn, AFailedImportFailsAsItDid) {
  api_.on("POST /api/v1/volumes/digits/imports", 202, transfer_json(TransferState::queued, 0));
  api_.on("GET /api/v1/transfers/xfer-1/events", [](const Request&) {
    return stream_response("text/event-stream",
                           {event_text("transfer", transfer_json(TransferState::failed, 0, "exhausted: no room"))});
  });
  const Ran ran = volary({"volume", "import", "digits", "--from", "mine:data"});
  EXPECT_EQ(ran.err, "volary: exhausted: no room\n     while working on transfer xfer-1\n");
  EXPECT_EQ(ran.code, 7);
}

TEST_F(CommandsOn, APlanMovesNothing) {
  api_.on("POST /api/v1/volumes/digits/imports/plan", 200,
          R"({"strategy":"mirror","copies":1,"copyBytes":10,"skips":2,"deletes":1,"deleteBytes":5,
              "stays":0,"targetFiles":3,"needsConfirmation":false,"conflicts":1,"caseOnly":1,
              "conflictItems":[{"kind":"name","path":"c","reason":"it is too long"},
                               {"kind":"case_only","path":"B","reason":"differs from 'b' only in the case of letters"}],
              "sides":{"version":1,"tree":"","objects":4,"listing":""},
              "items":[{"act":"copy","path":"a","size":10,"reason":"new","etag":"1"},
                       {"act":"delete_","path":"b","size":5,"reason":"only in target","etag":""}]})");
  const Ran ran = volary({"volume", "import", "digits", "--from", "mine:", "--strategy", "mirror", "--dry-run"});
  EXPECT_EQ(ran.out, "PATH  ACT     SIZE  REASON\na     copy    10 B  new\nb     delete  5 B   only in target\n");
  EXPECT_EQ(ran.err, "(2 more are not shown)\n"
                     "cannot be copied: c: it is too long\n"
                     "beware: B: differs from 'b' only in the case of letters\n"
                     "1 cannot be copied for their names: nothing begins without --skip-conflicts\n"
                     "would copy 1 (10 B), skip 2, delete 1 (5 B)\n");
}

TEST_F(CommandsOn, JobRunEndsWithTheJobsExitCode) {
  const std::vector<std::tuple<JobState, std::optional<int64_t>, int>> ends = {
      {JobState::DONE, 0, 0}, {JobState::FAILED, 3, 3}, {JobState::INTERRUPTED, 137, 130}, {JobState::ERROR, {}, 70}};
  for (const auto& [state, exit_code, expected] : ends) {
    on_job(state, exit_code);
    const Ran ran = volary({"job", "run", "--wait", "--", "true"});
    EXPECT_EQ(ran.code, expected) << ran.err;
    EXPECT_EQ(ran.out, "job-1\n");
    EXPECT_EQ(ran.err, "2026-11-20T21:34:05Z job-1: QUEUED\n2026-11-20T21:34:05Z job-1: RUNNING\n"
                       "2026-11-20T21:34:05Z job-1: " + std::string(name_of_value(state)) + " (because)\nmade m@2\n");
  }
}

TEST_F(CommandsOn, JobRunPrintsTheLogWhenAsked) {
  on_job(JobState::DONE, 0);
  const Ran ran = volary({"job", "run", "--logs", "-v", "digits:/in", "--", "sh", "-c", "echo hello"});
  EXPECT_EQ(ran.out, "hello\nend\n");
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(api_.requests()[0].find(R"("command":["sh","-c","echo hello"])"), std::string::npos);
  EXPECT_NE(api_.requests()[0].find(R"("attachments":[{"volume":"digits","path":"/in","access":"ro"}])"),
            std::string::npos);
}

TEST_F(CommandsOn, JobLogsMayBeTheLastLinesOnly) {
  on_job(JobState::DONE, 0);
  EXPECT_EQ(volary({"job", "logs", "job-1"}).out, "hello\nend\n");
  EXPECT_EQ(volary({"job", "logs", "job-1", "--tail", "1", "--since", "2026-11-20T22:54:08Z", "--timestamps"}).out,
            "2026-11-20T22:54:08Z [job] hello\n2026-11-20T22:54:08Z [job] end\n");
}

TEST_F(CommandsOn, CtrlCSaysHowToGoOn) {
  api_.on("POST /api/v1/jobs", 202, job_json({JobState::QUEUED}));
  api_.on("GET /api/v1/jobs/job-1/events", [](const Request&) {
    class Endless final : public Stream {
      bool first_ = true;
      std::optional<std::string> poll() override {
        return std::exchange(first_, false) ? event_text("job", job_json({JobState::QUEUED})) : "";
      }
    };
    Response response = stream_response("text/event-stream", {});
    response.stream = std::make_unique<Endless>();
    return response;
  });
  Variables variables = volary_variables(scratch_);
  variables["VOLARY_SERVER"] = api_.url();
  variables["VOLARY_TOKEN"] = "t";
  Running running(scratch_, volary_command({"job", "run", "--wait", "--", "true"}), variables);
  while (running.err_so_far().find("QUEUED") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(running.process(), SIGINT);
  const Ran ran = running.wait();
  EXPECT_EQ(ran.code, 130);
  EXPECT_NE(ran.err.find("\nThe job goes on.\n"
                         "To wait for it again:  volary job wait job-1\n"
                         "To end it:             volary job stop job-1\n"), std::string::npos) << ran.err;
}

TEST_F(CommandsOn, SecretsComeFromEverywhereButArguments) {
  api_.on("POST /api/v1/secrets", 201,
          R"({"id":"s","project":"p","name":"k","keys":[],"createdAt":"2026-11-20T21:34:05Z"})");
  EXPECT_EQ(volary({"secret", "create", "k"}, "# mine\nAWS_ACCESS_KEY_ID=AK\nexport secret_key=\"S K\"\n").out, "k\n");
  EXPECT_EQ(api_.requests().back(),
            R"(POST /api/v1/secrets {"name":"k","values":{"access_key":"AK","secret_key":"S K"}})");
  const Ran arguments = volary({"secret", "create", "k", "secret_key=verysecret"});
  EXPECT_EQ(arguments.code, 2);
  const Ran bad = volary({"secret", "create", "k"}, "access_key=AK\nverysecret\n");
  EXPECT_EQ(bad.err, "volary: invalid: the standard input:2: expected KEY=VALUE\n");
  const Ran unset = volary({"secret", "create", "k", "--from-env"});
  EXPECT_EQ(unset.err, "volary: invalid: the variable 'AWS_ACCESS_KEY_ID' is not set\n");
}

TEST_F(CommandsOn, StandardInputGoesOnWithNoUpload) {
  const std::string said = "volary: invalid: standard input cannot be read again: expected no ";
  EXPECT_EQ(volary({"volume", "put", "-", "digits:/s", "--resume", "up-1"}, "x").err, said + "--resume with '-'\n");
  EXPECT_EQ(volary({"volume", "put", "-", "digits:/s", "--anew"}, "x").err, said + "--anew with '-'\n");
  EXPECT_TRUE(api_.requests().empty());
}

TEST_F(CommandsOn, TheEnvironmentNeedNotSayWhoAsksWhereASecretDoes) {
  api_.on("POST /api/v1/datastores", 201, "{}");
  const std::vector<std::string> words = {"datastore", "add", "swift", "sw", "--from-env"};
  const Ran nobody = volary(words, "", {{"OS_AUTH_URL", "https://k/v3"}});
  EXPECT_NE(nobody.err.find("invalid: none of the variables 'OS_USERNAME'"), std::string::npos) << nobody.err;
  std::vector<std::string> with_secret = words;
  with_secret.insert(with_secret.end(), {"--secret", "keys"});
  EXPECT_EQ(volary(with_secret, "", {{"OS_AUTH_URL", "https://k/v3"}}).err, "");
  ASSERT_EQ(api_.requests().size(), 1u);
  EXPECT_NE(api_.requests()[0].find(R"("secret":"keys")"), std::string::npos) << api_.requests()[0];
}

TEST_F(CommandsOn, ADamagedVersionExitsWithNine) {
  api_.on("GET /api/v1/volumes/digits/verification", 200,
          R"({"volume":"digits","number":3,"checksum":"ab","files":1,"bytes":2,"whole":false,"damaged":["a: bad"]})");
  const Ran ran = volary({"volume", "verify", "digits@3"});
  EXPECT_EQ(ran.code, 9);
  EXPECT_EQ(ran.err, "damaged: a: bad\nvolary: corrupt: version 3 of volume 'digits' is damaged: import it again\n");
}

TEST_F(CommandsOn, ATokenIsPrintedOnce) {
  CreatedToken created{.token = "volary_id_secret", .record = {}};
  created.record.id = "id";
  api_.on("POST /api/v1/tokens", 201, print_json(to_json(created)));
  const Ran ran = volary({"token", "create", "--name", "ci", "--role", "editor", "--expires", "1d"});
  EXPECT_EQ(ran.out, "volary_id_secret\n") << ran.err;
  EXPECT_EQ(ran.err, "this is the only time that token id is shown\n");
  EXPECT_EQ(api_.requests()[0],
            R"(POST /api/v1/tokens {"name":"ci","role":"editor","expiresSeconds":86400})");
}

}  // namespace
}  // namespace volary
