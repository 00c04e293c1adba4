// db/copy_test.cc: a copy of a database that others go on writing to.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "db/database.h"
#include "db/scratch_test.h"

namespace volary {
namespace {

uint64_t rows_of(Database& database) {
  return database.read([](Transaction& t) { return *t.find<uint64_t>("SELECT count(*) FROM store_note"); });
}

void add_row(Database& database, int number) {
  database.write([&](Transaction& t) {
    t.run("INSERT INTO store_note (name, value) VALUES ($1, $2)", std::to_string(number), std::string(1000, 'x'));
  });
}

TEST(Copy, is_whole_private_and_of_one_moment_while_others_write) {
  Scratch scratch;
  const auto database = open_database(scratch.url());
  for (int i = 0; i < 200; ++i) add_row(*database, i);
  std::atomic<bool> ended = false;
  std::jthread writer([&] {
    for (int i = 200; !ended; ++i) add_row(*database, i);
  });
  for (int i = 0; i < 5; ++i) {
    const Path file = scratch.path() / ("copy-" + std::to_string(i) + ".db");
    const uint64_t before = rows_of(*database);
    database->copy_to(file.native());
    const uint64_t after = rows_of(*database);
    EXPECT_EQ(stat_of(file)->st_mode & 0777, 0600u);
    const auto copy = open_database("sqlite://" + file.native());
    EXPECT_GE(rows_of(*copy), before);
    EXPECT_LE(rows_of(*copy), after);
    EXPECT_TRUE(copy->check_pages().damaged.empty());
  }
  ended = true;
}

TEST(Copy, takes_the_place_of_nothing) {
  Scratch scratch;
  const auto database = open_database(scratch.url());
  EXPECT_EQ(error_of([&] { database->copy_to(scratch.file()); }).substr(0, 7), "exists:");
}

}  // namespace
}  // namespace volary
