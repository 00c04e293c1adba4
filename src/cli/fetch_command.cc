// cli/fetch_command.cc: `volary fetch URL`: a file, or the files of a repository, into a directory of this machine.
//
// It asks no server of ours. A file gets its name when it is whole, as long as promised, hashed as expected, and on the
// disk; until then it lies beside it under a name of its own, and the next try goes on with it (cli/landing.h).
#include <dirent.h>
#include <unistd.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/fetch_place.h"
#include "cli/interrupt.h"
#include "cli/landing.h"
#include "cli/object_options.h"
#include "cli/tally.h"
#include "core/quantity.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "net/request_words.h"
#include "remote/content_hash.h"
#include "remote/retry.h"

namespace volary {
namespace {

constexpr size_t fetch_threads = 8;

struct FetchOptions {
  FetchSource source;
  std::optional<std::string> output;
  std::optional<std::string> checksum;
  bool force = false;
  bool secret_from_stdin = false;
  bool json = false;
};

std::vector<CommandField> fetch_fields(FetchOptions& o) {
  return {{.name = "URL", .target = &o.source.url, .help = "what to fetch", .need = Need::required},
          {.name = "-o,--output", .target = &o.output,
           .help = "the file to make, or the directory to put it in; - is the standard output", .value = "PATH",
           .words = Words::files},
          {.name = "-c,--checksum", .target = &o.checksum,
           .help = "what the file must hash to: sha256:HEX, or md5, sha1, sha512, blake3", .value = "HASH"},
          {.name = "-f,--force", .target = &o.force, .help = "replace what is there"},
          {.name = "--revision", .target = &o.source.revision, .help = "of a repository: a branch, tag or commit",
           .value = "REVISION"},
          {.name = "--endpoint", .target = &o.source.endpoint, .help = "of s3://, gs:// or hf://: where it answers",
           .value = "URL"},
          {.name = "--region", .target = &o.source.region, .help = "of s3://: us-east-1 unless told",
           .value = "REGION"},
          {.name = "--from-env", .target = &o.source.from_env,
           .help = "keys, endpoints and proxies as the environment says: AWS_*, HF_TOKEN, HF_ENDPOINT, *_proxy"},
          {.name = "--secret-from-stdin", .target = &o.secret_from_stdin,
           .help = "keys are the lines KEY=VALUE on the standard input: token; user and password; access_key and "
                   "secret_key"},
          {.name = "--allow-private", .target = &o.source.allow_private,
           .help = "also from addresses of private networks and of this machine"},
          {.name = "-j,--json", .target = &o.json, .help = "print what was done as JSON"}};
}

// A directory of its own for what a git repository needs meanwhile. Those of this user's fetches that were killed go,
// too.
class ScratchDirectory {
 public:
  ScratchDirectory() = default;
  ~ScratchDirectory() {
    if (!path_.empty()) (void)error_of([&] { remove_tree(path_); });
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  Path make() {
    const Path above = std::filesystem::temp_directory_path();
    for (const DirectoryEntry& entry : list_directory(above))
      if (entry.type == DT_DIR && entry.name.starts_with(prefix)) sweep(above / entry.name);
    path_ = above / (std::string(prefix) + random_hex(8));
    make_directory(path_, 0700);
    lock_ = FileLock::try_take(path_ / "lock");
    return path_;
  }

 private:
  static constexpr std::string_view prefix = "volary-fetch-";

  // Nobody's any more. In what others made, "lock" may be anything.
  static void sweep(const Path& directory) {
    (void)error_of([&] {
      const auto status = stat_of(directory);
      if (!status || status->st_uid != ::geteuid() || !is_present(directory / "lock")) return;
      if (FileLock::try_take(directory / "lock")) remove_tree(directory);
    });
  }

  Path path_;  // Empty before it is made.
  std::optional<FileLock> lock_;
};

// Counts, and hashes if there is something to hold it against.
class Checked final : public Sink {
 public:
  Checked(Sink& next, Tally& tally, const std::vector<ExpectedHash>& expected, uint64_t size)
      : next_(next), tally_(tally), expected_(expected) {
    for (const ExpectedHash& one : expected_) hashes_.emplace_back(one.kind, size);
  }
  void write(std::string_view bytes) override {
    next_.write(bytes);
    count(bytes);
  }
  // Bytes that are where they belong already.
  void count(std::string_view bytes) {
    for (ContentHash& hash : hashes_) hash.update(bytes);
    tally_.moved(bytes.size());
    bytes_ += bytes.size();
  }
  uint64_t bytes() const { return bytes_; }
  // Throws `corrupt`.
  void finish(const std::string& key) {
    for (size_t i = 0; i < hashes_.size(); ++i)
      if (const std::string found = hashes_[i].hex(); found != expected_[i].hex)
        throw Error(Errc::corrupt, "the bytes of '{}' hash to {}:{}: expected {}", printable(key),
                    name_of_value(expected_[i].kind), found, expected_[i].hex);
  }

