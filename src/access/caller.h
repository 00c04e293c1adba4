// access/caller.h: who calls, once the token has been believed, and the project the call is about.
#pragma once

#include <string>

#include <boost/describe/class.hpp>

namespace volary {

// On a public route nobody is asked, and all of it is empty.
struct Caller {
  std::string subject_id;
  std::string name;
  std::string tenant;
  std::string project;
};
BOOST_DESCRIBE_STRUCT(Caller, (), (subject_id, name, tenant, project))

// Whether the one who asks is the user that the server runs as, over its Unix socket on this machine: who names a path
// to the server makes it use its own rights there, and this one has them anyway.
enum class Asker { own_user, other };

}  // namespace volary
