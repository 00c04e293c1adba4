// volume/backup_lists_test.cc: what lies in a place with backups is read as it was written, or refused with its line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "volume/backup.h"

namespace volary {
namespace {

using ::testing::HasSubstr;

std::string said_by(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string line_of(std::string_view kind, std::string_view bytes) {
  return fmt::format("{} {} {}\n", kind, Digest::of("x").hex(), bytes);
}

std::string manifest_of(const std::string& id, uint64_t format) {
  Backup backup;
  backup.id = id;
  backup.format = format;
  return print_json(to_json(backup));
}

TEST(ListOfABackup, is_read_line_by_line) {
  const auto objects = parse_object_list(line_of("tree", "7") + line_of("blob", "18446744073709551615"));
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0].kind, ObjectKind::tree);
  EXPECT_EQ(objects[1].bytes, ~uint64_t{0});
  EXPECT_TRUE(parse_object_list("").empty());
}

TEST(ListOfABackup, with_any_other_line_is_corrupt_and_names_it) {
  for (const std::string& wrong :
       {line_of("blob", "many"), line_of("blob", "18446744073709551616"), line_of("blob", ""), line_of("blob", "1 "),
        line_of("link", "1"), std::string("blob\n"), std::string("\n"), line_of("blob", "1").substr(0, 70)})
    EXPECT_THAT(said_by([&] { parse_object_list(line_of("tree", "1") + wrong); }), HasSubstr("line 2 is '")) << wrong;
}

TEST(ManifestOfABackup, that_lies_in_another_backups_place_is_corrupt) {
  EXPECT_EQ(parse_manifest(manifest_of("a", 1), "a").id, "a");
  EXPECT_THAT(said_by([&] { parse_manifest(manifest_of("a", 1), "b"); }),
              HasSubstr("the manifest of backup b is that of backup a"));
  EXPECT_THAT(said_by([&] { parse_manifest(manifest_of("a", 2), "a"); }),
              HasSubstr("backup a has format 2: expected 1"));
}

}  // namespace
}  // namespace volary
