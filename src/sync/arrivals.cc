// sync/arrivals.cc: the questions of sync/arrivals.h.
#include "sync/arrivals.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "core/workers.h"
#include "remote/retry.h"
#include "sync/listing.h"

namespace volary {
namespace {

constexpr size_t sample_max = 32;            // Objects that are read back, of those that nothing else proves.
constexpr uint64_t whole_bytes_max = 8 << 20;  // Larger ones are read back at their beginning, middle and end.
constexpr uint64_t stretch_bytes = 1 << 20;
constexpr size_t question_threads = 16;
constexpr size_t questions_few = 16;         // So many are asked for one by one in any case,
constexpr size_t objects_a_question = 50;    // and more if a listing would have to pass so many objects for each.

class Holding {
 public:
  Holding(const std::vector<Arrived>& arrivals, const std::vector<Listed>& source, const TreePath& directory,
          Remote& remote, const Store& store, const std::stop_token& stop)
      : arrivals_(arrivals), source_(source), directory_(directory), remote_(remote), store_(store), stop_(stop) {}

  Verdict run(size_t present) {
    const bool is_few = arrivals_.size() <= questions_few + present / objects_a_question;
    std::vector<size_t> open(arrivals_.size());  // What no listing showed to be there.
    for (size_t i = 0; i < open.size(); ++i) open[i] = i;
    if (!is_few) open = missed_by_listing();
    for_each_index(open.size(), question_threads, [&](size_t i) { ask_for(open[i]); });
    const std::vector<size_t> sample = choose_sample();
    for_each_index(sample.size(), question_threads, [&](size_t i) { read_back(sample[i]); });

    Verdict verdict;
    for (const auto& [index, reason] : *wrong_.lock()) {
      verdict.wrong.push_back(index);
      verdict.failures.push_back({file_of(index).path.text(), reason, FileOutcome::failed});
    }
    verdict.words = words(sample.size());
    return verdict;
  }

 private:
  const Listed& file_of(size_t index) const { return source_[arrivals_[index].source]; }
  std::string key_of_arrival(size_t index) const { return key_of(directory_, file_of(index).path); }
  void check_stop() const {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
  }

  bool is_as_sent(size_t index, const RemoteObject& object) const {
    return object.size == file_of(index).size && object.etag == arrivals_[index].etag;
  }

  std::vector<size_t> missed_by_listing() {
    std::unordered_map<std::string, size_t> expected;
    for (size_t i = 0; i < arrivals_.size(); ++i) expected.emplace(key_of_arrival(i), i);
    const std::string prefix = directory_.is_root() ? "" : directory_.text() + "/";
    remote_.list(prefix, [&](const RemoteObject& object) {
      check_stop();
      const auto found = expected.find(object.key);
      if (found != expected.end() && is_as_sent(found->second, object)) expected.erase(found);
    });
    std::vector<size_t> missed;
    for (const auto& [key, index] : expected) missed.push_back(index);
    return missed;
  }

  // The last word: listings may come late, and may name an object otherwise than its own headers do.
  void ask_for(size_t index) {
    check_stop();
    const auto found = remote_.find(key_of_arrival(index));
    const uint64_t size = file_of(index).size;
    const std::string& etag = arrivals_[index].etag;
    if (!found) {
      note(index, "the store took it and does not have it");
    } else if (found->size != size) {
      note(index, fmt::format("the store took it and has {} bytes of it: expected {}", found->size, size));
    } else if (found->etag != etag) {
      note(index, fmt::format("the store has another object there than it took: etag '{}', expected '{}'",
                              printable(found->etag), printable(etag)));
    }
  }

  void note(size_t index, const std::string& reason) { wrong_.lock()->emplace(index, "corrupt: " + reason); }

