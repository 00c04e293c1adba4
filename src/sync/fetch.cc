// sync/fetch.cc: units of work (an object, or a part of a large one) handed to threads, group by group.
//
// A large object gathers in a staging file below the store (sync/staging.h), part by part, and what has come stays
// there when the server ends: the journal of what is too large to be fetched again.
#include "sync/fetch.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/synced.h"
#include "core/workers.h"
#include "remote/retry.h"
#include "sync/file_failures.h"
#include "sync/listing.h"
#include "sync/request_crew.h"
#include "sync/staging.h"

namespace volary {
namespace {

constexpr uint64_t parted_bytes_min = 64 << 20;       // From here on an object is fetched in parallel parts.
constexpr int reads_max = 2;                          // Of an object that came as its store says it is not.
constexpr int rounds_max = 2;                         // Of fetching parts again that did not survive.
constexpr size_t seen_at_once = 1000;
constexpr uint64_t group_bytes_max = 4ull << 30;  // A group costs one sync of the file system.

// Under way at once, where the store is near: as many as keep the cores busy. More would wait for each other in the
// kernel, which takes one writer of a file at a time; a lock of our own there would only make the wait longer.
size_t requests_near() { return std::clamp<size_t>(2 * cores(), 4, 32); }

struct JournalRow {
  std::string path;
  std::string etag;
  uint64_t size = 0;
  Digest digest;
};
BOOST_DESCRIBE_STRUCT(JournalRow, (), (path, etag, size, digest))

// A large object and what has come of it.
struct Staged {
  size_t target = 0;  // Index into the group.
  Path path;
  std::unique_ptr<StagedFile> file;
  uint64_t missing_bytes = 0;
  bool is_taken = false;
};

// One request on its way: for an object, or for a part of a large one.
struct Unit {
  size_t target = 0;             // Index into the group.
  StagedFile* staged = nullptr;  // Null for a whole object.
  uint64_t part = 0;
};

// Counts, and sees how far away the answer's beginning was.
class CountingSink final : public Sink {
 public:
  using Clock = RequestCrew::Clock;

  CountingSink(Sink& next, Progress& progress, const std::stop_token& stop, uint64_t& count)
      : next_(next), progress_(progress), stop_(stop), bytes_(count) {}
  void write(std::string_view bytes) override {
    if (first_ == Clock::time_point()) first_ = Clock::now();
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    next_.write(bytes);
    progress_.bytes_done += bytes.size();
    progress_.bytes_moved += bytes.size();
    bytes_ += bytes.size();
  }
  Clock::duration waited() const { return first_ == Clock::time_point() ? Clock::duration() : first_ - asked_; }

 private:
  Sink& next_;
  Progress& progress_;
  const std::stop_token& stop_;
  const Clock::time_point asked_ = Clock::now();
  Clock::time_point first_;
  uint64_t& bytes_;
};

void remember(Transaction& transaction, const FetchOrder& order, const std::vector<Fetched>& files) {
  std::vector<SeenObject> seen;
  for (const Fetched& one : files) {
    const Listed& file = one.act.file;
    if (file.etag.empty()) continue;
    seen.push_back({key_of(order.directory, file.path), file.etag, file.size, one.blob.digest});
    if (seen.size() < seen_at_once) continue;
    remember_objects(transaction, order.datastore_id, seen);
    seen.clear();
  }
  remember_objects(transaction, order.datastore_id, seen);
}

// What is published: the journal never has what the store may lose.
void write_down(const FetchOrder& order, const std::vector<Fetched>& files, Database& database,
                const std::string& transfer_id) {
  fault::point("fetch.published");
  database.write([&](Transaction& transaction) {
    for (const Fetched& one : files) {
      const Listed& file = one.act.file;
      transaction.run(
          "INSERT INTO transfer_item (transfer, path, etag, size, digest) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (transfer, path) DO UPDATE SET etag = excluded.etag, size = excluded.size, "
          "digest = excluded.digest",
          transfer_id, file.path.text(), file.etag, file.size, one.blob.digest);
    }
    remember(transaction, order, files);
  });
  fault::point("fetch.journaled");
}

class Fetch {
 public:
  Fetch(const FetchOrder& order, Commit& commit, Database& database, std::string transfer_id, Progress& progress,
        const std::stop_token& stop)
      : order_(order), remote_(order.remote), reader_(order.acts), commit_(commit), database_(database),
        transfer_id_(std::move(transfer_id)), progress_(progress), stop_(stop) {}

