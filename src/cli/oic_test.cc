// cli/oic_test.cc: `volary checksum`, alone and as the published tool.
#include "cli/oic.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cli/program_test.h"

namespace volary {
namespace {

constexpr const char* docex_checksum = "3e0b692497b760089999c285ea717ccac4c88e44341e7bed9327cf0fe1618e52";

TEST(OicSize, IsWrittenAsTheToolWritesIt) {
  EXPECT_EQ(oic_size_text(0), "0");
  EXPECT_EQ(oic_size_text(1), "1B");
  EXPECT_EQ(oic_size_text(1023), "1023B");
  EXPECT_EQ(oic_size_text(1024), "1KB");
  EXPECT_EQ(oic_size_text(1536), "1.50KB");
  EXPECT_EQ(oic_size_text(3'000'000), "2.86MB");
  EXPECT_EQ(oic_size_text(5ull << 30), "5GB");
  EXPECT_EQ(oic_size_text(1ull << 60), "1024PB");
}

class Checksum : public testing::Test {
 protected:
  void SetUp() override {
    scratch_.write("docex/file1.txt", "hello\n");
    scratch_.write("docex/subdir/file2.txt", "world\n");
    make_symlink("file1.txt", scratch_.path("docex/link"));
  }

  // The time differs each time; everything else is compared.
  static std::string without_time(std::string text) {
    const size_t start = text.find("Time: ");
    if (start == std::string::npos) return text;
    const size_t end = text.find(" seconds", start);
    const std::string number = text.substr(start + 6, end - start - 6);
    const size_t point = number.find('.');
    EXPECT_EQ(number.size() - point, 5u) << number;  // Four decimals.
    return text.replace(start + 6, number.size(), "T");
  }

  Ran oic(std::vector<std::string> words) {
    make_directories(scratch_.path("bin"));
    const Path program = scratch_.path("bin/oic");
    if (!is_present(program)) make_symlink(read_symlink("/proc/self/exe"), program);
    words.insert(words.begin(), program.string());
    return Running(scratch_, words, volary_variables(scratch_)).wait();
  }

