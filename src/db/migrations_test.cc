// db/migrations_test.cc: what db/migrations.h promises of a database that comes from another time or another
// program, and what docs/ says of it.
#include "db/migrations.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "db/scratch_test.h"

namespace volary {
namespace {

const Migration first{1, "first", "CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('one');"};
const Migration second{2, "second", "CREATE TABLE b (x TEXT); INSERT INTO b SELECT x FROM a;"};

class Migrations : public testing::Test {
 protected:
  void bring_to(std::vector<Migration> known) {
    if (!stat_of(scratch_.path() / "volary.db")) create_file(scratch_.file(), 0600);
    SqliteConnection connection(scratch_.file(), SqliteConnection::Use::write);
    migrate(connection, known, Backup::keep);
  }
  std::string ask(const Path& file, const std::string& sql) {
    SqliteConnection connection(file.native(), SqliteConnection::Use::read);
    std::string answer;
    connection.execute(sql, nullptr, 0, [&](const Row& row) { answer += std::string(row.text(0)) + ";"; });
    return answer;
  }
  std::string ask(const std::string& sql) { return ask(scratch_.file(), sql); }

  Scratch scratch_;
};

TEST_F(Migrations, RunEachStepOnceAndNoteIt) {
  bring_to({first});
  bring_to({first, second});
  bring_to({first, second});
  EXPECT_EQ(ask("SELECT x FROM b"), "one;");
  EXPECT_EQ(ask("SELECT number || name FROM schema_version ORDER BY number"), "1first;2second;");
  EXPECT_EQ(ask("SELECT digest FROM schema_version WHERE number = 1"), Digest::of(first.text).hex() + ";");
}

TEST_F(Migrations, KeepACopyOfWhatWasBeforeTheyChangeIt) {
  bring_to({first});
  EXPECT_FALSE(is_present(scratch_.path() / "schema-0.db"));
  bring_to({first, second});
  const Path copy = scratch_.path() / "schema-1.db";
  ASSERT_TRUE(is_present(copy));
  EXPECT_EQ(stat_of(copy)->st_mode & 07777, 0600u);
  EXPECT_EQ(ask(copy, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"), "a;schema_version;");
  EXPECT_EQ(ask(copy, "SELECT x FROM a"), "one;");
}

TEST_F(Migrations, LeaveTheDatabaseAtTheStepBeforeTheOneThatFails) {
  bring_to({first});
  const Migration broken{2, "broken", "CREATE TABLE c (x TEXT); INSERT INTO nowhere VALUES (1);"};
  EXPECT_TRUE(error_of([&] { bring_to({first, broken}); }).starts_with("internal: the database refuses a statement"));
  EXPECT_EQ(ask("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"), "a;schema_version;");
  bring_to({first, second});  // A copy is there already from the attempt before.
  EXPECT_EQ(ask("SELECT count(*) FROM schema_version"), "2;");
}

TEST_F(Migrations, RefuseADatabaseOfANewerProgram) {
  bring_to({first, second});
  EXPECT_EQ(error_of([&] { bring_to({first}); }),
            "conflict: " + scratch_.file() + " has schema 2, this program knows 1: use a newer program");
}

TEST_F(Migrations, RefuseADatabaseWhoseStepsHadAnotherText) {
  bring_to({first});
  const Migration changed{1, "changed", "CREATE TABLE a (x TEXT, y TEXT);"};
  EXPECT_EQ(error_of([&] { bring_to({changed}); }),
            "corrupt: schema 1 ('first') of " + scratch_.file() +
                " was made by another text than this program's 'changed'");
}

TEST_F(Migrations, RefuseADatabaseOfSomebodyElse) {
  create_file(scratch_.file(), 0600);
  SqliteConnection(scratch_.file(), SqliteConnection::Use::write).script("CREATE TABLE moz_places (x TEXT)");
  EXPECT_EQ(error_of([&] { bring_to({first}); }),
            "conflict: " + scratch_.file() +
                " is a database of another program: it has 1 tables, but no schema_version");
}

TEST_F(Migrations, OfThisProgramAreNumberedFromOneAndMakeADatabaseThatIsWhole) {
  int64_t number = 0;
  for (const Migration& step : known_migrations()) EXPECT_EQ(step.number, ++number);
  EXPECT_EQ(schema_version(), number);
  const auto known = known_migrations();
  bring_to({known.begin(), known.end()});
  EXPECT_EQ(ask("PRAGMA integrity_check"), "ok;");
  EXPECT_EQ(ask("PRAGMA foreign_key_check"), "");
}

TEST_F(Migrations, KeepWhatEarlierServersSawOfObjects) {
  const auto known = known_migrations();
  bring_to({known.begin(), known.begin() + 3});
  const std::string digest = Digest::of("bytes").hex();
  SqliteConnection(scratch_.file(), SqliteConnection::Use::write)
      .script("PRAGMA foreign_keys = OFF; INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, "
              "region, bucket, url_style, secret, created_at, created_by) VALUES ('ds-1', 't', 'p', 'd', 'directory', "
              "'/', '', '', '', 'path', '', 0, ''); INSERT INTO seen_object (datastore, key, etag, size, digest) "
              "VALUES ('ds-1', 'b', 'e1', 5, '" + digest + "'), ('ds-1', 'a', 'e2', 6, '" + digest +
              "'), ('ds-1', 'c', 'e3', 7, 'no')");
  bring_to({known.begin(), known.end()});
  EXPECT_EQ(ask("SELECT key || etag || size FROM seen_object"), "ae26;be15;");  // 'c' was nothing to go by.
  EXPECT_EQ(ask("SELECT DISTINCT lower(hex(digest)) FROM seen_object"), digest + ";");
  EXPECT_EQ(ask("SELECT typeof(digest) FROM seen_object WHERE key = 'a'"), "blob;");
  EXPECT_EQ(ask("PRAGMA integrity_check"), "ok;");
  SqliteConnection connection(scratch_.file(), SqliteConnection::Use::read);
  const Digest wanted = Digest::of("bytes");
  const std::array<SqlValue, 1> values = {SqlBytes{wanted.raw()}};
  std::string keys;
  connection.execute("SELECT key FROM seen_object WHERE digest = $1 ORDER BY key", values.data(), values.size(),
                     [&](const Row& row) { keys += row.text(0); });
  EXPECT_EQ(keys, "ab");
}

TEST_F(Migrations, KnowWhichDatastoresJobsPushTo) {
  const auto known = known_migrations();
  bring_to({known.begin(), known.begin() + 4});
  SqliteConnection(scratch_.file(), SqliteConnection::Use::write)
      .script("PRAGMA foreign_keys = OFF; INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, "
              "region, bucket, url_style, secret, created_at, created_by) VALUES ('ds-1', 't', 'p', 'd', 'directory', "
              "'/', '', '', '', 'path', '', 0, ''), ('ds-2', 't', 'q', 'd', 'directory', '/', '', '', '', 'path', '', "
              "0, ''); INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, "
              "stop_requested, created_at, lease_owner, lease_until) VALUES ('job-1', 't', 'q', 's', 'n', '{}', "
              "'ERROR', '', '', 0, 0, '', 0); INSERT INTO job_attachment (job, number, volume, path, access, version, "
              "lease, result, push_datastore) VALUES ('job-1', 0, 'v', '/a', 'rw', 0, '', 0, 'd'), ('job-1', 1, 'v', "
              "'/b', 'rw', 0, '', 0, ''), ('job-1', 2, 'v', '/c', 'rw', 0, '', 0, 'gone')");
  bring_to({known.begin(), known.end()});
  EXPECT_EQ(ask("SELECT number || push_store FROM job_attachment ORDER BY number"), "0ds-2;1;2;");
}

TEST_F(Migrations, KnowWhatJobsHold) {
  const auto known = known_migrations();
  bring_to({known.begin(), known.begin() + 4});
  SqliteConnection(scratch_.file(), SqliteConnection::Use::write)
      .script("PRAGMA foreign_keys = OFF; INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, "
              "ending, stop_requested, created_at, lease_owner, lease_until) VALUES ('job-1', 't', 'q', 's', 'n', "
              "'{\"cpus\":2,\"memoryBytes\":4096,\"container\":{\"gpus\":1}}', 'RUNNING', '', '', 0, 0, '', 0), "
              "('job-2', 't', 'q', 's', 'n', '{}', 'QUEUED', '', '', 0, 0, '', 0)");
  bring_to({known.begin(), known.end()});
  EXPECT_EQ(ask("SELECT cpu || ' ' || memory_bytes || ' ' || gpu || ' ' || in_queue FROM job ORDER BY id"),
            "2 4096 1 0;0 0 0 0;");
}

// docs/format-database.md: "### `table`", then "| `column` | type | …" lines.
std::map<std::string, std::set<std::string>> documented() {
  std::istringstream text(read_file((Path(VOLARY_TEST_DATA) / "../../docs/format-database.md").lexically_normal()));
  std::map<std::string, std::set<std::string>> tables;
  std::string table;
  const std::regex heading("^### `([a-z_]+)`.*"), column("^\\| `([a-z_]+)` \\| ([A-Z ]+) \\|.*");
  std::smatch found;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("#")) table.clear();
    if (std::regex_match(line, found, heading)) tables[table = found[1]];
    else if (!table.empty() && std::regex_match(line, found, column))
      tables[table].insert(found[1].str() + " " + found[2].str());
  }
  return tables;
}

TEST_F(Migrations, MakeExactlyTheTablesAndColumnsThatTheDocumentSays) {
  const auto known = known_migrations();
  bring_to({known.begin(), known.end()});
  SqliteConnection connection(scratch_.file(), SqliteConnection::Use::read);
  std::map<std::string, std::set<std::string>> made;
  connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", nullptr, 0,
                     [&](const Row& row) {
                       const std::string table(row.text(0));
                       connection.execute("PRAGMA table_info(" + table + ")", nullptr, 0, [&](const Row& column) {
                         const bool may_be_null = column.integer(3) == 0 && column.integer(5) == 0;
                         made[table].insert(std::string(column.text(1)) + " " + std::string(column.text(2)) +
                                            (may_be_null ? " OR NULL" : ""));
                       });
                     });
  EXPECT_EQ(documented(), made);
}

}  // namespace
}  // namespace volary
