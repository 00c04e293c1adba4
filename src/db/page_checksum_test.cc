// db/page_checksum_test.cc: a database in which a bit has flipped says so, whichever bit it was.
#include "db/page_checksum.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>

#include "db/scratch_test.h"

namespace volary {
namespace {

std::string bytes_of(const Scratch& scratch) { return read_file(scratch.file(), 1 << 30); }

void put_bytes(const Scratch& scratch, std::string_view bytes) {
  const Fd file(::open(scratch.file().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  write_all(file.get(), bytes, scratch.file());
}

// Some pages of every kind: tables and indexes of several levels, long texts, and free pages.
void fill(Database& database) {
  database.write([](Transaction& t) {
    for (int i = 0; i < 3000; ++i)
      t.run("INSERT INTO tenant (id, name) VALUES ($1, $2)", fmt::format("ten-{}", i), random_hex(20));
    t.run("INSERT INTO tenant (id, name) VALUES ('long', $1)", std::string(100'000, 'x'));
    t.run("DELETE FROM tenant WHERE id LIKE 'ten-1%'");
  });
}

// As Volary left its database before there were checksums.
void copy_without_checksums(const std::string& from, const std::string& to) {
  sqlite3* plain = nullptr;
  ASSERT_EQ(sqlite3_open(to.c_str(), &plain), SQLITE_OK);
  const auto run = [&](const std::string& sql) {
    ASSERT_EQ(sqlite3_exec(plain, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql << sqlite3_errmsg(plain);
  };
  run("ATTACH '" + from + "' AS old");
  std::vector<std::string> statements;
  const auto keep = [](void* list, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(list)->emplace_back(values[0]);
    return 0;
  };
  sqlite3_exec(plain, "SELECT sql FROM old.sqlite_master WHERE sql IS NOT NULL", keep, &statements, nullptr);
  sqlite3_exec(plain, "SELECT 'INSERT INTO main.' || name || ' SELECT * FROM old.' || name FROM old.sqlite_master "
               "WHERE type = 'table'", keep, &statements, nullptr);
  for (const std::string& sql : statements) run(sql);
  sqlite3_close(plain);
}

TEST(PageChecksums, StandInEveryPageOfTheFile) {
  const Scratch scratch;
  fill(*open_database(scratch.url()));
  const std::string bytes = bytes_of(scratch);
  EXPECT_EQ(bytes[20], page_checksum_bytes);
  const auto database = open_database(scratch.url());
  const PageCheck check = database->check_pages();
  EXPECT_EQ(check.pages, bytes.size() / 4096);
  EXPECT_GT(check.pages, 30u);
  EXPECT_TRUE(check.damaged.empty());
}

TEST(PageChecksums, FindEachOfAHundredFlippedBits) {
  const Scratch scratch;
  fill(*open_database(scratch.url()));
  const std::string whole = bytes_of(scratch);
  std::mt19937_64 random(20261121);
  for (int i = 0; i < 100; ++i) {
    // Behind the first page, so that the database opens at all; that one has its own test below.
    const size_t at = 4096 + random() % (whole.size() - 4096);
    put_bytes(scratch, whole);
    const auto database = open_database(scratch.url());  // Open before the damage, as a server is.
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    put_bytes(scratch, damaged);
    const PageCheck check = database->check_pages();
    EXPECT_EQ(check.damaged, std::vector<uint64_t>{at / 4096 + 1}) << "byte " << at;
  }
}

TEST(PageChecksums, KeepADamagedRowFromBeingBelieved) {
  const Scratch scratch;
  {
    const auto database = open_database(scratch.url());
    database->write([](Transaction& t) { t.run("UPDATE project SET quota_fs_bytes = 1234567890123"); });
    database->write([](Transaction& t) { t.run("INSERT INTO tenant (id, name) VALUES ('ten-x', 'HERE I AM')"); });
  }
  std::string bytes = bytes_of(scratch);
  size_t found = 0;  // In the table and in an index.
  for (size_t at = 0; (at = bytes.find("HERE I AM", at)) != bytes.npos; ++found) bytes[at] = 'h';
  ASSERT_EQ(found, 2u);
  put_bytes(scratch, bytes);
  EXPECT_EQ(error_of([&] {
              const auto database = open_database(scratch.url());
              database->read([](Transaction& t) { return t.all<std::string>("SELECT name FROM tenant"); });
            }),
            "corrupt: " + scratch.file() +
                ": a page of the database hashes to something else than it says: disk I/O error (SQLite 8202)");
}

TEST(PageChecksums, ComeIntoADatabaseThatHadNone) {
  const Scratch scratch;
  fill(*open_database(scratch.url()));
  copy_without_checksums(scratch.file(), scratch.file() + ".plain");
  rename_file(scratch.file() + ".plain", scratch.file());
  ASSERT_EQ(bytes_of(scratch)[20], 0);
  open_database(scratch.url());
  EXPECT_EQ(bytes_of(scratch)[20], page_checksum_bytes);
  const auto database = open_database(scratch.url());
  EXPECT_TRUE(database->check_pages().damaged.empty());
  EXPECT_EQ(database->read([](Transaction& t) { return *t.find<int64_t>("SELECT count(*) FROM tenant"); }), 1891);
}

TEST(PageChecksums, AreNotAskedOfADatabaseThatAnotherProgramCopied) {
  const Scratch scratch;
  fill(*open_database(scratch.url()));
  sqlite3* plain = nullptr;
  ASSERT_EQ(sqlite3_open(scratch.file().c_str(), &plain), SQLITE_OK);
  const std::string copy = scratch.file() + ".copy";
  ASSERT_EQ(sqlite3_exec(plain, ("VACUUM INTO '" + copy + "'").c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(plain);
  const auto database = open_database("sqlite://" + copy);
  EXPECT_TRUE(database->check_pages().damaged.empty());
}

TEST(PageChecksums, OfTheFirstPageToo) {
  const Scratch scratch;
  fill(*open_database(scratch.url()));
  std::string bytes = bytes_of(scratch);
  bytes[68] ^= 1;  // The application's id, which nobody looks at.
  put_bytes(scratch, bytes);
  EXPECT_EQ(error_of([&] { open_database(scratch.url()); }),
            "corrupt: " + scratch.file() +
                ": a page of the database hashes to something else than it says: disk I/O error (SQLite 8202)");
}

}  // namespace
}  // namespace volary
