// fuzz/fuzz.h: what the fuzz targets share. A target gets any bytes; the only thing that may come out of our readers is
// a value or a volary::Error, and what a target claims about the value is checked by require().
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"

namespace volary {

inline std::string_view text_of(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

#define require(claim) \
  ((claim) ? void() : (std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim), std::abort()))

// Whether `work` came to its end; an Error is an answer too, but a message that says nothing is none.
template <class Work>
bool reads(Work work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    require(!error.message().empty());
    return false;
  }
}

}  // namespace volary
