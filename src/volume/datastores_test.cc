// volume/datastores_test.cc: what may become a datastore, and what a check of one finds.
#include "volume/datastores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "net/scripted_server.h"

namespace volary {
namespace {

const Caller alice{"sub-1", "alice", "ten-default", "prj-default"};

class a_datastore : public testing::Test {
 protected:
  a_datastore() { make_directories(path / "bucket"); }
  ~a_datastore() override { remove_tree(path); }

  void add(NewDatastore store, Asker asker = Asker::own_user) {
    store.name = "store";
    datastores.create(alice, store, asker);
  }
  std::string refused(const NewDatastore& store, Asker asker = Asker::own_user) {
    try {
      add(store, asker);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  }
  // "list yes, read unknown, …"
  std::string checked(CheckWrites writes = CheckWrites::yes) {
    std::string text;
    for (const CheckedAct& act : datastores.check(alice, "store", writes).acts)
      text += (text.empty() ? "" : ", ") + act.act + " " + std::string(name_of_value(act.works));
    return text;
  }
  void put(const std::string& key, const std::string& content) { write_file_durably(path / "bucket" / key, content); }
  size_t files() { return list_directory(path / "bucket").size(); }

  const Path path = std::filesystem::temp_directory_path() / ("volary-datastores-" + random_hex(6));
  std::unique_ptr<Database> database = [this] { return open_database("sqlite://" + (path / "db").native()); }();
  std::unique_ptr<HttpClient> http = make_http_client();
  Secrets secrets{*database, path / "key"};
  Datastores datastores{
      *database, secrets, *http, system_clock(), {path / "scratch", Redirects::guarded, {path / "open"}}};
};

TEST_F(a_datastore, is_on_the_servers_own_machine_only_for_its_own_user_or_where_that_was_opened) {
  make_directories(path / "open/bucket");
  make_directories(path / "bucket/in");
  std::filesystem::create_directory_symlink(path / "bucket", path / "open/out");
  std::filesystem::create_directory_symlink(path / "bucket/in", path / "open/in");
  make_directories(path / "open/secret");  // Where ".." leads to if links are not followed first.
  make_directories(path / "bucket/secret");
  const auto directory = [&](const Path& at) {
    return refused({.kind = DatastoreKind::directory, .path = at.native()}, Asker::other);
  };
  const auto git = [&](const std::string& url) {
    return refused({.kind = DatastoreKind::git, .endpoint = url}, Asker::other);
  };
  const std::string words = "is on the server's own machine: expected a place below a directory";
  for (const Path& at : {path / "bucket", path / "nowhere", path / "open/../bucket", path / "open/out",
                         path / "open/in/../secret", Path("/"), Path("open"), Path("")})
    EXPECT_THAT(directory(at), testing::HasSubstr(words)) << at;
  const std::string here = "file://" + path.native();
  for (const std::string& url :
       {here + "/bucket", here + "/open/%2e%2e/bucket", here + "/open/out", here + "/open%2f..",
        here + "/open/in/../secret", here + "/open/in/%2e%2e/secret"})
    EXPECT_THAT(git(url), testing::HasSubstr(words)) << url;
  EXPECT_EQ(directory(path / "open/nowhere"),
            "not_found: there is no directory '" + (path / "open/nowhere").native() + "' on the server");
  EXPECT_EQ(directory(path / "open/bucket"), "no error");
  datastores.remove(alice, "store");
  EXPECT_EQ(directory(path / "open/../open/bucket/../bucket"), "no error");
  datastores.remove(alice, "store");
  EXPECT_EQ(git(here + "/open/x.git"), "no error");
}

TEST_F(a_datastore, is_checked_by_doing_and_nothing_is_left_behind) {
  add({.kind = DatastoreKind::directory, .path = (path / "bucket").native()});
  EXPECT_EQ(checked(), "list yes, read unknown, write yes, delete yes");
  put("a", "1");
  EXPECT_EQ(checked(), "list yes, read yes, write yes, delete yes");
  EXPECT_EQ(checked(CheckWrites::no), "list yes, read yes");
  EXPECT_EQ(files(), 1u);
  remove_tree(path / "bucket");
  EXPECT_EQ(checked(), "open no");
}

TEST_F(a_datastore, that_refuses_says_why_for_each_thing) {
  ScriptedServer server([](Peer& peer, size_t) {
    while (auto request = peer.read_request()) {
      if (request->starts_with("GET /b?"))
        peer.answer("200 OK",
                    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>3</Size>"
                    "<ETag>\"e\"</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
                    "</ListBucketResult>");
      else if (request->starts_with("GET /b/k"))
        peer.answer("206 Partial Content", "x", "Content-Range: bytes 0-0/3\r\nETag: \"e\"\r\n");
      else
        peer.answer("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>no writing</Message></Error>");
    }
  });
  add({.kind = DatastoreKind::s3, .endpoint = server.url(), .bucket = "b"});
  const DatastoreCheck found = datastores.check(alice, "store", CheckWrites::yes);
  EXPECT_EQ(checked(), "list yes, read yes, write no, delete unknown");
  EXPECT_NE(found.acts.at(2).reason.find("no writing"), std::string::npos) << found.acts.at(2).reason;
  EXPECT_NE(found.where.find("bucket 'b'"), std::string::npos) << found.where;
}

TEST_F(a_datastore, of_a_web_server_answers_or_does_not) {
  ScriptedServer server([](Peer& peer, size_t) {
    while (peer.read_request()) peer.answer("404 Not Found", "");
  });
  add({.kind = DatastoreKind::http, .endpoint = server.url() + "/d/"});
  EXPECT_EQ(checked(), "reach yes, list no, read unknown, write no, delete no");
  datastores.remove(alice, "store");
  ScriptedServer closed([](Peer& peer, size_t) {
    while (peer.read_request()) peer.answer("403 Forbidden", "");
  });
  add({.kind = DatastoreKind::http, .endpoint = closed.url() + "/d/"});
  EXPECT_EQ(checked(), "reach no, list no, read unknown, write no, delete no");
}

TEST_F(a_datastore, is_refused_what_its_kind_has_not) {
  using enum DatastoreKind;
  EXPECT_EQ(refused({.kind = directory, .path = "relative"}),
            "invalid: 'relative' is no place for a datastore: expected an absolute path on the server");
  EXPECT_EQ(refused({.kind = directory, .path = "/", .proxy = "http://p:1"}),
            "invalid: a datastore of kind 'directory' has no proxy: expected none");
  EXPECT_EQ(refused({.kind = http, .endpoint = "https://h/", .revision = "v1"}),
            "invalid: a datastore of kind 'http' has no revision: expected none");
  EXPECT_EQ(refused({.kind = git, .endpoint = "https://h/x.git", .bucket = "b"}),
            "invalid: a datastore of kind 'git' has no bucket: expected none");
  EXPECT_EQ(refused({.kind = swift, .endpoint = "https://h/v3", .url_style = UrlStyle::path}),
            "invalid: a datastore of kind 'swift' has no urlStyle: expected none");
  EXPECT_EQ(refused({.kind = git, .endpoint = "ssh://git@h/x.git"}).substr(0, 9), "invalid: ");
  EXPECT_EQ(refused({.kind = git, .endpoint = "ext::sh -c id"}).substr(0, 9), "invalid: ");
  EXPECT_EQ(refused({.kind = s3, .endpoint = "http://169.254.169.254", .bucket = "b"}).substr(0, 8), "denied: ");
  EXPECT_EQ(refused({.kind = s3, .endpoint = "http://h", .proxy = "socks5://p:1"}),
            "invalid: 'socks5://p:1' is no proxy: expected http://HOST[:PORT] or https://HOST[:PORT]");
  EXPECT_TRUE(datastores.list(alice).empty());
}

TEST_F(a_datastore, that_can_only_be_read_takes_no_export) {
  add({.kind = DatastoreKind::git, .endpoint = "file:///srv/x.git"});
  try {
    check_writable(datastores.get(alice, "store"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "invalid: datastore 'store' of kind 'git' can only be read: expected one of kind s3, swift or directory");
  }
}

TEST_F(a_datastore, shares_what_its_retries_are_paid_from_with_those_of_its_tenant_for_the_same_bucket) {
  database->write([&](Transaction& transaction) {
    const auto add_row = [&](const char* id, const char* tenant) {
      transaction.run("INSERT INTO project (id, tenant, name, quota_fs_bytes, quota_obs_bytes) "
                      "VALUES ($1, $2, $1, 1, 1)", id, tenant);
    };
    transaction.run("INSERT INTO tenant (id, name) VALUES ('ten-other', 'other')");
    add_row("prj-second", "ten-default");
    add_row("prj-foreign", "ten-other");
  });
  const auto budget_of = [&](const char* project, const char* endpoint, const char* bucket) {
    Datastore store;
    store.project = project;
    store.endpoint = endpoint;
    store.bucket = bucket;
    return datastores.retries_of(store).budget;
  };
  const auto budget = budget_of("prj-default", "https://a", "b");
  EXPECT_EQ(budget, budget_of("prj-default", "https://a", "b"));
  EXPECT_EQ(budget, budget_of("prj-second", "https://a", "b"));
  EXPECT_NE(budget, budget_of("prj-foreign", "https://a", "b"));
  EXPECT_NE(budget, budget_of("prj-default", "https://a", "c"));
  EXPECT_NE(budget, budget_of("prj-default", "https://b", "b"));
}

}  // namespace
}  // namespace volary
