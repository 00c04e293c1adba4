// volume/upkeep_notes.h: what upkeep remembers between two runs (table store_note), and what it concludes from it: is
// the database as old as the store, and did the clock run evenly.
//
// The epoch is a number that only grows, in the database and in the store's file `epoch`. Whatever makes an older copy
// of the database dangerous for a sweep raises both. If the store's is larger, somebody has put an older database in
// place: it does not know the newest versions, and a sweep by it would delete their objects.
#pragma once

#include <optional>
#include <string>

#include "core/clock.h"
#include "db/database.h"
#include "store/store.h"

namespace volary {

std::optional<std::string> find_note_text(Transaction& transaction, const std::string& name);
void put_note_text(Transaction& transaction, const std::string& name, const std::string& text);

template <class T>
std::optional<T> find_note(Transaction& transaction, const std::string& name) {
  const auto text = find_note_text(transaction, name);
  if (!text) return std::nullopt;
  return from_json<T>(parse_json(*text, "the note '" + name + "'"), name, Unknown::ignore);
}
template <class T>
void put_note(Transaction& transaction, const std::string& name, const T& value) {
  put_note_text(transaction, name, print_json(to_json(value)));
}

// --- the epoch

struct Epochs {
  uint64_t database = 0;
  uint64_t store = 0;
  bool is_restored() const { return store > database; }
};

Epochs epochs_of(Database& database, const Store& store);
// Raises both; does nothing where the database is older than the store.
void advance_epoch(Database& database, const Store& store);
// The database is what it is, on purpose: makes it the newest again.
void accept_database(Database& database, const Store& store);
// "" or the sentence that says what is wrong.
std::string restored_words(const Epochs& epochs);
void write_epoch_file(const Path& store_root, uint64_t epoch);

// Who this store is, in its backups: 16 hexadecimal digits, made once.
std::string store_identity(Database& database);

// --- the clock

// How long the machine has been up, by a clock that nobody sets.
struct Uptime {
  std::string boot;  // Which start of the machine.
  int64_t micros = 0;
};
Uptime uptime_of_machine();

struct Steadiness {
  Time since;          // From here to now the clock is believed.
  std::string remark;  // What it did, if it was found out just now.
};

// Compares the clock with the last note and the machine's uptime, and writes the new note. A clock that jumped makes
// all ages begin anew: those of the candidates and of the quarantine, too.
Steadiness note_clock(Transaction& transaction, Time now, const Uptime& uptime);

}  // namespace volary
