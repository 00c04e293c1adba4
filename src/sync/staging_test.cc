// sync/staging_test.cc: what of a large object is still to be fetched, and which files stay.
#include "sync/staging.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace volary {
namespace {

constexpr uint64_t part = staged_part_bytes;
using Parts = std::vector<uint64_t>;

TEST(Staging, knows_the_parts_that_have_not_come) {
  EXPECT_EQ(missing_parts({}, 2 * part + 1), (Parts{0, 1, 2}));
  EXPECT_EQ(missing_parts({{0, part}}, 2 * part + 1), (Parts{1, 2}));
  EXPECT_EQ(missing_parts({{part, part}}, 2 * part + 1), (Parts{0, 2}));
  EXPECT_EQ(missing_parts({{0, 2 * part + 1}}, 2 * part + 1), Parts());
  EXPECT_EQ(missing_parts({{0, part}, {2 * part, 1}}, 2 * part + 1), (Parts{1}));
  EXPECT_EQ(missing_parts({}, part), (Parts{0}));
  EXPECT_EQ(missing_parts({{0, 5}}, part), (Parts{0})) << "a part is there when all of it is";
}

TEST(Staging, takes_an_object_with_another_etag_or_size_for_another_one) {
  const Listed file{.path = {}, .size = 7, .digest = {}, .etag = "e"};
  Listed other = file;
  EXPECT_EQ(staged_name("a", file), staged_name("a", other));
  other.etag = "f";
  EXPECT_NE(staged_name("a", file), staged_name("a", other));
  other = file;
  EXPECT_NE(staged_name("a", file), staged_name("b", file));
  other.size = 8;
  EXPECT_NE(staged_name("a", file), staged_name("a", other));
}

TEST(Staging, is_inherited_and_purged_by_transfer) {
  const Path root = std::filesystem::temp_directory_path() / ("volary-staging-" + random_hex(6));
  const auto store = open_store(root);
  inherit_staged(*store, "none", "other");
  purge_staged(*store, [](const std::string&) { return false; });
  for (const char* id : {"one", "two", "three"}) {
    make_directories(staging_directory(*store, id));
    StagedFile(staging_directory(*store, id) / "x").write(0, id);
  }
  inherit_staged(*store, "one", "four");
  purge_staged(*store, [](const std::string& id) { return id == "four"; });
  EXPECT_FALSE(is_present(staging_directory(*store, "one")));
  EXPECT_FALSE(is_present(staging_directory(*store, "two")));
  EXPECT_EQ(StagedFile(staging_directory(*store, "four") / "x").finish(3), Digest::of("one"));
  remove_tree(root);
}

}  // namespace
}  // namespace volary
