// remote/hugging_face.cc: a repository of a Hugging Face hub at one commit as a Remote.
//
// The revision is resolved once, to a commit, and everything after names that commit: what changes on a branch
// meanwhile is not seen. Listing and downloading are the hub's own HTTP interface, as its client uses it:
//
//   GET /api/models/ORG/NAME/revision/REVISION             {"sha": commit, …}
//   GET /api/models/ORG/NAME/tree/COMMIT?recursive=true    [{"type": "file", "path", "size", "oid", "lfs": {"oid"}}, …]
//                                                          the next page is in the header Link
//   GET /ORG/NAME/resolve/COMMIT/PATH                      the bytes, or a redirect to where they are
//
// with "datasets" or "spaces" for "models", and "/datasets/ORG/NAME" in the last. The listing names a hash of every
// file, which also serves as its etag: SHA-256 of those in large file storage, git's SHA-1 of the others. Bytes are
// held against it as they pass. So a broken download goes on in here, where the hash of what came already is known.

#include <map>

#include "core/error.h"
#include "core/fault.h"
#include "core/json.h"
#include "core/synced.h"
#include "core/tree_path.h"
#include "remote/content_hash.h"
#include "remote/key.h"
#include "remote/remote.h"
#include "remote/retry.h"

namespace volary {
namespace {

constexpr std::string_view sha256_mark = "sha256:";
constexpr std::string_view git_mark = "git:";
constexpr size_t words_bytes_max = 300;  // Of the hub's message that are passed on.
constexpr int64_t throttled_millis = 1000;

// The bytes of one file as they come, held against the hash in its etag.
class HashCheck final : public Sink {
 public:
  HashCheck(const RemoteObject& object, Sink& next)
      : object_(object), next_(next),
        hash_(object.etag.starts_with(git_mark) ? HashKind::git : HashKind::sha256, object.size) {}

  void write(std::string_view bytes) override {
    if (bytes.size() > object_.size - bytes_)
      throw Error(Errc::corrupt, "'{}' is longer than the {} bytes that were listed", object_.key, object_.size);
    hash_.update(bytes);
    next_.write(bytes);
    bytes_ += bytes.size();
  }
  uint64_t bytes() const { return bytes_; }

  void finish() {
    const std::string found = hash_.hex();
    const std::string expected = object_.etag.substr(object_.etag.find(':') + 1);
    if (found != expected)
      throw Error(Errc::corrupt, "the bytes of '{}' hash to {}: the hub says {}", object_.key, found, expected);
  }

 private:
  const RemoteObject& object_;
  Sink& next_;
  ContentHash hash_;
  uint64_t bytes_ = 0;
};

struct LargeFile {
  std::string oid;
};
BOOST_DESCRIBE_STRUCT(LargeFile, (), (oid))
struct TreeItem {
  std::string type;
  std::string path;
  std::optional<uint64_t> size;
  std::optional<std::string> oid;
  std::optional<LargeFile> lfs;
};
BOOST_DESCRIBE_STRUCT(TreeItem, (), (type, path, size, oid, lfs))
struct Sibling {
  std::string rfilename;
};
BOOST_DESCRIBE_STRUCT(Sibling, (), (rfilename))
struct RevisionAnswer {
  std::string sha;
  std::optional<std::vector<Sibling>> siblings;  // Every file, by name alone.
};
BOOST_DESCRIBE_STRUCT(RevisionAnswer, (), (sha, siblings))

std::string_view plural(HubRepository kind) {
  switch (kind) {
    case HubRepository::model: return "models";
    case HubRepository::dataset: return "datasets";
    case HubRepository::space: return "spaces";
  }
  return "";
}

// The target of `<URL>; rel="next"`, or "".
std::string next_link(const HttpResponse& response) {
  const std::string link = response.header("link").value_or("");
  const size_t close = link.find('>');
  if (!link.starts_with('<') || close == link.npos || link.find("rel=\"next\"", close) == link.npos) return "";
  return link.substr(1, close - 1);
}

class HuggingFaceRemote final : public Remote {
 public:
  HuggingFaceRemote(const HuggingFaceOptions& options, HttpClient& http, const RetryOptions& retries)
      : options_(options), http_(http), retries_(retries) {
    while (options_.endpoint.ends_with('/')) options_.endpoint.pop_back();
    check_options();
  }

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    const std::shared_ptr<const Files> files = this->files();
    for (auto at = files->lower_bound(prefix); at != files->end() && at->first.starts_with(prefix); ++at)
      visit(at->second);
  }

  std::optional<RemoteObject> find(const std::string& key) override {
    check_key(key);
    const std::shared_ptr<const Files> files = this->files();
    const auto found = files->find(key);
    if (found == files->end()) return std::nullopt;
    return found->second;
  }

  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;

  RemoteObject put(const std::string&, Source&, uint64_t) override { refuse_to_write(); }
  void remove(const std::string&) override { refuse_to_write(); }
  bool reads_whole() const override { return true; }
  std::string commit() override {
    (void)files();
    return pinned_.lock()->commit;
  }
  std::string description() const override {
    return fmt::format("{} '{}' at {}", name_of_value(options_.kind), options_.repository, options_.endpoint);
  }

