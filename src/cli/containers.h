// cli/containers.h: containers and aliases, as ovhai calls buckets and datastores.
#pragma once

#include "cli/client.h"
#include "cli/reference.h"
#include "record/datastore.h"

namespace volary {

bool has_containers(DatastoreKind kind);

// The same place with the container as a part of the prefix, unless the datastore is that container. Throws `invalid`
// if the datastore is another one.
StoreReference within_datastore(Client& client, StoreReference reference);

}  // namespace volary
