// volume/upkeep_sweep.cc: deleting what nothing refers to, slowly enough that nothing else is ever lost.
//
//   mark       from the tree of every version; what is reached is live
//   candidate  not live, and unused for min_age when the oldest commit under way began
//   quarantine a candidate of an earlier sweep, between_marks ago; in one transaction with a second look at the roots
//   unlink     after quarantine_age more, again with a look at the roots
//
// Why that is safe. A version becomes visible by a row of `version`, and rows are written under the database's writer
// lock, which each step here holds while it looks at the roots and renames. So a row comes either before, and is seen,
// or after; and then its commit has used every object it refers to while it ran: the store spares what was used since
// before the oldest open commit, and an object that a commit finds absent is written anew. Between a commit's end and
// its row lies min_age. What still goes wrong is found in quarantine and brought back.
#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/random.h"
#include "store/scrub.h"
#include "store/sweep.h"
#include "volume/upkeep_work.h"

namespace volary {
namespace {

constexpr int64_t min_age_default = 24 * 3600;
constexpr int64_t between_marks_default = 4 * 3600;
constexpr int64_t quarantine_age_default = 24 * 3600;
constexpr size_t mark_threads = 4;
constexpr size_t at_once = 256;  // Objects moved in one transaction: others who write wait for no more.

struct Found {
  ObjectKind kind{};
  Digest digest;
  uint64_t bytes = 0;
};

struct CandidateRow {
  std::string kind;
  Digest digest;
  Time first_marked_at;
};
BOOST_DESCRIBE_STRUCT(CandidateRow, (), (kind, digest, first_marked_at))

int64_t seconds_of(const std::optional<int64_t>& asked, int64_t unless_told, std::string_view name) {
  const int64_t seconds = asked.value_or(unless_told);
  if (seconds < 0) throw Error(Errc::invalid, "{} is {} seconds: expected 0 or more", name, seconds);
  return seconds;
}

// Calls work(from, to) for [0, count) in pieces of `at_once`.
template <class Work>
void in_pieces(size_t count, const UpkeepLive& live, Work work) {
  for (size_t from = 0; from < count; from += at_once) {
    live.check_stop();
    work(from, std::min(from + at_once, count));
  }
}

class Sweep {
 public:
  Sweep(const UpkeepParts& parts, const SweepRequest& request, UpkeepLive& live)
      : parts_(parts), live_(live), applies_(request.apply),
        min_age_(seconds_of(request.min_age_seconds, min_age_default, "the age of what may go")),
        between_marks_(seconds_of(request.between_marks_seconds, between_marks_default, "the time between two marks")),
        quarantine_age_(seconds_of(request.quarantine_age_seconds, quarantine_age_default, "the time in quarantine")) {}

  SweepReport run() {
    refuse();
    now_ = parts_.clock.now();
    Time steady_since;
    parts_.database.write([&](Transaction& t) {
      const Steadiness steadiness = note_clock(t, now_, parts_.uptime());
      steady_since = steadiness.since;
      report_.remark = steadiness.remark;
    });
    // Before the roots are read: a commit that begins later is younger than everything that may go.
    const Time limit = std::min(now_, parts_.store.oldest_commit());
    unused_since_ = fault::planted("sweep.ignores_age") ? now_.plus_seconds(7200) : limit.plus_seconds(-min_age_);
    ages_count_ = steady_since <= unused_since_;
    live_.begin("marking");
    look_at_roots(parts_.database.read([](Transaction& t) { return roots_of(t); }));
    fault::point("sweep.marked");
    classify();
    if (applies_) note_candidates();
    quarantine();
    empty_quarantine();
    if (applies_) drop_images();
    report_.applied = applies_;
    if (applies_) advance_epoch(parts_.database, parts_.store);
    return report_;
  }

 private:
  void refuse() const {
    if (const auto reason = parts_.store.read_only_reason()) throw Error(Errc::conflict, "no sweep: {}", *reason);
    if (const auto words = restored_words(epochs_of(parts_.database, parts_.store)); !words.empty())
      throw Error(Errc::conflict,
                  "no sweep: {}; if that is meant, run 'volary store check --accept-restored' first", words);
    const auto check = parts_.database.read([](Transaction& t) { return find_note<CheckNote>(t, "check"); });
    if (check && check->damaged > 0)
      throw Error(Errc::conflict,
                  "no sweep: the last check found {} objects missing or damaged; repair them, then run 'volary store "
                  "check'", check->damaged);
  }

