// cli/interrupt.cc: a signal handler that only writes and ends: nothing here needs cleaning up, the server does the
// work.
#include "cli/interrupt.h"

#include <csignal>

#include <unistd.h>

namespace volary {
namespace {

std::string words;  // Set before the handler is, and not changed while it is.

void say_and_end(int) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, words.data(), words.size());
  ::_exit(130);
}

void on_interrupt(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

LastWords::LastWords(std::string last_words) {
  words = "\n" + std::move(last_words) + "\n";
  on_interrupt(say_and_end);
}

LastWords::~LastWords() { on_interrupt(SIG_DFL); }

}  // namespace volary
