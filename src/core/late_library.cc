// core/late_library.cc: dlopen and dlsym.
#include "core/late_library.h"

#include <dlfcn.h>

#include "core/error.h"

namespace volary {

LateLibrary::LateLibrary(const char* file, std::string_view package)
    : handle_(::dlopen(file, RTLD_LAZY | RTLD_LOCAL)), file_(file), package_(package) {
  if (!handle_)
    throw Error(Errc::unavailable, "the library {} cannot be loaded: {}; expected the package {} to be installed",
                file_, ::dlerror(), package_);
}

void* LateLibrary::address_of(const char* name) const {
  void* const found = ::dlsym(handle_, name);
  if (!found)
    throw Error(Errc::unavailable, "the library {} has no {}: expected the one of the package {}", file_, name,
                package_);
  return found;
}

}  // namespace volary
