// core/late_library_test.cc: libraries that are there, that are not, and that are others than expected.
#include "core/late_library.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(LateLibrary, GivesTheFunctionsOfOneThatIsThere) {
  const LateLibrary library("libm.so.6", "libc6");
  double (*root)(double) = nullptr;
  library.find(root, "sqrt");
  EXPECT_EQ(root(81.0), 9.0);
}

TEST(LateLibrary, SaysWhichPackageHasOneThatIsNotThere) {
  const std::string error = error_of([] { LateLibrary("libnobody.so.7", "libnobody7"); });
  EXPECT_TRUE(error.starts_with("unavailable: the library libnobody.so.7 cannot be loaded: libnobody.so.7: ")) << error;
  EXPECT_TRUE(error.ends_with("; expected the package libnobody7 to be installed")) << error;
}

TEST(LateLibrary, SaysWhichFunctionOneLacks) {
  const LateLibrary library("libm.so.6", "libc6");
  double (*root)(double) = nullptr;
  EXPECT_EQ(error_of([&] { library.find(root, "root_of_all"); }),
            "unavailable: the library libm.so.6 has no root_of_all: expected the one of the package libc6");
}

}  // namespace
}  // namespace volary
