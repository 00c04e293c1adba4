// cli/completion_test.cc: what may stand next; and the scripts in real shells, where there are any.
#include "cli/completion.h"

#include <gtest/gtest.h>

#include "cli/program_test.h"

namespace volary {
namespace {

std::vector<std::string> some_names(Words words) {
  if (words == Words::volumes || words == Words::attachments) return {"digits", "wiki"};
  if (words == Words::jobs) return {"job-1", "job-2"};
  if (words == Words::projects) return {"vision"};
  if (words == Words::datastores || words == Words::prefixes) return {"corpora"};
  return {};
}

// The candidates alone, without what they are.
std::string complete(const std::vector<std::string>& words) {
  const std::string lines = completion_lines(all_commands(), words, some_names);
  std::string text;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at);
    const std::string line = lines.substr(at, end - at);
    text += (text.empty() ? "" : " ") + line.substr(0, line.find('\t'));
    at = end + 1;
  }
  return text;
}

TEST(Completion, BeginsWithTheCommands) {
  EXPECT_EQ(complete({"vo"}), "volume");
  EXPECT_EQ(complete({"job", ""}), "run rerun ls get logs stop wait rm exec push-data pull-data receipt");
  EXPECT_EQ(complete({"datastore", "add", ""}), "directory s3 swift hf http git");
  EXPECT_NE(complete({""}).find("checksum"), std::string::npos);
}

TEST(Completion, KnowsOptionsAndThoseAlreadyThere) {
  EXPECT_EQ(complete({"volume", "create", "x", "--q"}), "--quota");
  EXPECT_EQ(complete({"volume", "create", "--quota", "1GiB", "--q"}), "");
  EXPECT_EQ(complete({"volume", "create", "--tag", "a", "--ta"}), "--tag");
  EXPECT_EQ(complete({"volume", "list", "--ty"}), "--type");
  EXPECT_EQ(complete({"volume", "ls", "--outp"}), "--output");
}

TEST(Completion, KnowsTheValuesOfOptions) {
  EXPECT_EQ(complete({"volume", "create", "--type", ""}), "model dataset other");
  EXPECT_EQ(complete({"volume", "create", "--type=m"}), "--type=model");
  EXPECT_EQ(complete({"volume", "ls", "-o", "y"}), "yaml");
  EXPECT_EQ(complete({"job", "run", "-f", "conf"}), ":files");
  EXPECT_EQ(complete({"volume", "create", "--quota", ""}), "");
}

TEST(Completion, AsksTheServerForNames) {
  EXPECT_EQ(complete({"volume", "get", "w"}), "wiki");
  EXPECT_EQ(complete({"job", "logs", "-f", ""}), "job-1 job-2");
  EXPECT_EQ(complete({"job", "run", "-v", "d"}), "digits:");
  EXPECT_EQ(complete({"volume", "import", "wiki", "--from", ""}), "corpora:");
  EXPECT_EQ(complete({"volume", "get", "wiki", ""}), "");
  EXPECT_EQ(complete({"volume", "ls", "--project", ""}), "vision");
  EXPECT_EQ(complete({"project", "get", ""}), "vision");
  EXPECT_EQ(complete({"project", "create", ""}), "");
}

TEST(Completion, OffersDirectoriesAndShells) {
  EXPECT_EQ(complete({"checksum", ""}), ":directories");
  EXPECT_EQ(complete({"completion", ""}), "bash zsh fish");
  EXPECT_EQ(complete({"job", "run", "--", "--"}), "");
}

class ShellCompletion : public testing::Test {
 protected:
  void SetUp() override {
    api_.on("GET /api/v1/volumes", 200, R"({"items":[{"name":"digits"},{"name":"wiki"}]})");
    make_directories(scratch_.path("bin"));
    make_symlink(read_symlink("/proc/self/exe"), scratch_.path("bin/volary"));
  }

  // What a shell prints that runs `script`.
  Ran in_shell(const std::string& shell, const std::string& script) {
    Variables variables = volary_variables(scratch_);
    variables["PATH"] = scratch_.path("bin").string() + ":" + variables["PATH"];
    variables["VOLARY_SERVER"] = api_.url();
    variables["VOLARY_TOKEN"] = "t";
    return Running(scratch_, {shell, scratch_.write("script", script).string()}, variables).wait();
  }

  bool is_there(const std::string& shell) {
    return is_present("/usr/bin/" + shell) || is_present("/bin/" + shell);
  }

  Scratch scratch_;
  FakeApi api_{scratch_.path("s")};
};

TEST_F(ShellCompletion, WorksInBash) {
  if (!is_there("bash")) GTEST_SKIP() << "there is no bash here";
  const Ran ran = in_shell("bash", R"sh(
source <(volary completion bash)
complete_line() {
  COMP_LINE="$1" COMP_POINT=${#1}
  _volary
  echo "${COMPREPLY[*]}"
}
complete -p volary
complete_line "volary volume create --ty"
complete_line "volary volume get "
complete_line "volary job run -v di"
complete_line "volary volume create --type=mo"
complete_line "volary checksum b"
)sh");
  EXPECT_EQ(ran.out,
            "complete -F _volary volary\n"
            "--type\n"
            "digits wiki\n"
            "digits:\n"
            "model\n"
            "bin\n")
      << ran.err;
}

TEST_F(ShellCompletion, WorksInZsh) {
  if (!is_there("zsh")) GTEST_SKIP() << "there is no zsh here";
  const Ran ran = in_shell("zsh", R"sh(
compdef() { echo "compdef $*" }
eval "$(volary completion zsh)"
_describe() { print -l -- "${(@P)2}" }
compadd() { shift 3; print -l -- "$@" }
_files() { echo "files $*" }
words=(volary volume create --ty) CURRENT=4; _volary
words=(volary volume get "") CURRENT=4; _volary
words=(volary job run -v w) CURRENT=5; _volary
words=(volary checksum "") CURRENT=3; _volary
)sh");
  EXPECT_EQ(ran.out,
            "compdef _volary volary\n"
            "--type:what it holds; other unless told\n"
            "digits\nwiki\n"
            "wiki:\n"
            "files -/\n")
      << ran.err;
}

TEST_F(ShellCompletion, WorksInFish) {
  if (!is_there("fish")) GTEST_SKIP() << "there is no fish here";
  const Ran ran = in_shell("fish", R"sh(
volary completion fish | source
complete -C 'volary volume create --ty'
complete -C 'volary volume get '
complete -C 'volary job run -v w'
)sh");
  EXPECT_EQ(ran.out, "--type\twhat it holds; other unless told\ndigits\nwiki\nwiki:\n") << ran.err;
}

TEST_F(ShellCompletion, IsSilentWithoutAServer) {
  const Ran ran = run_volary(scratch_, {"__complete", "volume", "get", ""});
  EXPECT_EQ(ran.out + ran.err, "");
  EXPECT_EQ(ran.code, 0);
  EXPECT_FALSE(is_present(scratch_.path("data")));  // To look something up starts nothing.
}

}  // namespace
}  // namespace volary
