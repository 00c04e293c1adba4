// store/sample_test.h: a store with a few words around it. For *_test.cc alone.
#pragma once

#include <filesystem>
#include <string>

#include "core/scratch_test.h"
#include "store/store.h"

namespace volary {

inline TreeEntry file_entry(std::string name, std::string_view bytes) {
  TreeEntry entry;
  entry.name = std::move(name);
  entry.size = bytes.size();
  entry.digest = Digest::of(bytes);
  return entry;
}

inline TreeEntry link_entry(std::string name, std::string target) {
  TreeEntry entry;
  entry.name = std::move(name);
  entry.kind = EntryKind::symlink;
  entry.target = std::move(target);
  return entry;
}

inline Blob add_blob(Commit& commit, std::string_view bytes) {
  const auto writer = commit.new_blob();
  writer->write(bytes);
  return writer->finish();
}

// The entry of a new file in `commit`.
inline TreeEntry add_file(Commit& commit, std::string name, std::string_view bytes) {
  add_blob(commit, bytes);
  return file_entry(std::move(name), bytes);
}

struct TestStore {
  TestDirectory directory;
  std::unique_ptr<Store> store = open_store(directory / "store");

  void reopen() {
    store.reset();
    store = open_store(directory / "store");
  }

  std::string read(const Digest& blob) const {
    StringSink sink;
    store->read_blob(blob, sink);
    return sink.text;
  }

  // The regular files below `folder` ("objects") of the store.
  size_t count(const Path& folder) const {
    size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store->root() / folder))
      files += entry.is_regular_file();
    return files;
  }
};

}  // namespace volary
