// cli/containers.cc: where a container is, which depends on what its datastore names.
#include "cli/containers.h"

#include "record/datastore.h"

namespace volary {

StoreReference within_datastore(Client& client, StoreReference reference) {
  if (reference.container.empty()) return reference;
  const auto store = typed<Datastore>(client.get(api_path({"datastores", reference.datastore})));
  if (store.kind != DatastoreKind::s3 && store.kind != DatastoreKind::directory)
    throw Error(Errc::invalid, "datastore '{}' has no containers: expected '{}:PREFIX'", store.name, store.name);
  if (!store.bucket.empty() && store.bucket != reference.container)
    throw Error(Errc::invalid, "datastore '{}' is the container '{}', not '{}'", store.name, store.bucket,
                reference.container);
  if (store.bucket.empty())
    reference.prefix = reference.container + (reference.prefix.empty() ? "" : "/" + reference.prefix);
  reference.container.clear();
  return reference;
}

}  // namespace volary
