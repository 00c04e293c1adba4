// sync/touched_test.cc: the paths of files that differ, also below directories that came, went or became files.
#include "sync/touched.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace volary {
namespace {

TEST(Touched, AreTheFilesThatCameWentOrAreOthers) {
  const Path root = std::filesystem::temp_directory_path() / ("volary-touched-" + random_hex(6));
  {
    const auto store = open_store(root);
    const auto commit = store->begin_commit();
    const auto file = [&](std::string_view path, std::string_view bytes) {
      const Blob blob = commit->add_blob(bytes);
      TreeEntry entry;
      entry.size = blob.size;
      entry.digest = blob.digest;
      return TreeChange{TreePath::parse(path), entry};
    };
    const Digest before = apply_changes(*store, *commit, empty_tree().tree,
                                        {file("same/a", "1"), file("b", "1"), file("gone/x/y", "1"), file("kind", "1")})
                              .tree;
    const Digest after =
        apply_changes(*store, *commit, before,
                      {{TreePath::parse("gone"), {}}, {TreePath::parse("kind"), {}}, file("b", "2"),
                       file("kind/below", "1"), file("new/z", "1")})
            .tree;
    commit->publish();
    Filter::Paths paths;
    add_touched(*store, before, after, paths);
    EXPECT_EQ(paths, (Filter::Paths{"b", "gone/x/y", "kind", "kind/below", "new/z"}));
    add_touched(*store, after, after, paths);
    EXPECT_EQ(paths.size(), 5u);
    Filter filter;
    filter.keep_only(std::make_shared<Filter::Paths>(paths));
    EXPECT_TRUE(filter.takes("new/z"));
    EXPECT_FALSE(filter.takes("same/a"));
    EXPECT_FALSE(filter.takes_all());
  }
  remove_tree(root);
}

}  // namespace
}  // namespace volary
