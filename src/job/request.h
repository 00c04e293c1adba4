// job/request.h: what a job's request may say; checked once, before anything is written. For this folder only.
#pragma once

#include "record/job.h"

namespace volary {

// In the sandbox: the job's own directory, and where pip keeps wheels for later jobs.
constexpr const char* work_target = "/workspace";
constexpr const char* pip_cache_target = "/pip-cache";

constexpr int64_t timeout_seconds_max = 28 * 86400;  // Of a job, and between two publications.

// Throws `invalid` naming the field, what was expected and what was found.
void check_request(const NewJob& request);

// Throws `invalid` for what cannot name an environment variable.
void check_variable_name(const std::string& name);

// base64 (RFC 4648, with padding). Throws `invalid` naming `what`.
std::string decode_base64(std::string_view text, std::string_view what);

}  // namespace volary
