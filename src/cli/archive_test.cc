// cli/archive_test.cc: what we write the system's tar reads, what tars of all kinds write we read, and what would do
// harm is refused with nothing of it left.
#include "cli/archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/error_test.h"
#include "cli/program_test.h"
#include "cli/unpacking.h"

namespace volary {
namespace {

std::string bytes_of(Source& source, size_t piece = 700) {
  std::string all;
  std::string block(piece, '\0');
  while (const size_t size = source.read(block)) all.append(block, 0, size);
  return all;
}

// One entry as a tar writes it.
std::string entry(std::string name, char kind, std::string target = "", std::string content = "") {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 8, std::string("0000644\0", 8));
  block.replace(124, 12, fmt::format("{:011o}", content.size()) + std::string(1, '\0'));
  block[156] = kind;
  block.replace(157, target.size(), target);
  block.replace(257, 8, std::string("ustar\00000", 8));
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  block.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  const size_t padding = (512 - content.size() % 512) % 512;
  return block + content + std::string(padding, '\0');
}
std::string file(const std::string& name, const std::string& content = "x") { return entry(name, '0', "", content); }
const std::string the_end(1024, '\0');

class Archives : public testing::Test {
 protected:
  Archives() { make_directories(in()); }
  Path in() const { return scratch_.path("top/in"); }

  ObjectFile local(const std::string& name, const std::string& content) {
    const Path path = scratch_.write("from/" + std::to_string(++files_), content);
    return {name, path, content.size(), modified_of(*stat_of(path)), false};
  }

  // What unpacking says, "" if nothing.
  std::string unpack(const std::string& archive, size_t piece = 1000, Overwrite overwrite = Overwrite::yes) {
    return error_of([&] {
      const Landing landing(in());
      Unpacking unpacking(landing);
      for (size_t at = 0; at < archive.size(); at += piece)
        unpacking.sink().write(std::string_view(archive).substr(at, piece));
      unpacking.finish(overwrite);
    });
  }

  // Name and content of all that lies in the directory above the one that is unpacked into; of links the target.
  std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> found;
    for (const auto& one : std::filesystem::recursive_directory_iterator(scratch_.path("top"))) {
      const std::string name = one.path().lexically_relative(scratch_.path("top")).native();
      if (one.is_symlink()) found[name] = "-> " + volary::read_symlink(one.path());
      else found[name] = one.is_directory() ? "" : read_file(one.path());
    }
    found.erase("in");
    return found;
  }

  static void set_modified(const Path& path, Time time) {
    const struct timespec moment {time.micros / 1'000'000, time.micros % 1'000'000 * 1000};
    const struct timespec both[2] = {moment, moment};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), both, 0), 0);
  }

  int shell(const std::string& command) {
    return std::system(("cd '" + scratch_.path().native() + "' && " + command).c_str());
  }

  Scratch scratch_;
  int files_ = 0;
};

TEST_F(Archives, OfOursAreReadByTheSystemsTar) {
  const std::string long_name = "deep/" + std::string(200, 'n') + "/" + std::string(250, 'm');
  std::vector<ObjectFile> files = {local("a/b.txt", "hello"), local("empty", ""), local("ünï code", "ü"),
                                   local(long_name, std::string(5000, 'z')), local("block", std::string(512, 'y'))};
  ArchiveSource source(files);
  const std::string archive = bytes_of(source);
  EXPECT_EQ(archive.size(), source.bytes());
  scratch_.write("a.tar", archive);
  ASSERT_EQ(shell("tar -xf a.tar -C top/in && tar -df a.tar -C top/in"), 0);
  EXPECT_EQ(all()["in/a/b.txt"], "hello");
  EXPECT_EQ(all()["in/ünï code"], "ü");
  EXPECT_EQ(all()["in/" + long_name], std::string(5000, 'z'));
  EXPECT_EQ(unpack(archive, 1), "");
}

TEST_F(Archives, OfEveryKindOfTarAreRead) {
  const std::string long_name = std::string(90, 'n') + "/" + std::string(90, 'm') + "/" + std::string(90, 'o');
  scratch_.write("src/" + long_name, "long");
  scratch_.write("src/run", "#!/bin/sh\n");
  ASSERT_EQ(shell("chmod +x src/run && ln -s run src/link && ln src/run src/same && mkdir src/empty"), 0);
  for (const std::string kind : {"gnu", "oldgnu", "pax", "posix"}) {
    ASSERT_EQ(shell("rm -rf top/in && mkdir top/in && tar -C src --format=" + kind + " -cf a.tar ."), 0);
    EXPECT_EQ(unpack(read_file(scratch_.path("a.tar"))), "") << kind;
    EXPECT_EQ(shell("diff -r src top/in && test -x top/in/run && test -h top/in/link && test -d top/in/empty"), 0)
        << kind;
  }
}

