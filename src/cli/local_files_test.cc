// cli/local_files_test.cc: what of a directory is sent, and what is not.
#include "cli/local_files.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "cli/landing.h"
#include "cli/program_test.h"

namespace volary {
namespace {

TEST(LocalFiles, LeaveOutWhatNoVolumeHoldsAndWhatIsUnfinished) {
  const Scratch scratch;
  scratch.write("in/d/whole", "x");
  scratch.write("in/" + std::string(unpacking_prefix) + "0123/a", "x");
  const Landing landing(scratch.path("in"));
  landing.begin("d/cut-off", "").write("half");
  ASSERT_EQ(::mkfifo(scratch.path("in/pipe").c_str(), 0600), 0);
  const LocalFiles found = list_local_files(scratch.path("in"));
  ASSERT_EQ(found.files.size(), 1u);
  EXPECT_EQ(found.files[0].name.text(), "d/whole");
  ASSERT_EQ(found.left_out.size(), 3u);
  const std::string in = scratch.path("in").native();
  EXPECT_EQ(found.left_out[0], in + "/.volary-unpacking-0123 is what an interrupted download left");
  EXPECT_TRUE(found.left_out[1].starts_with(in + "/d/.volary-part-")) << found.left_out[1];
  EXPECT_EQ(found.left_out[2], in + "/pipe is neither a file, a directory nor a link");
}

}  // namespace
}  // namespace volary
