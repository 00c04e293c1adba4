// volume/upkeep_notes.cc: notes, epochs and the evenness of the clock.
#include "volume/upkeep_notes.h"

#include <time.h>

#include <charconv>
#include <cstdlib>

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/random.h"

namespace volary {
namespace {

constexpr int64_t second = 1'000'000;
constexpr int64_t drift_max = 3600 * second;        // Between the clock and the uptime, from one note to the next.
constexpr int64_t gap_max = 7 * 24 * 3600 * second;  // Between two notes across a start of the machine.

struct EpochNote {
  uint64_t epoch = 0;
};
BOOST_DESCRIBE_STRUCT(EpochNote, (), (epoch))

struct IdentityNote {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(IdentityNote, (), (id))

struct ClockNote {
  Time now;
  Time steady_since;
  std::string boot;
  int64_t uptime_micros = 0;
};
BOOST_DESCRIBE_STRUCT(ClockNote, (), (now, steady_since, boot, uptime_micros))

uint64_t epoch_in_store(const Path& root) {
  const auto text = try_read_file(root / "epoch", 64);
  if (!text) return 0;
  uint64_t epoch = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), epoch);
  if (error != std::errc() || std::string_view(end, text->data() + text->size() - end) != "\n")
    throw Error(Errc::corrupt, "'{}' holds '{}': expected a number and a line feed", (root / "epoch").native(), *text);
  return epoch;
}

// How far the clock went wrong since `last`, or 0.
int64_t jump_since(const ClockNote& last, Time now, const Uptime& uptime) {
  const int64_t went = now.micros - last.now.micros;
  if (uptime.boot == last.boot) {
    const int64_t drift = went - (uptime.micros - last.uptime_micros);
    return std::abs(drift) > drift_max ? drift : 0;
  }
  return went < -drift_max || went > gap_max ? went : 0;
}

}  // namespace

std::optional<std::string> find_note_text(Transaction& transaction, const std::string& name) {
  return transaction.find<std::string>("SELECT value FROM store_note WHERE name = $1", name);
}

void put_note_text(Transaction& transaction, const std::string& name, const std::string& text) {
  transaction.run(
      "INSERT INTO store_note (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name, text);
}

Epochs epochs_of(Database& database, const Store& store) {
  const auto note = database.read([](Transaction& t) { return find_note<EpochNote>(t, "epoch"); });
  return {note ? note->epoch : 0, epoch_in_store(store.root())};
}

// The database first: if we die in between, it is the newer one, and nothing is refused.
void advance_epoch(Database& database, const Store& store) {
  const Epochs epochs = epochs_of(database, store);
  if (!epochs.is_restored()) accept_database(database, store);
}

void accept_database(Database& database, const Store& store) {
  const Epochs epochs = epochs_of(database, store);
  const uint64_t next = std::max(epochs.database, epochs.store) + 1;
  database.write([&](Transaction& t) { put_note(t, "epoch", EpochNote{next}); });
  fault::point("upkeep.epoch");
  write_epoch_file(store.root(), next);
}

std::string restored_words(const Epochs& epochs) {
  if (!epochs.is_restored()) return "";
  return fmt::format(
      "the database is older than the store (epoch {}, expected {} or more): an earlier copy of it was put in place, "
      "which does not know the newest versions",
      epochs.database, epochs.store);
}

void write_epoch_file(const Path& store_root, uint64_t epoch) {
  write_file_durably(store_root / "epoch", std::to_string(epoch) + "\n");
}

std::string store_identity(Database& database) {
  const auto known = database.read([](Transaction& t) { return find_note<IdentityNote>(t, "identity"); });
  if (known) return known->id;
  return database.write([](Transaction& t) {
    IdentityNote note{random_hex(8)};
    if (const auto made = find_note<IdentityNote>(t, "identity")) note = *made;
    put_note(t, "identity", note);
    return note.id;
  });
}

Uptime uptime_of_machine() {
  timespec up{};
  ::clock_gettime(CLOCK_BOOTTIME, &up);
  std::string boot = try_read_file("/proc/sys/kernel/random/boot_id", 128).value_or("");
  return {std::move(boot), int64_t{up.tv_sec} * second + up.tv_nsec / 1000};
}

Steadiness note_clock(Transaction& transaction, Time now, const Uptime& uptime) {
  const auto last = find_note<ClockNote>(transaction, "clock");
  Steadiness steadiness{last ? last->steady_since : now, ""};
  if (const int64_t jump = last ? jump_since(*last, now, uptime) : 0) {
    steadiness.since = now;
    steadiness.remark = fmt::format("the clock moved by {}{} since {}: all ages begin anew", jump < 0 ? "-" : "",
                                    seconds_text(std::abs(jump) / second), to_text(last->now));
    transaction.run("UPDATE sweep_candidate SET first_marked_at = $1", now);
    transaction.run("UPDATE quarantined SET since = $1", now);
  }
  put_note(transaction, "clock", ClockNote{now, steadiness.since, uptime.boot, uptime.micros});
  return steadiness;
}

}  // namespace volary