TEST_F(Archives, ThatWouldLeadOutLeaveNothing) {
  const std::vector<std::pair<std::string, std::string>> hostile = {
      {"parent", file("../evil")},
      {"absolute", file("/evil")},
      {"inside out", file("a/../../evil")},
      {"dots", file("a/./../../evil")},
      {"parent directory", entry("../evil/", '5')},
      {"absolute link", entry("l", '2', "/etc")},
      {"link to the parent", entry("l", '2', "..")},
      {"link that climbs later", entry("l", '2', "a/../../x")},
      {"deeper link that climbs too far", entry("a/l", '2', "../../x")},
      {"link without a target", entry("l", '2', "")},
      {"file through a link", entry("l", '2', "d") + file("l/evil")},
      {"file through a link to here", entry("l", '2', ".") + file("l/evil")},
      {"hard link to outside", entry("l", '1', "../secret")},
      {"hard link to an absolute path", entry("l", '1', "/etc/passwd")},
      {"hard link to nothing", entry("l", '1', "absent")},
      {"hard link to a link", entry("l", '2', "x") + entry("h", '1', "l")},
      {"twice", file("a") + file("a", "other")},
      {"link, then file of its name", entry("a", '2', "b") + file("a")},
      {"file, then link of its name", file("a") + entry("a", '2', "b")},
      {"file, then directory", file("a") + file("a/b")},
      {"directory, then file", file("a/b") + file("a")},
      {"device", entry("null", '3')},
      {"pipe", entry("pipe", '6')},
      {"no name", file("")},
      {"only a dot", file(".")},
      {"too long", entry("PaxHeader", 'x', "", "310 path=" + std::string(300, 'p') + "\n") + file("z")},
      {"name by pax", entry("PaxHeader", 'x', "", "17 path=../evil1\n") + file("fine")},
      {"target by pax", entry("PaxHeader", 'x', "", "19 linkpath=/etc/x\n") + entry("l", '2', "fine")},
      {"target with a NUL",
       entry("PaxHeader", 'x', "", std::string("17 linkpath=..\0x\n", 17)) + entry("l", '2', "fine")},
      {"name by GNU", entry("././@LongLink", 'L', "", std::string("../evil\0", 8)) + file("fine")},
      {"broken pax", entry("PaxHeader", 'x', "", "99 path=x\n") + file("fine")},
      {"negative size", entry("PaxHeader", 'x', "", "12 size=-11\n") + file("fine")},
      {"sparse", entry("PaxHeader", 'x', "", "22 GNU.sparse.major=1\n") + file("fine")},
      {"nothing", ""},
      {"no archive", std::string(512, 'q')},
      {"gzip", "\x1f\x8b" + std::string(600, 'q')},
  };
  scratch_.write("top/secret", "secret");
  for (const auto& [what, entries] : hostile) {
    const std::string archive = file("first") + entries + (entries.empty() ? "" : the_end);
    const std::string said = unpack(what == "nothing" ? "" : archive);
    EXPECT_NE(said, "") << what;
    EXPECT_EQ(all(), (std::map<std::string, std::string>{{"secret", "secret"}})) << what << ": " << said;
  }
  EXPECT_EQ(unpack(file("../evil") + the_end),
            "invalid: '../evil' cannot be a file's name here: a part of it is empty, '.', '..' or reserved\n"
            "     while unpacking '../evil'");
  EXPECT_EQ(unpack(entry("l", '2', "/etc") + the_end),
            "invalid: the archive's link 'l' points to '/etc', which may be outside of the directory");
  EXPECT_EQ(unpack(file("a") + file("./a") + the_end), "invalid: the archive has 'a' twice: expected each name once");
}

TEST_F(Archives, DoNotFollowLinksThatAreThere) {
  scratch_.write("top/out/kept", "kept");
  make_symlink("../out", in() / "d");
  EXPECT_NE(unpack(file("d/kept", "new") + the_end), "");
  EXPECT_EQ(all(), (std::map<std::string, std::string>{{"in/d", "-> ../out"}, {"out", ""}, {"out/kept", "kept"}}));
}

TEST_F(Archives, CutOffAnywhereLeaveNothing) {
  const std::string whole = file("a/b", std::string(700, 'c')) + entry("a/l", '2', "b") + file("d");
  for (size_t size = 1; size < whole.size(); size += 97) {
    if (size == whole.size()) continue;
    const std::string said = unpack(whole.substr(0, size));
    EXPECT_NE(said, "") << size;
    EXPECT_EQ(all().size(), 0u) << size;
  }
  EXPECT_EQ(unpack(whole + the_end), "");
  EXPECT_EQ(all()["in/a/l"], "-> b");
}

