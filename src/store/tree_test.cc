// store/tree_test.cc: the encoding, against its golden files and docs/format.md, and against every kind of wrong
// byte.
//
// VOLARY_REGENERATE=1 store_test --gtest_filter='TreeFormat.*' writes the golden files anew: only for a new format.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "core/scratch_test.h"
#include "store/encoded_tree.h"
#include "store/sample_test.h"
#include "store/tree.h"

namespace volary {
namespace {

const Path golden_directory = Path(VOLARY_TEST_DATA) / "format";

Tree every_kind() {
  Tree inner;
  inner.entries = {file_entry("x", "y")};
  Tree tree;
  tree.entries = {file_entry("empty", ""), link_entry("link", "../elsewhere"), file_entry("run.sh", "#!/bin/sh\n"),
                  directory_entry("sub", summary_of(inner)), file_entry("zoë", "hello\n")};
  tree.entries[2].executable = true;
  return tree;
}

const std::map<std::string, Tree>& golden_trees() {
  static const std::map<std::string, Tree> trees = {{"empty", {}}, {"every-kind", every_kind()}};
  return trees;
}

// The bytes of each "```hex NAME" block: two digits a byte, and after ';' a remark.
std::map<std::string, std::string> hex_blocks(const std::string& page) {
  std::map<std::string, std::string> blocks;
  std::string* block = nullptr;
  for (size_t at = 0; at < page.size();) {
    const size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("```hex ")) block = &blocks[line.substr(7)];
    else if (line.starts_with("```")) block = nullptr;
    else if (block) {
      std::string digits = line.substr(0, line.find(';'));
      std::erase(digits, ' ');
      for (size_t i = 0; i + 1 < digits.size(); i += 2)
        *block += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    }
  }
  return blocks;
}

TEST(TreeFormat, has_not_changed_since_its_golden_files_were_written) {
  for (const auto& [name, tree] : golden_trees()) {
    const Path path = golden_directory / (name + ".tree");
    if (std::getenv("VOLARY_REGENERATE")) write_file_durably(path, encode(tree));
    const std::string golden = read_file(path);
    EXPECT_EQ(encode(tree), golden) << name;
    EXPECT_EQ(decode(golden), tree) << name;
  }
}

TEST(TreeFormat, is_as_the_page_shows_it) {
  const auto blocks = hex_blocks(read_file(Path(VOLARY_TEST_DATA) / "../../docs/format.md"));
  for (const auto& [name, tree] : golden_trees()) {
    ASSERT_TRUE(blocks.contains(name)) << name;
    EXPECT_EQ(blocks.at(name), encode(tree)) << name;
  }
}

std::string change(size_t at, std::string_view bytes) {
  std::string encoded = encode(every_kind());
  encoded.replace(at, bytes.size(), bytes);
  return encoded;
}

std::string flaw_of(const std::string& bytes) {
  return error_of([&] { decode(bytes); });
}

TEST(Decode, refuses_what_the_encoder_would_not_have_written) {
  const std::string good = encode(every_kind());
  EXPECT_EQ(flaw_of(""), "corrupt: these bytes are no tree: it does not begin with the mark of a tree of version 1");
  EXPECT_EQ(flaw_of(change(7, "\x02")),
            "corrupt: these bytes are no tree: it does not begin with the mark of a tree of version 1");
  EXPECT_EQ(flaw_of(change(8, "\xff\xff\xff\xff")),
            "corrupt: these bytes are no tree: it claims 4294967295 entries in 249 bytes");
  EXPECT_EQ(flaw_of(change(12, "\x04")), "corrupt: these bytes are no tree: 'empty' has the kind 4: expected 1 to 3");
  EXPECT_EQ(flaw_of(change(14, "p")), "corrupt: these bytes are no tree: 'link' stands after 'pmpty'");
  EXPECT_EQ(flaw_of(change(14, "l") + "x"), "corrupt: these bytes are no tree: 'link' stands after 'lmpty'");
  EXPECT_EQ(flaw_of(change(19, "\x02")),
            "corrupt: these bytes are no tree: 'empty' has 2 as executable bit: expected 0 or 1");
  EXPECT_EQ(flaw_of(change(15, "/")),
            "corrupt: these bytes are no tree: the name 'e/pty' is refused: a component contains '/'");
  EXPECT_EQ(flaw_of(good + "x"), "corrupt: these bytes are no tree: 1 bytes follow the last entry");
  EXPECT_EQ(flaw_of(good.substr(0, good.size() - 1)),
            "corrupt: these bytes are no tree: it ends in the middle of an entry, after 260 bytes");
  EXPECT_EQ(flaw_of(change(20, "\xff\xff\xff\xff\xff\xff\xff\xff")),
            "corrupt: these bytes are no tree: its sizes add up to more than 2^63 - 1");
}

TEST(Decode, refuses_every_proper_prefix) {
  const std::string good = encode(every_kind());
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_TRUE(std::holds_alternative<std::string>(try_decode(good.substr(0, size)))) << size;
}

TEST(Decode, refuses_duplicates_and_bad_names_and_bad_targets) {
  const auto flawed = [](std::vector<TreeEntry> entries) { return error_of([&] { encode({std::move(entries)}); }); };
  EXPECT_EQ(flawed({file_entry("a", ""), file_entry("a", "")}),
            "internal: cannot encode a tree where 'a' stands after 'a'");
  EXPECT_EQ(flawed({file_entry("..", "")}),
            "internal: cannot encode a tree: the name '..' is refused: '..' is not a name here");
  EXPECT_EQ(flawed({link_entry("l", "")}),
            "internal: cannot encode a tree: the symbolic link 'l' is refused: its target is empty");
  EXPECT_EQ(flawed({link_entry("l", "\xff")}),
            "internal: cannot encode a tree: the symbolic link 'l' is refused: its target '\\xff' is not UTF-8");
}

TEST(Tree, finds_an_entry_by_name) {
  const Tree tree = every_kind();
  ASSERT_TRUE(tree.find("run.sh"));
  EXPECT_TRUE(tree.find("run.sh")->executable);
  EXPECT_FALSE(tree.find("run"));
  EXPECT_FALSE(tree.find("zzz"));
}

TEST(Summary, adds_up_what_is_below) {
  const TreeSummary summary = summary_of(every_kind());
  EXPECT_EQ(summary.files, 5u);
  EXPECT_EQ(summary.bytes, 10u + 1u + 6u);
  EXPECT_EQ(summary.tree, Digest::of(encode(every_kind())));
}

// --- properties

const std::string letters[] = {"a", "-", ".x", "é", "A", "e\xcc\x81"};

rc::Gen<std::string> any_name() {
  return rc::gen::exec([] {
    std::string name;
    const int count = *rc::gen::inRange(1, 5);
    for (int i = 0; i < count; ++i) name += letters[*rc::gen::inRange(0, 6)];
    return name;
  });
}

Digest any_digest() { return Digest::of(*rc::gen::arbitrary<std::string>()); }

Tree any_tree() {
  Tree tree;
  std::set<std::string> names;
  for (int i = *rc::gen::inRange(0, 8); i > 0; --i) names.insert(*any_name());
  for (const std::string& name : names) {
    TreeEntry entry;
    entry.name = name;
    entry.kind = static_cast<EntryKind>(*rc::gen::inRange(1, 4));
    if (entry.kind != EntryKind::symlink) {
      entry.size = *rc::gen::inRange<uint64_t>(0, uint64_t{1} << 50);
      entry.digest = any_digest();
    }
    if (entry.kind == EntryKind::file) entry.executable = *rc::gen::arbitrary<bool>();
    if (entry.kind == EntryKind::symlink) entry.target = *any_name();
    if (entry.kind == EntryKind::directory) {
      entry.files = *rc::gen::inRange<uint64_t>(0, 1000);
      entry.checksum = any_digest();
    }
    tree.entries.push_back(std::move(entry));
  }
  return tree;
}

RC_GTEST_PROP(TreeProperty, decoding_gives_back_what_was_encoded, ()) {
  const Tree tree = any_tree();
  RC_ASSERT(decode(encode(tree)) == tree);
}

// Any other bytes are refused, or are themselves the one encoding of another tree: so no two encodings mean the same.
RC_GTEST_PROP(TreeProperty, a_changed_byte_is_refused_or_is_another_tree, ()) {
  const Tree tree = any_tree();
  const std::string good = encode(tree);
  std::string changed = good;
  const auto at = *rc::gen::inRange<size_t>(0, good.size());
  changed[at] = static_cast<char>(changed[at] ^ *rc::gen::inRange(1, 256));
  const auto outcome = try_decode(changed);
  if (std::holds_alternative<std::string>(outcome)) return;
  const Tree& other = std::get<Tree>(outcome);
  RC_ASSERT(encode(other) == changed);
  RC_ASSERT(!(other == tree));
  RC_ASSERT(summary_of(other).tree != summary_of(tree).tree);
}

RC_GTEST_PROP(TreeProperty, any_bytes_after_the_mark_are_refused_or_canonical, ()) {
  std::string bytes("VOLTREE\x01", 8);
  for (const uint8_t byte : *rc::gen::arbitrary<std::vector<uint8_t>>()) bytes += static_cast<char>(byte % 8);
  const auto outcome = try_decode(bytes);
  if (const Tree* tree = std::get_if<Tree>(&outcome)) RC_ASSERT(encode(*tree) == bytes);
}

// Reading and changing a tree where it lies is the same as doing it with the value.
RC_GTEST_PROP(EncodedTreeProperty, finds_and_sums_up_as_the_value_does, ()) {
  const Tree tree = any_tree();
  const EncodedTree lying = encoded(tree);
  RC_ASSERT(lying.tree() == tree);
  RC_ASSERT(summary_of(lying) == summary_of(tree));
  RC_ASSERT(summary_of(lying).checksum == checksum_of(tree));
  const std::string name = *any_name();
  const TreeEntry* known = tree.find(name);
  RC_ASSERT(lying.find(name) == (known ? std::optional(*known) : std::nullopt));
  const auto begin = *rc::gen::inRange<size_t>(0, tree.entries.size() + 1);
  size_t place = begin;
  while (place < tree.entries.size() && tree.entries[place].name < name) ++place;
  RC_ASSERT(lying.lower_bound(name, begin) == place);
}

RC_GTEST_PROP(EncodedTreeProperty, pieces_of_two_trees_become_what_their_entries_would, ()) {
  const Tree one = any_tree();
  const Tree other = any_tree();
  const EncodedTree lying = encoded(one);
  Tree wanted;
  TreeEncoder encoder(0, 0);
  size_t at = 0;
  for (const TreeEntry& entry : other.entries) {  // Of names that both have, the other's entry.
    const size_t place = lying.lower_bound(entry.name, at);
    wanted.entries.insert(wanted.entries.end(), one.entries.begin() + static_cast<ptrdiff_t>(at),
                          one.entries.begin() + static_cast<ptrdiff_t>(place));
    encoder.add(lying, at, place);
    at = place < lying.size() && lying[place].name() == entry.name ? place + 1 : place;
    wanted.entries.push_back(entry);
    encoder.add(entry);
  }
  wanted.entries.insert(wanted.entries.end(), one.entries.begin() + static_cast<ptrdiff_t>(at), one.entries.end());
  encoder.add(lying, at, lying.size());
  const EncodedTree made = encoder.finish();
  RC_ASSERT(made.bytes() == encode(wanted));
  RC_ASSERT(made.tree() == wanted);
  RC_ASSERT(summary_of(made) == summary_of(wanted));
}

TEST(TreeEncoder, refuses_pieces_in_the_wrong_order_and_what_is_too_much) {
  const EncodedTree lying = encoded({{file_entry("a", ""), file_entry("c", "")}});
  TreeEncoder encoder(0, 0);
  encoder.add(file_entry("b", ""));
  EXPECT_EQ(error_of([&] { encoder.add(lying, 0, 1); }), "internal: cannot encode a tree where 'a' stands after 'b'");
  TreeEncoder sizes(0, 0);
  TreeEntry large = file_entry("a", "");
  large.size = uint64_t{1} << 62;
  sizes.add(large);
  large.name = "b";
  EXPECT_EQ(error_of([&] { sizes.add(large); }),
            "internal: cannot encode a tree whose sizes add up to more than 2^63 - 1");
}

TEST(TreeEncoder, refuses_what_is_larger_than_a_tree_may_be) {
  if (!std::getenv("VOLARY_THOROUGH")) GTEST_SKIP() << "it takes a gibibyte";
  TreeEntry link = link_entry("0", std::string(link_target_bytes_max, 't'));
  TreeEncoder encoder(0, 0);
  const auto error = error_of([&] {
    for (size_t i = 0; i <= tree_bytes_max / link_target_bytes_max; ++i) {
      link.name = fmt::format("{:07}", i);
      encoder.add(link);
    }
  });
  EXPECT_TRUE(error.starts_with("exhausted: a directory of 261")) << error;
}

// --- the OICM digest of one tree

TEST(Checksum, writes_a_link_target_as_pathlib_does) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "."},
      {".", "."},
      {"./a//b/./c/", "a/b/c"},
      {"../x/..", "../x/.."},
      {"//net/share", "//net/share"},
      {"///abs", "/abs"},
      {"/", "/"},
      {"//", "//"},
      {"///", "/"},
      {"/.", "/"},
      {"dir/", "dir"},
      {"./file", "file"},
      {"..", ".."},
      {"//./a", "//a"},
      {"a/./.", "a"}};
  for (const auto& [target, normal] : cases) EXPECT_EQ(normal_link_target(target), normal) << target;
}

