// core/fault.cc: the rules of core/fault.h, read once from the environment.
#include "core/fault.h"

#ifdef VOLARY_FAULTS

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

namespace volary::fault {
namespace {

struct Rule {
  std::string name;
  std::string act;
  int when = 1;    // Acts at this pass.
  int passed = 0;
};

int errno_named(std::string_view act) {
  if (act == "EIO") return EIO;
  if (act == "ENOSPC") return ENOSPC;
  if (act == "EMFILE") return EMFILE;
  if (act == "EACCES") return EACCES;
  if (act == "EROFS") return EROFS;
  std::fprintf(stderr, "VOLARY_FAULT: '%.*s' is no act\n", static_cast<int>(act.size()), act.data());
  std::abort();
}

struct Rules {
  std::mutex lock;
  std::vector<Rule> rules;

  Rules() {
    const char* text = std::getenv("VOLARY_FAULT");
    read(text ? text : "");
  }

  void read(std::string_view left) {
    const std::lock_guard guard(lock);
    rules.clear();
    while (!left.empty()) {
      const size_t comma = left.find(',');
      std::string_view one = left.substr(0, comma);
      left = comma == left.npos ? "" : left.substr(comma + 1);
      Rule rule;
      if (const size_t at = one.find('@'); at != one.npos) {
        std::from_chars(one.data() + at + 1, one.data() + one.size(), rule.when);
        one = one.substr(0, at);
      }
      const size_t equals = one.find('=');
      rule.name = one.substr(0, equals);
      rule.act = equals == one.npos ? "kill" : one.substr(equals + 1);
      rules.push_back(std::move(rule));
    }
  }

  // The act to take now, or nothing.
  std::string pass(std::string_view name) {
    const std::lock_guard guard(lock);
    for (Rule& rule : rules) {
      if ((rule.name != name && rule.name != "*") || ++rule.passed != rule.when) continue;
      if (const char* log = std::getenv("VOLARY_FAULT_LOG")) {
        const std::string line = rule.name + " " + rule.act + " " + std::to_string(rule.when) + "\n";
        const int fd = ::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) std::abort();
        ::close(fd);
      }
      return rule.act;
    }
    return {};
  }
};

Rules& rules() {
  static Rules the_rules;
  return the_rules;
}

}  // namespace

void choose(std::string_view text) { rules().read(text); }

bool planted(std::string_view name) {
  static const char* const chosen = std::getenv("VOLARY_PLANTED");
  return chosen && name == chosen;
}

int errno_at(std::string_view name) {
  const std::string act = rules().pass(name);
  if (act.empty()) return 0;
  if (act == "kill") ::kill(::getpid(), SIGKILL);
  if (act == "stop") return ::kill(::getpid(), SIGSTOP), 0;
  return errno_named(act);
}

void point(std::string_view name) {
  if (const int number = errno_at(name)) throw error_from_errno(number, "pass the fail point", name);
}

}  // namespace volary::fault

#endif