TEST_F(Archives, ThatCannotGoWhereOneFileBelongsLeaveNothing) {
  scratch_.write("top/in/b/kept", "mine");
  scratch_.write("top/in/c", "mine");
  const auto before = all();
  EXPECT_EQ(unpack(file("a") + file("b") + the_end),
            "conflict: there is a directory where '" + (in() / "b").native() + "' would be");
  EXPECT_EQ(all(), before);
  for (const std::string& below : {file("c/x"), entry("c/", '5')}) {
    const std::string said = unpack(file("a") + entry("a1/", '5') + below + the_end);
    EXPECT_NE(said.find("'c' is no directory there"), std::string::npos) << said;
    EXPECT_EQ(all(), before);
  }
  EXPECT_EQ(unpack(file("a") + file("b") + the_end, 512, Overwrite::no), "");
  EXPECT_EQ(all()["in/a"], "x");
}

TEST_F(Archives, LeaveWhatIsThereIfTold) {
  scratch_.write("top/in/a", "mine");
  EXPECT_EQ(unpack(file("a", "theirs") + file("b") + the_end, 512, Overwrite::no), "");
  EXPECT_EQ(all()["in/a"], "mine");
  EXPECT_EQ(unpack(file("a", "theirs") + the_end), "");
  EXPECT_EQ(all()["in/a"], "theirs");
}

TEST_F(Archives, RefuseFilesThatChangeBeforeTheyAreRead) {
  const std::vector<ObjectFile> files = {local("a", "hello")};
  ArchiveSource source(files);
  scratch_.write("from/1", "longer than before");
  EXPECT_EQ(error_of([&] { bytes_of(source); }),
            "conflict: '" + files[0].path.native() + "' changed while it was uploaded: upload it again");
}

TEST_F(Archives, RefuseFilesThatChangeWhileTheyAreRead) {
  const std::vector<ObjectFile> files = {local("a", std::string(3000, 'o'))};
  for (const size_t read_before : {0, 1, 3}) {
    ArchiveSource source(files);
    std::string block(700, '\0');
    for (size_t i = 0; i < read_before; ++i) source.read(block);
    scratch_.write("from/1", std::string(3000, 'n'));
    set_modified(files[0].path, Time{files[0].modified.micros + 1});
    EXPECT_EQ(error_of([&] { bytes_of(source); }),
              "conflict: '" + files[0].path.native() + "' changed while it was uploaded: upload it again");
    set_modified(files[0].path, files[0].modified);
  }
}

// Takes anything and keeps it.
struct Kept : ArchiveVisitor {
  void begin(const ArchiveEntry& one) override { names.push_back(one.name); }
  void content(std::string_view bytes) override { text += bytes; }
  void end() override { text += '|'; }
  std::vector<std::string> names;
  std::string text;
};

RC_GTEST_FIXTURE_PROP(Archives, ComeBackInPiecesOfAnySize, ()) {
  std::vector<ObjectFile> files;
  std::vector<std::string> names;
  std::string text;
  const auto sizes = *rc::gen::resize(8, rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, 16)));
  for (const size_t hundreds : sizes) {
    const size_t size = hundreds * 100 + *rc::gen::inRange<size_t>(0, 13);
    names.push_back(std::to_string(files.size()) + std::string(*rc::gen::inRange<size_t>(0, 180), 'n'));
    const std::string content(size, static_cast<char>('a' + files.size() % 26));
    files.push_back(local(names.back(), content));
    text += content + "|";
  }
  ArchiveSource source(files);
  const std::string archive = bytes_of(source, *rc::gen::inRange<size_t>(1, 2000));
  RC_ASSERT(archive.size() == source.bytes());
  Kept kept;
  ArchiveReader reader(kept);
  const auto piece = *rc::gen::inRange<size_t>(1, 2000);
  for (size_t at = 0; at < archive.size(); at += piece) reader.write(std::string_view(archive).substr(at, piece));
  if (!files.empty()) reader.finish();
  RC_ASSERT(kept.names == names);
  RC_ASSERT(kept.text == text);
}

// Whatever the bytes are: an Error or entries, never more.
RC_GTEST_FIXTURE_PROP(Archives, DamagedAnywhereAreRefusedOrRead, ()) {
  std::string archive = file("a/b", std::string(700, 'c')) +
                        entry("PaxHeader", 'x', "", "17 path=some/evil\n") + file("z") + entry("l", '2', "a") + the_end;
  const auto at = *rc::gen::inRange<size_t>(0, archive.size());
  archive[at] = *rc::gen::arbitrary<char>();
  unpack(archive);
  const auto found = all();
  for (const auto& [name, content] : found) RC_ASSERT(name.starts_with("in/"));
  remove_tree(in());
  make_directories(in());
}

}  // namespace
}  // namespace volary