  // Marks what can be reached from roots that were not known yet.
  void look_at_roots(const Roots& roots) {
    if (!fault::planted("sweep.forgets_transfers"))
      for (const Digest& blob : roots.blobs) marks_.blobs.insert(blob);
    if (std::all_of(roots.trees.begin(), roots.trees.end(), [&](const Digest& tree) { return is_known(tree); })) return;
    const auto flaws = mark(parts_.store, roots.trees, marks_, live_.progress, mark_threads, live_.token());
    if (!flaws.empty())
      throw Error(Errc::conflict,
                  "no sweep: {}, and {} more are missing or damaged of what versions refer to: run 'volary store "
                  "check', then 'volary store repair'", flaws.front().what, flaws.size() - 1);
  }

  bool is_known(const Digest& tree) const { return tree == empty_tree().tree || marks_.trees.contains(tree); }

  void classify() {
    live_.begin("looking at objects");
    std::unordered_map<Digest, Time> known[2];
    parts_.database.read([&](Transaction& t) {
      for (const CandidateRow& row :
           t.all<CandidateRow>("SELECT kind, digest, first_marked_at FROM sweep_candidate"))
        known[row.kind == "tree"].emplace(row.digest, row.first_marked_at);
    });
    for (const ObjectKind kind : {ObjectKind::tree, ObjectKind::blob}) {
      auto& marked = known[kind == ObjectKind::tree];
      parts_.store.each_object(kind, [&](const StoredObject& object) {
        live_.check_stop();
        ++live_.progress.files_done;
        if (marks_.contains(kind, object.digest)) return report_.live.add(object.bytes);
        if (!ages_count_ || object.used_at >= unused_since_) return report_.too_young.add(object.bytes);
        const auto first = marked.find(object.digest);
        const bool is_known = first != marked.end();
        const bool is_due = is_known && first->second.plus_seconds(between_marks_) <= now_;
        if (is_due || fault::planted("sweep.one_mark")) {
          ready_.push_back({kind, object.digest, object.bytes});
        } else {
          report_.candidates.add(object.bytes);
          if (!is_known) fresh_.push_back({kind, object.digest, object.bytes});
        }
        if (is_known) marked.erase(first);
      });
      for (const auto& [digest, when] : marked) obsolete_.push_back({kind, digest, 0});
    }
  }

  void note_candidates() {
    live_.begin("noting candidates");
    in_pieces(fresh_.size(), live_, [&](size_t from, size_t to) {
      parts_.database.write([&](Transaction& t) {
        for (size_t i = from; i < to; ++i)
          t.run("INSERT INTO sweep_candidate (kind, digest, first_marked_at) VALUES ($1, $2, $3) "
                "ON CONFLICT (kind, digest) DO UPDATE SET first_marked_at = excluded.first_marked_at",
                word_of(fresh_[i].kind), fresh_[i].digest, now_);
      });
    });
    in_pieces(obsolete_.size(), live_, [&](size_t from, size_t to) {
      parts_.database.write([&](Transaction& t) {
        for (size_t i = from; i < to; ++i) forget_candidate(t, obsolete_[i]);
      });
    });
  }

  static void forget_candidate(Transaction& t, const Found& object) {
    t.run("DELETE FROM sweep_candidate WHERE kind = $1 AND digest = $2", word_of(object.kind), object.digest);
  }

  // Trees before blobs, as classify() found them: no tree outlives what it holds.
  void quarantine() {
    if (!applies_) {
      for (const Found& object : ready_) report_.quarantined.add(object.bytes);
      return;
    }
    live_.begin("moving to quarantine");
    live_.progress.files_total = ready_.size();
    in_pieces(ready_.size(), live_, [&](size_t from, size_t to) {
      parts_.database.write([&](Transaction& t) {
        if (!fault::planted("sweep.no_second_look")) look_at_roots(roots_of(t));
        fault::point("sweep.recheck");
        for (size_t i = from; i < to; ++i) quarantine_one(t, ready_[i]);
        fault::point("sweep.quarantined");
      });
      live_.progress.files_done = to;
    });
  }

  void quarantine_one(Transaction& t, const Found& object) {
    if (marks_.contains(object.kind, object.digest)) {
      forget_candidate(t, object);
      return report_.live.add(object.bytes);
    }
    if (!parts_.store.quarantine(object.kind, object.digest, unused_since_)) {
      forget_candidate(t, object);
      return report_.too_young.add(object.bytes);
    }
    forget_candidate(t, object);
    note_quarantine(t, object);
    if (object.kind == ObjectKind::blob)
      t.run("DELETE FROM seen_object WHERE digest = $1", SqlBytes{object.digest.raw()});
    forget_damage(t, object.kind, object.digest);
    moved_.insert(object.digest);
    report_.quarantined.add(object.bytes);
  }

