// store/repair.h: putting good bytes in the place of bad or missing ones.
#pragma once

#include <functional>

#include "core/stream.h"
#include "store/check.h"
#include "store/scrub.h"
#include "store/store.h"

namespace volary {


// Takes the bytes that `fetch` writes; if they are what `digest` names, puts them in the object's place, durably, and
// what stood there into quarantine. Otherwise changes nothing. Lets pass what `fetch` throws.
enum class Restored { yes, bytes_differ };
Restored restore_object(Store& store, ObjectKind kind, const Digest& digest,
                        const std::function<void(Sink&)>& fetch);

// Takes what stands in the object's place into quarantine, good or not. Nothing there is fine.
void set_aside(Store& store, ObjectKind kind, const Digest& digest);

// What is wrong with the object now, looked at from the disk and from the cache; nothing if it is whole.
std::optional<std::string> flaw_of(const Store& store, ObjectKind kind, const Digest& digest);

// Where an object lies below another store's root, or a backup's.
Path path_below(const Path& root, ObjectKind kind, const Digest& digest);

}  // namespace volary
