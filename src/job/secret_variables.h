// job/secret_variables.h: variables of a job that nobody is shown: sealed with its row, or references to secrets of the
// project. For this folder only.
#pragma once

#include <map>
#include <string>

#include "access/caller.h"
#include "access/secrets.h"
#include "job/rows.h"
#include "record/job.h"

namespace volary {

// Throws `invalid` naming the variable; never its value.
void check_secret_variables(const NewJob& request);
// Throws `not_found` for a secret that is not in the project, or has no such value.
void check_secrets_are_there(Secrets& secrets, const Caller& caller, const NewJob& request);

// Takes the values out of the request; what job.sealed holds: "" if there are none.
std::string seal_values(Secrets& secrets, const std::string& job_id, const std::string& project, NewJob& request);
// All of a job's secret variables, with their values now.
std::map<std::string, std::string> secret_variables(Secrets& secrets, const JobRow& job);

}  // namespace volary
