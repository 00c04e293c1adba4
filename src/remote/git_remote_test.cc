// remote/git_remote_test.cc: real repositories, read by the real git.
#include "remote/git_remote.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "core/workers.h"
#include "net/scripted_server.h"
#include "remote/git_process.h"
#include "remote/remote_words.h"

namespace volary {
namespace {

class Git : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_present("/usr/bin/git")) GTEST_SKIP() << "no /usr/bin/git: apt install git";
    make_directories(origin);
    make_directories(scratch);
    git({"init", "-q", "-b", "main", "--template=", "."});
  }
  void TearDown() override { remove_tree(root); }

  std::string git(const std::vector<std::string>& words, const std::string& input = "") {
    GitSurroundings around{.directory = origin};
    for (const char* who : {"AUTHOR", "COMMITTER"}) {
      around.variables[fmt::format("GIT_{}_NAME", who)] = "somebody";
      around.variables[fmt::format("GIT_{}_EMAIL", who)] = "somebody@example.org";
    }
    GitProcess process(words, around);
    process.write(input);
    process.end_input();
    std::string output;
    process.read_until('\0', output);
    process.wait();
    while (output.ends_with('\n')) output.pop_back();
    return output;
  }
  void write(const std::string& path, const std::string& bytes) {
    make_directories((origin / path).parent_path());
    write_file_durably(origin / path, bytes);
  }
  std::string commit() {
    git({"add", "-A", "."});
    git({"commit", "-q", "-m", "a commit", "--allow-empty"});
    return git({"rev-parse", "HEAD"});
  }
  GitOptions options(const std::string& revision = "main") const {
    return {.url = "file://" + origin.native(), .revision = revision, .scratch = scratch};
  }
  std::unique_ptr<GitRemote> open(const std::string& revision = "main") const {
    return open_git_remote(options(revision), {.sleep = [](auto) {}});
  }
  static std::vector<std::string> keys(Remote& remote, const std::string& prefix = "") {
    std::vector<std::string> found;
    remote.list(prefix, [&](const RemoteObject& object) { found.push_back(object.key); });
    return found;
  }

  const Path root = Path(::testing::TempDir()) / ("volary-git-" + random_hex(8));
  const Path origin = root / "origin";
  const Path scratch = root / "scratch";
};

TEST_F(Git, GivesTheFilesOfABranchATagOrACommit) {
  const std::string large = some_bytes(3'000'000);
  write("large.bin", large);
  write("dir/a.txt", "first");
  write("dir.txt", "");
  write("odd names/\xc3\xbc \n\"%41", "odd");
  const std::string first = commit();
  git({"tag", "-a", "-m", "annotated", "v1"});
  write("dir/a.txt", "second");
  const std::string second = commit();
  git({"branch", "side", first});

  for (const std::string revision : {"v1", first.c_str(), "side", "refs/tags/v1"}) {
    const auto remote = open(revision);
    EXPECT_EQ(remote->commit(), first) << revision;
    EXPECT_EQ(get(*remote, "dir/a.txt"), "first");
  }
  for (const std::string revision : {"main", "HEAD"}) EXPECT_EQ(get(*open(revision), "dir/a.txt"), "second");
  const auto remote = open();
  EXPECT_EQ(remote->commit(), second);
  EXPECT_EQ(keys(*remote),
            (std::vector<std::string>{"dir.txt", "dir/a.txt", "large.bin", "odd names/\xc3\xbc \n\"%41"}));
  EXPECT_EQ(keys(*remote, "dir/"), std::vector<std::string>{"dir/a.txt"});
  EXPECT_TRUE(get(*remote, "large.bin") == large);
  EXPECT_EQ(get(*remote, "large.bin", {.range = Range{1'000'000, 10}}), large.substr(1'000'000, 10));
  EXPECT_EQ(get(*remote, "dir.txt"), "");
  EXPECT_EQ(remote->find("dir"), std::nullopt);
  const RemoteObject object = *remote->find("dir/a.txt");
  EXPECT_EQ(object.size, 6u);
  EXPECT_EQ(object.etag, git({"rev-parse", "main:dir/a.txt"}));
  EXPECT_EQ(error_text([&] { get(*remote, "nope"); }),
            "not_found: there is no 'nope' in git repository file://" + origin.native() + " at 'main'");
  EXPECT_NE(error_text([&] { get(*remote, "dir.txt", {.if_match = object.etag}); }).find("conflict: "),
            std::string::npos);
}

TEST_F(Git, LeavesLinksAndSubmodulesOutAndCountsThem) {
  write("file", "x");
  make_symlink("/etc/passwd", origin / "link");
  git({"update-index", "--add", "--cacheinfo", "160000,1111111111111111111111111111111111111111,module"});
  git({"add", "file", "link"});
  git({"commit", "-q", "-m", "one"});
  const auto remote = open();
  EXPECT_EQ(keys(*remote), std::vector<std::string>{"file"});
  EXPECT_EQ(remote->left_out(), 2u);
}

