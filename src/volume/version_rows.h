// volume/version_rows.h: volumes and versions as several parts of Volumes read them. For this folder only.
#pragma once

#include <optional>
#include <vector>

#include "volume/volumes.h"

namespace volary {

// By the name that people call it. What jobs have staged has none: find that by its id.
std::optional<Volume> find_volume(Transaction& transaction, const Caller& caller, const std::string& name);
std::optional<Volume> find_volume(Transaction& transaction, const std::string& id);
Volume get_volume(Transaction& transaction, const std::string& id);
// All versions with their tags, newest first.
std::vector<Version> versions_of(Transaction& transaction, const Volume& volume);

}  // namespace volary