  void empty_quarantine() {
    live_.begin("looking through the quarantine");
    std::vector<Found> found;
    each_quarantined(parts_.store, [&](ObjectKind kind, const Digest& digest, uint64_t bytes) {
      found.push_back({kind, digest, bytes});
    });
    std::vector<Found> old;
    for (const Found& object : found) {
      live_.check_stop();
      const auto since = parts_.database.read([&](Transaction& t) {
        return t.find<Time>("SELECT since FROM quarantined WHERE kind = $1 AND digest = $2", word_of(object.kind),
                            object.digest);
      });
      if (moved_.contains(object.digest)) continue;
      const bool is_due = since && since->plus_seconds(quarantine_age_) <= now_;
      if (is_needed(object)) bring_back(object);
      else if (is_due) old.push_back(object);
      else report_.in_quarantine.add(object.bytes);
      // Found there without a note of when it came: its time begins now.
      if (applies_ && !since) parts_.database.write([&](Transaction& t) { note_quarantine(t, object); });
    }
    if (applies_) unlink(old);
    else for (const Found& object : old) report_.unlinked.add(object.bytes);
  }

  // Whether a version refers to it and the store has it no more.
  bool is_needed(const Found& object) const {
    if (!marks_.contains(object.kind, object.digest)) return false;
    return object.kind == ObjectKind::tree ? !parts_.store.has_tree(object.digest)
                                           : !parts_.store.blob_size(object.digest);
  }

  // One whose bytes are not right stays where it is, for whoever wants to look at it.
  void bring_back(const Found& object) {
    const std::stop_token never;
    Pace pace(0, never);
    const FileState state =
        examine_file(quarantine_path(parts_.store, object.kind, object.digest), object.digest, "", pace);
    if (state.found != FileState::Found::whole) return report_.in_quarantine.add(object.bytes);
    report_.brought_back.add(object.bytes);
    if (!applies_) return;
    parts_.store.bring_back(object.kind, object.digest);
    parts_.database.write([&](Transaction& t) { forget_quarantine(t, object); });
  }

  // If it lies there already, from an earlier time, its time begins anew.
  void note_quarantine(Transaction& t, const Found& object) const {
    t.run("INSERT INTO quarantined (kind, digest, since) VALUES ($1, $2, $3) "
          "ON CONFLICT (kind, digest) DO UPDATE SET since = excluded.since",
          word_of(object.kind), object.digest, now_);
  }
  static void forget_quarantine(Transaction& t, const Found& object) {
    t.run("DELETE FROM quarantined WHERE kind = $1 AND digest = $2", word_of(object.kind), object.digest);
  }

  void unlink(const std::vector<Found>& old) {
    live_.begin("deleting from quarantine");
    live_.progress.files_total = old.size();
    in_pieces(old.size(), live_, [&](size_t from, size_t to) {
      parts_.database.write([&](Transaction& t) {
        if (!fault::planted("sweep.no_third_look")) look_at_roots(roots_of(t));
        for (size_t i = from; i < to; ++i) {
          if (is_needed(old[i])) continue;
          forget_quarantine(t, old[i]);
          unlink_quarantined(parts_.store, old[i].kind, old[i].digest);
          report_.unlinked.add(old[i].bytes);
          fault::point("sweep.unlinked");
        }
      });
      live_.progress.files_done = to;
    });
  }

  // Out of images/ while nobody can make a version of such a tree, deleted afterwards: a farm may be large.
  void drop_images() {
    const Path aside = parts_.store.root() / "tmp" / ("sweep-" + random_hex(8));
    parts_.database.write([&](Transaction& t) {
      look_at_roots(roots_of(t));
      for (const Path& image : idle_images(parts_.store, marks_, unused_since_)) {
        if (!ages_count_) continue;
        make_directory(aside, 0700);
        rename_file(image, aside / image.filename());
        ++report_.images;
      }
    });
    remove_tree(aside);
  }

  const UpkeepParts& parts_;
  UpkeepLive& live_;
  const bool applies_;
  const int64_t min_age_;
  const int64_t between_marks_;
  const int64_t quarantine_age_;
  Time now_;
  Time unused_since_;
  bool ages_count_ = false;  // The clock has been even for min_age.
  Marks marks_;
  std::vector<Found> ready_;     // For quarantine.
  std::vector<Found> fresh_;     // Candidates from now on.
  std::vector<Found> obsolete_;  // Candidates no more.
  DigestSet moved_;              // To quarantine, by this sweep.
  SweepReport report_;
};

}  // namespace

SweepReport sweep_store(const UpkeepParts& parts, const SweepRequest& request, UpkeepLive& live) {
  return Sweep(parts, request, live).run();
}

}  // namespace volary
