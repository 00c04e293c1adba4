// cli/reference_test.cc: what people type to name things.
#include "cli/reference.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/error_test.h"

namespace volary {
namespace {

TEST(VolumeReference, IsANameAndPerhapsAVersion) {
  EXPECT_EQ(parse_volume_reference("wiki").name, "wiki");
  EXPECT_EQ(parse_volume_reference("wiki").version, "");
  EXPECT_EQ(parse_volume_reference("wiki@v3").version, "v3");
  EXPECT_EQ(parse_volume_reference("wiki@release-1").text(), "wiki@release-1");
}

TEST(VolumeReference, QuotesWhatIsWrong) {
  EXPECT_EQ(error_of([] { parse_volume_reference("wiki@"); }),
            "invalid: 'wiki@' names no version after '@': expected a number, a tag, a checksum or 'head'");
  EXPECT_NE(error_of([] { parse_volume_reference("Wiki"); }).find("'Wiki' is no name for a volume"), std::string::npos);
}

TEST(StoreReference, IsAStoreAndAPrefix) {
  EXPECT_EQ(parse_store_reference("corpora:wiki/2026", "--from").datastore, "corpora");
  EXPECT_EQ(parse_store_reference("corpora:wiki:x", "--from").prefix, "wiki:x");
  EXPECT_EQ(parse_store_reference("corpora:", "--from").prefix, "");
  EXPECT_EQ(error_of([] { parse_store_reference("corpora", "--from"); }),
            "invalid: 'corpora' is no value for --from: expected DATASTORE:PREFIX, such as 'corpora:wiki/2026', or "
            "CONTAINER@DATASTORE/PREFIX");
}

TEST(StoreReference, IsAlsoReadAsOvhaiWritesIt) {
  const StoreReference one = parse_store_reference("My@Data@GRA/wiki/20@26", "--from");
  EXPECT_EQ(one.container, "My@Data");
  EXPECT_EQ(one.datastore, "gra");
  EXPECT_EQ(one.prefix, "wiki/20@26");
  EXPECT_EQ(parse_store_reference("data@gra/", "--from").prefix, "");
  EXPECT_EQ(parse_store_reference("data@gra", "--from").datastore, "gra");
  EXPECT_EQ(parse_store_reference("corpora:a@b/c", "--from").prefix, "a@b/c");
  EXPECT_NE(error_of([] { parse_store_reference("data@/x", "--from"); }).find("'' is no name for a datastore"),
            std::string::npos);
}

TEST(AttachmentText, IsReadOnlyUnlessTold) {
  const NewAttachment plain = parse_attachment("wiki@3:/data");
  EXPECT_EQ(plain.volume, "wiki@3");
  EXPECT_EQ(plain.path, "/data");
  EXPECT_EQ(plain.access, AttachAccess::ro);
  EXPECT_EQ(parse_attachment("wiki:/data:RW").access, AttachAccess::rw);
  EXPECT_EQ(parse_attachment("wiki:/data:rwd").access, AttachAccess::rwd);
}

TEST(Assignment, IsAKeyAndAValue) {
  EXPECT_EQ(parse_assignment("A=b=c", "--env").second, "b=c");
  EXPECT_EQ(error_of([] { parse_assignment("=x", "--env"); }),
            "invalid: '=x' is no value for --env: expected KEY=VALUE");
}

TEST(Count, IsDecimalDigitsOnly) {
  EXPECT_EQ(parse_count("12", "--cpu", 1), 12u);
  for (const char* text : {"0", "-1", "1.5", "0x10", "", "2 "})
    EXPECT_EQ(error_of([&] { parse_count(text, "--cpu", 1); }),
              "invalid: '" + std::string(text) + "' is no value for --cpu: expected a whole number from 1");
}

TEST(FileReference, IsAVolumeAndAPath) {
  const FileReference file = parse_file_reference("wiki@v3:/train/a:/b");
  EXPECT_EQ(file.volume.text(), "wiki@v3");
  EXPECT_EQ(file.path, "train/a:/b");
  for (const std::string_view wrong : {"wiki", "wiki:a", "wiki:/"})
    EXPECT_EQ(error_of([&] { parse_file_reference(wrong); }),
              fmt::format("invalid: '{}' names no file of a volume: expected NAME[@VERSION]:/PATH", wrong));
}

TEST(VolumePlace, MayNameAProject) {
  EXPECT_EQ(parse_volume_place("wiki@3").project, "");
  const VolumePlace place = parse_volume_place("team-a/wiki@3");
  EXPECT_EQ(place.project, "team-a");
  EXPECT_EQ(place.volume.text(), "wiki@3");
  EXPECT_NE(error_of([&] { parse_volume_place("a/b/c"); }), "");
}

}  // namespace
}  // namespace volary
