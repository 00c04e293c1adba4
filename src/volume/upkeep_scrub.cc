// volume/upkeep_scrub.cc: a pass over everything: trees, blobs, images, the database.
//
// A pass may take a week and many servers' lives: where it stands is written down every few seconds. What it finds is
// in the table damage at once. What an earlier pass found and this one did not find again is damaged no more, or gone.
#include <chrono>

#include "core/error.h"
#include "core/fault.h"
#include "remote/retry.h"
#include "store/layout.h"
#include "store/scrub.h"
#include "store/sweep.h"
#include "volume/upkeep_work.h"

namespace volary {
namespace {

constexpr uint64_t bytes_per_second_default = 200 << 20;
constexpr auto note_interval = std::chrono::seconds(5);
constexpr size_t database_lines_max = 100;

enum class ScrubStage { tree, blob, image, database };
BOOST_DESCRIBE_ENUM(ScrubStage, tree, blob, image, database)

// The note "scrub": a pass under way. Absent between two passes.
struct ScrubNote {
  Time began_at;
  ScrubStage stage{};
  Digest after;
  ScrubReport report;
};
BOOST_DESCRIBE_STRUCT(ScrubNote, (), (began_at, stage, after, report))

class ScrubPass {
 public:
  ScrubPass(const UpkeepParts& parts, const ScrubRequest& request, UpkeepLive& live)
      : parts_(parts), live_(live), rate_(request.bytes_per_second.value_or(bytes_per_second_default)) {
    auto note = parts_.database.read([](Transaction& t) { return find_note<ScrubNote>(t, "scrub"); });
    if (note && request.resume) note_ = std::move(*note);
    else note_ = {parts_.clock.now(), ScrubStage::tree, {}, {}};
  }

  ScrubReport run() {
    if (note_.stage <= ScrubStage::blob) read_objects();
    if (!stopped() && note_.stage <= ScrubStage::image) check_images();
    if (!stopped()) check_database();
    if (stopped()) {
      keep_place();
      return note_.report;
    }
    note_.report.complete = true;
    parts_.database.write([&](Transaction& t) {
      t.run("DELETE FROM damage WHERE found_by = 'scrub' AND found_at < $1", note_.began_at);
      t.run("DELETE FROM store_note WHERE name = 'scrub'");
    });
    return note_.report;
  }

 private:
  bool stopped() const { return live_.stop.stop_requested(); }

  void keep_place() {
    parts_.database.write([&](Transaction& t) { put_note(t, "scrub", note_); });
    noted_at_ = std::chrono::steady_clock::now();
  }

  void read_objects() {
    live_.begin("reading trees and objects");
    count_totals();
    ScrubWatcher watcher;
    watcher.damaged = [&](const Flaw& flaw) {
      ++note_.report.damaged;
      parts_.database.write([&](Transaction& t) { note_damage(t, flaw, "scrub", parts_.clock.now()); });
    };
    watcher.passed = [&](const ScrubPlace& place, uint64_t bytes, ScrubWatcher::Read read) {
      (place.kind == ObjectKind::tree ? note_.report.trees : note_.report.objects).add(bytes);
      if (read == ScrubWatcher::Read::directly) ++note_.report.read_past_cache;
      note_.stage = place.kind == ObjectKind::tree ? ScrubStage::tree : ScrubStage::blob;
      note_.after = place.after;
      if (std::chrono::steady_clock::now() - noted_at_ > note_interval) keep_place();
    };
    const ScrubPlace from{note_.stage == ScrubStage::tree ? ObjectKind::tree : ObjectKind::blob, note_.after};
    scrub(parts_.store, from, rate_, watcher, live_.progress, live_.token());
    if (!stopped()) note_.stage = ScrubStage::image, note_.after = {};
  }