  Brought run(const TakeGroup& take) {
    for (FileAct act; reader_.next(act);) {
      end_checkpoint();
      read_group(std::move(act));
      fetch_group();
      std::optional<Error> refused;
      if (brought_.failed == 0) refused = error_of([&] { take(group_); });
      keep_new();
      if (refused) {  // What came is written down all the same, for whoever resumes it.
        (void)error_of([&] { end_checkpoint(); end_writing(); });
        throw Error(*refused);
      }
    }
    end_writing();
    return std::move(brought_);
  }

 private:
  using Waited = RequestCrew::Clock::duration;

  void read_group(FileAct act) {
    uint64_t bytes = 0;
    do {
      if (act.act == PlanAct::copy) bytes += act.file.size;
      group_.push_back({std::move(act), {}});
    } while (group_.size() < order_.acts_at_once && bytes < group_bytes_max && reader_.next(act));
  }

  // Of the group, what is to be written down.
  void keep_new() {
    std::sort(new_.begin(), new_.end());
    for (size_t i = 0; i < new_.size(); ++i)
      if (new_[i] != i) group_[i] = std::move(group_[new_[i]]);
    group_.resize(new_.size());
    brought_.rest = std::exchange(group_, {});
  }

  // By path.
  std::unordered_map<std::string, JournalRow> journal_of_group() {
    std::unordered_map<std::string, JournalRow> journal;
    database_.read([&](Transaction& transaction) {
      for (auto& row : transaction.all<JournalRow>(
               "SELECT path, etag, size, digest FROM transfer_item WHERE transfer = $1 AND path >= $2 AND path <= $3",
               transfer_id_, group_.front().act.file.path.text(), group_.back().act.file.path.text()))
        journal.emplace(row.path, row);
    });
    return journal;
  }

  // Answers the indices of copies whose bytes must travel.
  std::vector<size_t> take_what_is_here() {
    const auto journal = journal_of_group();
    std::vector<size_t> wanted;
    for (size_t i = 0; i < group_.size(); ++i) {
      const Listed& file = group_[i].act.file;
      if (group_[i].act.act != PlanAct::copy) continue;
      std::optional<Digest> known = file.digest;
      if (const auto row = journal.find(file.path.text());
          row != journal.end() && row->second.etag == file.etag && row->second.size == file.size && !file.etag.empty())
        known = row->second.digest;
      if (known && commit_.reuse_blob({*known, file.size})) {
        group_[i].blob = {*known, file.size};
        if (known != file.digest) new_.push_back(i);
        progress_.bytes_done += file.size;
        ++progress_.files_done;
        ++brought_.files;
      } else {
        wanted.push_back(i);
      }
    }
    return wanted;
  }

  void fetch_group() {
    new_.clear();
    bytes_before_ = progress_.bytes_done;
    const std::vector<size_t> wanted = take_what_is_here();
    std::vector<Unit> units;
    std::vector<Staged> staged;
    uint64_t bytes = 0;
    for (const size_t index : wanted) {
      const Listed& file = file_of(index);
      bytes += file.size;
      if (file.size < parted_bytes_min || remote_.reads_whole()) units.push_back({.target = index});
      else add_parts(staged.emplace_back(stage(index)), units);
    }
    check_room(staged);
    fetch_units(units, bytes);
    take(staged);
    drop_failed(wanted);
    for (const Staged& one : staged)
      if (one.is_taken) taken_.push_back(one.path);
  }

  // Publishes the group, and writes it down while the next one is fetched.
  void end_checkpoint() {
    if (brought_.rest.empty()) return;
    end_writing();
    commit_.publish();
    const auto write = [this](const std::vector<Fetched>& files, const std::vector<Path>& taken) {
      write_down(order_, files, database_, transfer_id_);
      for (const Path& path : taken) StagedFile::remove(path);
    };
    writing_ = std::async(std::launch::async, write, std::exchange(brought_.rest, {}), std::exchange(taken_, {}));
  }