  // Those whose etag looks like an MD5 and is not theirs, though this store's etags are MD5s, are all suspect.
  std::vector<size_t> choose_sample() {
    const bool has_md5s = count(Proof::etag) > 0;
    std::vector<size_t> sample;
    std::vector<size_t> unproven;
    for (size_t i = 0; i < arrivals_.size(); ++i) {
      if (wrong_.lock()->contains(i)) continue;
      if (arrivals_[i].proof == Proof::differs && has_md5s) sample.push_back(i);
      else if (arrivals_[i].proof == Proof::none || arrivals_[i].proof == Proof::differs) unproven.push_back(i);
    }
    const size_t step = std::max<size_t>(1, (unproven.size() + sample_max - 1) / sample_max);
    for (size_t i = 0; i < unproven.size(); i += step) sample.push_back(unproven[i]);
    return sample;
  }

  void read_back(size_t index) {
    const Listed& file = file_of(index);
    const auto error = error_of([&] {
      if (file.size <= whole_bytes_max) return read_whole(index);
      const Fd blob = open_to_read(store_.blob_path(*file.digest));
      for (const uint64_t at : {uint64_t{0}, (file.size - stretch_bytes) / 2, file.size - stretch_bytes})
        read_stretch(index, blob, at);
    });
    // That it has gone or was replaced since is found out here too.
    if (!error) return;
    if (error->code() == Errc::unavailable || error->code() == Errc::denied) throw Error(*error);
    note(index, fmt::format("the store does not give it back: {}", error->message()));
  }

  void read_whole(size_t index) {
    class Counting final : public Sink {
     public:
      void write(std::string_view bytes) override { hasher.update(bytes); }
      Hasher hasher;
    } sink;
    check_stop();
    remote_.get(key_of_arrival(index), {.if_match = arrivals_[index].etag}, sink);
    if (sink.hasher.finish() != *file_of(index).digest) note(index, "the store gives back other bytes than were sent");
  }

  void read_stretch(size_t index, const Fd& blob, uint64_t at) {
    check_stop();
    StringSink there(stretch_bytes);
    remote_.get(key_of_arrival(index), {.range = Range{at, stretch_bytes}, .if_match = arrivals_[index].etag}, there);
    std::string here(stretch_bytes, '\0');
    const size_t size = read_some_at(blob.get(), here, at, store_.blob_path(*file_of(index).digest));
    if (size != here.size() || here != there.text)
      note(index, fmt::format("the store gives back other bytes than were sent, from {} on", at));
  }

  size_t count(Proof proof) const {
    return static_cast<size_t>(std::count_if(arrivals_.begin(), arrivals_.end(),
                                             [&](const Arrived& one) { return one.proof == proof; }));
  }

  std::string words(size_t read_back) const {
    const size_t by_checksum = count(Proof::checksum);
    const size_t by_etag = count(Proof::etag);
    const size_t by_size = arrivals_.size() - by_checksum - by_etag;
    std::string text;
    const auto add = [&](size_t number, const std::string& how) {
      if (number == 0) return;
      if (!text.empty()) text += ", ";
      text += number == arrivals_.size() ? fmt::format("all {} {}", number, how) : fmt::format("{} {}", number, how);
    };
    add(by_checksum, "by checksum");
    add(by_etag, "by etag");
    add(by_size, fmt::format("by size, {} of them read back", read_back));
    return text;
  }

  const std::vector<Arrived>& arrivals_;
  const std::vector<Listed>& source_;
  const TreePath& directory_;
  Remote& remote_;
  const Store& store_;
  const std::stop_token& stop_;
  Synced<std::map<size_t, std::string>> wrong_;  // Reasons, by index into the arrivals.
};

}  // namespace

Verdict hold_arrivals(const std::vector<Arrived>& arrivals, const std::vector<Listed>& source, size_t present,
                      const TreePath& directory, Remote& remote, const Store& store, const std::stop_token& stop) {
  if (arrivals.empty() || fault::planted("send.unheld")) return {};
  return Holding(arrivals, source, directory, remote, store, stop).run(present);
}

}  // namespace volary
