// cli/containers.h: containers and aliases, as ovhai calls buckets and datastores.
#pragma once

#include "cli/client.h"
#include "cli/reference.h"

namespace volary {

// The same place with the container as a part of the prefix, unless the datastore is that container. Throws `invalid`
// if the datastore is another one.
StoreReference within_datastore(Client& client, StoreReference reference);

}  // namespace volary