 private:
  Sink& next_;
  Tally& tally_;
  const std::vector<ExpectedHash>& expected_;
  std::vector<ContentHash> hashes_;
  uint64_t bytes_ = 0;
};

class StandardOutput final : public Sink {
 public:
  void write(std::string_view bytes) override { write_all(STDOUT_FILENO, bytes, "the standard output"); }
};

class NoSink final : public Sink {
 public:
  void write(std::string_view) override {}
};

class Fetching {
 public:
  Fetching(Session& session, const FetchOptions& o, FetchPlace place)
      : o_(o), place_(std::move(place)),
        tally_(session, "fetch", Run::real, o.output == "-" ? Format::table : format_of(session, o.json)) {
    if (o.checksum) checksum_ = parse_expected_hash(*o.checksum);
    if (o.checksum && place_.is_tree)
      throw Error(Errc::invalid, "--checksum is of one file, and '{}' is a directory of them", printable(o.source.url));
    if (place_.is_tree && o.output == "-")
      throw Error(Errc::invalid, "'{}' is a directory: it cannot go to the standard output", printable(o.source.url));
  }

  int run() {
    if (place_.is_tree) return fetch_tree();
    const auto object = place_.remote->find(place_.key);
    if (!object)
      throw Error(Errc::not_found, "there is no '{}' in {}", printable(place_.key), place_.remote->description());
    tally_.expect(1, object->size);
    if (o_.output == "-") print(*object);
    else fetch_file(*object);
    return tally_.finish();
  }

 private:
  void print(const RemoteObject& object) {
    StandardOutput output;
    const auto expected = expected_of(object);
    Checked checked(output, tally_, expected, object.size);
    place_.remote->get(object.key, {.range = std::nullopt, .if_match = object.etag}, checked);
    checked.finish(object.key);
    tally_.add({object.key, "fetched", checked.bytes(), {}, {}});
  }

  void fetch_file(const RemoteObject& object) {
    Path target = o_.output.value_or(place_.name);
    const auto status = stat_of(target, Follow::yes);
    const bool is_directory = target.native().ends_with('/') || (status && S_ISDIR(status->st_mode));
    if (place_.name.empty() && (is_directory || !o_.output))
      throw Error(Errc::invalid, "'{}' says no name for the file: give one by -o", printable(o_.source.url));
    if (is_directory) target /= place_.name;
    Path directory = target.parent_path();
    if (directory.empty()) directory = ".";
    make_directories(directory);
    const Landing landing(directory);
    receive(object, landing, target.filename().native(), target.native());
  }

  int fetch_tree() {
    if (!o_.output && place_.name.empty())
      throw Error(Errc::invalid, "'{}' says no name for the directory: give one by -o", printable(o_.source.url));
    const Path directory = o_.output.value_or(place_.name);
    std::vector<RemoteObject> objects;
    place_.remote->list(place_.key, [&](const RemoteObject& object) { objects.push_back(object); });
    if (objects.empty())
      throw Error(Errc::not_found, "there is nothing below '{}' in {}", printable(place_.key),
                  place_.remote->description());
    for (const RemoteObject& one : objects) Landing::check(one.key.substr(place_.key.size()));
    make_directories(directory);
    const Landing landing(directory);
    for (const RemoteObject& one : objects) tally_.expect(1, one.size);
    for_each_index(objects.size(), fetch_threads, [&](size_t i) {
      const std::string name = objects[i].key.substr(place_.key.size());
      tally_.attempt({objects[i].key}, [&] { receive(objects[i], landing, name, (directory / name).native()); });
    });
    return tally_.finish();
  }

  std::vector<ExpectedHash> expected_of(const RemoteObject& object) const {
    std::vector<ExpectedHash> all;
    if (checksum_) all.push_back(*checksum_);
    // A hub's etags say which hash they are; whatever else has a colon in it is none.
    if (object.etag.starts_with("sha256:") || object.etag.starts_with("git:"))
      all.push_back(parse_expected_hash(object.etag));
    return all;
  }