TEST(Checksum, sorts_the_lines_and_not_the_names) {
  Tree tree;
  tree.entries = {file_entry("a", "1"), file_entry("a!", "2")};
  const std::string lines = "f:a!:" + Digest::of("2").hex() + std::string(1, '\0') + "f:a:" + Digest::of("1").hex();
  EXPECT_EQ(checksum_of(tree), Digest::of(lines));
}

// docs/checksum.md, word for word.
std::string checksum_text(const Tree& tree) {
  std::set<std::string> lines;
  for (const TreeEntry& entry : tree.entries) {
    if (entry.kind == EntryKind::file) lines.insert("f:" + entry.name + ":" + entry.digest.hex());
    if (entry.kind == EntryKind::directory) lines.insert("d:" + entry.name + ":" + entry.checksum.hex());
    if (entry.kind == EntryKind::symlink) lines.insert("l:" + entry.name + ":" + normal_link_target(entry.target));
  }
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : std::string(1, '\0')) + line;
  return text;
}

TEST(Checksum, is_that_of_the_text_whatever_its_length) {
  for (const size_t name_bytes : {3u, 40u, 250u}) {
    Tree tree;
    uint64_t text_bytes = 0;
    for (size_t i = 0; text_bytes < 200'000; ++i) {
      std::string name = std::to_string(1000 + i * i % 7919);  // Not padded: some begin as others do.
      name += std::string(i % name_bytes, "!:x"[i % 3]);
      tree.entries.push_back(i % 5 == 0   ? link_entry(name, std::string(i * 37 % 4000 + 1, 't'))
                             : i % 7 == 0 ? directory_entry(name, summary_of(every_kind()))
                                          : file_entry(name, name));
      text_bytes += name.size() + 70 + tree.entries.back().target.size();
    }
    const auto by_name = [](const TreeEntry& a, const TreeEntry& b) { return a.name < b.name; };
    const auto same_name = [](const TreeEntry& a, const TreeEntry& b) { return a.name == b.name; };
    std::sort(tree.entries.begin(), tree.entries.end(), by_name);
    tree.entries.erase(std::unique(tree.entries.begin(), tree.entries.end(), same_name), tree.entries.end());
    EXPECT_EQ(checksum_of(tree), Digest::of(checksum_text(tree)));
    EXPECT_EQ(checksum_of(encoded(tree)), Digest::of(checksum_text(tree)));
  }
}

TEST(Checksum, is_that_of_the_text_where_a_block_ends_at_any_byte_of_a_line) {
  for (size_t more = 0; more < 90; ++more) {
    Tree tree;
    for (size_t i = 0; i < 1000; ++i)
      tree.entries.push_back(file_entry(std::to_string(10'000 + i) + (i == 0 ? std::string(more, 'x') : ""), "same"));
    ASSERT_EQ(checksum_of(tree), Digest::of(checksum_text(tree))) << more;
  }
}

TEST(Checksum, does_not_see_the_executable_bit_but_the_identity_does) {
  Tree plain;
  plain.entries = {file_entry("a", "1")};
  Tree executable = plain;
  executable.entries[0].executable = true;
  EXPECT_EQ(summary_of(plain).checksum, summary_of(executable).checksum);
  EXPECT_NE(summary_of(plain).tree, summary_of(executable).tree);
}

}  // namespace
}  // namespace volary