  void end_writing() {
    if (writing_.valid()) writing_.get();
  }

  const Listed& file_of(size_t index) const { return group_[index].act.file; }

  Staged stage(size_t target) {
    const Listed& file = file_of(target);
    const Path directory = staging_directory(commit_.store(), transfer_id_);
    make_directories(directory, 0700);
    const std::string name = staged_name(key_of(order_.directory, file.path), file);
    Staged staged{.target = target, .path = directory / name, .file = nullptr};
    // Without an etag nobody can tell whether the object is still the one whose parts are here.
    if (file.etag.empty()) StagedFile::remove(staged.path);
    staged.file = std::make_unique<StagedFile>(staged.path);
    staged.missing_bytes = file.size;
    return staged;
  }

  // The parts that have not come yet; those that have count as done.
  void add_parts(Staged& staged, std::vector<Unit>& units) {
    const uint64_t size = file_of(staged.target).size;
    const std::vector<uint64_t> missing = missing_parts(staged.file->received(), size);
    if (missing.empty()) return count_missing(staged, 0);
    uint64_t bytes = 0;
    for (const uint64_t part : missing) {
      units.push_back({staged.target, staged.file.get(), part});
      bytes += staged_part_size(part, size);
    }
    count_missing(staged, bytes);
  }

  void count_missing(Staged& staged, uint64_t bytes) {
    progress_.bytes_done += staged.missing_bytes;
    progress_.bytes_done -= bytes;
    staged.missing_bytes = bytes;
  }

  // So that a full disk is found while nothing is fetched. Room that was allocated would be surer, and on some file
  // systems costs as much as writing.
  void check_room(const std::vector<Staged>& staged) const {
    uint64_t needed = 0;
    for (const Staged& one : staged) needed += one.missing_bytes;
    const Path& root = commit_.store().root();
    const uint64_t free = needed > 0 ? free_bytes(root) : 0;
    if (free < needed)
      throw Error(Errc::exhausted, "'{}' has {} free: expected {}, for the large objects that are to come",
                  root.native(), bytes_text(free), bytes_text(needed));
  }

  // Names the staged objects and gives them to the commit. What the machine lost when it was started anew comes again.
  void take(std::vector<Staged>& staged) {
    for (int round = 0;; ++round) {
      std::vector<Unit> units;
      uint64_t bytes = 0;
      for (Staged& one : staged) {
        if (one.is_taken || failed_.lock()->contains(one.target)) continue;
        Fetched& target = group_[one.target];
        const uint64_t size = target.act.file.size;
        one.missing_bytes = 0;
        if (const auto digest = one.file->finish(size)) {
          target.blob = {*digest, size};
          commit_.take_file(one.path, target.blob);
          ++progress_.files_done;
          one.is_taken = true;
          continue;
        }
        if (one.file->is_taken()) {  // And lost afterwards: the store has moved it away as torn.
          StagedFile::remove(one.path);
          one.file = std::make_unique<StagedFile>(one.path);
        }
        add_parts(one, units);
        bytes += one.missing_bytes;
      }
      if (units.empty()) return;
      if (round == rounds_max)
        throw Error(Errc::corrupt, "parts of '{}' were written and are not in its file: expected a disk that keeps "
                    "them", printable(file_of(units.front().target).path.text()));
      fetch_units(units, bytes);
    }
  }

  void fetch_units(const std::vector<Unit>& units, uint64_t bytes) {
    if (units.empty()) return;
    const RequestCrew crew(requests_near(), units.size(), bytes);
    for_each_index_growing(units.size(), crew.size(), [&](size_t i) { return crew.after(attempt(units[i])); });
  }

  // As fetch_unit(), but a file that fails is noted, once, and the others go on.
  Waited attempt(const Unit& unit) {
    Waited waited{};
    if (failed_.lock()->contains(unit.target)) return waited;
    const auto error = error_of([&] { waited = fetch_unit(unit); });
    if (!error) failures_.note_success();
    else if (failed_.lock()->insert(unit.target).second)
      failures_.note(file_of(unit.target), *error, stop_);
    return waited;
  }

