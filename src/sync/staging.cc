// sync/staging.cc: directories of staging files, one for each transfer.
#include "sync/staging.h"

#include <algorithm>

namespace volary {
namespace {

Path all_staged(const Store& store) { return store.root() / "transfers"; }

}  // namespace

Path staging_directory(const Store& store, const std::string& transfer_id) { return all_staged(store) / transfer_id; }

std::string staged_name(const std::string& key, const Listed& file) {
  return Digest::of(key + '\0' + file.etag + '\0' + std::to_string(file.size)).hex();
}

uint64_t staged_part_size(uint64_t part, uint64_t size) {
  return std::min(staged_part_bytes, size - part * staged_part_bytes);
}

std::vector<uint64_t> missing_parts(const std::vector<StagedRange>& received, uint64_t size) {
  std::vector<uint64_t> missing;
  auto range = received.begin();
  for (uint64_t part = 0; part * staged_part_bytes < size; ++part) {
    const uint64_t begin = part * staged_part_bytes;
    const uint64_t end = begin + staged_part_size(part, size);
    while (range != received.end() && range->offset + range->size < end) ++range;
    if (range == received.end() || range->offset > begin) missing.push_back(part);
  }
  return missing;
}

void inherit_staged(const Store& store, const std::string& from, const std::string& to) {
  const Path source = staging_directory(store, from);
  if (is_present(source)) rename_file(source, staging_directory(store, to));
}

void give_back_staged(const Store& store, const std::string& transfer_id) {
  const Path directory = staging_directory(store, transfer_id);
  if (!is_present(directory)) return;
  for (const DirectoryEntry& entry : list_directory(directory))
    if (!entry.name.ends_with(".parts")) StagedFile(directory / entry.name).give_back_missing();
}

void purge_staged(const Store& store, const std::function<bool(const std::string& transfer_id)>& is_wanted) {
  const Path directory = all_staged(store);
  if (!is_present(directory)) return;
  for (const DirectoryEntry& entry : list_directory(directory))
    if (!is_wanted(entry.name)) remove_tree(directory / entry.name);
}

}  // namespace volary