TEST_F(Git, RefusesTreesWithNamesThatNoWellMadeOneHas) {
  const std::string blob = git({"hash-object", "-w", "--stdin"}, "evil");
  std::string raw;
  for (size_t i = 0; i < blob.size(); i += 2) raw += static_cast<char>(std::stoi(blob.substr(i, 2), nullptr, 16));
  for (const std::string name : {"..", ".git", ".GIT", "."}) {
    std::string bytes = "100644 " + name;
    bytes.append(1, '\0').append(raw);
    const std::string tree = git({"hash-object", "-w", "--literally", "-t", "tree", "--stdin"}, bytes);
    const std::string hash = git({"commit-tree", "-m", "evil", tree});
    git({"update-ref", "refs/heads/main", hash});
    const auto remote = open();
    EXPECT_EQ(error_text([&] { keys(*remote); }),
              "corrupt: " + remote->description() + " has the name '" + name +
                  "', which no well-made tree has\n     while looking at " + remote->description());
  }
}

TEST_F(Git, AsksForNoBytesWhenTheCommitIsTheSame) {
  write("file", "x");
  commit();
  GitOptions kept = options();
  kept.listing = root / "listing";
  EXPECT_EQ(keys(*open_git_remote(kept)), std::vector<std::string>{"file"});
  // With the objects gone nothing but the name of the commit can be had.
  rename_file(origin / ".git/objects", root / "objects");
  make_directories(origin / ".git/objects");
  const auto again = open_git_remote(kept, {.sleep = [](auto) {}});
  EXPECT_EQ(keys(*again), std::vector<std::string>{"file"});
  EXPECT_NE(error_text([&] { get(*again, "file"); }), "no error");
}

TEST_F(Git, ReadsByManyThreads) {
  for (int i = 0; i < 100; ++i) write(fmt::format("{:03}", i), fmt::format("bytes of {:03}", i));
  commit();
  const auto remote = open();
  std::atomic<int> right{0};
  for_each_index(100, 8, [&](size_t i) {
    right += get(*remote, fmt::format("{:03}", i)) == fmt::format("bytes of {:03}", i);
  });
  EXPECT_EQ(right, 100);
}

TEST_F(Git, LeavesNothingBehind) {
  write("file", "x");
  commit();
  (void)get(*open(), "file");
  EXPECT_TRUE(list_directory(scratch).empty());
}

TEST_F(Git, IsStoppedWhenItPrintsMoreThanIsTakenThoughItEndsNoLine) {
  const Path mark = root / "ran to its end";
  GitSurroundings around{.directory = origin};
  around.settings["alias.bomb"] = "!head -c 30000000 /dev/zero && touch '" + mark.native() + "'";
  EXPECT_EQ(error_text([&] { run_git({"bomb"}, around, 1'000'000); }),
            "exhausted: more than 1000000 bytes arrived where at most that many are taken");
  EXPECT_FALSE(is_present(mark));
  EXPECT_EQ(run_git({"bomb"}, around, 30'000'000).size(), 30'000'000u);
  EXPECT_TRUE(is_present(mark));
}

TEST_F(Git, RunsNoHookAndNoHelperOfTheRepository) {
  write("file", "x");
  commit();
  const std::string mark = (root / "ran").native();
  make_directories(origin / ".git/hooks");
  for (const char* hook : {"post-checkout", "reference-transaction", "pre-upload", "post-upload-pack"}) {
    write_file_durably(origin / ".git/hooks" / hook, "#!/bin/sh\ntouch " + mark + "\n", 0755);
  }
  git({"config", "uploadpack.packObjectsHook", "touch " + mark + "; false"});
  EXPECT_EQ(get(*open(), "file"), "x");
  EXPECT_FALSE(is_present(mark));
}

TEST_F(Git, SaysWhatIsMissing) {
  write("file", "x");
  commit();
  EXPECT_NE(error_text([&] { keys(*open("nope")); }).find("not_found: there is no branch or tag 'nope' in file://"),
            std::string::npos);
  GitOptions nowhere = options();
  nowhere.url = "file:///nonexistent.git";
  EXPECT_NE(error_text([&] { keys(*open_git_remote(nowhere, {.sleep = [](auto) {}})); })
                .find("not_found: git ls-remote"),
            std::string::npos);
  EXPECT_NE(error_text([&] {
              const auto remote = open();
              put(*remote, "a", "b");
            }).find("can only be read"),
            std::string::npos);
}

// Names fail for a while, as servers do; what leads elsewhere than it did is refused for good.
TEST_F(Git, AsksAgainForAHostThatHasNoAddressNow) {
  int waits = 0;
  GitOptions guarded = options();
  guarded.made_for = AddressKind::open;
  const auto error_at = [&](const std::string& host) {
    guarded.url = "http://" + host + "/x.git";
    const auto remote = open_git_remote(guarded, {.sleep = [&](auto) { ++waits; }});
    return error_text([&] { keys(*remote); });
  };
  const std::string none(70, 'x');  // No label of a name is that long, so that nobody has to be asked.
  EXPECT_NE(error_at(none).find("unavailable: '" + none + "' has no address now: expected one"), std::string::npos);
  EXPECT_EQ(waits, 2);
  EXPECT_NE(error_at("127.0.0.1:1").find("denied: http://127.0.0.1:1/x.git leads to no address of the internet by now"),
            std::string::npos);
  EXPECT_EQ(waits, 2);
}

