// job/request.h: what a job's request may say; checked once, before anything is written. For this folder only.
#pragma once

#include "record/job.h"

namespace volary {

// Throws `invalid` naming the field, what was expected and what was found.
void check_request(const NewJob& request);

// base64 (RFC 4648, with padding). Throws `invalid` naming `what`.
std::string decode_base64(std::string_view text, std::string_view what);

}  // namespace volary
