// core/fault.h: named points where a test may make the program die, stop or fail, and bugs that it may plant.
//
// Compiled in by -DVOLARY_FAULTS=ON only; otherwise every call is empty. The environment chooses:
//
//   VOLARY_FAULT   = rule (',' rule)*        rule = NAME '=' act ['@' N]
//   act            = 'kill' | 'stop' | errno name such as 'EIO' or 'ENOSPC'
//   VOLARY_PLANTED = NAME
//
// A rule acts the N-th time (1 unless told) its point is passed, once; the name '*' counts every point. Each firing
// appends its line "NAME act N" to the file $VOLARY_FAULT_LOG before acting, so a test can prove that the fault really
// happened.
//
// A planted bug is a wrong line beside the right one. It is there to test the tests: test/fault/planted.py says what
// must find each, and that the same run without it passes.
#pragma once

#include <string_view>

namespace volary::fault {

#ifdef VOLARY_FAULTS
// Passes the point: kills or stops the process if a rule says so, or throws the error it names.
void point(std::string_view name);
// The same, for places that translate errno themselves: 0, or the errno to act on.
int errno_at(std::string_view name);
// Other rules than the environment's, from now on: for a child that a test has forked.
void choose(std::string_view rules);
// Whether the program shall have this bug.
bool planted(std::string_view name);
#else
inline void point(std::string_view) {}
inline int errno_at(std::string_view) { return 0; }
constexpr bool planted(std::string_view) { return false; }
#endif

}  // namespace volary::fault
