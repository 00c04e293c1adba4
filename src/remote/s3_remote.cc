// remote/s3_remote.cc: a bucket as a Remote.
//
// Nothing a server says is taken on trust where it can be checked: a listing's order and end, the range and etag of
// what comes, its length. The checks stand before the first byte reaches the caller's sink.
#include <charconv>

#include "core/error.h"
#include "core/fault.h"
#include "remote/key.h"
#include "remote/pages_ahead.h"
#include "remote/s3_checksum.h"
#include "remote/s3_connection.h"
#include "remote/s3_copy.h"
#include "remote/s3_listing.h"
#include "remote/s3_multipart.h"
#include "remote/s3_upload.h"

namespace volary {
namespace {

// "bytes 5-9/100"
struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t total = 0;
};

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (!text.starts_with("bytes ") || dash > slash || slash == std::string_view::npos) return std::nullopt;
  const auto first = parse_number(text.substr(6, dash - 6));
  const auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
  const auto total = parse_number(text.substr(slash + 1));
  if (!first || !last || !total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

// Passes on what was promised and no more, and shows it to the check.
class ExactSink final : public Sink {
 public:
  ExactSink(Sink& next, ContentCheck& check) : next_(next), check_(check) {}
  void promise(uint64_t bytes) { left_ = bytes; }
  void write(std::string_view bytes) override {
    if (bytes.size() > left_) throw Error(Errc::corrupt, "more bytes came than were announced");
    next_.write(bytes);
    check_.update(bytes);
    left_ -= bytes.size();
  }
  uint64_t left() const { return left_; }

 private:
  Sink& next_;
  ContentCheck& check_;
  uint64_t left_ = 0;
};

class S3Remote final : public Remote, public PartedRemote {
 public:
  S3Remote(const S3Options& options, HttpClient& http, Clock& clock, const RetryOptions& retries)
      : connection_(options, http, clock), retries_(retries) {}

  // While the objects of one page are visited the next ones are under way. They are believed only if the page before,
  // when it is read, says that it goes on there.
  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    S3Order order(prefix, description());
    // The first page can be asked for again by those outside; behind it objects have been visited.
    const auto ask_again = [&](const std::string& token) {
      std::string text;
      retries_.run([&] { text = ask_page(prefix, token); });
      return text;
    };
    std::optional<PagesAhead> ahead;
    for (std::string text = ask_page(prefix, "");;) {
      if (const std::string next = ahead ? "" : likely_next(text); !next.empty()) ahead.emplace(ask_again, next);
      const S3Page page = read_page(text);
      order.check(page);
      for (const RemoteObject& object : page.objects) visit(object);
      if (page.next.empty()) return;
      std::optional<std::string> next;
      if (ahead) next = ahead->take(page.next);
      if (!next) ahead.reset();
      text = next ? *std::move(next) : ask_again(page.next);
    }
  }

  std::optional<RemoteObject> find(const std::string& key) override {
    check_key(key);
    const auto found = connection_.head(key, {checksum_mode});
    if (!found) return std::nullopt;
    RemoteObject object = object_of(key, *found, length_of(key, *found));
    object.checksum = checksum_of(*found);
    return object;
  }

  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;

  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    check_key(key);
    return upload_to_s3(connection_, retries_, key, source, size);
  }

  PartedRemote* parted() override { return this; }

  RemoteObject put_content(const std::string& key, Content& content, const PutOptions& options) override {
    check_key(key);
    return put_content_to_s3(connection_, retries_, habits_, key, content, options);
  }

  bool is_same(const std::string& etag, Content& content) override { return is_same_in_s3(etag, content); }

  void abandon(const std::string& key, const UploadNote& note) override {
    abandon_upload(connection_, retries_, key, note);
  }

  void remove(const std::string& key) override {
    check_key(key);
    connection_.remove(key);
  }

  RemoteObject copy(const std::string& from, const std::string& to) override {
    check_key(from);
    check_key(to);
    return copy_in_s3(connection_, from, connection_, to, retries_);
  }

  std::string description() const override { return connection_.description(); }

 private:
  std::string ask_page(const std::string& prefix, const std::string& token);
  S3Page read_page(const std::string& text) const;
  RemoteObject get_nothing(const std::string& key, const GetOptions& options);
  void expect(ContentCheck& check, const HttpResponse& response) const;
  void hold(const RemoteObject& object, ContentCheck& check);
  StoredChecksum read_again(const RemoteObject& object, const StoredChecksum& expected);
  RemoteObject accept(const std::string& key, const GetOptions& options, const HttpResponse& response) const;

  uint64_t length_of(const std::string& key, const HttpResponse& response) const {
    const auto length = parse_number(response.header("content-length").value_or(""));
    if (!length) throw Error(Errc::corrupt, "{} does not say how long '{}' is", description(), key);
    return *length;
  }

  S3Connection connection_;
  Retries retries_;
  S3Habits habits_;
};

