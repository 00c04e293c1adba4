// access/roles.cc: the table of roles. A role more is a line more; roles_test.cc holds every cell against the same
// table written by permissions.
#include "access/roles.h"

#include <algorithm>

#include "core/error.h"

namespace volary {

const std::vector<Role>& roles() {
  static const std::vector<Role> table = [] {
    constexpr Role::Row rows[] = {
        // name, volumes, sharing, datastores, secrets, jobs, transfers, tokens, audit, server, projects, mounts, store,
        // events, webhooks
        {"admin",  "crud", "crud", "rw", "rw", "crs", "cr", "rw", "r", "r", "rw", "rw", "rw", "r", "rw"},
        {"editor", "crud", "r",    "rw", "r",  "crs", "cr", "",   "",  "r", "r",  "rw", "",   "r", "r"},
        {"viewer", "r",    "r",    "r",  "r",  "r",   "r",  "",   "",  "r", "r",  "r",  "",   "r", "r"},
    };
    return std::vector<Role>(std::begin(rows), std::end(rows));
  }();
  return table;
}

bool Role::permits(Permission permission) const {
  const auto has = [](std::string_view cell, char letter) { return cell.find(letter) != cell.npos; };
  switch (permission) {  // All of them, so that the compiler tells of a new one.
    case Permission::volume_create: return has(row_.volumes, 'c');
    case Permission::volume_read: return has(row_.volumes, 'r');
    case Permission::volume_update: return has(row_.volumes, 'u');
    case Permission::volume_delete: return has(row_.volumes, 'd');
    case Permission::sharing_create: return has(row_.sharing, 'c');
    case Permission::sharing_read: return has(row_.sharing, 'r');
    case Permission::sharing_update: return has(row_.sharing, 'u');
    case Permission::sharing_delete: return has(row_.sharing, 'd');
    case Permission::datastore_read: return has(row_.datastores, 'r');
    case Permission::datastore_write: return has(row_.datastores, 'w');
    case Permission::secret_read: return has(row_.secrets, 'r');
    case Permission::secret_write: return has(row_.secrets, 'w');
    case Permission::job_create: return has(row_.jobs, 'c');
    case Permission::job_read: return has(row_.jobs, 'r');
    case Permission::job_stop: return has(row_.jobs, 's');
    case Permission::transfer_create: return has(row_.transfers, 'c');
    case Permission::transfer_read: return has(row_.transfers, 'r');
    case Permission::token_read: return has(row_.tokens, 'r');
    case Permission::token_write: return has(row_.tokens, 'w');
    case Permission::audit_read: return has(row_.audit, 'r');
    case Permission::server_read: return has(row_.server, 'r');
    case Permission::project_read: return has(row_.projects, 'r');
    case Permission::project_write: return has(row_.projects, 'w');
    case Permission::mount_read: return has(row_.mounts, 'r');
    case Permission::mount_write: return has(row_.mounts, 'w');
    case Permission::store_read: return has(row_.store, 'r');
    case Permission::store_write: return has(row_.store, 'w');
    case Permission::event_read: return has(row_.events, 'r');
    case Permission::webhook_read: return has(row_.webhooks, 'r');
    case Permission::webhook_write: return has(row_.webhooks, 'w');
    case Permission::everyone:
    case Permission::public_: return true;
  }
  return false;
}

const Role* find_role(std::string_view name) {
  const auto found =
      std::find_if(roles().begin(), roles().end(), [&](const Role& role) { return role.name() == name; });
  return found == roles().end() ? nullptr : &*found;
}

const Role& get_role(std::string_view name) {
  if (const Role* role = find_role(name)) return *role;
  throw Error(Errc::invalid, "'{}' is no role: expected one of {}", name, roles_that_permit(Permission::everyone));
}

std::string roles_that_permit(Permission permission) {
  std::string names;
  for (const Role& role : roles())
    if (role.permits(permission)) names += (names.empty() ? "" : ", ") + std::string(role.name());
  return names;
}

}  // namespace volary