  // Counts what came and what failed, and takes the bytes of these out of the progress.
  void drop_failed(const std::vector<size_t>& wanted) {
    auto failed = failed_.lock();
    for (const size_t index : wanted)
      if (!failed->contains(index)) new_.push_back(index);
    brought_.files += wanted.size() - failed->size();
    brought_.failed += failed->size();
    if (failed->empty()) return;
    uint64_t bytes = 0;
    for (size_t i = 0; i < group_.size(); ++i)
      if (!failed->contains(i)) bytes += group_[i].blob.size;
    progress_.bytes_done = bytes_before_ + bytes;
    failed->clear();
    for (TransferFailure& failure : failures_.take())
      if (brought_.failures.size() < failures_kept_max) brought_.failures.push_back(std::move(failure));
  }

  // How long the answer was in coming.
  Waited fetch_unit(const Unit& unit) {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    Fetched& target = group_[unit.target];
    const Listed& file = target.act.file;
    fault::point("fetch.object");
    if (unit.staged) return fetch_part(unit, file);
    Waited waited{};
    for (int read = 1;; ++read) {
      uint64_t bytes = 0;
      const auto error = error_of([&] { waited = fetch_whole(file, target.blob, bytes); });
      if (!error) break;
      if (error->code() != Errc::corrupt || read == reads_max) throw Error(*error);
      progress_.bytes_done -= bytes;
    }
    if (target.blob.size != file.size)
      throw Error(Errc::conflict, "'{}' has {} bytes now: expected the {} that were listed",
                  printable(file.path.text()), target.blob.size, file.size);
    ++progress_.files_done;
    return waited;
  }

  // As fetch_unit(). `bytes` is what came, also where it throws.
  Waited fetch_whole(const Listed& file, Blob& blob, uint64_t& bytes) {
    const auto writer = commit_.new_blob();
    CountingSink sink(*writer, progress_, stop_, bytes);
    remote_.get(key_of(order_.directory, file.path), {.range = std::nullopt, .if_match = file.etag}, sink);
    blob = writer->finish();
    return sink.waited();
  }

  Waited fetch_part(const Unit& unit, const Listed& file) {
    const Range range{unit.part * staged_part_bytes, staged_part_size(unit.part, file.size)};
    const std::string key = key_of(order_.directory, file.path);
    return during(fmt::format("fetching '{}' from byte {} on", printable(key), range.offset), [&] {
      StagedPart part(*unit.staged, unit.part, range.size);
      uint64_t bytes = 0;
      CountingSink sink(part, progress_, stop_, bytes);
      remote_.get(key, {.range = range, .if_match = file.etag}, sink);
      part.finish();
      return sink.waited();
    });
  }

  const FetchOrder& order_;
  Remote& remote_;
  ActList::Reader reader_;
  Commit& commit_;
  Database& database_;
  std::string transfer_id_;
  Progress& progress_;
  const std::stop_token& stop_;
  Brought brought_;
  std::vector<Fetched> group_;
  std::vector<size_t> new_;    // Of the group, what came and is to be written down.
  uint64_t bytes_before_ = 0;  // Of the progress, when the group began.
  std::vector<Path> taken_;    // Staged objects that the journal does not have yet.
  Synced<std::unordered_set<size_t>> failed_;  // Indices into the group.
  FileFailures failures_;
  std::future<void> writing_;  // Of the group before; waits for it when the fetch ends early.
};

}  // namespace

Brought fetch(const FetchOrder& order, Commit& commit, Database& database, const std::string& transfer_id,
              Progress& progress, const std::stop_token& stop, const TakeGroup& take) {
  return Fetch(order, commit, database, transfer_id, progress, stop).run(take);
}

// Staged objects stay until the transfer's journal goes: they share the blobs' bytes.
void journal_rest(const FetchOrder& order, const Brought& brought, Commit& commit, Database& database,
                  const std::string& transfer_id) {
  commit.publish();
  write_down(order, brought.rest, database, transfer_id);
}

void remember_rest(Transaction& transaction, const FetchOrder& order, const Brought& brought) {
  remember(transaction, order, brought.rest);
}

}  // namespace volary
