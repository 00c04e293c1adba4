// volume/uploads_test.cc: uploads from beginning to end, cut off anywhere, idle, refused.
#include "volume/uploads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "volume/ledger.h"

namespace volary {
namespace {

const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};
const Caller eve{"sub-2", "eve", "ten-default", "prj-other"};

template <class Act>
std::string refusal(Act act) {
  try {
    act();
  } catch (const Error& error) {
    return std::string(name_of(error.code())) + ": " + error.message();
  }
  return "";
}

class an_upload : public testing::Test {
 protected:
  an_upload() {
    make_directories(root);
    open();
    volumes->create(alice, {"wiki", DataType::dataset, {}, 64 << 20, {}});
  }
  ~an_upload() override {
    close();
    remove_tree(root);
  }
  void open() {
    store = open_store(root / "store");
    database = open_database("sqlite://" + (root / "db").native());
    volumes = std::make_unique<Volumes>(*database, *store, clock);
    secrets = std::make_unique<Secrets>(*database, root / "secret.key");
    datastores = std::make_unique<Datastores>(*database, *secrets, *http, clock);
    uploads = std::make_unique<Uploads>(*database, *store, *datastores, clock);
    uploads->start();
  }
  void close() {
    uploads.reset();
    datastores.reset();
    secrets.reset();
    volumes.reset();
    database.reset();
    store.reset();
  }
  void restart() {
    close();
    open();
  }
  std::string begin(const std::string& directory = "", std::optional<uint64_t> bytes = {}) {
    return uploads->create(alice, "wiki", {"here:/src", directory, "a message", bytes, {}}).id;
  }
  static std::string entry(const std::string& path, const std::string& bytes) {
    UploadEntry head;
    head.path = path;
    head.size = bytes.size();
    head.digest = Digest::of(bytes).hex();
    return print_json(to_json(head)) + "\n" + bytes;
  }
  void send(const std::string& id, const std::string& path, const std::string& bytes) {
    uploads->receive(alice, id, entry(path, bytes));
  }
  Upload put(const std::string& path, const std::string& bytes) {
    const std::string id = begin();
    send(id, path, bytes);
    return uploads->finish(alice, id, {});
  }
  std::map<std::string, std::string> files(const std::string& version = "") {
    std::map<std::string, std::string> found;
    for (const FileEntry& file : volumes->files(alice, "wiki", version, {}))
      found[file.path] = file.kind == "file" ? read_file(store->blob_path(Digest::parse(file.digest)))
                                             : file.kind + file.target;
    return found;
  }
  std::string large(uint64_t size) {
    SeededRandom random(size);
    return random.bytes(size);
  }
  bool nothing_is_staged() { return list_directory(root / "store" / "uploads").empty(); }

