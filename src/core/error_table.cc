// core/error_table.cc: the rows of core/error_table.h.
#include "core/error_table.h"

#include <array>

namespace volary {
namespace {

constexpr std::array<ErrorRow, 9> rows = {{
    {Errc::invalid, 400, 2, "invalid", "fix the request"},
    {Errc::denied, 403, 3, "denied", "ask for a grant"},
    {Errc::not_found, 404, 4, "not found", "look for another name"},
    {Errc::exists, 409, 5, "exists already", "choose another name"},
    {Errc::conflict, 409, 6, "conflict", "read again, then retry"},
    {Errc::exhausted, 507, 7, "exhausted", "free quota or disk"},
    {Errc::unavailable, 503, 8, "unavailable", "retry the same call later"},
    {Errc::corrupt, 502, 9, "corrupt", "import again or call the operator"},
    {Errc::internal, 500, 70, "internal error", "report a bug"},
}};

constexpr bool in_order_of_codes() {
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].code != static_cast<Errc>(i)) return false;
  return true;
}
static_assert(in_order_of_codes());

}  // namespace

std::span<const ErrorRow> error_table() { return rows; }

const ErrorRow& row_of(Errc code) { return rows[static_cast<size_t>(code)]; }

Errc errc_of_http_status(int status) {
  switch (status) {
    case 401: case 403: case 407: return Errc::denied;
    case 404: case 410: return Errc::not_found;
    case 409: case 412: return Errc::conflict;
    case 408: case 425: case 429: case 502: case 503: case 504: return Errc::unavailable;
    case 507: return Errc::exhausted;
    default: return status < 500 ? Errc::invalid : Errc::internal;
  }
}

}  // namespace volary
