// workload/check.cc: opens what a crash left, as the next start of the server would, and holds it against the invariants.
//
//   I1   every file under a digest's name has that digest, and there is no other file
//   I2   all that a version refers to is there
//   I3   what was acknowledged is there and unchanged; nothing is half there: of the act under way all or nothing
//   I6   no lease without a living holder, epochs as high as the number of writers
//   I8   one version at most for one holder
//   I11  used bytes are those of the head, reserved ones those of transfers under way; none when all is idle
//   L1   transfers that were accepted end, and nothing temporary stays
#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <thread>

#include "store/checksum.h"
#include "workload/place.h"

namespace volary {
namespace {

struct Acknowledged {
  std::map<std::string, std::map<uint64_t, std::string>> versions;  // volume → number → "tree checksum"
  std::set<std::string> volumes;
  std::set<std::string> leases;     // Holders.
  std::set<std::string> transfers;
  std::set<std::string> uploads;
  size_t books = 0;
  bool are_books = false;
  bool may_fail = false;  // The disk was full, or failed: an import may have ended so.

  explicit Acknowledged(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string kind, name, rest;
      words >> kind >> name;
      if (kind == "volume") volumes.insert(name);
      if (kind == "lease") words >> rest, leases.insert(rest);
      if (kind == "failing") may_fail = true;
      if (kind == "upload") uploads.insert(name);
      if (kind == "accepted") transfers.insert(name);
      if (kind == "books") are_books = true, books = std::stoul(name);
      if (kind == "version") {
        uint64_t number = 0;
        words >> number;
        std::getline(words, rest);
        versions[name][number] = rest.substr(1);
      }
    }
  }
};

class Check {
 public:
  Check(Place& place, Path inputs, const Acknowledged& acknowledged)
      : place_(place), inputs_(std::move(inputs)), acknowledged_(acknowledged) {}

  std::vector<std::string> found;

  void all() {
    objects("objects");
    objects("trees");
    place_.database->read([&](Transaction& transaction) {
      for (const auto& said : transaction.all<std::string>("PRAGMA integrity_check"))
        if (said != "ok") wrong("the database: {}", said);
      transaction.each("PRAGMA foreign_key_check", [&](const Row& row) { wrong("a row of {} refers to nothing", row.text(0)); });
    });
    const auto volumes = place_.volumes.list(alice, {}, "", 1000);
    for (const std::string& name : acknowledged_.volumes)
      if (std::none_of(volumes.begin(), volumes.end(), [&](const Volume& one) { return one.name == name; }))
        wrong("volume {} was acknowledged and is gone", name);
    for (const Volume& volume : volumes) check_volume(volume);
    leases();
  }

  // What shall hold when everything that was under way has ended.
  void idle() {
    for (const Volume& volume : place_.volumes.list(alice, {}, "", 1000))
      if (volume.reserved_bytes != 0) wrong("volume {} has {} bytes reserved for nobody", volume.name, volume.reserved_bytes);
    const auto transfers = place_.transfers.list(alice);
    for (const std::string& id : acknowledged_.transfers) {
      const auto at = std::find_if(transfers.begin(), transfers.end(), [&](const Transfer& one) { return one.id == id; });
      if (at == transfers.end()) wrong("transfer {} was accepted and is gone", id);
      else if (at->state != TransferState::done && !acknowledged_.may_fail) wrong("transfer {} ended as {}: {}", id, name_of_value(at->state), at->error);
    }
    for (const char* folder : {"tmp", "uploads"})
      if (const Path path = place_.root / "store" / folder; is_present(path))
        for (const auto& entry : std::filesystem::directory_iterator(path))
          wrong("{} was left in {}/", entry.path().filename().native(), folder);
    place_.database->read([&](Transaction& transaction) {
      transaction.each("SELECT holder_kind || ' ' || holder FROM lease WHERE holder_kind IN ('transfer', 'upload')",
                       [&](const Row& row) { wrong("{} holds a lease and has ended", row.text(0)); });
      transaction.each("SELECT transfer FROM transfer_item JOIN transfer ON transfer.id = transfer WHERE state = 'done'",
                       [&](const Row& row) { wrong("{} left its journal", row.text(0)); });
    });
  }

