// remote/download.cc: for remote/download.h.
#include "remote/download.h"

#include <algorithm>
#include <charconv>

#include "core/tree_path.h"
#include "remote/key.h"

namespace volary {
namespace {

constexpr int64_t throttled_millis = 1000;
constexpr uint64_t retry_after_seconds_max = 60;

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t total = 0;
};

// "bytes 5-9/100"
std::optional<ContentRange> parse_content_range(std::string_view text) {
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (!text.starts_with("bytes ") || dash > slash || slash == std::string_view::npos) return std::nullopt;
  const auto first = parse_number(text.substr(6, dash - 6));
  const auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
  const auto total = parse_number(text.substr(slash + 1));
  if (!first || !last || !total || *last < *first || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

// Drops what comes before and behind the bytes asked for.
class Window final : public Sink {
 public:
  explicit Window(Sink& next) : next_(next) {}
  void ask(uint64_t skip, uint64_t size, uint64_t behind) {
    skip_ = skip;
    left_ = size;
    behind_ = behind;
  }
  void write(std::string_view bytes) override {
    const size_t skipped = std::min<uint64_t>(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    const size_t taken = std::min<uint64_t>(left_, bytes.size());
    if (taken > 0) next_.write(bytes.substr(0, taken));
    left_ -= taken;
    passed_ += taken;
    bytes.remove_prefix(taken);
    if (bytes.size() > behind_) throw Error(Errc::corrupt, "more bytes came than were announced");
    behind_ -= bytes.size();
  }
  uint64_t left() const { return left_; }
  uint64_t passed() const { return passed_; }

 private:
  Sink& next_;
  uint64_t skip_ = 0;
  uint64_t left_ = 0;
  uint64_t behind_ = 0;
  uint64_t passed_ = 0;
};

// Sets up the window for what the headers announce.
RemoteObject accept(const Download& asked, const HttpResponse& response, Window& window) {
  RemoteObject object = asked.object_of(response);
  const auto length = content_length(response);
  object.size = length.value_or(0);
  if (asked.options.range && response.status == 206) {
    const Range wanted = *asked.options.range;
    const std::string text = response.header("content-range").value_or("");
    const auto found = parse_content_range(text);
    if (!found || found->first != wanted.offset || (length && *length != found->last - found->first + 1))
      throw Error(Errc::corrupt, "{} was asked for {} bytes of '{}' from {} on and answers with '{}'",
                  asked.description, wanted.size, printable(asked.key), wanted.offset, printable(text));
    object.size = found->total;
    range_of(object, asked.options);
    if (found->last - found->first + 1 != wanted.size)
      throw Error(Errc::corrupt, "{} was asked for {} bytes of '{}' and gives {}", asked.description, wanted.size,
                  printable(asked.key), found->last - found->first + 1);
    window.ask(0, wanted.size, 0);
  } else if (response.status != 200) {
    throw Error(Errc::corrupt, "{} was asked for '{}' and answers {}", asked.description, printable(asked.key),
                response.status);
  } else if (asked.options.range) {
    if (!length)
      throw Error(Errc::invalid, "{} does not say how long '{}' is: a part of it cannot be had", asked.description,
                  printable(asked.key));
    const Range wanted = range_of(object, asked.options);
    window.ask(wanted.offset, wanted.size, object.size - wanted.offset - wanted.size);
  } else {
    window.ask(0, length.value_or(UINT64_MAX), 0);
  }
  check_match(object, asked.options, asked.description);
  return object;
}

}  // namespace

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<uint64_t> content_length(const HttpResponse& response) {
  return parse_number(response.header("content-length").value_or(""));
}

RemoteObject download(HttpClient& http, Download asked, Sink& sink) {
  if (asked.options.range)
    asked.request.headers.emplace_back(
        "range", fmt::format("bytes={}-{}", asked.options.range->offset,
                             asked.options.range->offset + asked.options.range->size - 1));
  Window window(sink);
  RemoteObject object;
  bool is_open_end = false;
  asked.request.on_headers = [&](const HttpResponse& response) {
    if (response.status < 200 || response.status >= 300) return;
    object = accept(asked, response, window);
    is_open_end = !asked.options.range && !content_length(response);
  };
  const HttpResponse response = http.send(asked.request, &window);
  if (response.status < 200 || response.status >= 300) throw asked.refusal(response);
  if (is_open_end) {
    object.size = window.passed();
  } else if (window.left() > 0) {
    throw Error(Errc::unavailable, "{} broke off '{}' with {} bytes missing", asked.description, printable(asked.key),
                window.left());
  }
  return object;
}

Errc errc_of_remote_status(int status) {
  switch (status) {
    case 401: case 403: return Errc::denied;
    case 404: case 410: return Errc::not_found;
    case 412: return Errc::conflict;
    case 408: case 429: return Errc::unavailable;
    case 501: case 505: return Errc::invalid;
    case 413: case 507: return Errc::exhausted;
    default: return status >= 500 ? Errc::unavailable : Errc::invalid;
  }
}

int64_t asked_backoff_millis(const HttpResponse& response) {
  const uint64_t seconds = parse_number(response.header("retry-after").value_or("")).value_or(0);
  // Twice, because the wait is random between 0 and this: on average it is what was asked for.
  if (seconds > 0) return static_cast<int64_t>(2000 * std::min(seconds, retry_after_seconds_max));
  return response.status == 429 || response.status == 503 ? throttled_millis : 0;
}

}  // namespace volary
