// model/model_test.cc: rows of commands, made at random, performed by the model and by the real thing; after each they must
// look the same, and refuse the same. One of the commands is a crash: the next one is performed by a child that dies at
// some fail point, and afterwards it must have happened wholly or not at all.
//
// A failure prints the shortest row that RapidCheck finds, and how to run it again (RC_PARAMS).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/random.h"
#include "model/real.h"

namespace volary {
namespace {

struct Scratch {
  Path path = Path(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/dev/shm") / ("volary-model-" + random_hex(6));
  ~Scratch() { remove_tree(path); }
};

std::string text_of(const Model& model) {
  std::string text;
  for (const auto& [name, volume] : model.volumes) {
    text += fmt::format("{}: quota {}, head {}, writer '{}', {} readers\n", name, volume.quota, volume.head,
                        volume.writer, volume.readers.size());
    for (const auto& [tag, number] : volume.tags) text += fmt::format("  {} = {}\n", tag, number);
    for (const auto& [number, version] : volume.versions) {
      text += fmt::format("  version {} of '{}':", number, version.origin);
      for (const auto& [path, bytes] : version.files)
        text += fmt::format(" {}={}*{}", path, bytes.size(), bytes.substr(0, 1));
      text += "\n";
    }
  }
  return text;
}

int crashes_that_happened = 0;

class Life {
 public:
  void all(const std::vector<Command>& commands) {
    for (size_t number = 0; number < commands.size(); ++number) {
      const Command& command = commands[number];
      if (command.kind == Command::Kind::crash && number + 1 < commands.size()) {
        crash_in(commands[number + 1], number + 1, 1 + std::abs(command.a % 30));
        ++number;
        continue;
      }
      Model after = model_;
      const std::string expected = volary::perform(after, command, number);
      const std::string found = real_.perform(command, number);
      if (found != expected)
        RC_FAIL(fmt::format("{}: '{}', expected '{}'", volary::text_of(command, number), found, expected));
      model_ = std::move(after);
      compare(volary::text_of(command, number), model_);
    }
  }

 private:
  void compare(const std::string& what, const Model& expected) {
    const Model seen = real_.seen();
    if (seen != expected)
      RC_FAIL(fmt::format("after {}\n{}expected\n{}", what, text_of(seen), text_of(expected)));
  }

  void crash_in(const Command& command, size_t number, int at) {
    real_.close();
    const pid_t child = ::fork();
    if (child == 0) {
      fault::choose(fmt::format("*=kill@{}", at));
      try {
        real_.reopen();
        real_.perform(command, number);
      } catch (const Error&) {
        ::_exit(1);  // Opening must succeed.
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const std::string what = fmt::format("{} killed at fail point {}", volary::text_of(command, number), at);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) RC_FAIL(what + ": it could not open");
    crashes_that_happened += WIFSIGNALED(status);
    real_.reopen();
    if (command.kind == Command::Kind::put) {  // Not ours: a bucket that is half written is as it is.
      model_.bucket = real_.seen().bucket;
      return;
    }
    Model after = model_;
    volary::perform(after, command, number);
    const Model seen = without_lease(real_.seen(), command, number);
    if (WIFSIGNALED(status) && seen == model_) return;
    if (seen != after)
      RC_FAIL(fmt::format("{}\n{}before it were\n{}and after it should be\n{}", what, text_of(seen), text_of(model_),
                          text_of(after)));
    model_ = std::move(after);
  }

  // A commit takes a lease first and lets it go with the version; one that died between is let go by whoever starts
  // again (for jobs the reconciler). Here, by us.
  Model without_lease(Model seen, const Command& command, size_t number) {
    const auto volume = seen.volumes.find(volume_name(command.volume));
    if (command.kind != Command::Kind::commit || volume == seen.volumes.end() ||
        volume->second.writer != holder_name(number))
      return seen;
    real_.release(holder_name(number));
    volume->second.writer.clear();
    return seen;
  }

  Scratch scratch_;
  Model model_;
  Real real_{scratch_.path};
};

rc::Gen<Command> any_command() {
  // What makes states richer comes more often than what ends them.
  using Kind = Command::Kind;
  const auto kind = rc::gen::weightedElement<Kind>(
      {{4, Kind::create}, {1, Kind::remove}, {8, Kind::commit}, {2, Kind::tag}, {2, Kind::attach_ro},
       {3, Kind::attach_rw}, {4, Kind::publish}, {4, Kind::detach}, {3, Kind::quota}, {4, Kind::put},
       {3, Kind::import}, {1, Kind::reopen}, {6, Kind::crash}});
  return rc::gen::build<Command>(rc::gen::set(&Command::kind, kind),
                                 rc::gen::set(&Command::volume, rc::gen::inRange(0, 3)),
                                 rc::gen::set(&Command::a, rc::gen::inRange(0, 1000)),
                                 rc::gen::set(&Command::b, rc::gen::inRange(0, 1000)));
}

TEST(Volumes, AreAlwaysWhatTheModelSaysWhateverIsDoneAndWhereverItDies) {
  const bool thorough = std::getenv("VOLARY_THOROUGH") && std::string_view(std::getenv("VOLARY_THOROUGH")) == "1";
  const char* seed = std::getenv("VOLARY_SEED");
  ::setenv("RC_PARAMS", fmt::format("max_size=60 max_success={} seed={}", thorough ? 2000 : 60,
                                    seed ? seed : "1").c_str(), 0);
  EXPECT_TRUE(rc::check([] {
    Life life;
    life.all(*rc::gen::container<std::vector<Command>>(any_command()));
  }));
#ifdef VOLARY_FAULTS
  EXPECT_GT(crashes_that_happened, 10);
  std::printf("%d crashes\n", crashes_that_happened);
#endif
}

}  // namespace

void showValue(const Command& command, std::ostream& out) { out << text_of(command, 0); }

}  // namespace volary
