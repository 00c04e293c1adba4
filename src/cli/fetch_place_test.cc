// cli/fetch_place_test.cc: what URLs name; nothing is asked.
#include "cli/fetch_place.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"

namespace volary {
namespace {

const Variable no_variables = [](const std::string&) { return std::optional<std::string>(); };

const auto nowhere = [] { return Path("/nonexistent"); };

// "key > name", with "*" for a tree.
std::string place_of(const std::string& url) {
  const FetchPlace place = open_fetch_place({.url = url, .allow_private = true}, no_variables, nowhere);
  return place.key + " > " + place.name + (place.is_tree ? " *" : "");
}

TEST(FetchPlace, IsAFileOfAWebServer) {
  EXPECT_EQ(place_of("https://h/d/a%20b.tar?x=/y"), "a b.tar > a b.tar");
  EXPECT_EQ(place_of("http://h:8080/x"), "x > x");
  EXPECT_EQ(place_of("http://h/%2e%2e"), ".. > ");
  EXPECT_EQ(place_of("http://h/d%2fx"), "d/x > ");
}

TEST(FetchPlace, IsAnObject) {
  EXPECT_EQ(place_of("s3://bucket/d/x y"), "d/x y > x y");
  EXPECT_EQ(place_of("gs://bucket/x"), "x > x");
  EXPECT_EQ(place_of("s3://bucket/d/.."), "d/.. > ");
}

TEST(FetchPlace, IsAFileOrAllOfARepository) {
  EXPECT_EQ(place_of("hf://org/name/d/x"), "d/x > x");
  EXPECT_EQ(place_of("hf://org/name@v1"), " > name *");
  EXPECT_EQ(place_of("hf://datasets/org/name@refs%2Fpr%2F1/d/"), "d/ > d *");
  EXPECT_EQ(place_of("https://h/org/code.git"), " > code *");
  EXPECT_EQ(place_of("https://h/org/code.git@v1//src/main.c"), "src/main.c > main.c");
  EXPECT_EQ(place_of("git@h:org/code.git//src/"), "src/ > src *");
  EXPECT_EQ(place_of("https://h/code.github/x"), "x > x");
}

TEST(FetchPlace, IsRefusedWhereItNamesNothing) {
  for (const std::string url : {"", "x", "/etc/passwd", "file:///etc/passwd", "ftp://h/x", "https://h", "https://h/d/",
                                "https://user:pazz@h/x", "s3://", "s3://bucket", "s3://bucket/", "s3://bucket/d/",
                                "hf://name", "hf://../x/y", "https://user:pazz@h/x.git", "ext::sh -c id.git"}) {
    const std::string said = error_of([&] { place_of(url); });
    EXPECT_TRUE(said.starts_with("invalid: ")) << url << ": " << said;
    EXPECT_EQ(said.find("pazz"), std::string::npos) << said;
  }
}

TEST(FetchPlace, IsNotOfAPrivateAddressUnlessAllowed) {
  for (const std::string url : {"http://127.0.0.1/x", "http://[::1]/x", "http://localhost/x", "http://192.168.1.1/x",
                                "http://169.254.169.254/x", "https://10.1.2.3/x.git"}) {
    const std::string said = error_of([&] { open_fetch_place({.url = url}, no_variables, nowhere); });
    EXPECT_TRUE(said.starts_with("denied: ") && said.ends_with("or --allow-private")) << url << ": " << said;
  }
}

}  // namespace
}  // namespace volary
