// remote/swift_remote.cc: a container of Swift as a Remote, and its account.
//
//   GET /v1/ACCOUNT/CONTAINER?format=json&limit=N&marker=LAST&prefix=P
//       [{"name", "bytes", "hash", "slo_etag" of large objects, "last_modified"}, …]; a page without any is the end
#include "remote/swift_remote.h"

#include <algorithm>

#include "core/json.h"
#include "core/tree_path.h"
#include "remote/download.h"
#include "remote/key.h"
#include "remote/ranged_source.h"
#include "remote/s3_connection.h"
#include "remote/swift_connection.h"
#include "remote/swift_content.h"
#include "remote/swift_upload.h"

namespace volary {
namespace {

// Swift's keys have underscores, so they are read by hand.
std::string text_of(const json::object& item, std::string_view key) {
  const json::value* found = item.if_contains(key);
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

std::vector<json::object> items_of(const std::string& body, const std::string& what) {
  return during("listing " + what, [&] {
    const json::value page = parse_json(body, "Swift's listing");
    std::vector<json::object> items;
    for (const json::value& one : page.is_array() ? page.get_array() : json::array{page}) {
      if (!one.is_object() || text_of(one.get_object(), "name").empty())
        throw Error(Errc::corrupt, "Swift's listing holds {}: expected something with a name", kind_of(one));
      items.push_back(one.get_object());
    }
    return items;
  });
}

RemoteObject listed_object(const json::object& item) {
  const json::value* bytes = item.if_contains("bytes");
  if (!bytes || !bytes->is_number() || (bytes->is_int64() && bytes->get_int64() < 0))
    throw Error(Errc::corrupt, "Swift lists '{}' without its bytes", printable(text_of(item, "name")));
  const std::string of_large = text_of(item, "slo_etag");
  const std::string modified = text_of(item, "last_modified");
  return {.key = text_of(item, "name"),
          .size = bytes->to_number<uint64_t>(),
          .etag = bare_etag(of_large.empty() ? text_of(item, "hash") : of_large),
          .modified = modified.empty() ? Time{} : parse_swift_time(modified)};
}

class SwiftRemote final : public Remote, public PartedRemote {
 public:
  SwiftRemote(std::shared_ptr<SwiftConnection> connection, const SwiftOptions& options, HttpClient& http,
              const RetryOptions& retries)
      : connection_(std::move(connection)), options_(options), container_(options_.container), http_(http),
        retries_(retries) {
    check_bucket_name(container_);
    description_ = connection_->description(container_);
  }

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override;
  std::optional<RemoteObject> find(const std::string& key) override {
    check_key(key);
    const auto found = connection_->head(container_, key);
    if (!found) return std::nullopt;
    return object_of(key, *found);
  }
  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;
  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    check_key(key);
    return upload_to_swift(*connection_, retries_, container_, key, source, size, options_.segmented_bytes_min);
  }
  PartedRemote* parted() override { return this; }
  RemoteObject put_content(const std::string& key, Content& content, const PutOptions& options) override {
    check_key(key);
    return put_content_to_swift(*connection_, retries_, options_, key, content, options);
  }
  bool is_same(const std::string& etag, Content& content) override {
    return is_same_in_swift(etag, content, options_.segmented_bytes_min);
  }
  void abandon(const std::string& key, const UploadNote& note) override {
    abandon_swift_upload(*connection_, retries_, container_, key, note);
  }
  void remove(const std::string& key) override {
    check_key(key);
    remove_from_swift(*connection_, container_, key);
  }
  RemoteObject copy(const std::string& from, const std::string& to) override;
  std::string description() const override { return description_; }

 private:
  std::vector<json::object> ask_page(const std::string& prefix, const std::string& marker);
  RemoteObject object_of(const std::string& key, const HttpResponse& response) const {
    RemoteObject object = swift_object_of(key, response);
    const auto size = content_length(response);
    if (!size) throw Error(Errc::corrupt, "{} does not say how long '{}' is", description_, printable(key));
    object.size = *size;
    return object;
  }

  const std::shared_ptr<SwiftConnection> connection_;  // Shared with the account that it is of.
  const SwiftOptions options_;
  const std::string& container_;
  HttpClient& http_;
  Retries retries_;
  std::string description_;
};

std::vector<json::object> SwiftRemote::ask_page(const std::string& prefix, const std::string& marker) {
  SwiftCall call{.container = container_,
                 .query = {{"format", "json"}, {"limit", std::to_string(options_.page_items)}}};
  if (!prefix.empty()) call.query.emplace_back("prefix", prefix);
  if (!marker.empty()) call.query.emplace_back("marker", marker);
  return items_of(connection_->send(call).body, description_);
}

void SwiftRemote::list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) {
  std::string last;
  std::vector<json::object> page = ask_page(prefix, last);
  while (!page.empty()) {
    for (const json::object& item : page) {
      const RemoteObject object = listed_object(item);
      if (object.key <= last || !object.key.starts_with(prefix))
        throw Error(Errc::corrupt, "{} lists '{}' after '{}': expected names in byte order, each once, that begin with "
                    "'{}'", description_, printable(object.key), printable(last), printable(prefix));
      last = object.key;
      visit(object);
    }
    // Objects were visited: from here on nobody outside could begin again without visiting them twice.
    retries_.run([&] { page = ask_page(prefix, last); });
  }
}

RemoteObject SwiftRemote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  check_key(key);
  if (options.range && options.range->size == 0) {
    const auto object = find(key);
    if (!object) throw Error(Errc::not_found, "there is no '{}' in {}", printable(key), description_);
    check_match(*object, options, description_);
    range_of(*object, options);
    return *object;
  }
  const SwiftCall call{.container = container_, .key = key};
  for (int attempt = 1;; ++attempt) {
    HttpRequest request = connection_->request_of(call);
    if (!options.if_match.empty()) request.headers.emplace_back("if-match", quoted_etag(options.if_match));
    bool is_expired = false;
    const HttpRequest asked = request;
    RemoteObject object;
    const auto error = error_of([&] {
      object = download(http_,
                        {.key = key,
                         .options = options,
                         .request = std::move(request),
                         .description = description_,
                         .object_of = [&](const HttpResponse& response) { return swift_object_of(key, response); },
                         .refusal =
                             [&](const HttpResponse& response) {
                               is_expired = response.status == 401;
                               return connection_->refusal(call, response);
                             }},
                        sink);
    });
    if (!error) return object;
    if (!is_expired || attempt > 1 || connection_->is_anonymous()) throw Error(*error);
    connection_->renew(asked);
  }
}

