// remote/remote.h: named bytes elsewhere: one interface for every object store.
//
// A key is any non-empty string of bytes. Implementations know protocols and errors, nothing of volumes; retry, limits
// and faults are wrappers that are a Remote and hold one. remote_contract_test.cc runs against all of them. Every
// function may be called from any thread, many at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <boost/describe/enum.hpp>

#include "core/clock.h"
#include "core/file.h"
#include "core/random.h"
#include "core/stream.h"
#include "net/http_client.h"
#include "remote/content_check.h"

namespace volary {

// Whether what a store said of an object when it took it shows that it has the bytes that were sent.
enum class Proof {
  none,      // It said nothing that could be held against them, or was not asked.
  differs,   // Its etag has the form of an MD5 and is not theirs: its etags are something else, or its bytes are.
  etag,      // Its etag is their MD5, or for an object in parts made of the MD5s of these.
  checksum,  // It named the checksum that they have.
};

struct RemoteObject {
  std::string key;
  uint64_t size = 0;
  std::string etag;  // Opaque: equal ones mean equal bytes; "" if the store has none. Never trusted to be an MD5.
  Time modified;     // As the store says; after a put, the time the store answered.
  Proof proof = Proof::none;
  std::optional<StoredChecksum> checksum{};  // Of its bytes, where find() was told one.
};

struct Range {
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct GetOptions {
  std::optional<Range> range{};
  std::string if_match{};  // An etag: throws `conflict` if the object is another one by now. "" for any.
  ContentCheck* check = nullptr;  // Of who reads one object by several requests, the first of them for all of it.
};

class PartedRemote;

class Remote {
 public:
  virtual ~Remote() = default;

  // Visits every object whose key begins with `prefix`, in byte order of keys, each once, page by page. Returns only
  // after a complete listing; a page that fails throws, so "not listed" is proof of absence only after the return.
  // A listing out of order or with a key twice is `corrupt`. Markers (keys ending in "/" without bytes) are included.
  virtual void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) = 0;
  // The object without its bytes, or nothing.
  virtual std::optional<RemoteObject> find(const std::string& key) = 0;
  // Streams the bytes (all or the range) into `sink`: exactly as many as promised, or throws; nothing of another object
  // than asked for. `not_found` if absent, `invalid` if the range reaches beyond the end. The object's whole size is
  // in the result. `corrupt`, at the end, if all was read and is not what the checksum that the store keeps says: who
  // can throw away what came asks again.
  virtual RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) = 0;
  // Stores `size` bytes of `source` under `key`, replacing what is there, visible only whole. Large ones go in parts.
  // `corrupt` if the source ends before.
  virtual RemoteObject put(const std::string& key, Source& source, uint64_t size) = 0;
  // Absent is success.
  virtual void remove(const std::string& key) = 0;
  // Stores under `to` what lies under `from`, replacing what is there, visible only whole. The bytes stay in the store
  // where it can copy by itself, and pass through here where not. `not_found` if absent, `conflict` if it is replaced
  // meanwhile.
  virtual RemoteObject copy(const std::string& from, const std::string& to);

  // Whether only an object that is read whole is held against the hash that its store names, so that it should not be
  // read by ranges.
  virtual bool reads_whole() const { return false; }
  // Whether list() works at all: a web server's directory has only names that one knows.
  virtual bool has_listing() const { return true; }

  // What puts bytes that can be read again (remote/parted.h); nothing if it makes no difference here.
  virtual PartedRemote* parted() { return nullptr; }
  // The commit that everything here is of, looked up if it was not yet; "" where there are none.
  virtual std::string commit() { return ""; }

  // "directory /srv/data", "s3 bucket 'b' at http://…": for messages.
  virtual std::string description() const = 0;
};

