// volume/backup_target.cc: a place with backups: finding, listing, reading, and writing many small files durably.
//
// In a directory, new files are written under names that no listing shows, synced all together, and then renamed. An
// object store takes each by itself.
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/retry.h"
#include "store/scrub.h"
#include "volume/backup.h"

namespace volary {
namespace {

constexpr std::string_view backups_folder = "backups/";
constexpr std::string_view manifest_name = "/manifest.json";
constexpr uint64_t manifest_bytes_max = 1 << 20;
constexpr size_t line_bytes_max = 100;  // Of a wrong line that are shown.
constexpr uint64_t list_bytes_max = uint64_t{16} << 30;
constexpr std::string_view staging_name = ".volary-staging";

std::string folder_of(ObjectKind kind) { return kind == ObjectKind::tree ? "trees" : "objects"; }

std::string with_slash(std::string prefix) {
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  return prefix;
}

void refuse_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(Errc::unavailable, "the work was asked to stop");
}

class StoppingSink final : public Sink {
 public:
  explicit StoppingSink(const std::stop_token& stop) : stop_(stop) {}
  void write(std::string_view) override { refuse_if_stopped(stop_); }

 private:
  const std::stop_token& stop_;
};

// The bytes of a file that must hash to `digest`: the last of them are given only if they do.
class CheckedSource final : public Source {
 public:
  CheckedSource(const Path& file, const Digest& digest, const std::stop_token& stop)
      : file_(file), digest_(digest), stop_(stop), source_(file), left_(stat_of(file)->st_size) {}

  size_t read(std::span<char> to) override {
    refuse_if_stopped(stop_);
    const size_t size = source_.read(to);
    hasher_.update({to.data(), size});
    left_ -= static_cast<int64_t>(size);
    if (left_ <= 0) check();
    return size;
  }
  void check() const {
    if (const Digest found = hasher_.finish(); found != digest_)
      throw Error(Errc::corrupt, "the bytes of '{}' hash to {}: expected {}", file_.native(), found.hex(),
                  digest_.hex());
  }

 private:
  const Path& file_;
  const Digest& digest_;
  const std::stop_token& stop_;
  FileSource source_;
  int64_t left_;
  Hasher hasher_;
};

std::unique_ptr<BackupTarget> directory_target(const Path& directory) {
  return std::make_unique<BackupTarget>(open_directory_remote(directory), "", directory);
}

}  // namespace

std::string backup_key(const std::string& prefix, ObjectKind kind, const Digest& digest) {
  return with_slash(prefix) + folder_of(kind) + "/" + digest.path();
}

std::vector<ListedObject> parse_object_list(std::string_view text) {
  std::vector<ListedObject> objects;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const bool is_tree = line.starts_with("tree ");
    const std::string_view words = is_tree || line.starts_with("blob ") ? line.substr(5) : std::string_view();
    const auto digest = Digest::try_parse(words.substr(0, std::min(words.find(' '), words.size())));
    const std::string_view number = words.substr(std::min(words.find(' ') + 1, words.size()));
    uint64_t bytes = 0;
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), bytes);
    if (!digest || error != std::errc() || stop != number.data() + number.size() || end == text.size())
      throw Error(Errc::corrupt, "line {} is '{}': expected 'blob DIGEST SIZE' or 'tree DIGEST SIZE'",
                  objects.size() + 1, printable(line.substr(0, line_bytes_max)));
    objects.push_back({is_tree ? ObjectKind::tree : ObjectKind::blob, *digest, bytes});
    at = end + 1;
  }
  return objects;
}

Backup parse_manifest(std::string_view text, const std::string& id) {
  Backup backup = from_json<Backup>(parse_json(text, "the manifest"), "manifest", Unknown::ignore);
  if (backup.format != 1)
    throw Error(Errc::invalid, "backup {} has format {}: expected 1; use a newer program", printable(id),
                backup.format);
  if (backup.id != id)
    throw Error(Errc::corrupt, "the manifest of backup {} is that of backup {}", printable(id), printable(backup.id));
  return backup;
}

BackupTarget::BackupTarget(std::shared_ptr<Remote> remote, std::string prefix, std::optional<Path> directory)
    : remote_(std::move(remote)), prefix_(with_slash(std::move(prefix))), directory_(std::move(directory)) {}

std::string BackupTarget::description() const {
  return prefix_.empty() ? remote_->description() : prefix_ + " in " + remote_->description();
}

std::vector<Backup> BackupTarget::backups() const {
  std::vector<std::string> manifests;
  remote_->list(key(std::string(backups_folder)), [&](const RemoteObject& object) {
    if (object.key.ends_with(manifest_name)) manifests.push_back(object.key.substr(prefix_.size()));
  });
  std::vector<Backup> backups;
  for (const std::string& name : manifests) {
    const auto text = find_text(name);
    if (!text) continue;  // Pruned meanwhile.
    const size_t before = backups_folder.size();
    const std::string id = name.substr(before, name.size() - before - manifest_name.size());
    during("reading " + name + " of " + description(), [&] { backups.push_back(parse_manifest(*text, id)); });
  }
  std::sort(backups.begin(), backups.end(), [](const Backup& a, const Backup& b) { return a.id < b.id; });
  return backups;
}

Backup BackupTarget::get(const std::string& id) const {
  const auto all = backups();
  if (all.empty()) throw Error(Errc::not_found, "there is no backup in {}", description());
  if (id.empty()) return all.back();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Backup& one) { return one.id == id; });
  if (found == all.end())
    throw Error(Errc::not_found, "there is no backup '{}' in {}: the newest is {}", printable(id), description(),
                all.back().id);
  return *found;
}

