// engine/image_name_test.cc: names that registries know, and others.
#include "engine/image_name.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace volary {
namespace {

const std::string digest = "sha256:" + std::string(64, 'a');

TEST(ImageName, has_a_repository_and_a_version) {
  const ImageName plain = parse_image_name("python");
  EXPECT_EQ(plain.text(), "python:latest");
  EXPECT_EQ(plain.registry(), "docker.io");
  const ImageName full = parse_image_name("127.0.0.1:5055/team/train_it-2:V1.0");
  EXPECT_EQ(full.repository, "127.0.0.1:5055/team/train_it-2");
  EXPECT_EQ(full.version, "V1.0");
  EXPECT_EQ(full.registry(), "127.0.0.1:5055");
  EXPECT_EQ(parse_image_name("localhost/x").registry(), "localhost");
  EXPECT_EQ(parse_image_name("library/x").registry(), "docker.io");
  const ImageName by_digest = parse_image_name("ghcr.io/a/b:1@" + digest);
  EXPECT_EQ(by_digest.text(), "ghcr.io/a/b@" + digest);
  EXPECT_TRUE(by_digest.is_by_digest());
}

TEST(ImageName, is_refused_if_no_registry_would_know_it) {
  for (const std::string& text :
       {std::string(""), std::string("Python"), std::string("a//b"), std::string("a:"), std::string("a b"),
        std::string("a@sha256:12"), std::string("../x"), std::string("-x"), std::string("x:y:z"), std::string("a/"),
        "x@" + digest + "0", std::string(300, 'a'), std::string("http://x/y"), std::string("a?b=c")})
    EXPECT_THROW(parse_image_name(text), Error) << text;
}

}  // namespace
}  // namespace volary
