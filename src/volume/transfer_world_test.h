// volume/transfer_world_test.h: what tests of transfers stand on: a directory as datastore, a volume, and everything
// between them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/random.h"
#include "volume/transfers.h"

namespace volary {

inline const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};

struct Scratch {
  Path path = std::filesystem::temp_directory_path() / ("volary-transfers-" + random_hex(6));
  Scratch() { make_directories(path / "bucket"); }
  ~Scratch() { remove_tree(path); }
};

class TransferWorld : public testing::Test {
 protected:
  TransferWorld() {
    NewDatastore bucket;
    bucket.name = "bucket";
    bucket.kind = DatastoreKind::directory;
    bucket.path = (scratch.path / "bucket").native();
    datastores.create(alice, bucket, Asker::own_user);
    volumes.create(alice, {"digits", DataType::dataset, {}, 1 << 20, {}});
    transfers.start();
  }
  void put(const std::string& key, const std::string& content) {
    const Path path = scratch.path / "bucket" / key;
    make_directories(path.parent_path());
    write_file_durably(path, content);
  }
  std::map<std::string, std::string> bucket(const std::string& below) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch.path / "bucket" / below))
      if (entry.is_regular_file())
        files[entry.path().lexically_relative(scratch.path / "bucket" / below)] = read_file(entry.path());
    return files;
  }
  std::map<std::string, std::string> volume(const std::string& version = "") {
    std::map<std::string, std::string> files;
    for (const FileEntry& file : volumes.files(alice, "digits", version, {}))
      if (file.kind == "file") files[file.path] = read_file(store->blob_path(Digest::parse(file.digest)));
    return files;
  }
  Transfer ended(const Transfer& transfer) {
    for (;;) {
      Transfer now = transfers.get(alice, transfer.id);
      if (is_terminal(now.state)) return now;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  Transfer import(const std::string& from, Strategy strategy = Strategy::overwrite, const std::string& into = "") {
    NewTransfer asked{"bucket", from, into, strategy, {}, {}};
    asked.confirmed = true;
    return ended(transfers.create(alice, TransferKind::import, "digits", asked));
  }
  Transfer export_to(const std::string& to, Strategy strategy = Strategy::overwrite) {
    return ended(transfers.create(alice, TransferKind::export_, "digits", {"bucket", {}, to, strategy, {}, {}}));
  }

  Scratch scratch;
  std::unique_ptr<Store> store = open_store(scratch.path / "store");
  std::unique_ptr<Database> database = open_database("sqlite://" + (scratch.path / "db").native());
  std::unique_ptr<HttpClient> http = make_http_client();
  Secrets secrets{*database, scratch.path / "key"};
  Datastores datastores{*database, secrets, *http, system_clock()};
  Volumes volumes{*database, *store, system_clock()};
  SnapshotSources sources{{}, scratch.path / "store"};
  Transfers transfers{*database, *store, datastores, sources, system_clock(), [](std::string_view) {}};
};

}  // namespace volary
