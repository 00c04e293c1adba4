// engine/pip_words.h: what of all that pip says tells why it failed: its errors, else its last line.
#pragma once

#include <string>
#include <string_view>

namespace volary {

// Keeps a few of them, however long a line is: a package's own code may print there.
class PipWords {
 public:
  void take(std::string_view text);
  std::string text();
  bool lacks_pip() const { return lacks_pip_; }

 private:
  void end_line();

  std::string line_;
  std::string last_;
  std::string errors_;
  bool lacks_pip_ = false;
};

}  // namespace volary
