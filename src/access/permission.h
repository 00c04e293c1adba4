// access/permission.h: what can be permitted. Every route names one; roles are sets of them.
#pragma once

#include <boost/describe/enum.hpp>

namespace volary {

enum class Permission {
  volume_create,
  volume_read,
  volume_update,
  volume_delete,
  sharing_create,
  sharing_read,
  sharing_update,
  sharing_delete,
  datastore_read,
  datastore_write,
  secret_read,
  secret_write,
  job_create,
  job_read,
  job_stop,
  transfer_create,
  transfer_read,
  token_read,
  token_write,
  audit_read,
  server_read,
  project_read,
  project_write,  // Make projects, change their quotas.
  mount_read,
  mount_write,    // Have a version stand at a path of this machine.
  store_read,     // Look at the store: what it holds, whether it is whole.
  store_write,    // Sweep, repair, back up, prune.
  event_read,     // See what happens in the project.
  webhook_read,
  webhook_write,  // Have others told of it.
  everyone,  // Whoever has a valid token.
  public_,   // Nobody needs to say who they are: health, the API's description.
};
BOOST_DESCRIBE_ENUM(Permission, volume_create, volume_read, volume_update, volume_delete, sharing_create, sharing_read,
                    sharing_update, sharing_delete, datastore_read, datastore_write, secret_read, secret_write,
                    job_create, job_read, job_stop, transfer_create, transfer_read, token_read,
                    token_write, audit_read, server_read, project_read,
                    project_write, mount_read, mount_write, store_read, store_write, event_read,
                    webhook_read, webhook_write, everyone, public_)

}  // namespace volary