  // What a resumed pass has behind it counts as done.
  void count_totals() {
    for (const ObjectKind kind : {ObjectKind::tree, ObjectKind::blob})
      parts_.store.each_object(kind, [&](const StoredObject& object) {
        ++live_.progress.files_total;
        live_.progress.bytes_total += object.bytes;
      });
    live_.progress.files_done = note_.report.trees.objects + note_.report.objects.objects;
    live_.progress.bytes_done = note_.report.trees.bytes + note_.report.objects.bytes;
  }

  // An image is derived: one that is not what would be written today is dropped, and made again when it is needed.
  // Farms are made of the objects themselves, which have just been read.
  void check_images() {
    live_.begin("reading images");
    const Path images = Layout(parts_.store.root()).images;
    for (const DirectoryEntry& entry : list_directory(images)) {
      if (stopped()) return;
      if (!tree_of_image(entry.name) || !entry.name.ends_with(".erofs")) continue;
      bool whole = false;
      const auto failure = error_of([&] {
        whole = parts_.image_is_whole(images / entry.name, [&] { live_.check_stop(); });
      });
      if (failure && stopped()) return;  // Nothing is known of it.
      ++note_.report.images;
      ++live_.progress.files_done;
      if (whole && !failure) continue;
      remove_file(images / entry.name);
      ++note_.report.images_dropped;
    }
    note_.stage = ScrubStage::database;
  }

  void tell_database(const std::string& line) {
    if (note_.report.database.size() < database_lines_max) note_.report.database.push_back(line);
  }

  void check_database() {
    live_.begin("reading the database");
    note_.report.database.clear();
    for (const uint64_t page : parts_.database.check_pages().damaged)
      tell_database(fmt::format("page {} does not match its checksum", page));
    parts_.database.read([&](Transaction& t) {
      for (const std::string& line : t.all<std::string>("PRAGMA integrity_check"))
        if (line != "ok") tell_database(line);
    });
    check_versions();
    if (const auto broken = error_of([&] { parts_.audit.verify_chain(); })) tell_database(broken->message());
    parts_.database.write([&](Transaction& t) {
      if (note_.report.database.empty()) return;
      t.run("INSERT INTO damage (kind, digest, found_by, what, found_at) VALUES ('database', '', 'scrub', $1, $2) "
            "ON CONFLICT (kind, digest, found_by) DO UPDATE SET what = excluded.what, found_at = excluded.found_at",
            note_.report.database.front(), parts_.clock.now());
    });
  }

  // Each row of `version` against its tree: a row that was changed, or a tree of another version, shows here.
  void check_versions() {
    note_.report.versions = 0;
    std::map<Digest, std::optional<TreeSummary>> summaries;
    for (const VersionRow& row : parts_.database.read([](Transaction& t) { return all_versions(t); })) {
      if (stopped()) return;
      ++note_.report.versions;
      auto [known, is_new] = summaries.try_emplace(row.tree);
      if (is_new) {
        const auto outcome = try_read_tree(parts_.store, row.tree);
        if (const Tree* tree = std::get_if<Tree>(&outcome)) known->second = summary_of(*tree);
      }
      if (!known->second) tell_database(fmt::format("{}: its tree {} cannot be read", row.name(), row.tree.hex()));
      else if (known->second->checksum != row.checksum || known->second->files != row.files ||
               known->second->bytes != row.bytes)
        tell_database(fmt::format("{}: the row says {} files, {} bytes and checksum {}; its tree has {}, {} and {}",
                                  row.name(), row.files, row.bytes, row.checksum.hex(), known->second->files,
                                  known->second->bytes, known->second->checksum.hex()));
    }
  }

  const UpkeepParts& parts_;
  UpkeepLive& live_;
  const uint64_t rate_;
  ScrubNote note_;
  std::chrono::steady_clock::time_point noted_at_ = std::chrono::steady_clock::now();
};

}  // namespace

ScrubReport scrub_store(const UpkeepParts& parts, const ScrubRequest& request, UpkeepLive& live) {
  return ScrubPass(parts, request, live).run();
}

}  // namespace volary