  const Path root = std::filesystem::temp_directory_path() / ("volary-uploads-" + random_hex(6));
  FakeClock clock{parse_time("2026-11-21T08:00:00Z")};
  std::unique_ptr<Store> store;
  std::unique_ptr<Database> database;
  std::unique_ptr<Volumes> volumes;
  const std::unique_ptr<HttpClient> http = make_http_client();
  std::unique_ptr<Secrets> secrets;
  std::unique_ptr<Datastores> datastores;
  std::unique_ptr<Uploads> uploads;
};

using Files = std::map<std::string, std::string>;

TEST_F(an_upload, becomes_one_version_merged_into_the_newest) {
  put("a", "old a");
  const std::string id = begin("");
  uploads->receive(alice, id, entry("a", "new a") + entry("b/c", "see") +
                                  "{\"path\": \"b/link\", \"kind\": \"symlink\", \"target\": \"../a\"}\n"
                                  "{\"path\": \"empty\", \"kind\": \"directory\"}\n"
                                  "{\"path\": \"run\", \"size\": 2, \"executable\": true}\n#!");
  EXPECT_EQ(files(), (Files{{"a", "old a"}}));
  const Upload done = uploads->finish(alice, id, {5});
  EXPECT_EQ(done.state, UploadState::finished);
  EXPECT_EQ(done.version, 2u);
  EXPECT_EQ(files(), (Files{{"a", "new a"}, {"b", "directory"}, {"b/c", "see"}, {"b/link", "symlink../a"},
                            {"empty", "directory"}, {"run", "#!"}}));
  const Version version = volumes->version(alice, "wiki", "");
  EXPECT_EQ(version.origin, Origin::upload);
  EXPECT_EQ(version.origin_id, id);
  EXPECT_EQ(version.message, "a message");
  EXPECT_TRUE(volumes->verify(alice, "wiki", "").whole);
  EXPECT_EQ(uploads->finish(alice, id, {}).version, 2u) << "asked again, the same answer";
  EXPECT_EQ(volumes->versions(alice, "wiki").size(), 2u);
  EXPECT_TRUE(nothing_is_staged());
}

TEST_F(an_upload, that_changes_nothing_makes_no_version) {
  put("a", "same");
  EXPECT_EQ(put("a", "same").version, 1u);
  EXPECT_EQ(volumes->versions(alice, "wiki").size(), 1u);
  EXPECT_TRUE(volumes->leases(alice, "wiki").empty());
}

TEST_F(an_upload, goes_on_after_a_restart_with_what_it_has) {
  const std::string content = large(2 * staged_part_bytes + 100);
  const std::string id = begin("in");
  send(id, "small", "text");
  uploads->receive_part(alice, id, "big", 2 * staged_part_bytes, content.size(),
                        content.substr(2 * staged_part_bytes));
  uploads->receive_part(alice, id, "big", 0, content.size(), content.substr(0, staged_part_bytes));
  restart();
  const auto there = uploads->files(alice, id, "", 100);
  ASSERT_EQ(there.size(), 2u);
  EXPECT_EQ(there[0].path, "in/big");
  EXPECT_FALSE(there[0].complete);
  ASSERT_EQ(there[0].received.size(), 2u);
  EXPECT_EQ(there[0].received[1].offset, 2 * staged_part_bytes);
  EXPECT_TRUE(there[1].complete);
  EXPECT_EQ(refusal([&] { uploads->finish(alice, id, {}); }),
            "conflict: 1 of the 2 files of upload " + id +
                " are incomplete, 'in/big' for one: expected all of their bytes");
  EXPECT_EQ(refusal([&] { uploads->complete(alice, id, {"big", content.size(), true, {}}); }),
            "conflict: parts of 'in/big' are missing: expected all of its 16777316 bytes");
  uploads->receive_part(alice, id, "big", staged_part_bytes, content.size(),
                        content.substr(staged_part_bytes, staged_part_bytes));
  EXPECT_EQ(uploads->complete(alice, id, {"big", content.size(), true, Digest::of(content).hex()}).digest,
            Digest::of(content).hex());
  EXPECT_EQ(uploads->complete(alice, id, {"big", content.size(), true, Digest::of(content).hex()}).size,
            content.size()) << "asked again, the same answer";
  restart();
  uploads->finish(alice, id, {});
  EXPECT_EQ(files()["in/big"], content);
  EXPECT_TRUE(nothing_is_staged());
}

#ifdef VOLARY_FAULTS
// Between the store's taking of the file and the row that says so.
TEST_F(an_upload, cannot_change_a_file_that_the_store_has_taken) {
  const std::string content = large(staged_part_bytes + 100);
  const std::string id = begin();
  uploads->receive_part(alice, id, "big", 0, {}, content.substr(0, staged_part_bytes));
  uploads->receive_part(alice, id, "big", staged_part_bytes, {}, content.substr(staged_part_bytes));
  fault::choose("upload.file_durable=EIO");
  EXPECT_NE(refusal([&] { uploads->complete(alice, id, {"big", content.size(), false, {}}); }), "");
  const std::string taken =
      "conflict: all parts of this file have come, and the store has it: expected no more of them";
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) restart();
    EXPECT_EQ(refusal([&] { uploads->receive_part(alice, id, "big", 0, {}, std::string(staged_part_bytes, 'x')); }),
              taken);
    EXPECT_EQ(refusal([&] { uploads->complete(alice, id, {"big", staged_part_bytes, false, {}}); }),
              "conflict: this file has " + std::to_string(content.size()) + " bytes in the store: expected them all");
    EXPECT_EQ(read_file(store->blob_path(Digest::of(content))), content);
  }
  uploads->complete(alice, id, {"big", content.size(), false, {}});
  uploads->finish(alice, id, {});
  EXPECT_EQ(files(), (Files{{"big", content}}));
}
#endif

TEST_F(an_upload, takes_a_file_whose_length_nobody_knows_yet) {
  const std::string content = large(staged_part_bytes + 1);
  const std::string id = begin();
  uploads->receive_part(alice, id, "stream", 0, {}, content.substr(0, staged_part_bytes));
  uploads->receive_part(alice, id, "stream", staged_part_bytes, {}, content.substr(staged_part_bytes));
  uploads->complete(alice, id, {"stream", content.size(), false, {}});
  uploads->finish(alice, id, {});
  EXPECT_EQ(files(), (Files{{"stream", content}}));
}

