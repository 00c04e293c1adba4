// workload/exports.cc: the acts that export version after version into a directory or a bucket, and what that may hold
// after whatever happened: every object whole, of some version; and when all has ended, exactly the last one that was
// exported.
#include <algorithm>
#include <map>

#include "remote/remote.h"
#include "workload/place.h"

namespace volary {
namespace {

using Objects = std::map<std::string, std::string>;

Objects objects_of(Remote& remote) {
  Objects objects;
  remote.list("", [&](const RemoteObject& object) { objects[object.key]; });
  for (auto& [key, bytes] : objects) {
    StringSink sink;
    remote.get(key, {}, sink);
    bytes = std::move(sink.text);
  }
  return objects;
}

// Where the versions go, and what they are made of.
struct Target {
  std::unique_ptr<Remote> remote;
  Path (*input)(const Path& inputs, int round);
};

std::optional<Target> target_of(Place& place) {
  if (const Path target = place.root / target_name; is_present(target)) return Target{open_directory_remote(target), input_of};
  for (const Datastore& store : place.datastores.list(alice))
    if (store.name == "there") return Target{place.datastores.open(store), large_input_of};
  return std::nullopt;
}

void export_rounds(Place& place) {
  place.transfers.start();
  for (int round = 2; round <= rounds; ++round) {
    NewTransfer wanted;
    wanted.datastore = "there";
    wanted.strategy = Strategy::mirror;
    wanted.version = std::to_string(round);
    const std::string id = place.transfers.create(alice, TransferKind::export_, "v", wanted).id;
    wait_for_transfer(place, id);
    acknowledge("exported {}", round);
  }
}

}  // namespace

// The target holds the first version already, so that there is something to replace and to delete.
void prepare_target(const Path& data, const Path& inputs) {
  std::filesystem::copy(input_of(inputs, 1), data / target_name, std::filesystem::copy_options::recursive);
}

void perform_export(const Path& data, const Path&) {
  Place place(data);
  place.datastores.create(alice, directory_named("there", place.root / target_name),
                          Asker::own_user);
  export_rounds(place);
}

void perform_send(const Path& data, const Path&) {
  Place place(data);
  export_rounds(place);
}

std::vector<std::string> flaws_of_target(Place& place, const Path& inputs) {
  const auto target = target_of(place);
  if (!target) return {};
  std::vector<std::string> flaws;
  const Objects found = objects_of(*target->remote);
  std::vector<Objects> versions;
  for (int round = 1; round <= rounds; ++round)
    versions.push_back(objects_of(*open_directory_remote(target->input(inputs, round))));
  for (const auto& object : found)
    if (std::none_of(versions.begin(), versions.end(), [&](const auto& version) {
          const auto at = version.find(object.first);
          return at != version.end() && at->second == object.second;
        }))
      flaws.push_back(fmt::format("'{}' has {} bytes that no version has", object.first, object.second.size()));
  const auto transfers = place.transfers.list(alice);  // Newest first.
  const auto last = std::find_if(transfers.begin(), transfers.end(), [](const Transfer& one) { return is_terminal(one.state); });
  const bool is_last = last != transfers.end() && last == transfers.begin() && last->state == TransferState::done;
  if (is_last && found != versions.at(last->version - 1))
    flaws.push_back(fmt::format("the target is not version {}, which was exported", last->version));
  if (transfers.empty() && found != versions.front()) flaws.push_back("the target changed before anybody exported");
  return flaws;
}

}  // namespace volary
