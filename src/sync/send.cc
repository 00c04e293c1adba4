// sync/send.cc: the puts and removes of sync/send.h.
//
// Small objects go one a connection, many at once, and more to a store that is far away. Of large ones a few go at a
// time, each in parts over a few connections.
#include "sync/send.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "core/workers.h"
#include "remote/parted.h"
#include "remote/retry.h"
#include "sync/arrivals.h"
#include "sync/blob_content.h"
#include "sync/file_failures.h"
#include "sync/listing.h"
#include "sync/request_crew.h"
#include "sync/upload_notes.h"

namespace volary {
namespace {

constexpr size_t small_threads = 32;            // At first.
constexpr size_t large_threads = 3;             // Files at once,
constexpr size_t part_threads = 12;             // and connections for all of them together.
constexpr uint64_t large_bytes_min = 16 << 20;
constexpr uint64_t telling_bytes_max = 256 << 10;  // How long others take says little of how far away the store is.
constexpr size_t remember_files_max = 1000;     // Objects that arrived are written down in groups of so many,
constexpr std::chrono::seconds remember_after{1};  // or after so long.

class Sending {
 public:
  Sending(const Shipment& shipment, const Store& store, Database& database, Progress& progress,
          const std::stop_token& stop)
      : shipment_(shipment), store_(store), database_(database), progress_(progress), stop_(stop) {}

  Delivery run();

 private:
  struct State {
    std::vector<Arrived> arrived;
    std::vector<SeenObject> unwritten;
    std::chrono::steady_clock::time_point written_at = std::chrono::steady_clock::now();
  };

  void send_small(const std::vector<size_t>& copies);
  void send_large(const std::vector<size_t>& copies);
  void send_one(const PlannedCopy& copy, size_t parts_at_once);
  RemoteObject put(const PlannedCopy& copy, size_t parts_at_once);
  RemoteObject put_stream(const Listed& file, const std::string& key);
  std::optional<RemoteObject> find_same(const PlannedCopy& copy, const std::string& key);
  void note_arrival(const PlannedCopy& copy, const RemoteObject& object);
  void write_down(size_t at_least);
  void hold();
  void remove_all();
  void check_stop() const {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
  }

