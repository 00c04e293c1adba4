// workload/place.cc: making the parts, and the inputs of the rounds.
#include "workload/place.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

namespace volary {
namespace {

constexpr size_t large_bytes = (17 << 20) + 1;  // More than goes in one request.

// No two blocks of it are the same, so that a part that stands in another's place is seen.
std::string numbered_bytes(size_t size) {
  std::string bytes;
  for (uint64_t block = 0; bytes.size() < size; ++block) bytes += fmt::format("{:064}", block);
  bytes.resize(size);
  return bytes;
}

void write_new(const Path& path, std::string_view bytes) {
  make_directories(path.parent_path());
  const Fd fd = create_file(path);
  write_all(fd.get(), bytes, path);
}

std::map<std::string, std::string> files_below(const Path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && !entry.is_symlink()) files[entry.path().lexically_relative(directory)] = read_file(entry.path());
  return files;
}

}  // namespace

Place::Place(const Path& data, const std::string& url)
    : root((make_directories(data, 0700), std::filesystem::canonical(data))),
      database(open_database(url.empty() ? "sqlite://" + (root / "volary.db").native() : url)),
      store(open_store(root / "store")),
      secrets(*database, root / "secret.key"),
      http(make_http_client()),
      datastores(*database, secrets, *http, system_clock()),
      volumes(*database, *store, system_clock()),
      transfers(*database, *store, datastores, SnapshotSources({}, root), system_clock(),
                [this](std::string_view line) {
                  had_trouble = true;
                  const std::string text = std::string(line) + "\n";
                  write_all(2, text, "standard error");
                }),
      uploads(*database, *store, datastores, system_clock()) {}

NewDatastore directory_named(const std::string& name, const Path& path) {
  NewDatastore store;
  store.name = name;
  store.kind = DatastoreKind::directory;
  store.path = path.native();
  return store;
}

NewDatastore bucket_named(const std::string& name, const std::string& bucket) {
  const char* url = std::getenv("VOLARY_WORKLOAD_S3");
  if (!url) throw Error(Errc::invalid, "VOLARY_WORKLOAD_S3 names no server of objects");
  NewDatastore store;
  store.name = name;
  store.kind = DatastoreKind::s3;
  store.endpoint = url;
  store.bucket = bucket;
  return store;
}

VolumeChange quota_of(uint64_t bytes) {
  VolumeChange change;
  change.quota_bytes = bytes;
  return change;
}

VolumeChange tags_of(std::vector<std::string> tags) {
  VolumeChange change;
  change.tags = std::move(tags);
  return change;
}

void make_inputs(const Path& inputs) {
  for (int round = 1; round <= rounds; ++round) {
    const Path at = input_of(inputs, round);
    for (int i = 0; i < 3; ++i) write_new(at / "same" / std::to_string(i), fmt::format("the same {}", i));
    for (int i = 0; i < 2; ++i) write_new(at / "changing" / std::to_string(i), fmt::format("round {} {}", round, i));
    write_new(at / "changing/deep/er/é", fmt::format("deep in round {}", round));
    for (const size_t size : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}})
      write_new(at / "sizes" / std::to_string(size), std::string(size, static_cast<char>('0' + round)));
    write_new(at / fmt::format("only in {}", round), std::string(700'000, static_cast<char>('a' + round)));
    // What a hostile job adds: a link that leads out of its volume.
    const Path linked = linked_input_of(inputs, round);
    make_directories(linked.parent_path());
    std::filesystem::copy(at, linked, std::filesystem::copy_options::recursive);
    if (round > 1) make_symlink("../../../../../../../etc/passwd", linked / "outside");
    const Path large = large_input_of(inputs, round);
    make_directories(large.parent_path());
    std::filesystem::copy(at, large, std::filesystem::copy_options::recursive);
    if (round == 2) write_new(large / "large", numbered_bytes(large_bytes));
    const Path merged = merged_input_of(inputs, round);
    make_directories(merged.parent_path());
    if (round > 1) std::filesystem::copy(merged_input_of(inputs, round - 1), merged, std::filesystem::copy_options::recursive);
    std::filesystem::copy(large, merged, std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  }
}

void make_upper(const Path& before, const Path& after, const Path& upper) {
  const auto old = files_below(before);
  const auto now = files_below(after);
  for (const auto& [path, bytes] : now)
    if (const auto found = old.find(path); found == old.end() || found->second != bytes)
      write_new(upper / path, bytes);
  for (const auto& entry : std::filesystem::directory_iterator(after))
    if (entry.is_symlink() && !is_present(before / entry.path().filename()))
      make_symlink(volary::read_symlink(entry.path()), upper / entry.path().filename());
  for (const auto& [path, bytes] : old) {
    if (now.contains(path)) continue;
    make_directories((upper / path).parent_path());
    if (::mknod((upper / path).c_str(), S_IFCHR, makedev(0, 0)) < 0)
      throw error_from_errno(errno, "make the whiteout", path);
  }
}

}  // namespace volary