std::vector<ListedObject> BackupTarget::objects_of(const Backup& backup) const {
  StringSink sink(list_bytes_max);
  get_bytes("backups/" + backup.id + "/objects.txt", sink);
  if (const Digest found = Digest::of(sink.text); found.hex() != backup.list_digest)
    throw Error(Errc::corrupt, "the list of backup {} hashes to {}: expected {}", backup.id, found.hex(),
                backup.list_digest);
  return during("reading the list of backup " + backup.id, [&] { return parse_object_list(sink.text); });
}

void BackupTarget::each_object(const std::function<void(const ListedObject&)>& visit) const {
  for (const ObjectKind kind : {ObjectKind::tree, ObjectKind::blob}) {
    const std::string folder = key(folder_of(kind) + "/");
    remote_->list(folder, [&](const RemoteObject& object) {
      std::string name = object.key.substr(folder.size());
      if (name.size() != 65 || name[2] != '/') return;
      if (const auto digest = Digest::try_parse(name.erase(2, 1))) visit({kind, *digest, object.size});
    });
  }
}

void BackupTarget::get_bytes(const std::string& name, Sink& sink) const { remote_->get(key(name), {}, sink); }

std::optional<std::string> BackupTarget::find_text(const std::string& name) const {
  if (!remote_->find(key(name))) return std::nullopt;
  StringSink sink(manifest_bytes_max);
  get_bytes(name, sink);
  return std::move(sink.text);
}

void BackupTarget::put_text(const std::string& name, std::string_view text) {
  StringSource source(text);
  remote_->put(key(name), source, text.size());
}

void BackupTarget::put_file(const std::string& name, const Path& file, const Digest& digest,
                            const std::stop_token& stop) {
  CheckedSource source(file, digest, stop);
  if (!directory_) {
    const auto status = stat_of(file);
    remote_->put(key(name), source, status ? static_cast<uint64_t>(status->st_size) : 0);
    source.check();
    return;
  }
  const Path staging = *directory_ / staging_name;
  make_directory(staging, 0700);
  TempFile copy(staging, 0600);
  pump(source, copy);
  source.check();
  const Path staged = staging / random_hex(12);
  copy.move_to(staged);
  staged_.lock()->emplace_back(staged, *directory_ / name);
}

Digest BackupTarget::digest_of(const std::string& name, const std::stop_token& stop) const {
  StoppingSink nowhere(stop);
  if (directory_) {
    HashingSink hashing(nowhere);
    const auto failure = error_of([&] { read_past_cache(*directory_ / name, hashing); });
    if (!failure) return hashing.digest();
    if (stop.stop_requested()) throw Error(*failure);
  }
  HashingSink hashing(nowhere);
  get_bytes(name, hashing);
  return hashing.digest();
}

void BackupTarget::settle() {
  if (!directory_) return;
  std::vector<std::pair<Path, Path>> files;
  files.swap(*staged_.lock());
  if (files.empty()) return;
  const Fd fd = open_directory(*directory_);
  sync_file_system(fd.get(), *directory_);
  fault::point("backup.synced");
  for (const auto& [staged, name] : files) {
    make_directories(name.parent_path(), 0700);
    rename_file(staged, name);
  }
  sync_file_system(fd.get(), *directory_);
}

void BackupTarget::clear_staged() {
  if (directory_) remove_tree(*directory_ / staging_name);
}

void BackupTarget::remove(const std::string& name) { remote_->remove(key(name)); }

std::unique_ptr<BackupTarget> open_backup_target(const UpkeepParts& parts, const Caller& caller,
                                                 const std::string& target) {
  if (target.starts_with('/')) {
    const auto status = stat_of(target, Follow::yes);
    if (!status || !S_ISDIR(status->st_mode))
      throw Error(Errc::not_found, "there is no directory '{}' on the server", printable(target));
    return directory_target(target);
  }
  const size_t colon = target.find(':');
  if (colon == target.npos || colon == 0)
    throw Error(Errc::invalid, "'{}' is no place for backups: expected an absolute directory on the server, or "
                "DATASTORE:PREFIX", printable(target));
  const Datastore datastore = parts.datastores.get(caller, target.substr(0, colon));
  return std::make_unique<BackupTarget>(parts.datastores.open(datastore), target.substr(colon + 1), std::nullopt);
}

std::unique_ptr<BackupTarget> open_backup_target(const PlaceOfBackups& place, HttpClient& http, Clock& clock) {
  constexpr std::string_view scheme = "s3://";
  if (!place.target.starts_with(scheme)) {
    const auto status = stat_of(place.target, Follow::yes);
    if (!status || !S_ISDIR(status->st_mode))
      throw Error(Errc::not_found, "there is no directory '{}' here", printable(place.target));
    return directory_target(std::filesystem::absolute(place.target));
  }
  const std::string rest = place.target.substr(scheme.size());
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  S3Options options;
  options.endpoint = place.endpoint.empty() ? variable("AWS_ENDPOINT_URL") : place.endpoint;
  if (options.endpoint.empty())
    throw Error(Errc::invalid, "'{}' needs the address of its server: give --endpoint", printable(place.target));
  if (!place.region.empty()) options.region = place.region;
  options.bucket = rest.substr(0, rest.find('/'));
  options.access_key = variable("AWS_ACCESS_KEY_ID");
  options.secret_key = variable("AWS_SECRET_ACCESS_KEY");
  options.session_token = variable("AWS_SESSION_TOKEN");
  const std::string prefix = rest.find('/') == rest.npos ? "" : rest.substr(rest.find('/') + 1);
  return std::make_unique<BackupTarget>(with_retries(open_s3_remote(options, http, clock)), prefix, std::nullopt);
}

}  // namespace volary