TEST_F(an_upload, refuses_bytes_that_are_not_what_their_digest_says_and_keeps_none_of_them) {
  const std::string id = begin();
  std::string wrong = entry("a", "right");
  wrong.back() = 'T';
  EXPECT_EQ(refusal([&] { uploads->receive(alice, id, entry("b", "fine") + wrong); }).substr(0, 35),
            "corrupt: the bytes of 'a' hash to " + Digest::of("righT").hex().substr(0, 1));
  EXPECT_TRUE(uploads->files(alice, id, "", 10).empty());
  uploads->receive_part(alice, id, "c", 0, 3, "abc");
  EXPECT_EQ(refusal([&] { uploads->complete(alice, id, {"c", 3, false, Digest::of("abd").hex()}); }),
            "corrupt: the bytes of 'c' hash to " + Digest::of("abc").hex() + ": expected " + Digest::of("abd").hex());
  EXPECT_TRUE(uploads->files(alice, id, "", 10).empty());
  EXPECT_EQ(uploads->get(alice, id).bytes, 0u);
}

TEST_F(an_upload, is_the_one_writer_and_says_who_it_is) {
  const std::string id = begin();
  EXPECT_EQ(refusal([&] { begin(); }), "conflict: volume 'wiki' is being written by upload " + id +
                                           " since 2026-11-21T08:00:00.000000Z: expected no other writer");
  EXPECT_EQ(refusal([&] { volumes->remove(alice, "wiki"); }),
            "conflict: volume 'wiki' is in use by upload " + id +
                " (upload from here:/src): expected nobody to hold it");
  uploads->abort(alice, id);
  EXPECT_EQ(uploads->abort(alice, id).state, UploadState::aborted) << "asked again, the same answer";
  EXPECT_EQ(refusal([&] { send(id, "a", "b"); }),
            "conflict: upload " + id + " into volume 'wiki' is aborted already: expected an open one");
  uploads->abort(alice, begin());
  volumes->remove(alice, "wiki");
}

TEST_F(an_upload, keeps_to_the_quota_before_and_while_bytes_come) {
  EXPECT_EQ(refusal([&] { begin("", 65 << 20); }),
            "exhausted: volume 'wiki' has a quota of 64.0 MiB (67108864 bytes): 0 B used, 0 B reserved, 65.0 MiB more "
            "asked for");
  const std::string id = begin();
  EXPECT_EQ(refusal([&] { uploads->receive_part(alice, id, "big", 0, 65 << 20, large(staged_part_bytes)); }),
            "exhausted: volume 'wiki' has a quota of 64.0 MiB (67108864 bytes): 0 B used, 0 B reserved, 65.0 MiB more "
            "asked for");
  EXPECT_TRUE(uploads->files(alice, id, "", 10).empty());
  uploads->receive_part(alice, id, "big", 0, 60 << 20, large(staged_part_bytes));
  EXPECT_EQ(volumes->get(alice, "wiki").reserved_bytes, 60u << 20);
  restart();
  database->write([](Transaction& t) { EXPECT_TRUE(correct_books(t).empty()); });
  uploads->forget(alice, id, "big");
  uploads->abort(alice, id);
  EXPECT_EQ(volumes->get(alice, "wiki").reserved_bytes, 0u);
}

TEST_F(an_upload, of_what_replaces_needs_room_only_for_the_difference) {
  volumes->update(alice, "wiki", {10, {}});
  put("a", "12345678");
  const std::string id = begin("", 8);
  send(id, "a", "87654321");
  uploads->finish(alice, id, {});
  EXPECT_EQ(files(), (Files{{"a", "87654321"}}));
}

TEST_F(an_upload, to_which_nothing_comes_ends_by_itself) {
  const std::string id = begin();
  clock.set(clock.now().plus_seconds(3600));
  send(id, "a", "b");
  uploads->receive_part(alice, id, "c", 0, 9, "123456789");
  clock.set(clock.now().plus_seconds(86399));
  EXPECT_TRUE(uploads->expire().empty());
  clock.set(clock.now().plus_seconds(1));
  EXPECT_EQ(uploads->expire(),
            std::vector<std::string>{"upload " + id + " into volume 'wiki' by alice: nothing has come since "
                                     "2026-11-21T09:00:00.000000Z, so it has ended"});
  EXPECT_EQ(uploads->get(alice, id).state, UploadState::expired);
  EXPECT_TRUE(volumes->leases(alice, "wiki").empty());
  EXPECT_EQ(volumes->get(alice, "wiki").reserved_bytes, 0u);
  EXPECT_TRUE(nothing_is_staged());
}

