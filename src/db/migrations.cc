// db/migrations.cc: what db/migrations.h promises, for SQLite.
#include "db/migrations.h"

#include <array>

#include "core/clock.h"
#include "core/digest.h"
#include "core/fault.h"

namespace volary {
namespace {

struct Applied {
  int64_t number = 0;
  std::string name;
  std::string digest;
};

constexpr std::string_view create_table =
    "CREATE TABLE schema_version ("
    " number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL, digest TEXT NOT NULL)";

std::vector<Applied> steps_of(SqliteConnection& connection) {
  int64_t tables = 0, ours = 0;
  connection.execute(
      "SELECT count(*), coalesce(sum(name = 'schema_version'), 0) FROM sqlite_master WHERE type = 'table'", nullptr, 0,
      [&](const Row& row) { tables = row.integer(0), ours = row.integer(1); });
  if (tables > 0 && ours == 0)
    throw Error(Errc::conflict, "{} is a database of another program: it has {} tables, but no schema_version",
                connection.file(), tables);
  std::vector<Applied> steps;
  if (ours == 0) return steps;
  connection.execute(
      "SELECT number, name, digest FROM schema_version ORDER BY number", nullptr, 0, [&](const Row& row) {
        steps.push_back({row.integer(0), std::string(row.text(1)), std::string(row.text(2))});
      });
  return steps;
}

void check(const std::string& file, const std::vector<Applied>& applied, std::span<const Migration> known) {
  if (applied.size() > known.size())
    throw Error(Errc::conflict, "{} has schema {}, this program knows {}: use a newer program", file,
                applied.back().number, known.size());
  for (size_t i = 0; i < applied.size(); ++i) {
    const Migration& wanted = known[i];
    const Applied& found = applied[i];
    if (found.number != wanted.number)
      throw Error(Errc::corrupt, "{} has had schema {} where {} is expected", file, found.number, wanted.number);
    if (found.digest != Digest::of(wanted.text).hex())
      throw Error(Errc::corrupt, "schema {} ('{}') of {} was made by another text than this program's '{}'",
                  found.number, found.name, file, wanted.name);
  }
}

// A whole copy, durable before the first step begins. One that is there already stems from an attempt that failed.
void keep_copy(SqliteConnection& connection, int64_t number) {
  const Path directory = Path(connection.file()).parent_path();
  const Path final_name = directory / fmt::format("schema-{}.db", number);
  const Path unfinished = directory / fmt::format("schema-{}.db.unfinished", number);
  remove_file(unfinished);
  const Fd file = create_file(unfinished, 0600);  // SQLite writes into an empty file and leaves its mode.
  const std::array<SqlValue, 1> to = {std::string_view(unfinished.native())};
  connection.execute("VACUUM INTO $1", to.data(), to.size(), nullptr);
  sync_file(file.get(), unfinished);
  rename_file(unfinished, final_name);
  sync_directory(directory);
}

void apply(SqliteConnection& connection, const Migration& step) {
  const RollBack roll_back(connection);
  connection.script("BEGIN IMMEDIATE");
  if (step.number == 1) connection.script(std::string(create_table));
  connection.script(std::string(step.text));
  const std::string digest = Digest::of(step.text).hex();
  const std::array<SqlValue, 4> values = {step.number, step.name, system_clock().now().micros,
                                          std::string_view(digest)};
  connection.execute("INSERT INTO schema_version (number, name, applied_at, digest) VALUES ($1, $2, $3, $4)",
                     values.data(), values.size(), nullptr);
  fault::point("db.migrate.before");
  connection.script("COMMIT");
  fault::point("db.migrate.after");
}

}  // namespace

void migrate(SqliteConnection& connection, std::span<const Migration> known, Backup backup) {
  const std::vector<Applied> applied = steps_of(connection);
  check(connection.file(), applied, known);
  if (applied.size() == known.size()) return;
  if (backup == Backup::keep && !applied.empty())
    during("keeping a copy of the database before its schema changes",
           [&] { keep_copy(connection, applied.back().number); });
  for (const Migration& step : known.subspan(applied.size()))
    during(fmt::format("bringing the database to schema {} ('{}')", step.number, step.name),
           [&] { apply(connection, step); });
}

int64_t schema_version() { return known_migrations().back().number; }

}  // namespace volary