 private:
  template <class... Args>
  void wrong(fmt::format_string<Args...> text, Args&&... args) {
    found.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  void objects(const std::string& folder) {
    const Path root = place_.root / "store" / folder;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.is_directory()) continue;
      const std::string name = entry.path().lexically_relative(root).native();
      const std::string bytes = read_file(entry.path());
      if (Digest::of(bytes).path() != name)
        wrong("{}/{}: its {} bytes hash to {}", folder, name, bytes.size(), Digest::of(bytes).hex());
    }
  }

  // What a version of `message`, "round K", must hold.
  std::string checksum_of_round(const std::string& message) {
    auto& known = checksums_[message];
    const auto from = [&](std::string_view word, auto input) {
      if (!known.empty() || !message.starts_with(word)) return;
      Progress progress;
      known = checksum_of_directory(input(inputs_, std::stoi(message.substr(word.size()))), progress, 1).checksum.hex();
    };
    from("round ", input_of);
    from("linked ", linked_input_of);
    from("large ", large_input_of);
    from("merged ", merged_input_of);
    return known;
  }

  void check_volume(const Volume& volume) {
    const auto versions = place_.volumes.versions(alice, volume.name);  // Newest first.
    const bool may_have_gaps = acknowledged_.are_books;  // Versions are pruned there; its own model knows which.
    uint64_t expected = volume.head;
    std::set<std::string> origins;
    for (const Version& version : versions) {
      if (!may_have_gaps && version.number != expected)
        wrong("volume {} has version {}: expected {}", volume.name, version.number, expected);
      expected = version.number - 1;
      if (!origins.insert(version.origin_id).second) wrong("{} made two versions of {}", version.origin_id, volume.name);
      check_version(volume, version);
    }
    if (!may_have_gaps && expected != 0) wrong("volume {} has no version {}, and its head is {}", volume.name, expected, volume.head);
    if (volume.used_bytes != (versions.empty() ? 0 : versions.front().bytes))
      wrong("volume {} uses {} bytes in its books", volume.name, volume.used_bytes);
    if (volume.used_bytes + volume.reserved_bytes > volume.quota_bytes) wrong("volume {} is over its quota", volume.name);
    const auto known = acknowledged_.versions.find(volume.name);
    const uint64_t last = known == acknowledged_.versions.end() ? 0 : known->second.rbegin()->first;
    if (!acknowledged_.are_books && volume.head > last + 1)
      wrong("volume {} has version {}, and {} was the last acknowledged", volume.name, volume.head, last);
    if (known == acknowledged_.versions.end()) return;
    for (const auto& [number, what] : known->second) {
      const auto at = std::find_if(versions.begin(), versions.end(), [&](const Version& one) { return one.number == number; });
      if (at == versions.end()) wrong("version {} of {} was acknowledged and is gone", number, volume.name);
      else if (at->tree + " " + at->checksum != what)
        wrong("version {} of {} was acknowledged as {} and is {} {}", number, volume.name, what, at->tree, at->checksum);
    }
  }

  void check_version(const Volume& volume, const Version& version) {
    Progress progress;
    const Digest tree = Digest::parse(version.tree);
    if (const std::string said = said_by([&] {
          for (const Damage& damage : verify(*place_.store, tree, progress, 1))
            wrong("version {} of {}: {}: {}", version.number, volume.name, damage.path.text(), damage.what);
          const TreeSummary summary = summary_of(place_.store->read_tree(tree));
          if (summary.checksum.hex() != version.checksum || summary.files != version.files ||
              summary.bytes != version.bytes)
            wrong("version {} of {} is not what its tree says", version.number, volume.name);
        });
        !said.empty())
      wrong("version {} of {}: {}", version.number, volume.name, said);
    if (const std::string right = checksum_of_round(version.message); !right.empty() && right != version.checksum)
      wrong("version {} of {} is not the directory of {}", version.number, volume.name, version.message);
  }