TEST_F(an_upload, that_may_be_idle_for_seconds_only_does_not_end_while_parts_come) {
  const std::string content = large(staged_part_bytes);
  const std::string id = uploads->create(alice, "wiki", {{}, {}, {}, {}, 10}).id;
  for (uint64_t part = 0; part < 4; ++part) {
    uploads->receive_part(alice, id, "big", part * staged_part_bytes, 4 * staged_part_bytes, content);
    clock.set(clock.now().plus_seconds(6));
    EXPECT_TRUE(uploads->expire().empty()) << part;
  }
  clock.set(clock.now().plus_seconds(10));
  EXPECT_EQ(uploads->expire().size(), 1u);
}

TEST_F(an_upload, keeps_no_parts_of_a_file_that_came_whole_after_all) {
  const std::string content = large(staged_part_bytes);
  const std::string id = begin();
  uploads->receive_part(alice, id, "a", 0, 2 * staged_part_bytes, content);
  uploads->receive_part(alice, id, "b", 0, 2 * staged_part_bytes, content);
  EXPECT_EQ(list_directory(root / "store" / "uploads" / id).size(), 4u);  // Each with its records.
  send(id, "a", "small");
  EXPECT_EQ(list_directory(root / "store" / "uploads" / id).size(), 2u);
  send(id, "b", "small");
  uploads->receive_part(alice, id, "c", 0, 1, "c");
  uploads->complete(alice, id, {"c", 1, false, {}});
  uploads->finish(alice, id, {});
  EXPECT_EQ(files(), (Files{{"a", "small"}, {"b", "small"}, {"c", "c"}}));
}

TEST_F(an_upload, refuses_paths_that_are_too_long_together_with_its_directory) {
  std::string half = std::string(250, 'd');
  while (half.size() < 2500) half += "/" + std::string(250, 'd');
  const std::string id = begin(half);
  const std::string words = "bytes: expected at most 4096";
  EXPECT_THAT(refusal([&] { send(id, half, "x"); }), testing::HasSubstr(words));
  EXPECT_THAT(refusal([&] { uploads->receive_part(alice, id, half, 0, 1, "x"); }), testing::HasSubstr(words));
  EXPECT_TRUE(uploads->files(alice, id, "", 10).empty());

  NewDatastore bucket;
  bucket.name = "bucket";
  bucket.kind = DatastoreKind::s3;
  bucket.endpoint = "http://127.0.0.1:9";
  bucket.bucket = "b";
  datastores->create(alice, bucket, Asker::own_user);
  NewVolume kept{"kept", {}, StorageType::obs, 1 << 20, {}};
  kept.datastore = "bucket";
  kept.directory = "wiki";
  volumes->create(alice, kept);
  const std::string into_bucket = uploads->create(alice, "kept", {}).id;
  EXPECT_EQ(refusal([&] { send(into_bucket, half, "x"); }),
            "invalid: '" + std::string(64, 'd') + "…' would be an object with a key of " +
                std::to_string(half.size() + 5) + " bytes: expected at most 1024");
  send(into_bucket, half.substr(0, 1024 - 5), "x");
}

TEST_F(an_upload, refuses_names_that_no_volume_can_hold) {
  const std::string id = begin("in");
  for (const std::string name : {"../a", "/a", "a//b", "a/./b", "", "a/", ".."})
    EXPECT_THAT(refusal([&] { send(id, name, "x"); }), testing::StartsWith("invalid: ")) << name;
  EXPECT_THAT(refusal([&] { uploads->receive(alice, id, "{\"path\": \"a\\u0000b\"}\n"); }),
              testing::StartsWith("invalid: "));
  EXPECT_THAT(refusal([&] { send(id, std::string(256, 'n'), "x"); }), testing::StartsWith("invalid: "));
  EXPECT_THAT(refusal([&] { uploads->receive_part(alice, id, "../up", 0, 1, "x"); }), testing::StartsWith("invalid: "));
  EXPECT_TRUE(uploads->files(alice, id, "", 10).empty());
}

TEST_F(an_upload, never_makes_a_directory_of_a_file_or_the_reverse) {
  put("dir/file", "x");
  const std::string id = begin();
  EXPECT_EQ(refusal([&] { send(id, "dir", "x"); }),
            "invalid: 'dir' is a directory in version 1 of volume 'wiki': expected no directory where a file shall "
            "stand");
  EXPECT_EQ(refusal([&] { send(id, "dir/file/below", "x"); }),
            "invalid: 'dir/file' is a file in version 1 of volume 'wiki' and cannot hold 'dir/file/below'");
  send(id, "new", "x");
  send(id, "new/below", "x");
  EXPECT_EQ(refusal([&] { uploads->finish(alice, id, {}); }),
            "invalid: 'new' is a file and cannot hold 'new/below'");
  uploads->forget(alice, id, "new");
  EXPECT_EQ(uploads->finish(alice, id, {1}).version, 2u);
}