  const Shipment& shipment_;
  const Store& store_;
  Database& database_;
  Progress& progress_;
  const std::stop_token& stop_;
  Synced<State> state_;
  FileFailures failures_;
  std::string verified_;
};

Delivery Sending::run() {
  std::vector<size_t> small;
  std::vector<size_t> large;
  for (size_t i = 0; i < shipment_.plan.copies.size(); ++i) {
    const uint64_t size = shipment_.source[shipment_.plan.copies[i].source].size;
    (size > large_bytes_min ? large : small).push_back(i);
  }
  const auto error = error_of([&] {
    send_small(small);
    send_large(large);
  });
  write_down(1);  // Also what arrived before something went wrong.
  if (error) throw Error(*error);
  fault::point("send.copied");
  hold();
  auto failures = failures_.take();
  if (failures.empty()) remove_all();
  return {std::move(failures), verified_};
}

void Sending::send_small(const std::vector<size_t>& copies) {
  const auto size_of = [&](size_t i) { return shipment_.source[shipment_.plan.copies[copies[i]].source].size; };
  uint64_t bytes = 0;
  for (size_t i = 0; i < copies.size(); ++i) bytes += size_of(i);
  const RequestCrew crew(small_threads, copies.size(), bytes);
  for_each_index_growing(copies.size(), crew.size(), [&](size_t i) {
    const auto begun = RequestCrew::Clock::now();
    send_one(shipment_.plan.copies[copies[i]], 1);
    return size_of(i) > telling_bytes_max ? Crew::stays : crew.after(RequestCrew::Clock::now() - begun);
  });
}

void Sending::send_large(const std::vector<size_t>& copies) {
  const size_t files_at_once = std::clamp<size_t>(copies.size(), 1, large_threads);
  for_each_index(copies.size(), files_at_once, [&](size_t i) {
    send_one(shipment_.plan.copies[copies[i]], part_threads / files_at_once);
  });
}

void Sending::send_one(const PlannedCopy& copy, size_t parts_at_once) {
  check_stop();
  fault::point("send.object");
  RemoteObject object;
  if (const auto error = error_of([&] { object = put(copy, parts_at_once); }))
    return failures_.note(shipment_.source[copy.source], *error, stop_);
  note_arrival(copy, object);
  write_down(remember_files_max);
}

RemoteObject Sending::put(const PlannedCopy& copy, size_t parts_at_once) {
  const Listed& file = shipment_.source[copy.source];
  const std::string key = key_of(shipment_.directory, file.path);
  if (auto same = find_same(copy, key)) {
    progress_.bytes_done += file.size;
    return *same;
  }
  PartedRemote* parted = shipment_.remote.parted();
  if (!parted) return put_stream(file, key);
  BlobContent content(store_, file, &progress_, stop_);
  DatabaseUploadNotes notes(database_, shipment_.transfer_id);
  RemoteObject object;
  const auto error = error_of([&] {
    object = parted->put_content(
        key, content, {.notes = notes, .stop = stop_, .threads = parts_at_once, .bytes_sent = &progress_.bytes_moved});
  });
  if (!error) return object;
  progress_.bytes_done -= content.shown_bytes();
  throw Error(*error);
}

RemoteObject Sending::put_stream(const Listed& file, const std::string& key) {
  BlobSource bytes(store_, file, progress_, stop_);
  RemoteObject object;
  const auto error = error_of([&] {
    object = shipment_.remote.put(key, bytes, file.size);
    if (object.size != file.size)
      throw Error(Errc::corrupt, "'{}' arrived with {} bytes: expected {}", printable(key), object.size, file.size);
  });
  if (error) {
    progress_.bytes_done -= bytes.bytes();
    throw Error(*error);
  }
  progress_.bytes_moved += file.size;
  return object;
}

// Of an export that was cut off, or done by another tool.
std::optional<RemoteObject> Sending::find_same(const PlannedCopy& copy, const std::string& key) {
  const Listed& file = shipment_.source[copy.source];
  PartedRemote* parted = shipment_.remote.parted();
  if (!parted || !copy.replaces) return std::nullopt;
  const Listed& there = shipment_.target[*copy.replaces];
  if (there.size != file.size || there.digest) return std::nullopt;
  BlobContent content(store_, file, nullptr, stop_);
  if (!parted->is_same(there.etag, content)) return std::nullopt;
  return RemoteObject{key, file.size, there.etag, {}, Proof::etag};
}

void Sending::note_arrival(const PlannedCopy& copy, const RemoteObject& object) {
  ++progress_.files_done;
  failures_.note_success();
  auto held = state_.lock();
  held->arrived.push_back({copy.source, object.etag, object.proof});
  if (!object.etag.empty())
    held->unwritten.push_back({object.key, object.etag, object.size, *shipment_.source[copy.source].digest});
}

void Sending::write_down(size_t at_least) {
  std::vector<SeenObject> group;
  {
    auto held = state_.lock();
    const auto now = std::chrono::steady_clock::now();
    if (held->unwritten.size() < at_least && now - held->written_at < remember_after) return;
    held->written_at = now;
    group.swap(held->unwritten);
  }
  if (group.empty()) return;
  database_.write(
      [&](Transaction& transaction) { remember_objects(transaction, shipment_.datastore_id, group); });
}

void Sending::hold() {
  const std::vector<Arrived> arrived = state_.lock()->arrived;
  const Verdict verdict = hold_arrivals(arrived, shipment_.source, shipment_.plan.target_files, shipment_.directory,
                                        shipment_.remote, store_, stop_);
  verified_ = verdict.words;
  if (verdict.wrong.empty()) return;
  database_.write([&](Transaction& transaction) {
    for (const size_t index : verdict.wrong)
      forget_object(transaction, shipment_.datastore_id,
                    key_of(shipment_.directory, shipment_.source[arrived[index].source].path));
  });
  for (const size_t index : verdict.wrong) {
    --progress_.files_done;
    progress_.bytes_done -= shipment_.source[arrived[index].source].size;
  }
  failures_.add(verdict.failures);
}

void Sending::remove_all() {
  for (const size_t index : shipment_.plan.deletes) {
    check_stop();
    const std::string key = key_of(shipment_.directory, shipment_.target[index].path);
    shipment_.remote.remove(key);
    database_.write([&](Transaction& transaction) { forget_object(transaction, shipment_.datastore_id, key); });
  }
}

}  // namespace

Delivery send(const Shipment& shipment, const Store& store, Database& database, Progress& progress,
          const std::stop_token& stop) {
  return Sending(shipment, store, database, progress, stop).run();
}

}  // namespace volary
