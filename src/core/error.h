// core/error.h: the one exception of Volary.
//
// Nine codes, named after what the caller can do. core/error_table.h maps them to HTTP and exit status, once.
// Only core/, db/ and net/ translate foreign errors; everything else throws Error or lets one pass.
// `try` stands in four places only: during(), the HTTP dispatcher, the command line's main, the steps of
// background work (a job, a transfer). Absence that a caller expects is an std::optional, not an Error.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

namespace volary {

enum class Errc {
  invalid,      // fix the request
  denied,       // ask for a grant
  not_found,    // look for another name; also what may not be seen
  exists,       // choose another name
  conflict,     // read again, then retry
  exhausted,    // free quota or disk
  unavailable,  // retry the same call later
  corrupt,      // import again, call the operator
  internal,     // report a bug
};

// The code's own word, as in messages and problem documents: "not_found".
std::string_view name_of(Errc code);
// The reverse, for what arrives over the wire. An unknown word is `internal`.
Errc errc_named(std::string_view name);

class Error : public std::exception {
 public:
  template <class... Args>
  Error(Errc code, fmt::format_string<Args...> format, Args&&... args)
      : Error(code, Text{fmt::format(format, std::forward<Args>(args)...)}) {}

  // A message that is already text: it came over the wire, say.
  struct Text {
    std::string text;
  };
  Error(Errc code, Text message);

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }
  // What was being done, innermost first: "importing s3://corpora/wiki into volume 'wiki-en'".
  const std::vector<std::string>& trail() const { return trail_; }
  void add_to_trail(std::string what);
  // The scale of time to wait before trying again, where the one who refused asked for it; 0 if the caller may choose.
  int64_t backoff_millis() const { return backoff_millis_; }
  void set_backoff_millis(int64_t millis) { backoff_millis_ = millis; }
  // Whether all else that is asked there would fail alike: the credentials are wrong, the bucket is gone.
  bool concerns_all() const { return concerns_all_; }
  void set_concerns_all() { concerns_all_ = true; }
  // "corrupt: the message", then one "     while …" line per entry of the trail.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Errc code_;
  std::string message_;
  std::vector<std::string> trail_;
  std::string text_;
  int64_t backoff_millis_ = 0;
  bool concerns_all_ = false;
};

// An Error from errno, with the code a caller can act on (ENOSPC is `exhausted`, ENOENT `not_found`, …).
Error error_from_errno(int number, std::string_view action, std::string_view path);

// Runs `work`; an Error on its way out gets the line "while <what>".
template <class Work>
decltype(auto) during(std::string_view what, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (Error& error) {
    error.add_to_trail(std::string(what));
    throw;
  }
}

}  // namespace volary
