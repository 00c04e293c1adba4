// volume/bookkeeping.cc: leases, and versions that may go.
#include "volume/bookkeeping.h"

#include "core/error.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

constexpr int64_t prune_seconds = 86400;

}  // namespace

void Bookkeeping::correct() {
  for (const std::string& line : database_.write([](Transaction& transaction) { return correct_books(transaction); }))
    log_(line);
}

void Bookkeeping::look() {
  for (const std::string& line :
       database_.write([](Transaction& transaction) { return end_dead_leases(transaction); }))
    log_(line);
  database_.write([](Transaction& transaction) {
    for (const std::string& volume : find_left_staged(transaction)) empty_staged(transaction, volume);
  });
  prune_if_due();
}

// When that was last, is remembered between two servers (table store_note).
void Bookkeeping::prune_if_due() {
  const Time now = clock_.now();
  const auto last = database_.read([](Transaction& transaction) {
    return transaction.find<std::string>("SELECT value FROM store_note WHERE name = 'retention'");
  });
  if (last) {
    const Time at = parse_time(from_json<std::string>(parse_json(*last, "the note 'retention'"), "note"));
    if (now < at.plus_seconds(prune_seconds)) return;
  }
  for (const Pruned& pruned : volumes_.apply_retention()) {
    std::string numbers;
    for (const Version& version : pruned.versions)
      numbers += (numbers.empty() ? "" : ", ") + std::to_string(version.number);
    log_(fmt::format("volume '{}': its retention has let go of the versions {}", pruned.volume, numbers));
  }
  database_.write([&](Transaction& transaction) {
    transaction.run(
        "INSERT INTO store_note (name, value) VALUES ('retention', $1) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        print_json(to_json(now)));
  });
}

}  // namespace volary
