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

#include <map>

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
std::map<std::string, int> acts_that_succeeded;
uint64_t objects_swept = 0;

class Life {
 public:
  // With one volume that has room.
  Life() {
    const Command first{.kind = Command::Kind::create, .volume = 0, .a = 3, .b = 0};
    volary::perform(model_, first, 0);
    real_.perform(first, 0);
  }
  void all(const std::vector<Command>& commands) {
    for (size_t number = 0; number < commands.size(); ++number) {
      const Command& command = commands[number];
      if (command.kind == Command::Kind::crash && number + 1 < commands.size()) {
        crash_in(commands[number + 1], number + 1, 1 + std::abs(command.a % 30));
        ++number;
        continue;
      }
      if (command.kind == Command::Kind::crash) continue;  // The last one: nobody to crash.
      Model after = model_;
      const std::string expected = volary::perform(after, command, number);
      const std::string found = real_.perform(command, number);
      if (found != expected)
        RC_FAIL(fmt::format("{}: '{}', expected '{}'", volary::text_of(command, number), found, expected));
      if (found.empty()) ++acts_that_succeeded[name_of(command)];
      model_ = std::move(after);
      compare(volary::text_of(command, number), model_);
    }
  }

  ~Life() { objects_swept += real_.swept(); }

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
    volume->second.written = 0;
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
      {{4, Kind::create}, {1, Kind::remove}, {2, Kind::clone}, {8, Kind::commit}, {2, Kind::tag}, {3, Kind::prune},
       {2, Kind::restore}, {2, Kind::attach_ro}, {3, Kind::attach_rw}, {4, Kind::publish}, {3, Kind::harvest},
       {4, Kind::detach}, {2, Kind::quota}, {4, Kind::put}, {4, Kind::import}, {6, Kind::sweep}, {1, Kind::scrub},
       {1, Kind::reopen}, {6, Kind::crash}});
  return rc::gen::build<Command>(rc::gen::set(&Command::kind, kind),
                                 rc::gen::set(&Command::volume, rc::gen::weightedElement<int>({{6, 0}, {2, 1}, {1, 2}})),
                                 rc::gen::set(&Command::a, rc::gen::inRange(0, 1000)),
                                 rc::gen::set(&Command::b, rc::gen::inRange(0, 1000)));
}

TEST(Volumes, AreAlwaysWhatTheModelSaysWhateverIsDoneAndWhereverItDies) {
  const bool thorough = std::getenv("VOLARY_THOROUGH") && std::string_view(std::getenv("VOLARY_THOROUGH")) == "1";
  const char* seed = std::getenv("VOLARY_SEED");
  const char* given = std::getenv("RC_PARAMS");
  std::string parameters = given ? given : fmt::format("seed={}", seed ? seed : "1");
  if (parameters.find("max_") == parameters.npos)
    parameters = fmt::format("max_size=150 max_success={} {}", thorough ? 2000 : 60, parameters);
  ::setenv("RC_PARAMS", parameters.c_str(), 1);
  EXPECT_TRUE(rc::check([] {
    Life life;
    life.all(*rc::gen::container<std::vector<Command>>(any_command()));
  }));
  // Otherwise this has proven nothing.
  for (const auto& [act, times] : acts_that_succeeded) std::printf("%s %d, ", act.c_str(), times);
  std::printf("%lu objects swept, %d crashes\n", objects_swept, crashes_that_happened);
  EXPECT_EQ(acts_that_succeeded.size(), static_cast<size_t>(Command::kinds - 1));  // All but the crash.
  EXPECT_GT(objects_swept, 10u);
#ifdef VOLARY_FAULTS
  EXPECT_GT(crashes_that_happened, 10);
#endif
}

}  // namespace

void showValue(const Command& command, std::ostream& out) { out << text_of(command, 0); }

}  // namespace volary
