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
  everyone,  // Whoever has a valid token.
  public_,   // Nobody needs to say who they are: health, the API's description.
};
BOOST_DESCRIBE_ENUM(Permission, volume_create, volume_read, volume_update, volume_delete, sharing_create, sharing_read,
                    sharing_update, sharing_delete, datastore_read, datastore_write, secret_read, secret_write,
                    job_create, job_read, job_stop, transfer_create, transfer_read, token_read,
                    token_write, audit_read, server_read, everyone,
                    public_)

}  // namespace volary
