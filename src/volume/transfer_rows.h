// volume/transfer_rows.h: the table transfer as the two halves of Transfers read it. For this folder only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/database.h"
#include "record/transfer.h"

namespace volary {

constexpr std::string_view select_transfer =
    "SELECT transfer.id, transfer.project, transfer.kind, volume.name, transfer.version, transfer.datastore, "
    "transfer.source_directory, transfer.destination_directory, transfer.strategy, transfer.state, transfer.counts, "
    "transfer.error, transfer.created_at, transfer.started_at, transfer.ended_at, transfer.created_by "
    "FROM transfer JOIN volume ON volume.id = transfer.volume ";

std::optional<Transfer> find_transfer(Transaction& transaction, const std::string& id);

}  // namespace volary