// Objects are the regular files below `root`, keys their relative paths. Symbolic links and special files are not
// objects and no link is followed below `root`, which must be a directory. put() writes a temporary name beside the
// target, syncs and renames. A key with "..", empty or absolute parts, or of the form of a temporary name, throws
// `invalid`; one that has a file where it needs a directory, or the reverse, `conflict`.
// `follow` says whether `root` itself may be a link.
std::unique_ptr<Remote> open_directory_remote(const Path& root, Follow follow = Follow::yes);

struct S3Options {
  std::string endpoint{};  // "http://127.0.0.1:7480"
  std::string region = "us-east-1";
  std::string bucket{};
  bool virtual_host = false;  // http://bucket.host/key instead of http://host/bucket/key
  std::string access_key{};   // "" is anonymous
  std::string secret_key{};
  std::string session_token{};
  std::string connect_to{};   // "host:port" really connected to; for tests of virtual hosts. "" is the endpoint's.
  bool is_near = false;       // On this machine: nothing happens to bytes on the way.
};

// What retries of all who share it are paid from: see remote/retry.h.
class RetryBudget;
std::shared_ptr<RetryBudget> make_retry_budget();

// How often and after what waits something is tried again.
struct RetryOptions {
  int attempts = 3;                            // In all, the first one included.
  std::chrono::milliseconds first_wait{50};    // Doubles each time; the real wait is random between 0 and it.
  std::chrono::milliseconds longest_wait{20'000};
  Random* random = &system_random();
  std::function<void(std::chrono::milliseconds)> sleep{};  // Empty: this thread really sleeps.
  std::shared_ptr<RetryBudget> budget{};  // Shared by all that ask the same store; null: one of its own.
};

// AWS Signature Version 4 on every request. `http` and `clock` must outlive the remote. Errors are the server's words:
// NoSuchBucket is `not_found`, AccessDenied, InvalidAccessKeyId and SignatureDoesNotMatch `denied`, SlowDown and 5xx
// `unavailable`, PreconditionFailed `conflict`; a bucket of another region or host is `invalid` and names it.
// What with_retries() could not repeat is repeated here: later pages of a listing, and uploads whose bytes were taken.
// What is read whole is held against the checksum that the store names; where it names none and neither TLS nor being
// near protects the bytes on their way, against an etag of the form of an MD5. If that differs and a second read brings
// the same bytes, the etag is no MD5.
std::unique_ptr<Remote> open_s3_remote(const S3Options& options, HttpClient& http, Clock& clock,
                                       const RetryOptions& retries = {});

enum class HubRepository { model, dataset, space };
BOOST_DESCRIBE_ENUM(HubRepository, model, dataset, space)

struct HuggingFaceOptions {
  std::string endpoint = "https://huggingface.co";
  HubRepository kind{};
  std::string repository{};       // "org/name"
  std::string revision = "main";  // A branch, tag or commit; resolved at the first request, and kept.
  std::string token{};            // "" is anonymous
};

// Throws `invalid` unless `repository` is "name" or "org/name" as a hub takes them.
void check_repository(const std::string& repository);

// A repository of a Hugging Face hub at one commit, to be read: put and remove throw `invalid`. A file that is read
// whole is held against the hash that the hub names for it (`corrupt` at its end); its etag is that hash. Retries are
// inside: do not wrap it. `http` must outlive the remote.
std::unique_ptr<Remote> open_hugging_face_remote(const HuggingFaceOptions& options, HttpClient& http,
                                                 const RetryOptions& retries = {});

// Wraps: repeats what failed as `unavailable` up to 3 attempts in all, with full jitter from 50 ms, from 1 s where the
// server asked to slow down. A get that already gave bytes to its sink goes on where it broke off, by range and
// if_match; a list after the last key visited. A put is repeated only if `source` gave nothing yet. In a storm retries
// stop altogether when a budget that successes refill is spent, so that they do not feed it.
std::unique_ptr<Remote> with_retries(std::unique_ptr<Remote> inner, const RetryOptions& options = {});

}  // namespace volary
