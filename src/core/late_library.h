// core/late_library.h: a shared library that is loaded when it is first needed, and not whenever the program starts.
//
// For what few runs of the program need and all would pay for: docs/decisions/0011-start.md has the figures. Its
// headers are included as always, so that the compiler checks every call against them.
#pragma once

#include <string>
#include <string_view>

namespace volary {

class LateLibrary {
 public:
  // Loads `file` ("libcurl.so.4", looked for where the linker looks), for the rest of the program's life. Throws
  // `unavailable` if it cannot be loaded, naming the `package` that has it.
  LateLibrary(const char* file, std::string_view package);

  // What `name` is there. Throws `unavailable` if it has no such function.
  template <class Function>
  void find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(address_of(name));
  }

 private:
  void* address_of(const char* name) const;

  void* handle_;  // Never closed: what it began may still run when the program ends.
  const std::string file_;
  const std::string package_;
};

}  // namespace volary