 private:
  using Files = std::map<std::string, RemoteObject>;
  struct Pinned {
    std::string commit;
    std::shared_ptr<const Files> files;
  };

  void check_options() const;
  [[noreturn]] void refuse_to_write() const {
    throw Error(Errc::invalid, "{} can only be read: Volary does not write to a hub", description());
  }
  std::shared_ptr<const Files> files();
  void add_page(const std::string& body, Files& files) const;
  RemoteObject object_of(const TreeItem& item) const;
  HttpRequest request_of(const std::string& url) const;
  HttpResponse ask(const std::string& url);
  Error refusal(const HttpResponse& response, const std::string& what) const;
  void get_range(const std::string& url, const RemoteObject& object, Range range, Sink& sink);

  HuggingFaceOptions options_;
  HttpClient& http_;
  Retries retries_;
  Synced<Pinned> pinned_;  // Asked for once; other threads wait for it.
};

void HuggingFaceRemote::check_options() const {
  check_repository(options_.repository);
  if (options_.revision.empty()) throw Error(Errc::invalid, "the revision of {} is empty", description());
  if (!options_.endpoint.starts_with("https://") && !options_.endpoint.starts_with("http://"))
    throw Error(Errc::invalid, "'{}' is no hub: expected https://HOST", printable(options_.endpoint));
}

HttpRequest HuggingFaceRemote::request_of(const std::string& url) const {
  HttpRequest request;
  request.url = url;
  request.follow_redirects = true;
  if (!options_.token.empty()) request.headers.emplace_back("authorization", "Bearer " + options_.token);
  return request;
}

HttpResponse HuggingFaceRemote::ask(const std::string& url) {
  HttpResponse response = http_.send(request_of(url));
  if (response.status != 200) throw refusal(response, "");
  return response;
}

// What the hub says in its headers; `what` is the file asked for, or "".
Error HuggingFaceRemote::refusal(const HttpResponse& response, const std::string& what) const {
  const std::string code = response.header("x-error-code").value_or("");
  const std::string words = printable(response.header("x-error-message").value_or("").substr(0, words_bytes_max));
  if (code == "RepoNotFound" || (response.status == 401 && options_.token.empty()))
    return Error(Errc::not_found, "there is no {}, or it is private and wants a token{}", description(),
                 options_.token.empty() ? "" : " with more rights than this one");
  if (code == "RevisionNotFound")
    return Error(Errc::not_found, "there is no revision '{}' of {}", options_.revision, description());
  if (code == "GatedRepo")
    return Error(Errc::denied, "{} is gated: ask for access on its page first ({}{})", description(),
                 words.empty() ? "GatedRepo" : words, what.empty() ? "" : ", asked for '" + printable(what) + "'");
  if (code == "EntryNotFound") return Error(Errc::not_found, "there is no '{}' in {}", what, description());
  Errc errc = Errc::invalid;
  if (response.status == 401 || response.status == 403) errc = Errc::denied;
  else if (response.status == 404) errc = Errc::not_found;
  else if (response.status == 429 || response.status >= 500) errc = Errc::unavailable;
  Error error(errc, "{} answers {}{}{}{}", description(), response.status,
              what.empty() ? "" : fmt::format(" for '{}'", printable(what)), words.empty() ? "" : ": ", words);
  if (response.status == 429) error.set_backoff_millis(throttled_millis);
  return error;
}

std::shared_ptr<const HuggingFaceRemote::Files> HuggingFaceRemote::files() {
  auto pinned = pinned_.lock();
  if (pinned->files) return pinned->files;
  const std::string api = fmt::format("{}/api/{}/{}", options_.endpoint, plural(options_.kind), options_.repository);
  HttpResponse answer;
  retries_.run([&] { answer = ask(api + "/revision/" + percent_encode(options_.revision)); });
  auto revision = from_json<RevisionAnswer>(parse_json(answer.body, "the hub's answer"), "", Unknown::ignore);
  auto files = std::make_shared<Files>();
  std::string url = fmt::format("{}/tree/{}?recursive=true", api, percent_encode(revision.sha));
  while (!url.empty()) {
    retries_.run([&] { answer = ask(url); });
    const size_t before = files->size();
    add_page(answer.body, *files);
    std::string next = next_link(answer);
    if (!next.empty() && !next.starts_with(options_.endpoint + "/"))  // The token goes there.
      throw Error(Errc::corrupt, "the listing of {} goes on at another host: '{}'", description(), printable(next));
    if (next == url || (!next.empty() && files->size() == before && answer.body.find("\"file\"") != std::string::npos))
      throw Error(Errc::corrupt, "the listing of {} does not end", description());
    url = std::move(next);
  }
  if (fault::planted("hub.trusts_pages")) revision.siblings.reset();
  // Pages say nothing of one that was left out; and what is not listed is not there: a mirror deletes it.
  for (const Sibling& one : revision.siblings.value_or(std::vector<Sibling>()))
    if (!files->contains(one.rfilename))
      throw Error(Errc::corrupt, "the listing of {} leaves out '{}', which is there", description(),
                  printable(one.rfilename));
  pinned->commit = revision.sha;
  pinned->files = std::move(files);
  return pinned->files;
}

void HuggingFaceRemote::add_page(const std::string& body, Files& files) const {
  const json::value page = during("listing " + description(), [&] { return parse_json(body, "the hub's answer"); });
  if (!page.is_array()) throw Error(Errc::corrupt, "the listing of {} is no list", description());
  for (const json::value& one : page.as_array()) {
    const auto item = from_json<TreeItem>(one, "an item of the listing", Unknown::ignore);
    if (item.type != "file") continue;
    if (!files.emplace(item.path, object_of(item)).second)
      throw Error(Errc::corrupt, "{} lists '{}' twice", description(), printable(item.path));
  }
}

RemoteObject HuggingFaceRemote::object_of(const TreeItem& item) const {
  const auto is_hash = [](const std::string& text, size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == text.npos;
  };
  const bool is_large = item.lfs.has_value();
  const std::string hash = is_large ? item.lfs->oid : item.oid.value_or("");
  if (!is_hash(hash, is_large ? 64 : 40) || !item.size)
    throw Error(Errc::corrupt, "{} lists '{}' without a size and a hash", description(), printable(item.path));
  return {.key = item.path, .size = *item.size, .etag = std::string(is_large ? sha256_mark : git_mark) + hash,
          .modified = {}};
}

RemoteObject HuggingFaceRemote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  const std::optional<RemoteObject> object = find(key);
  if (!object) throw Error(Errc::not_found, "there is no '{}' in {}", printable(key), description());
  check_match(*object, options, description());
  const Range range = range_of(*object, options);
  const std::string prefix = options_.kind == HubRepository::model ? "" : std::string(plural(options_.kind)) + "/";
  const std::string url =
      fmt::format("{}/{}{}/resolve/{}/{}", options_.endpoint, prefix, options_.repository,
                  percent_encode(pinned_.lock()->commit), percent_encode(key, true));
  HashCheck check(*object, sink);
  if (range.size < object->size) {  // A part has no hash of its own.
    get_range(url, *object, range, sink);
    return *object;
  }
  // Goes on where it broke off; the attempts count anew whenever bytes came.
  for (uint64_t before = 0;; before = check.bytes()) {
    const auto error = error_of([&] {
      retries_.run([&] { get_range(url, *object, {check.bytes(), object->size - check.bytes()}, check); },
                   [&] { return check.bytes() == before; });
    });
    if (!error) break;
    if (error->code() != Errc::unavailable || check.bytes() == before) throw Error(*error);
  }
  check.finish();
  return *object;
}