std::string S3Remote::ask_page(const std::string& prefix, const std::string& token) {
  S3Call call{.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", "1000"}}};
  if (!prefix.empty()) call.query.emplace_back("prefix", prefix);
  if (!token.empty()) call.query.emplace_back("continuation-token", token);
  HttpResponse response = connection_.send(call);
  const bool is_refused = during("listing " + description(), [&] { return is_refusal(response.body); });
  if (is_refused && !fault::planted("s3.refusals_are_empty")) throw connection_.refusal(call, response);
  return std::move(response.body);
}

S3Page S3Remote::read_page(const std::string& text) const {
  return during("listing " + description(), [&] { return parse_s3_page(text); });
}

RemoteObject S3Remote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  check_key(key);
  ContentCheck own;
  ContentCheck& check = options.check ? *options.check : own;
  RemoteObject object;
  if (options.range && options.range->size == 0) {
    object = get_nothing(key, options);
  } else {
    S3Call call{.key = key};
    if (options.range)
      call.headers["range"] =
          fmt::format("bytes={}-{}", options.range->offset, options.range->offset + options.range->size - 1);
    else
      call.headers.insert(checksum_mode);
    if (!options.if_match.empty()) call.headers["if-match"] = quoted_etag(options.if_match);
    ExactSink exact(sink, check);
    call.on_headers = [&](const HttpResponse& response) {
      if (response.status < 200 || response.status >= 300) return;
      object = accept(key, options, response);
      if (!options.range) expect(check, response);
      exact.promise(options.range ? options.range->size : object.size);
    };
    connection_.send(call, &exact);
    if (exact.left() > 0)
      throw Error(Errc::unavailable, "{} broke off '{}' with {} bytes missing", description(), key, exact.left());
  }
  if (check.expected() && check.bytes() == object.size && !fault::planted("s3.any_bytes")) hold(object, check);
  return object;
}

// S3 has no range without bytes.
RemoteObject S3Remote::get_nothing(const std::string& key, const GetOptions& options) {
  const auto object = find(key);
  if (!object) throw Error(Errc::not_found, "there is no '{}' in {}", key, description());
  check_match(*object, options, description());
  range_of(*object, options);
  return *object;
}

// An MD5 costs more than all else that is done with the bytes, so it is the last resort.
void S3Remote::expect(ContentCheck& check, const HttpResponse& response) const {
  auto expected = checksum_of(response);
  const bool are_etags_known = habits_.has_other_etags && !habits_.has_md5_etags;
  if (!expected && connection_.is_exposed() && !are_etags_known) expected = md5_of_etag(response);
  if (expected) check.expect(std::move(*expected));
}

void S3Remote::hold(const RemoteObject& object, ContentCheck& check) {
  const StoredChecksum& expected = *check.expected();
  const StoredChecksum found = check.finish();
  if (expected.kind != ChecksumKind::md5) {
    if (found == expected) return;
    throw Error(Errc::corrupt, "{} gave '{}' with the checksum {}: expected {}, which it keeps for it", description(),
                object.key, found.text(), expected.text());
  }
  if (found == expected) {
    habits_.has_md5_etags = true;
    return;
  }
  const StoredChecksum again = read_again(object, expected);
  if (again != found)
    throw Error(Errc::corrupt, "{} gave '{}' with the {} and then with the {}: expected {}, its etag", description(),
                object.key, found.text(), again.text(), expected.text());
  habits_.has_other_etags = true;
}

// Of bytes that nobody keeps.
StoredChecksum S3Remote::read_again(const RemoteObject& object, const StoredChecksum& expected) {
  struct Nowhere final : Sink {
    void write(std::string_view) override {}
  } nowhere;
  ContentCheck check;
  const auto error = error_of([&] {
    retries_.run([&] {
      check.expect(expected);
      ExactSink exact(nowhere, check);
      exact.promise(object.size);
      S3Call call{.key = object.key, .headers = {{"if-match", quoted_etag(object.etag)}}};
      connection_.send(call, &exact);
      if (exact.left() > 0)
        throw Error(Errc::unavailable, "{} broke off '{}' with {} bytes missing", description(), object.key,
                    exact.left());
    });
  });
  if (error)
    throw Error(Errc::corrupt, "{} gave '{}' with another MD5 than its etag, {}, and does not give it again: {}",
                description(), object.key, object.etag, error->message());
  return check.finish();
}

// Whether the answer is what was asked for; not every server knows ranges and If-Match.
RemoteObject S3Remote::accept(const std::string& key, const GetOptions& options, const HttpResponse& response) const {
  const uint64_t length = length_of(key, response);
  RemoteObject object = object_of(key, response, length);
  if (options.range) {
    const std::string text = response.header("content-range").value_or("");
    const auto range = parse_content_range(text);
    if (response.status != 206 || !range || range->first != options.range->offset)
      throw Error(Errc::corrupt, "{} was asked for {} bytes of '{}' from {} on and answers {} '{}'", description(),
                  options.range->size, key, options.range->offset, response.status, text);
    object.size = range->total;
    range_of(object, options);
    if (range->last - range->first + 1 != options.range->size || length != options.range->size)
      throw Error(Errc::corrupt, "{} was asked for {} bytes of '{}' and gives {}", description(), options.range->size,
                  key, length);
  } else if (response.status != 200) {
    throw Error(Errc::corrupt, "{} was asked for all of '{}' and answers {}", description(), key, response.status);
  }
  check_match(object, options, description());
  return object;
}

}  // namespace

std::unique_ptr<Remote> open_s3_remote(const S3Options& options, HttpClient& http, Clock& clock,
                                       const RetryOptions& retries) {
  if (options.bucket.empty()) throw Error(Errc::invalid, "'' is not the name of an S3 bucket");
  return std::make_unique<S3Remote>(options, http, clock, retries);
}

}  // namespace volary
