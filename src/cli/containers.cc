// cli/containers.cc: where a container is, which depends on what its datastore names.
#include "cli/containers.h"

namespace volary {

bool has_containers(DatastoreKind kind) {
  return kind == DatastoreKind::s3 || kind == DatastoreKind::swift || kind == DatastoreKind::directory;
}

StoreReference within_datastore(Client& client, StoreReference reference) {
  if (reference.container.empty()) return reference;
  const auto store = typed<Datastore>(client.get(api_path({"datastores", reference.datastore})));
  if (!has_containers(store.kind))
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