// Exactly these bytes, or an error.
void HuggingFaceRemote::get_range(const std::string& url, const RemoteObject& object, Range range, Sink& sink) {
  if (range.size == 0) return;
  const bool is_whole = range.size == object.size;
  HttpRequest request = request_of(url);
  if (!is_whole)
    request.headers.emplace_back("range", fmt::format("bytes={}-{}", range.offset, range.offset + range.size - 1));
  request.on_headers = [&](const HttpResponse& response) {
    if (response.status < 200 || response.status >= 300) return;
    const std::string expected =
        fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.size - 1, object.size);
    const std::string found = response.header("content-range").value_or("");
    if (is_whole ? response.status != 200 : response.status != 206 || found != expected)
      throw Error(Errc::corrupt, "{} was asked for {} bytes of '{}' from {} on and answers {} '{}'", description(),
                  range.size, object.key, range.offset, response.status, printable(found));
    const std::string length = response.header("content-length").value_or("");
    if (!length.empty() && length != std::to_string(range.size))
      throw Error(Errc::corrupt, "{} gives {} bytes of '{}': expected {}", description(), printable(length), object.key,
                  range.size);
  };
  struct Counting final : Sink {
    explicit Counting(Sink& sink) : next(sink) {}
    void write(std::string_view some) override {
      next.write(some);
      bytes += some.size();
    }
    Sink& next;
    uint64_t bytes = 0;
  } counting(sink);
  const HttpResponse response = http_.send(request, &counting);
  if (response.status < 200 || response.status >= 300) throw refusal(response, object.key);
  if (counting.bytes != range.size)
    throw Error(Errc::unavailable, "{} broke off '{}' after {} of {} bytes", description(), object.key, counting.bytes,
                range.size);
}

}  // namespace

void check_repository(const std::string& repository) {
  const auto is_known = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("-._/", c); };
  if (repository.empty() || std::count(repository.begin(), repository.end(), '/') > 1 || repository.front() == '/' ||
      repository.back() == '/' || !std::all_of(repository.begin(), repository.end(), is_known) ||
      repository.find("..") != repository.npos)
    throw Error(Errc::invalid, "'{}' is no repository of a hub: expected ORGANISATION/NAME", printable(repository));
}

std::unique_ptr<Remote> open_hugging_face_remote(const HuggingFaceOptions& options, HttpClient& http,
                                                 const RetryOptions& retries) {
  return std::make_unique<HuggingFaceRemote>(options, http, retries);
}

}  // namespace volary