  void receive(const RemoteObject& object, const Landing& landing, const std::string& name, const std::string& shown) {
    const auto expected = expected_of(object);
    if (landing.has(name) && !o_.force) {
      check_same(object, expected, shown);
      return tally_.add({object.key, "kept", object.size, shown, {}});
    }
    Arrival arrival = landing.begin(name, fmt::format("{} {} {}", speakable(o_.source.url), object.etag, object.size));
    if (object.etag.empty() || arrival.bytes() > object.size) arrival.begin_anew();
    const bool goes_on = arrival.bytes() != 0;
    const auto error = error_of([&] { complete(object, expected, arrival); });
    if (error && goes_on && (error->code() == Errc::corrupt || error->code() == Errc::invalid)) {
      arrival.begin_anew();  // What was there may have been the wrong part.
      complete(object, expected, arrival);
    } else if (error) {
      if (error->code() == Errc::corrupt) arrival.begin_anew();
      throw Error(*error);
    }
    arrival.sync();
    arrival.finish(false);
    const Path parent = Path(shown).parent_path();
    sync_directory(parent.empty() ? Path(".") : parent);
    tally_.add({object.key, "fetched", arrival.bytes(), shown, {}});
  }

  void complete(const RemoteObject& object, const std::vector<ExpectedHash>& expected, Arrival& arrival) {
    Checked checked(arrival, tally_, expected, object.size);
    const uint64_t before = arrival.bytes();
    if (before != 0) arrival.read_back([&](std::string_view bytes) { checked.count(bytes); });
    GetOptions options{.range = std::nullopt, .if_match = object.etag};
    if (before != 0) options.range = Range{before, object.size - before};
    uint64_t size = object.size;
    if (before == 0 || before < object.size) size = place_.remote->get(object.key, options, checked).size;
    if (arrival.bytes() != size)
      throw Error(Errc::unavailable, "{} bytes came of the {} of '{}'", arrival.bytes(), size, printable(object.key));
    checked.finish(object.key);
  }

  // What is there already is as good as fetched if it is known to be the same.
  void check_same(const RemoteObject& object, const std::vector<ExpectedHash>& expected, const std::string& shown) {
    if (expected.empty())
      throw Error(Errc::exists, "'{}' is there already: --force replaces it, --checksum looks whether it is the right "
                  "one", printable(shown));
    NoSink nowhere;
    Checked checked(nowhere, tally_, expected, object.size);
    FileSource file(shown);
    std::string buffer(block_bytes, '\0');
    while (const size_t size = file.read(buffer)) checked.write(std::string_view(buffer).substr(0, size));
    if (const auto error = error_of([&] { checked.finish(object.key); }))
      throw Error(Errc::exists, "'{}' is there already, and is another file: --force replaces it", printable(shown));
  }

  const FetchOptions& o_;
  FetchPlace place_;
  Tally tally_;
  std::optional<ExpectedHash> checksum_;
};

int fetch(Session& session, const FetchOptions& o) {
  if (o.json && o.output == "-")
    throw Error(Errc::invalid, "the file itself goes to the standard output: expected no --json with it");
  FetchSource source = o.source;
  if (o.secret_from_stdin) source.values = parse_secret_values(read_standard_input(), "the standard input");
  ScratchDirectory scratch;
  const LastWords words("what has come is kept: the same command goes on with it");
  Fetching fetching(session, o, open_fetch_place(source, real_surroundings().variable, [&] { return scratch.make(); }));
  return fetching.run();
}

}  // namespace

std::vector<Command> fetch_commands() {
  return {make_command<FetchOptions>(
      {.path = {"fetch"},
       .summary = "fetch a file by its URL, whole and checked or not at all",
       .example = "volary fetch https://example.org/data/train.parquet\n"
                  "volary fetch https://example.org/a.tar -o sets/ --checksum sha256:0123…\n"
                  "volary fetch s3://corpora/wiki/part-0.parquet --from-env\n"
                  "volary fetch gs://public/part-0.parquet -o - | head\n"
                  "volary fetch hf://datasets/openai/gsm8k@main/README.md\n"
                  "volary fetch https://github.com/org/code.git@v1.2 -o code/",
       .more = "A file has its name only when it is whole. What an interrupted fetch had received is kept beside it,\n"
               "and gone on with by the same command, unless the file has become another one meanwhile. A repository\n"
               "without a path, or a path that ends in '/', is fetched as a directory; PATH of a git repository comes\n"
               "after '//'. Addresses of private networks and of this machine are refused, also where a redirect\n"
               "leads there, unless --allow-private is given."},
      fetch_fields, fetch)};
}

}  // namespace volary
