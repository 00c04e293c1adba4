// db/migrations.h: the schema's history, numbered from 1, and how a database is brought to its end.
//
// Each file migrations/NNNN_name.sql is one step; cmake/migrations.cmake puts their texts into the program. Every step
// runs in one transaction together with its row in schema_version (number, name, applied_at, digest of the text), so a
// database is always at the end of some step. A released step's text never changes: a mistake is mended by the next.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/file.h"
#include "db/sqlite.h"

namespace volary {

struct Migration {
  int64_t number;
  std::string_view name;
  std::string_view text;
};

// Those of this program, in order.
std::span<const Migration> known_migrations();

enum class Backup { keep, none };

// Runs the steps that the database lacks. With Backup::keep, one that has had some before is first copied to
// "schema-N.db" beside it, N being its newest step. Throws `conflict` if it has steps this program does not know or
// tables of somebody else, and `corrupt` if a step it has had is not the one known here.
void migrate(SqliteConnection& connection, std::span<const Migration> known, Backup backup);

}  // namespace volary
