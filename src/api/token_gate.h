// api/token_gate.h: the Gate of the API: bearer tokens, roles, and the audit of every change and refusal.
#pragma once

#include <memory>

#include "access/access.h"
#include "access/audit.h"
#include "api/router.h"

namespace volary {

std::unique_ptr<Gate> make_token_gate(Access& access, Audit& audit);

}  // namespace volary
