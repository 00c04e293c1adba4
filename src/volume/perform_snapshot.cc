// volume/perform_snapshot.cc: a directory of this machine becomes the next version of a volume, for volume/transfers.h.
//
// What the store has already is read and hashed, but not written again. A run that was cut off begins again: nothing of
// it is visible.
#include <dirent.h>

#include "core/error.h"
#include "core/fault.h"
#include "core/workers.h"
#include "remote/retry.h"
#include "volume/ledger.h"
#include "volume/transfer_rows.h"
#include "volume/transfers.h"

namespace volary {
namespace {

constexpr size_t left_out_max = 100;

struct Measured {
  uint64_t files = 0;  // And symbolic links.
  uint64_t bytes = 0;
};

// How much there is, so that it can be promised before a byte moves. What goes meanwhile is passed over.
void measure(const Path& directory, Measured& measured, const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
  const Fd fd = open_directory(directory, Follow::yes);
  for (const DirectoryEntry& entry : list_directory(fd.get(), directory)) {
    const Path path = directory / entry.name;
    if (entry.type == DT_DIR) {
      const auto status = stat_of(path);
      if (status && S_ISDIR(status->st_mode)) measure(path, measured, stop);
    } else if (entry.type == DT_REG) {
      const auto status = stat_of(path);
      if (!status) continue;
      ++measured.files;
      measured.bytes += static_cast<uint64_t>(status->st_size);
    } else if (entry.type == DT_LNK) {
      ++measured.files;
    }
  }
}

// As people know the paths, instead of by our descriptor.
std::vector<std::string> below(const Path& directory, const Path& opened, const std::vector<std::string>& paths) {
  std::vector<std::string> relative;
  for (const std::string& path : paths)
    if (relative.size() < left_out_max)
      relative.push_back(printable((directory / Path(path).lexically_relative(opened)).native()));
  return relative;
}

// `work` reads by our descriptor; what it has to say is said of the path that people know.
template <class Work>
auto read_by_name(const Path& directory, const Path& opened, Work work) {
  std::optional<decltype(work())> result;
  const auto error = error_of([&] { result = work(); });
  if (!error) return std::move(*result);
  std::string message = error->message();
  for (size_t at = 0; (at = message.find(opened.native(), at)) != message.npos; at += directory.native().size())
    message.replace(at, opened.native().size(), directory.native());
  Error named(error->code(), Error::Text{message});
  for (const std::string& line : error->trail()) named.add_to_trail(line);
  throw Error(named);
}

}  // namespace

void Transfers::perform_snapshot(const Transfer& transfer, Live& live) {
  const Caller caller = caller_of(transfer);
  const Path source(transfer.source_directory);
  const Fd directory = open_resolved(source);
  const Path opened("/proc/self/fd/" + std::to_string(directory.get()));
  const Measured measured = read_by_name(source, opened, [&] {
    Measured all;
    measure(opened, all, live.stop.get_token());
    return all;
  });
  const Volume volume = database_.read([&](Transaction& t) { return get_volume(t, caller, transfer.volume); });
  const std::string base = volume.head == 0 ? "" : database_.read([&](Transaction& t) {
    return get_version(t, volume, "").tree;
  });

  TransferCounts counts;
  counts.total = measured.files;
  counts.bytes_total = measured.bytes;
  live.progress.files_total = measured.files;
  live.progress.bytes_total = measured.bytes;
  database_.write([&](Transaction& transaction) {
    reserve_growth(transaction, transfer.id,
                   measured.bytes > volume.used_bytes ? measured.bytes - volume.used_bytes : 0, counts,
                   clock_.now());
  });
  fault::point("snapshot.planned");

  const auto commit = store_.begin_commit();
  const AddedDirectory added = read_by_name(source, opened, [&] {
    return add_directory(*commit, opened, live.progress, cores(), live.stop.get_token());
  });
  commit->publish();
  fault::point("snapshot.published");
  counts.total = added.summary.files + added.left_out.size();
  counts.completed = added.summary.files;
  counts.skipped = added.left_out.size();
  counts.bytes_total = counts.bytes_done = added.summary.bytes;
  database_.write([&](Transaction& transaction) {
    const TransferInside inside = inside_of(transaction, transfer.id);
    if (inside.cancel_requested) throw Error(Errc::unavailable, "the transfer was asked to stop");
    uint64_t number = volume.head;
    if (added.summary.tree.hex() != base) {
      number = commit_version(transaction,
                              {inside.volume_id, added.summary, transfer.created_by, inside.message, Origin::snapshot,
                               {"transfer", transfer.id}, inside.reserved_bytes, ""},
                              clock_.now());
    } else {
      release_bytes(transaction, inside.volume_id, inside.reserved_bytes);
    }
    transaction.run("UPDATE transfer SET left_out = $2 WHERE id = $1", transfer.id,
                    below(source, opened, added.left_out));
    end_transfer(transaction, transfer.id, TransferState::done, number, counts, "", clock_.now());
  });
  fault::point("snapshot.done");
}

}  // namespace volary