TEST_F(an_upload, reads_its_entries_strictly) {
  const std::string id = begin();
  EXPECT_EQ(refusal([&] { uploads->receive(alice, id, "{\"path\": \"a\", \"size\": 5}\nfour"); }),
            "invalid: 'a' has 5 bytes, but 4 follow: expected all of them in one request");
  EXPECT_EQ(refusal([&] { uploads->receive(alice, id, "{\"path\": \"a\"}"); }),
            "invalid: entry 1 has no end: expected a line with an UploadEntry, then the file's bytes");
  EXPECT_THAT(refusal([&] { uploads->receive(alice, id, "{\"path\": \"a\", \"sise\": 5}\n"); }),
              testing::HasSubstr("entry 1.sise"));
  EXPECT_EQ(refusal([&] { uploads->receive(alice, id, "{\"path\": \"a\", \"kind\": \"directory\", \"size\": 1}\nx"); }),
            "invalid: 'a' is a directory: expected no bytes");
  EXPECT_EQ(refusal([&] { uploads->receive_part(alice, id, "a", 5, {}, "x"); }),
            "invalid: 1 bytes at 5 are no part of 'a': expected 1 to 8388608 bytes at a multiple of that");
  EXPECT_EQ(refusal([&] { uploads->receive_part(alice, id, "a", 0, 3, "xx"); }),
            "invalid: 2 bytes at 0 are no part of 'a', which has 3 bytes: expected 3");
}

TEST_F(an_upload, into_a_bucket_puts_each_object_under_its_name_before_the_version) {
  make_directories(root / "bucket" / "wiki");
  NewDatastore bucket;
  bucket.name = "bucket";
  bucket.kind = DatastoreKind::directory;
  bucket.path = (root / "bucket").native();
  datastores->create(alice, bucket, Asker::own_user);
  NewVolume kept{"kept", {}, StorageType::obs, 1 << 20, {}};
  EXPECT_EQ(refusal([&] { volumes->create(alice, kept); }),
            "invalid: a volume of storage type 'obs' is kept in a bucket: expected the datastore that has it");
  kept.datastore = "bucket";
  kept.directory = "wiki";
  volumes->create(alice, kept);
  EXPECT_EQ(refusal([&] { datastores->remove(alice, "bucket"); }),
            "conflict: datastore 'bucket' holds the objects of volume 'kept': expected no volume kept in it");
  const std::string id = uploads->create(alice, "kept", {}).id;
  uploads->receive(alice, id, entry("a", "alpha") + entry("b/c", "see"));
  EXPECT_EQ(refusal([&] { uploads->receive(alice, id, "{\"path\": \"d\", \"kind\": \"directory\"}\n"); }),
            "invalid: 'd' is a directory, and volume 'kept' is kept in a bucket: expected files");
  EXPECT_FALSE(is_present(root / "bucket" / "wiki" / "a")) << "nothing is there before the end";
  EXPECT_EQ(uploads->finish(alice, id, {}).version, 1u);
  EXPECT_EQ(read_file(root / "bucket" / "wiki" / "a"), "alpha");
  EXPECT_EQ(read_file(root / "bucket" / "wiki" / "b" / "c"), "see");
  uploads->stop();
  const std::string another = uploads->create(alice, "kept", {}).id;
  uploads->receive(alice, another, entry("a", "ALPHA"));
  EXPECT_EQ(refusal([&] { uploads->finish(alice, another, {}); }),
            "unavailable: the server ends; 'a' is not in the bucket yet");
  restart();
  EXPECT_EQ(uploads->finish(alice, another, {}).version, 2u);
  EXPECT_EQ(read_file(root / "bucket" / "wiki" / "a"), "ALPHA");
}

TEST_F(an_upload, of_another_project_is_not_found) {
  const std::string id = begin();
  const std::string unknown = "not_found: there is no upload '" + id + "' in this project";
  EXPECT_EQ(refusal([&] { uploads->get(eve, id); }), unknown);
  EXPECT_EQ(refusal([&] { uploads->receive(eve, id, entry("a", "b")); }), unknown);
  EXPECT_EQ(refusal([&] { uploads->finish(eve, id, {}); }), unknown);
  EXPECT_EQ(refusal([&] { uploads->abort(eve, id); }), unknown);
}

}  // namespace
}  // namespace volary
