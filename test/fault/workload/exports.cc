// workload/exports.cc: the act that exports version after version into a directory, and what that directory may hold after
// whatever happened: every object whole, of some version; and when all has ended, exactly the last one that was exported.
#include <algorithm>
#include <map>

#include "remote/remote.h"
#include "workload/place.h"

namespace volary {
namespace {

std::map<std::string, std::string> objects_of(const Path& directory) {
  std::map<std::string, std::string> objects;
  const auto remote = open_directory_remote(directory);
  remote->list("", [&](const RemoteObject& object) { objects[object.key] = read_file(directory / object.key); });
  return objects;
}

}  // namespace

// The target holds the first version already, so that there is something to replace and to delete.
void prepare_target(const Path& data, const Path& inputs) {
  std::filesystem::copy(input_of(inputs, 1), data / target_name, std::filesystem::copy_options::recursive);
}

void perform_export(const Path& data, const Path&) {
  Place place(data);
  place.datastores.create(alice, directory_named("there", place.root / target_name));
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

std::vector<std::string> flaws_of_target(Place& place, const Path& inputs) {
  const Path target = place.root / target_name;
  if (!is_present(target)) return {};
  std::vector<std::string> flaws;
  const auto found = objects_of(target);
  std::vector<std::map<std::string, std::string>> versions;
  for (int round = 1; round <= rounds; ++round) versions.push_back(objects_of(input_of(inputs, round)));
  for (const auto& object : found)
    if (std::none_of(versions.begin(), versions.end(), [&](const auto& version) {
          const auto at = version.find(object.first);
          return at != version.end() && at->second == object.second;
        }))
      flaws.push_back(fmt::format("'{}' has {} bytes that no version has", object.first, object.second.size()));
  const auto transfers = place.transfers.list(alice, "");  // Newest first.
  const auto last = std::find_if(transfers.begin(), transfers.end(), [](const Transfer& one) { return is_terminal(one.state); });
  const bool is_last = last != transfers.end() && last == transfers.begin() && last->state == TransferState::done;
  if (is_last && found != versions.at(last->version - 1))
    flaws.push_back(fmt::format("the target is not version {}, which was exported", last->version));
  if (transfers.empty() && found != versions.front()) flaws.push_back("the target changed before anybody exported");
  return flaws;
}

}  // namespace volary