  static std::string said_by(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  void leases() {
    place_.database->read([&](Transaction& transaction) {
      transaction.each(
          "SELECT holder_kind, holder, lease.epoch, volume.writer_epoch FROM lease JOIN volume ON volume.id = lease.volume "
          "WHERE kind = 'writer'",
          [&](const Row& row) {
            const std::string kind(row.text(0)), holder(row.text(1));
            if (row.integer(2) != row.integer(3)) wrong("{} {} holds an old epoch", kind, holder);
            if (kind != "transfer" && kind != "upload") return;
            const auto state = transaction.find<std::string>("SELECT state FROM " + kind + " WHERE id = $1", holder);
            if (!state) wrong("{} holds a lease and does not exist", holder);
            else if (kind == "upload" ? *state != "open" : is_terminal(value_named<TransferState>(*state, "state")))
              wrong("{} holds a lease and has ended", holder);
          });
      transaction.each(
          "SELECT name, reserved_bytes, (SELECT COALESCE(SUM(transfer.reserved_bytes), 0) FROM transfer WHERE "
          "transfer.volume = volume.id) + (SELECT COALESCE(SUM(upload.reserved_bytes), 0) FROM upload WHERE "
          "upload.volume = volume.id) FROM volume",
          [&](const Row& row) {
            if (row.integer(1) != row.integer(2))
              wrong("volume {} has {} bytes reserved, its transfers and uploads {}", row.text(0), row.integer(1), row.integer(2));
          });
    });
  }

  Place& place_;
  const Path inputs_;
  const Acknowledged& acknowledged_;
  std::map<std::string, std::string> checksums_;
};

void check_books(Place& place, const Path& data, size_t acknowledged, std::vector<std::string>& found) {
  const std::string books = books_of(place);
  Place model(data.native() + ".model", "sqlite::memory:");
  size_t step = 0;
  for (; step < acknowledged; ++step) change_books(model, step);
  std::string expected = books_of(model);
  bool equal = books == expected;
  if (!equal && step < books_size()) {
    change_books(model, step);
    equal = books == books_of(model);
  }
  if (!equal) found.push_back(fmt::format("after {} changes the books are\n{}and should be\n{}", acknowledged, books, expected));
  remove_tree(data.native() + ".model");
}

// One more version, by the ordinary way: the place is as good as new.
void use_again(Place& place) {
  place.volumes.create(alice, {"afterwards", {}, {}, {}, {}});
  const auto commit = place.store->begin_commit();
  const auto writer = commit->new_blob();
  writer->write("afterwards");
  writer->finish();
  commit->publish();
  place.volumes.remove(alice, "afterwards");
}

}  // namespace

std::vector<std::string> check(const Path& data, const Path& inputs, const std::string& text) {
  const Acknowledged acknowledged(text);
  Place place(data);
  place.uploads.start();
  Check check(place, inputs, acknowledged);
  if (acknowledged.are_books) check_books(place, data, acknowledged.books, check.found);
  check.all();
  const auto add_flaws = [&] {
    for (const std::string& flaw : flaws_of_target(place, inputs)) check.found.push_back(flaw);
    for (const std::string& flaw : flaws_of_uploads(place, inputs, text)) check.found.push_back(flaw);
  };
  add_flaws();
  if (!check.found.empty()) return check.found;
  end_uploads(place, inputs);
  place.transfers.start();
  const auto busy = [&] {
    const auto all = place.transfers.list(alice);
    return std::any_of(all.begin(), all.end(), [](const Transfer& one) { return !is_terminal(one.state); });
  };
  for (int i = 0; busy() && i < 10'000; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (busy()) check.found.push_back("a transfer does not end");
  place.transfers.stop();
  if (!acknowledged.transfers.empty() || !acknowledged.uploads.empty()) check.all();
  add_flaws();
  check.idle();
  if (check.found.empty()) use_again(place);
  return check.found;
}

}  // namespace volary
