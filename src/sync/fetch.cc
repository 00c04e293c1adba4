// sync/fetch.cc: units of work (an object, or a part of a large one) handed to threads, checkpoint by checkpoint.
#include "sync/fetch.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <unordered_map>

#include "core/error.h"
#include "core/fault.h"
#include "core/workers.h"

namespace volary {
namespace {

constexpr uint64_t parted_bytes_min = 64 << 20;       // From here on an object is fetched in parallel parts.
constexpr uint64_t request_bytes = 8 << 20;           // Of one part: long for a fast connection, short to fetch again.
constexpr size_t near_requests = 16;                  // Under way at once, where answers begin to come at once …
constexpr size_t far_requests_max = 256;              // … and where they take long, one by one up to this
constexpr uint64_t requests_memory_max = 48 << 20;    // … and this.
constexpr uint64_t request_memory_min = 16 << 10;     // What a request needs beside its bytes, as far as it holds them:
constexpr uint64_t request_memory_max = 768 << 10;    // the client's buffer and a block.
constexpr auto far_time = std::chrono::milliseconds(5);
constexpr size_t checkpoint_files_max = 20'000;       // Both bound what a crash repeats …
constexpr uint64_t checkpoint_bytes_max = 4ull << 30;  // … and cost one sync of the file system each.

struct JournalRow {
  std::string path;
  std::string etag;
  uint64_t size = 0;
  Digest digest;
};
BOOST_DESCRIBE_STRUCT(JournalRow, (), (path, etag, size, digest))

// One request on its way: for an object, or for some parts of a large one.
struct Unit {
  size_t source = 0;
  std::shared_ptr<PartWriter> writer;  // Shared by the units of one large object; null for a whole one.
  uint64_t from = 0;                   // The writer's parts [from, to).
  uint64_t to = 0;
};

// Cuts what comes into the parts of one unit, and gives each to the writer as soon as it is whole.
class PartsSink final : public Sink {
 public:
  explicit PartsSink(const Unit& unit) : unit_(unit), part_(unit.from) {}

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (is_whole())
        throw Error(Errc::conflict, "more came than was asked for: expected {} bytes", bytes_of(unit_));
      const size_t size = std::min<uint64_t>(bytes.size(), unit_.writer->size_of(part_) - held_.size());
      held_ += bytes.substr(0, size);
      bytes.remove_prefix(size);
      if (held_.size() < unit_.writer->size_of(part_)) return;
      unit_.writer->write(part_++, held_);
      held_.clear();
    }
  }
  bool is_whole() const { return part_ == unit_.to; }

  static uint64_t bytes_of(const Unit& unit) {
    const PartWriter& writer = *unit.writer;
    return writer.offset_of(unit.to - 1) + writer.size_of(unit.to - 1) - writer.offset_of(unit.from);
  }

 private:
  const Unit& unit_;
  uint64_t part_;
  std::string held_;
};

// Counts, and sees how far away the answer's beginning was.
class CountingSink final : public Sink {
 public:
  using Clock = std::chrono::steady_clock;

  CountingSink(Sink& next, Progress& progress, const std::stop_token& stop)
      : next_(next), progress_(progress), stop_(stop) {}
  void write(std::string_view bytes) override {
    if (first_ == Clock::time_point()) first_ = Clock::now();
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    next_.write(bytes);
    progress_.bytes_done += bytes.size();
    progress_.bytes_moved += bytes.size();
  }
  bool was_far() const { return first_ != Clock::time_point() && first_ - asked_ > far_time; }

 private:
  Sink& next_;
  Progress& progress_;
  const std::stop_token& stop_;
  const Clock::time_point asked_ = Clock::now();
  Clock::time_point first_;
};

class Fetch {
 public:
  Fetch(const Plan& plan, const std::vector<Listed>& source, Remote& remote, Commit& commit, Database& database,
        std::string transfer_id, Progress& progress, const std::stop_token& stop)
      : plan_(plan), source_(source), remote_(remote), commit_(commit), database_(database),
        transfer_id_(std::move(transfer_id)), progress_(progress), stop_(stop) {}

  std::vector<Fetched> run() {
    const std::vector<size_t> wanted = take_what_is_here();
    for (size_t at = 0; at < wanted.size();) at = checkpoint(wanted, at);
    return std::move(fetched_);
  }

 private:
  // Answers the indices of sources whose bytes must travel.
  std::vector<size_t> take_what_is_here() {
    std::unordered_map<std::string, JournalRow> journal;
    database_.read([&](Transaction& transaction) {
      for (auto& row : transaction.all<JournalRow>(
               "SELECT path, etag, size, digest FROM transfer_item WHERE transfer = $1", transfer_id_))
        journal.emplace(row.path, row);
    });
    std::vector<size_t> wanted;
    for (const PlannedCopy& copy : plan_.copies) {
      const Listed& file = source_[copy.source];
      std::optional<Digest> known = file.digest;
      if (const auto row = journal.find(file.path.text());
          row != journal.end() && row->second.etag == file.etag && row->second.size == file.size && !file.etag.empty())
        known = row->second.digest;
      if (known && commit_.reuse_blob({*known, file.size})) {
        fetched_.push_back({copy.source, {*known, file.size}});
        progress_.bytes_done += file.size;
        ++progress_.files_done;
      } else {
        wanted.push_back(copy.source);
      }
    }
    return wanted;
  }

