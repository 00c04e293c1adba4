// cli/error_test.h: the words of an Error that something throws.
#pragma once

#include <string>

#include "core/error.h"

namespace volary {

// "" if nothing is thrown.
template <class Work>
std::string error_of(Work work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace volary
