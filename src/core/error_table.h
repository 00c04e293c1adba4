// core/error_table.h: the one table from the nine codes to HTTP status and exit status.
#pragma once

#include <span>
#include <string_view>

#include "core/error.h"

namespace volary {

struct ErrorRow {
  Errc code{};
  int http_status = 0;
  int exit_status = 0;
  std::string_view title;   // Of problem documents: "not found".
  std::string_view advice;  // What the caller can do about it.
};

// A request without a valid token is answered by this status; its code is `denied`.
constexpr int http_status_unauthenticated = 401;

// All nine, in the order of Errc.
std::span<const ErrorRow> error_table();
const ErrorRow& row_of(Errc code);
// The code that an answer with this status and no problem document stands for: what a proxy says, for instance.
// Only for statuses of 400 and above.
Errc errc_of_http_status(int status);

}  // namespace volary
