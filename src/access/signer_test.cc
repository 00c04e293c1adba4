// access/signer_test.cc: the server's key is made once, kept to itself, and signs as RFC 8032 says.
#include "access/signer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(a_signer, signs_as_the_standards_first_test_does) {
  TestDirectory scratch;
  const Path file =
      scratch.write("receipt.key", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n", 0600);
  Signer signer(file);
  EXPECT_EQ(signer.public_key(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(signer.sign(""),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
}

TEST(a_signer, makes_its_key_once_and_for_itself_alone) {
  TestDirectory scratch;
  const Path file = scratch / "receipt.key";
  const std::string key = Signer(file).public_key();
  EXPECT_EQ(stat_of(file)->st_mode & 07777, 0600u);
  EXPECT_EQ(Signer(file).public_key(), key);
  EXPECT_EQ(Signer(file).sign("a"), Signer(file).sign("a"));
}

TEST(a_signer, refuses_a_key_that_others_may_read_or_that_is_none) {
  TestDirectory scratch;
  const Path file = scratch.write("receipt.key", "abc\n", 0600);
  EXPECT_EQ(error_of([&] { Signer(file).public_key(); }),
            "corrupt: the key file " + file.native() + " is no key: expected 64 hexadecimal digits");
  ::chmod(file.c_str(), 0644);
  EXPECT_EQ(error_of([&] { Signer(file).public_key(); }),
            "denied: the key file " + file.native() + " has mode 0644, so others may use it: expected 0600");
}

}  // namespace
}  // namespace volary
