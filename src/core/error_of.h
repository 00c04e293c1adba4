// core/error_of.h: an error as a value, for whoever goes on after it.
#pragma once

#include <optional>

#include "core/error.h"

namespace volary {

// The Error that `work` ends with, if it does. The one place outside core/error.h's four kinds that catches.
template <class Work>
std::optional<Error> error_of(Work&& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace volary
