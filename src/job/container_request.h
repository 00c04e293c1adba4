// job/container_request.h: a job's wish for a container: checked when it is submitted, and what it means when it
// starts. For this folder only.
#pragma once

#include <string>

#include "access/caller.h"
#include "access/secrets.h"
#include "db/database.h"
#include "engine/runner.h"
#include "job/rows.h"
#include "record/job.h"

namespace volary {

// Throws `invalid` naming the field, what was expected and what was found.
void check_container_request(const NewJob& request);
// Whether this server can run it. `engine`: "" or what the operator said. Throws `unavailable`, `not_found`.
void check_container_possible(Transaction& transaction, const Caller& caller, const NewJob& request,
                              const std::string& engine);

// What the runner is to know. Opens the secret for the registry.
ContainerSpec container_of(const JobRow& job, Secrets& secrets, const std::string& engine);

}  // namespace volary
