// remote/git_remote.cc: git ls-remote for the commit, a fetch of it alone into a bare repository, git ls-tree for the
// names, git cat-file for the bytes.
//
//   ls-tree -r -z -l:   entry = mode " " type " " hash " "+ (size / "-") TAB path NUL
//   cat-file --batch:   hash LF  ->  hash " " type " " size LF bytes LF
#include "remote/git_remote.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <map>

#include "core/random.h"
#include "core/synced.h"
#include "core/tree_path.h"
#include "net/request_words.h"
#include "remote/base64.h"
#include "remote/download.h"
#include "remote/git_process.h"
#include "remote/key.h"
#include "remote/retry.h"

namespace volary {
namespace {

constexpr uint64_t listing_bytes_max = 1 << 30;

bool is_hash(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_web(const std::string& url) { return url.starts_with("http://") || url.starts_with("https://"); }

// No well-made tree has these: they are there to be written where they should not be.
bool is_hostile(std::string_view path) {
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    std::string part(path.substr(0, end));
    std::transform(part.begin(), part.end(), part.begin(), [](unsigned char c) { return std::tolower(c); });
    if (part.empty() || part == "." || part == ".." || part == ".git" || end + 1 == path.size()) return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

// Passes on a part of what comes.
class Part final : public Sink {
 public:
  Part(Range range, Sink& next) : range_(range), next_(next) {}
  void write(std::string_view bytes) override {
    const uint64_t start = std::max(at_, range_.offset);
    const uint64_t end = std::min(at_ + bytes.size(), range_.offset + range_.size);
    if (start < end) next_.write(bytes.substr(start - at_, end - start));
    at_ += bytes.size();
  }

 private:
  const Range range_;
  Sink& next_;
  uint64_t at_ = 0;
};

class GitCommitRemote final : public GitRemote {
 public:
  GitCommitRemote(const GitOptions& options, const RetryOptions& retries) : options_(options), retries_(retries) {
    check_git_url(options_.url, options_.protocols);
    check_git_revision(options_.revision);
    description_ = fmt::format("git repository {} at '{}'", speakable(options_.url), printable(options_.revision));
    directory_ = options_.scratch / ("git-" + random_hex(8));
  }
  ~GitCommitRemote() override {
    readers_.lock()->clear();
    (void)error_of([&] { remove_tree(directory_); });
  }

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    const std::shared_ptr<const Tree> tree = this->tree();
    for (auto at = tree->files.lower_bound(prefix); at != tree->files.end() && at->first.starts_with(prefix); ++at)
      visit(at->second);
  }
  std::optional<RemoteObject> find(const std::string& key) override {
    check_key(key);
    const std::shared_ptr<const Tree> tree = this->tree();
    const auto found = tree->files.find(key);
    if (found == tree->files.end()) return std::nullopt;
    return found->second;
  }
  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;
  RemoteObject put(const std::string&, Source&, uint64_t) override { refuse_to_write(); }
  void remove(const std::string&) override { refuse_to_write(); }
  bool reads_whole() const override { return true; }
  std::string description() const override { return description_; }
  uint64_t left_out() override { return tree()->left_out; }
  std::string commit() override {
    tree();
    return pinned_.lock()->commit;
  }

 private:
  struct Tree {
    std::map<std::string, RemoteObject> files;
    uint64_t left_out = 0;
  };
  struct Pinned {
    std::string commit;
    std::string ref;
    bool is_fetched = false;
    std::shared_ptr<const Tree> tree;
  };

  [[noreturn]] void refuse_to_write() const {
    throw Error(Errc::invalid, "{} can only be read: Volary makes no commits", description_);
  }
  // For git that asks nobody.
  GitSurroundings alone() const { return {.directory = directory_, .stop = options_.stop}; }
  // For git that asks the repository.
  GitSurroundings surroundings() const;
  std::shared_ptr<const Tree> tree();
  void resolve(Pinned& pinned);
  void fetch(Pinned& pinned);
  std::string listing_of(Pinned& pinned);
  Tree parse(const std::string& listing) const;
  void add_entry(const std::string& entry, Tree& tree) const;
  void fetch_one(const Pinned& pinned, const std::string& what);
  std::unique_ptr<GitProcess> take_reader();

  GitOptions options_;
  Retries retries_;
  std::string description_;
  Path directory_;
  Synced<Pinned> pinned_;  // Asked for once; other threads wait for it.
  Synced<std::vector<std::unique_ptr<GitProcess>>> readers_;
};

GitSurroundings GitCommitRemote::surroundings() const {
  GitSurroundings around = alone();
  around.protocols = "http:https:file";
  const std::string host = host_of_url(options_.url);
  if (options_.protocols == GitProtocols::all) {
    around.protocols += ":ssh";
    around.variables["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15";
    if (const char* home = std::getenv("HOME")) around.variables["HOME"] = home;
    if (const char* agent = std::getenv("SSH_AUTH_SOCK")) around.variables["SSH_AUTH_SOCK"] = agent;
  }
  if (!is_web(options_.url)) return around;
  if (!options_.token.empty())
    around.settings["http.extraHeader"] =
        "Authorization: Basic " + base64_of((options_.user.empty() ? "git" : options_.user) + ":" + options_.token);
  const bool uses_proxy = !options_.proxy.empty() && !is_without_proxy(host, options_.no_proxy);
  around.settings["http.proxy"] = uses_proxy ? options_.proxy : "";
  // git asks for the address of a name itself, and could get another one than who looked before: it is told instead.
  if (options_.made_for && !uses_proxy) {
    const std::string origin = origin_of_url(options_.url);
    const auto address = address_of_name(host, *options_.made_for);
    if (!address)
      throw Error(Errc::denied, "{} leads to no address of {} by now: expected one, as when it was made",
                  speakable(options_.url), words_of(*options_.made_for));
    const bool is_literal = host.find(':') != std::string::npos;  // Of IPv6: nobody is asked.
    if (!is_literal)
      around.settings["http.curloptResolve"] =
          fmt::format("{}:{}:{}", host, origin.substr(origin.rfind(':') + 1), *address);
  }
  return around;
}

std::shared_ptr<const GitCommitRemote::Tree> GitCommitRemote::tree() {
  auto pinned = pinned_.lock();
  if (pinned->tree) return pinned->tree;
  if (!is_present(directory_ / "HEAD")) {
    make_directories(directory_, 0700);
    run_git({"init", "-q", "--bare", "--template=", "."}, alone());
  }
  during("looking at " + description_, [&] {
    retries_.run([&] { resolve(*pinned); }, [&] { return !options_.stop.stop_requested(); });
    pinned->tree = std::make_shared<Tree>(parse(listing_of(*pinned)));
  });
  return pinned->tree;
}

// Which commit the revision is: of a tag what it points to, and a tag before a branch, as git has it.
void GitCommitRemote::resolve(Pinned& pinned) {
  pinned.commit = pinned.ref = options_.revision;
  if (is_hash(options_.revision)) return;
  const std::string output = run_git(
      {"ls-remote", "-q", "--", options_.url, options_.revision, options_.revision + "^{}"}, surroundings());
  std::map<std::string, std::string> refs;
  for (size_t at = 0; at < output.size();) {
    const size_t end = std::min(output.find('\n', at), output.size());
    const std::string line = output.substr(at, end - at);
    at = end + 1;
    const size_t tab = line.find('\t');
    if (tab == std::string::npos || !is_hash(line.substr(0, tab)))
      throw Error(Errc::corrupt, "git ls-remote prints '{}': expected a hash and a name", printable(line));
    refs[line.substr(tab + 1)] = line.substr(0, tab);
  }
  for (const char* prefix : {"", "refs/", "refs/tags/", "refs/heads/"}) {
    const auto found = refs.find(prefix + options_.revision);
    if (found == refs.end()) continue;
    pinned.ref = found->first;
    const auto peeled = refs.find(pinned.ref + "^{}");
    pinned.commit = peeled == refs.end() ? found->second : peeled->second;
    return;
  }
  throw Error(Errc::not_found, "there is no branch or tag '{}' in {}", printable(options_.revision),
              speakable(options_.url));
}

void GitCommitRemote::fetch_one(const Pinned& pinned, const std::string& what) {
  run_git({"fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-gc", "--refmap=", "--",
           options_.url, "+" + what + ":refs/volary/fetched"},
          surroundings());
  const std::string got = run_git({"rev-parse", "--verify", "-q", "refs/volary/fetched^{commit}"}, alone());
  if (got != pinned.commit + "\n")
    throw Error(Errc::conflict, "'{}' moved from {} to {} while it was read", printable(what), pinned.commit,
                printable(got.substr(0, got.find('\n'))));
}

// Not every server gives what it has no name for: then the name is asked for.
void GitCommitRemote::fetch(Pinned& pinned) {
  if (pinned.is_fetched) return;
  retries_.run([&] {
    const auto error = error_of([&] { fetch_one(pinned, pinned.commit); });
    if (!error) return;
    if (pinned.ref == pinned.commit) throw Error(*error);
    fetch_one(pinned, pinned.ref);
  }, [&] { return !options_.stop.stop_requested(); });
  pinned.is_fetched = true;
}

std::string GitCommitRemote::listing_of(Pinned& pinned) {
  const std::string head = fmt::format("{} {}\n", pinned.commit, options_.url);
  if (!options_.listing.empty())
    if (const auto kept = try_read_file(options_.listing, listing_bytes_max); kept && kept->starts_with(head))
      return kept->substr(head.size());
  fetch(pinned);
  const std::string listing =
      run_git({"ls-tree", "-r", "-z", "-l", "--full-tree", pinned.commit}, alone(), listing_bytes_max);
  if (!options_.listing.empty()) write_file_durably(options_.listing, head + listing, 0600);
  return listing;
}

GitCommitRemote::Tree GitCommitRemote::parse(const std::string& listing) const {
  Tree tree;
  for (size_t at = 0; at < listing.size();) {
    const size_t end = std::min(listing.find('\0', at), listing.size());
    add_entry(listing.substr(at, end - at), tree);
    at = end + 1;
  }
  return tree;
}

void GitCommitRemote::add_entry(const std::string& entry, Tree& tree) const {
  const size_t tab = entry.find('\t');
  const std::string path = tab == std::string::npos ? "" : entry.substr(tab + 1);
  std::vector<std::string> words;
  for (size_t at = 0; at < std::min(tab, entry.size());) {
    const size_t end = std::min(entry.find(' ', at), tab);
    if (end > at) words.push_back(entry.substr(at, end - at));
    at = end + 1;
  }
  if (path.empty() || words.size() != 4 || !is_hash(words[2]))
    throw Error(Errc::corrupt, "git ls-tree prints '{}': expected a mode, a kind, a hash, a size and a name",
                printable(entry));
  if (is_hostile(path))
    throw Error(Errc::corrupt, "{} has the name '{}', which no well-made tree has", description_, printable(path));
  if (words[1] != "blob" || !words[0].starts_with("100")) {
    ++tree.left_out;
    return;
  }
  const auto size = parse_number(words[3]);
  if (!size) throw Error(Errc::corrupt, "{} lists '{}' without a size", description_, printable(path));
  if (!tree.files.emplace(path, RemoteObject{path, *size, words[2], {}}).second)
    throw Error(Errc::corrupt, "{} lists '{}' twice", description_, printable(path));
}

std::unique_ptr<GitProcess> GitCommitRemote::take_reader() {
  auto readers = readers_.lock();
  if (readers->empty())
    return std::make_unique<GitProcess>(std::vector<std::string>{"cat-file", "--batch"}, alone());
  auto reader = std::move(readers->back());
  readers->pop_back();
  return reader;
}

RemoteObject GitCommitRemote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  const std::optional<RemoteObject> object = find(key);
  if (!object) throw Error(Errc::not_found, "there is no '{}' in {}", printable(key), description_);
  check_match(*object, options, description_);
  const Range range = range_of(*object, options);
  {
    auto pinned = pinned_.lock();
    fetch(*pinned);
  }
  std::unique_ptr<GitProcess> reader = take_reader();  // Not put back by an error in the middle of an answer.
  reader->write(object->etag + "\n");
  std::string line;
  if (!reader->read_until('\n', line) || line != fmt::format("{} blob {}", object->etag, object->size))
    throw Error(Errc::corrupt, "git cat-file answers '{}' when asked for '{}'", printable(line), printable(key));
  Part part(range, sink);
  reader->read(object->size, part);
  StringSink end(1);
  reader->read(1, end);
  readers_.lock()->push_back(std::move(reader));
  return *object;
}

}  // namespace

void check_git_url(const std::string& url, GitProtocols protocols) {
  const auto is_odd = [](unsigned char c) { return c <= ' ' || c == 127; };
  const bool is_ssh = url.starts_with("ssh://") || (url.find("://") == url.npos && url.find(':') != url.npos);
  const bool is_known = is_web(url) || url.starts_with("file:///") || is_ssh;
  const bool names_program = url.substr(0, url.find_first_of("/[")).find("::") != url.npos;  // "ext::sh -c …"
  if (!is_known || url.starts_with('-') || names_program ||
      std::any_of(url.begin(), url.end(), is_odd))
    throw Error(Errc::invalid, "'{}' is no repository of git: expected https://HOST/PATH.git or file:///PATH",
                printable(speakable(url)));
  if (is_ssh && protocols != GitProtocols::all)
    throw Error(Errc::invalid, "'{}' wants ssh, with keys that would be the server's for everybody: expected "
                "https://, with a token in a secret", printable(speakable(url)));
  if (is_web(url) && (url.substr(0, url.find('/', url.find("://") + 3)).find('@') != url.npos))
    throw Error(Errc::invalid, "'{}' has a name or password in it: expected them in a secret",
                printable(speakable(url)));
}

void check_git_revision(const std::string& revision) {
  const auto is_odd = [](unsigned char c) { return c <= ' ' || c == 127 || std::strchr("~^:?*[\\", c); };
  if (revision.empty() || revision.starts_with('-') || revision.starts_with('+') ||
      revision.find("..") != revision.npos || std::any_of(revision.begin(), revision.end(), is_odd))
    throw Error(Errc::invalid, "'{}' is no revision: expected a branch, a tag or a whole commit hash",
                printable(revision));
}

std::unique_ptr<GitRemote> open_git_remote(const GitOptions& options, const RetryOptions& retries) {
  return std::make_unique<GitCommitRemote>(options, retries);
}

}  // namespace volary