// Swift would join the segments of a large object to one that may be larger than it takes.
RemoteObject SwiftRemote::copy(const std::string& from, const std::string& to) {
  check_key(from);
  check_key(to);
  const auto found = connection_->head(container_, from);
  if (!found) throw Error(Errc::not_found, "there is no '{}' in {}", printable(from), description_);
  if (is_segmented(*found) || from == to) return Remote::copy(from, to);
  const HttpResponse response = connection_->send(
      {.method = "PUT", .container = container_, .key = to,
       .headers = {{"x-copy-from", "/" + percent_encode(container_) + "/" + percent_encode(from, true)},
                   {"if-match", quoted_etag(bare_etag(found->header("etag").value_or("")))}}});
  RemoteObject object = swift_object_of(to, response);
  object.size = content_length(*found).value_or(0);
  return object;
}

class SwiftAccount final : public Account {
 public:
  SwiftAccount(const SwiftOptions& options, HttpClient& http, const RetryOptions& retries)
      : options_(options), http_(http), connection_(std::make_shared<SwiftConnection>(options, http)),
        retry_options_(retries), retries_(retries) {}

  std::vector<Bucket> list_buckets() override {
    std::vector<Bucket> all;
    for (bool is_last = false; !is_last;) {
      std::vector<json::object> page;
      retries_.run([&] { page = ask_page(all.empty() ? "" : all.back().name); });
      is_last = page.empty();
      for (const json::object& one : page) {
        const std::string name = text_of(one, "name");
        check_bucket_name(name);
        if (!all.empty() && name <= all.back().name)
          throw Error(Errc::corrupt, "{} lists '{}' after '{}': expected names in byte order", description(),
                      printable(name), printable(all.back().name));
        all.push_back({.name = name, .created_at = std::nullopt});
      }
    }
    return all;
  }
  void create_bucket(const std::string& name) override {
    check_bucket_name(name);
    HttpResponse response;
    bool is_first = true, was_first = true;  // An earlier one may have made it, though its answer was lost.
    retries_.run([&] {
      was_first = std::exchange(is_first, false);
      response = connection_->send({.method = "PUT", .container = name});
    });
    if (response.status == 202 && was_first)
      throw Error(Errc::exists, "there is a {} already", connection_->description(name));
  }
  void remove_bucket(const std::string& name) override {
    check_bucket_name(name);
    const auto error = error_of([&] {
      bool is_first = true;
      retries_.run([&] {
        const auto refused = error_of([&] { connection_->send({.method = "DELETE", .container = name}); });
        const bool was_first = std::exchange(is_first, false);
        if (refused && (was_first || refused->code() != Errc::not_found)) throw Error(*refused);
      });
    });
    if (error && error->code() == Errc::conflict)
      throw Error(Errc::conflict, "{} is not empty: expected no object in it", connection_->description(name));
    if (error) throw Error(*error);
    (void)error_of([&] { connection_->send({.method = "DELETE", .container = segments_container(name)}); });
  }
  std::unique_ptr<Remote> open(const std::string& bucket) override {
    SwiftOptions options = options_;
    options.container = bucket;
    return with_retries(std::make_unique<SwiftRemote>(connection_, options, http_, retry_options_), retry_options_);
  }
  bool has_parts() const override { return true; }
  RemoteObject copy(const ObjectPlace& from, const ObjectPlace& to) override;
  std::string description() const override { return connection_->description(""); }

 private:
  std::vector<json::object> ask_page(const std::string& marker) {
    SwiftCall call{.query = {{"format", "json"}, {"limit", std::to_string(options_.page_items)}}};
    if (!marker.empty()) call.query.emplace_back("marker", marker);
    return items_of(connection_->send(call).body, description());
  }

  const SwiftOptions options_;
  HttpClient& http_;
  const std::shared_ptr<SwiftConnection> connection_;  // Shared with the remotes that it opened: one token for all.
  const RetryOptions retry_options_;
  Retries retries_;
};

RemoteObject SwiftAccount::copy(const ObjectPlace& from, const ObjectPlace& to) {
  if (from.bucket == to.bucket) return open(from.bucket)->copy(from.key, to.key);
  const auto source = open(from.bucket);
  RangedSource bytes(*source, from.key);
  return open(to.bucket)->put(to.key, bytes, bytes.object().size);
}

}  // namespace

std::unique_ptr<Remote> open_swift_remote(const SwiftOptions& options, HttpClient& http,
                                          const RetryOptions& retries) {
  return std::make_unique<SwiftRemote>(std::make_shared<SwiftConnection>(options, http), options, http, retries);
}

std::unique_ptr<Account> open_swift_account(const SwiftOptions& options, HttpClient& http,
                                            const RetryOptions& retries) {
  return std::make_unique<SwiftAccount>(options, http, retries);
}

}  // namespace volary
