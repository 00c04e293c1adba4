// core/fault.h: named points where a test may make the program die, stop or fail.
//
// Compiled in by -DVOLARY_FAULTS=ON only; otherwise every call is empty. The environment chooses:
//
//   VOLARY_FAULT = rule (',' rule)*        rule = NAME '=' act ['@' N]
//   act          = 'kill' | 'stop' | errno name such as 'EIO' or 'ENOSPC'
//
// A rule acts the N-th time (1 unless told) its point is passed, once. Each firing appends its line "NAME act N" to
// the file
// $VOLARY_FAULT_LOG before acting, so a test can prove that the fault really happened.
#pragma once

#include <string_view>

namespace volary::fault {

#ifdef VOLARY_FAULTS
// Passes the point: kills or stops the process if a rule says so, or throws the error it names.
void point(std::string_view name);
// The same, for places that translate errno themselves: 0, or the errno to act on.
int errno_at(std::string_view name);
#else
inline void point(std::string_view) {}
inline int errno_at(std::string_view) { return 0; }
#endif

}  // namespace volary::fault
