// db/page_checksum.h: an SQLite database whose every page carries a checksum, so that a flipped bit is found, not used.
//
// SQLite checks the shape of what it reads, not its bytes: a digit that changed in a row is a valid row. So the program
// opens databases through a file system of its own, a thin layer over SQLite's: each page that goes to the database
// file gets the checksum of its bytes and of its place in its last 8 bytes (SQLite leaves them free: "reserved bytes"),
// and each page that is read is compared. The write-ahead log is left alone; it has checksums already.
//
//   page     = content, checksum        checksum = first 8 bytes of BLAKE3(content, offset as 8 bytes little-endian)
//
// A checksum of zeros is one that nobody wrote: a database copied by another program has such pages, and they pass.
// Other programs may read the database; what they write is refused here, since its checksums are not those of its
// bytes.
#pragma once

#include <cstdint>

#include "db/database.h"

struct sqlite3;

namespace volary {

constexpr int page_checksum_bytes = 8;

// The name to give sqlite3_open_v2. Registered with SQLite by the first call; any thread.
const char* checked_file_system();

// Gives the pages of this database room for their checksums; an existing one without is written anew, once. Before
// its first table is made or used. An SQLite code.
int keep_page_checksums(sqlite3* connection);

// Reads pages [from, from + count) of the database file itself, not of the log or of memory, and adds to `result`.
// Whether there are more. The caller holds checkpoints off.
bool check_pages(sqlite3* connection, uint64_t from, uint64_t count, PageCheck& result);

}  // namespace volary