TEST_F(Git, IsAskedOnceForACommitThatIsNotThere) {
  write("file", "x");
  commit();
  int waits = 0;
  const auto remote = open_git_remote(options("4034034034034034034034034034034034034030"), {.sleep = [&](auto) {
    ++waits;
  }});
  const std::string error = error_text([&] { keys(*remote); });
  EXPECT_TRUE(error.starts_with("not_found: git fetch failed: ")) << error;
  EXPECT_EQ(waits, 0);
}

TEST_F(Git, SaysWhatAServerAnswers) {
  const std::pair<const char*, const char*> answers[] = {{"403 Forbidden", "denied: "},
                                                         {"401 Unauthorized", "denied: "},
                                                         {"404 Not Found", "not_found: "},
                                                         {"302 Found", "invalid: "},
                                                         {"503 Service Unavailable", "unavailable: "}};
  for (const auto& [status, expected] : answers) {
    ScriptedServer server([&](Peer& peer, size_t) {
      while (peer.read_request()) peer.answer(status, "", "WWW-Authenticate: Basic realm=\"a\"\r\n");
    });
    GitOptions there = options();
    there.url = server.url() + "/403-redirect.git";
    const std::string error = error_text([&] { keys(*open_git_remote(there, {.sleep = [](auto) {}})); });
    EXPECT_TRUE(error.starts_with(expected)) << status << ": " << error;
  }
}

TEST_F(Git, SeesEachNameOfItsEnvironmentOnce) {
  GitSurroundings around{.directory = origin};
  around.settings["alias.environment"] = "!tr '\\0' '\\n' < /proc/$PPID/environ";
  around.variables["HOME"] = "/home/of/somebody";
  const std::string found = "\n" + run_git({"environment"}, around);
  const size_t at = found.find("\nHOME=");
  ASSERT_NE(at, std::string::npos) << found;
  EXPECT_EQ(found.substr(at, 24), "\nHOME=/home/of/somebody\n");
  EXPECT_EQ(found.find("\nHOME=", at + 1), std::string::npos) << found;
}

TEST_F(Git, TakesAnAddressOfIpv6) {
  GitOptions there = options();
  there.url = "http://[::1]:1/x.git";
  there.made_for = AddressKind::this_machine;
  const std::string error = error_text([&] { keys(*open_git_remote(there, {.sleep = [](auto) {}})); });
  EXPECT_TRUE(error.starts_with("unavailable: git ls-remote failed: fatal: unable to access")) << error;
  EXPECT_EQ(error.find("RESOLVE"), std::string::npos) << error;
  there.made_for = AddressKind::open;
  EXPECT_NE(error_text([&] { keys(*open_git_remote(there)); }).find("leads to no address of the internet by now"),
            std::string::npos);
  for (const char* url : {"https://[2001:db8::1]/x.git", "ssh://git@[2001:db8::1]/x.git"})
    EXPECT_EQ(error_text([&] { check_git_url(url, GitProtocols::all); }), "no error") << url;
}

TEST_F(Git, IsStoppedWhileItsServerIsSilent) {
  std::stop_source stop;
  ScriptedServer server([&](Peer& peer, size_t) {
    if (!peer.read_request()) return;
    stop.request_stop();
    peer.stay_silent();
  });
  GitOptions there = options();
  there.url = server.url() + "/x.git";
  there.stop = stop.get_token();
  int waits = 0;
  const auto remote = open_git_remote(there, {.sleep = [&](auto) { ++waits; }});
  const std::string error = error_text([&] { keys(*remote); });  // Otherwise git waits for a minute, three times.
  EXPECT_TRUE(error.starts_with("unavailable: git ls-remote was stopped")) << error;
  EXPECT_TRUE(error_text([&] { keys(*remote); }).starts_with("unavailable: git ls-remote was stopped"));
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(waits, 0);
}

TEST_F(Git, TakesNothingThatIsNotARepositorysUrl) {
  for (const char* url : {"ext::sh -c touch% /tmp/x", "-uwhatever", "--upload-pack=x", "git://host/x", "ftp://host/x",
                          "fd::17", "https://user:password@host/x", "https://host/a b", "file://relative", "plain"})
    EXPECT_NE(error_text([&] { check_git_url(url, GitProtocols::all); }).find("invalid: "), std::string::npos) << url;
  for (const char* url : {"ssh://git@host/x.git", "git@host:x.git"}) {
    EXPECT_EQ(error_text([&] { check_git_url(url, GitProtocols::all); }), "no error");
    EXPECT_NE(error_text([&] { check_git_url(url, GitProtocols::served); }).find("wants ssh"), std::string::npos);
  }
  for (const char* revision : {"", "-x", "a:b", "+a", "a..b", "a b", "a^", "HEAD~1"})
    EXPECT_NE(error_text([&] { check_git_revision(revision); }).find("is no revision"), std::string::npos) << revision;
}

}  // namespace
}  // namespace volary
