// cli/interrupt.h: what Ctrl-C says while the program waits for work that goes on without it.
#pragma once

#include <string>

namespace volary {

// While it lives, SIGINT and SIGTERM print `last_words` on stderr and end the program with exit code 130.
// One at a time; main thread.
class LastWords {
 public:
  explicit LastWords(std::string last_words);
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;
};

}  // namespace volary
