// sync/staging.h: where the large objects of an import gather, below the store: transfers/ID/NAME, each such a file as
// store/staged_file.h describes.
//
// They outlive the server, so that a transfer which is resumed asks only for what it has not got, and go with the
// transfer's journal.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/staged_file.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

// Of one transfer; it may be absent.
Path staging_directory(const Store& store, const std::string& transfer_id);
// The name of an object's file there: another one as soon as its etag or size is.
std::string staged_name(const std::string& key, const Listed& file);

uint64_t staged_part_size(uint64_t part, uint64_t size);
// The parts of a content of `size` bytes that are not wholly in `received`.
std::vector<uint64_t> missing_parts(const std::vector<StagedRange>& received, uint64_t size);

// What `from` has got, `to` need not fetch: a transfer that repeats it.
void inherit_staged(const Store& store, const std::string& from, const std::string& to);
// Gives back the room on the disk that was reserved there for what has not come. Nobody fetches meanwhile.
void give_back_staged(const Store& store, const std::string& transfer_id);
// Removes what transfers left there that are not wanted any more.
void purge_staged(const Store& store, const std::function<bool(const std::string& transfer_id)>& is_wanted);

}  // namespace volary