  Scratch scratch_;
};

TEST_F(Checksum, OicPrintsWhatTheToolPrints) {
  const Ran ran = run_volary(scratch_, {"checksum", "docex", "--oic"});
  const std::string rule(100, '=');
  EXPECT_EQ(without_time(ran.out), rule + "\nFiles: 3\nSize: 12B\nTime: T seconds\nChecksum: " + docex_checksum + "\n" +
                                       rule + "\n");
  EXPECT_EQ(ran.err, "INFO:OICM_Checksum:Start hashing: file1.txt\nINFO:OICM_Checksum:Start hashing: file2.txt\n");
  EXPECT_EQ(ran.code, 0);
}

TEST_F(Checksum, OicVerifiesWithoutEverFailing) {
  const Ran right = run_volary(scratch_, {"checksum", "docex", "--oic", "-s", "-c", docex_checksum});
  EXPECT_EQ(without_time(right.out), std::string("Files: 3\nSize: 12B\nTime: T seconds\nChecksum: ") + docex_checksum +
                                         "\n\n✅ Checksum verified\n");
  EXPECT_EQ(right.err, "");
  const Ran wrong = run_volary(scratch_, {"checksum", "docex", "--oic", "-s", "-c", std::string(64, '0')});
  EXPECT_EQ(wrong.out.find("verified"), std::string::npos);
  EXPECT_EQ(wrong.code, 0);
}

TEST_F(Checksum, OicRefusesWhatIsNoDirectory) {
  const Ran absent = run_volary(scratch_, {"checksum", "nope", "--oic"});
  EXPECT_EQ(absent.out, "❌ Error: nope does not exist\n");
  EXPECT_EQ(absent.code, 1);
  const Ran file = run_volary(scratch_, {"checksum", "docex/file1.txt", "--oic"});
  EXPECT_EQ(file.out, "❌ Error: docex/file1.txt should be a directory\n");
  EXPECT_EQ(file.code, 1);
}

TEST_F(Checksum, CalledByTheNameOicItIsTheTool) {
  const Ran ran = oic({"-sc", docex_checksum, "docex"});
  EXPECT_NE(ran.out.find("✅ Checksum verified"), std::string::npos) << ran.out << ran.err;
  EXPECT_EQ(oic({"--check=" + std::string(docex_checksum), "--sil", "docex"}).out.find("✅") == std::string::npos,
            false);
  const Ran none = oic({});
  EXPECT_TRUE(none.out.starts_with("usage: oic [-h] [-c CHECKSUM] [-s] path\n\nGenerate checksum to verify"));
  EXPECT_EQ(none.err, "\noic: ❌ Error: the following arguments are required: path\n");
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(oic({"docex", "more", "--what"}).err, "\noic: ❌ Error: unrecognized arguments: more --what\n");
  EXPECT_EQ(oic({"docex", "-c"}).err, "\noic: ❌ Error: argument -c/--checksum: expected one argument\n");
  EXPECT_EQ(oic({"-h"}).code, 0);
}

// The tool itself: $VOLARY_OIC, or oic in the path (pip install oip-checksum-validator, Python 3.12 or newer).
TEST_F(Checksum, OicIsTheToolToTheLetter) {
  const char* named = std::getenv("VOLARY_OIC");
  const std::string tool = named ? named : "/usr/local/bin/oic";
  if (!is_present(tool)) GTEST_SKIP() << "the published tool is not installed: set VOLARY_OIC to its path";
  scratch_.write("docex/empty", "");
  scratch_.write("docex/big/b.bin", std::string(3'000'000, 'q'));
  scratch_.write("docex/a b/é.txt", "x");
  scratch_.write("docex/.hidden", "h");
  make_directories(scratch_.path("void"));
  const std::vector<std::vector<std::string>> cases = {{"docex"},
                                                       {"docex", "-s"},
                                                       {"void"},
                                                       {"nope"},
                                                       {"docex/file1.txt"},
                                                       {"docex", "-c", docex_checksum},
                                                       {"docex/subdir/"},
                                                       {},
                                                       {"-h"},
                                                       {"docex", "extra"},
                                                       {"docex", "-c"},
                                                       {"--bogus", "docex"},
                                                       {"docex", "--checksum=", "--silent"}};
  for (const auto& words : cases) {
    std::vector<std::string> all = words;
    all.insert(all.begin(), tool);
    Variables variables = volary_variables(scratch_);
    variables["COLUMNS"] = "80";
    variables["PYTHONUTF8"] = "1";
    const Ran theirs = Running(scratch_, all, variables).wait();
    const Ran ours = oic(words);
    const std::string shown = words.empty() ? "(nothing)" : words[0] + (words.size() > 1 ? " " + words[1] : "");
    EXPECT_EQ(without_time(ours.out), without_time(theirs.out)) << shown;
    EXPECT_EQ(ours.err, theirs.err) << shown;
    EXPECT_EQ(ours.code, theirs.code) << shown;
  }
}

TEST_F(Checksum, OursFailsOnAMismatch) {
  const Ran right = run_volary(scratch_, {"checksum", "docex", "-c", docex_checksum});
  EXPECT_EQ(right.out, std::string("Files: 3\nSize: 12 B\nChecksum: ") + docex_checksum + "\n");
  EXPECT_EQ(right.err, "the checksum is right\n");
  EXPECT_EQ(right.code, 0);
  const Ran wrong = run_volary(scratch_, {"checksum", "docex", "-s", "-c", std::string(64, '0')});
  EXPECT_EQ(wrong.out, std::string(docex_checksum) + "\n");
  EXPECT_EQ(wrong.err, std::string("volary: the checksum of 'docex' is ") + docex_checksum + ", not " +
                           std::string(64, '0') + ": the files differ\n");
  EXPECT_EQ(wrong.code, 1);
  EXPECT_EQ(run_volary(scratch_, {"checksum", "docex", "-c", "xyz"}).code, 2);
  EXPECT_EQ(run_volary(scratch_, {"checksum", "nope"}).code, 4);
}

TEST_F(Checksum, OursIsJsonWhenAsked) {
  EXPECT_EQ(run_volary(scratch_, {"checksum", "docex", "-o", "yaml"}).out,
            std::string("checksum: \"") + docex_checksum + "\"\nfiles: 3\nbytes: 12\n");
}

}  // namespace
}  // namespace volary