  // Fetches from wanted[at] on as much as one checkpoint holds, publishes and journals it; the next index.
  size_t checkpoint(const std::vector<size_t>& wanted, size_t at) {
    const size_t first = fetched_.size();
    std::vector<Unit> units;
    uint64_t bytes = 0;
    size_t files = 0;
    for (; at < wanted.size() && files < checkpoint_files_max && (files == 0 || bytes < checkpoint_bytes_max); ++at) {
      const Listed& file = source_[wanted[at]];
      fetched_.push_back({wanted[at], {}});
      bytes += file.size;
      ++files;
      if (file.size < parted_bytes_min || remote_.reads_whole()) {
        units.push_back({.source = fetched_.size() - 1, .writer = nullptr});
        continue;
      }
      const std::shared_ptr<PartWriter> writer = commit_.new_blob_in_parts(file.size);
      const uint64_t parts = std::max<uint64_t>(request_bytes / writer->size_of(0), 1);
      for (uint64_t from = 0; from < writer->parts(); from += parts)
        units.push_back({fetched_.size() - 1, writer, from, std::min(from + parts, writer->parts())});
    }
    fetch_units(units, bytes);
    for (const Unit& unit : units)
      if (unit.writer && unit.from == 0) {
        fetched_[unit.source].blob = unit.writer->finish();
        ++progress_.files_done;
      }
    commit_.publish();
    fault::point("fetch.published");
    database_.write([&](Transaction& transaction) {
      for (size_t i = first; i < fetched_.size(); ++i) {
        const Listed& file = source_[fetched_[i].source];
        transaction.run(
            "INSERT INTO transfer_item (transfer, path, etag, size, digest) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (transfer, path) DO UPDATE SET etag = excluded.etag, size = excluded.size, "
            "digest = excluded.digest",
            transfer_id_, file.path.text(), file.etag, file.size, fetched_[i].blob.digest);
      }
    });
    fault::point("fetch.journaled");
    return at;
  }

  // Each answer that was far away lets one more thread begin: they only wait, and hide the network's latency.
  void fetch_units(const std::vector<Unit>& units, uint64_t bytes) {
    if (units.empty()) return;
    const uint64_t memory = request_memory_min + std::min(bytes / units.size(), request_memory_max);
    const size_t most = std::clamp<size_t>(requests_memory_max / memory, near_requests, far_requests_max);
    for_each_index_growing(units.size(), {.first = near_requests, .most = most},
                           [&](size_t i) { return fetch_unit(units[i]) ? Crew::grows : Crew::stays; });
  }

  // `unit.source` indexes fetched_ here. Whether the answer was long in coming.
  bool fetch_unit(const Unit& unit) {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    Fetched& target = fetched_[unit.source];
    const Listed& file = source_[target.source];
    fault::point("fetch.object");
    if (unit.writer) return fetch_parts(unit, file);
    const auto writer = commit_.new_blob();
    CountingSink sink(*writer, progress_, stop_);
    remote_.get(file.key, {.range = std::nullopt, .if_match = file.etag}, sink);
    target.blob = writer->finish();
    if (target.blob.size != file.size)
      throw Error(Errc::conflict, "'{}' has {} bytes now: expected the {} that were listed", printable(file.key),
                  target.blob.size, file.size);
    ++progress_.files_done;
    return sink.was_far();
  }

  bool fetch_parts(const Unit& unit, const Listed& file) {
    PartsSink parts(unit);
    CountingSink sink(parts, progress_, stop_);
    const Range range{unit.writer->offset_of(unit.from), PartsSink::bytes_of(unit)};
    remote_.get(file.key, {.range = range, .if_match = file.etag}, sink);
    if (!parts.is_whole())
      throw Error(Errc::conflict, "'{}' ended early: expected {} bytes from byte {}", printable(file.key), range.size,
                  range.offset);
    return sink.was_far();
  }

  const Plan& plan_;
  const std::vector<Listed>& source_;
  Remote& remote_;
  Commit& commit_;
  Database& database_;
  std::string transfer_id_;
  Progress& progress_;
  const std::stop_token& stop_;
  std::vector<Fetched> fetched_;
};

}  // namespace

std::vector<Fetched> fetch(const Plan& plan, const std::vector<Listed>& source, Remote& remote, Commit& commit,
                           Database& database, const std::string& transfer_id, Progress& progress,
                           const std::stop_token& stop) {
  return Fetch(plan, source, remote, commit, database, transfer_id, progress, stop).run();
}

}  // namespace volary
