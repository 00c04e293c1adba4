// record/attach_test.cc: what a word attaches, every form of it, and what is said of each wrong one.
#include "record/attach.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

std::string error_of_word(std::string_view text) {
  return error_of([&] { parse_attach_word(text); });
}

TEST(AttachWord, ReadsEveryForm) {
  struct Row {
    std::string_view text;
    std::string_view same;  // As it is written by us.
    SourceKind kind;
  };
  const Row rows[] = {
      {"wiki:/data", "wiki:/data:ro", SourceKind::named},
      {"wiki@3/train:/data:RW", "wiki@3/train:/data:rw", SourceKind::named},
      {"wiki@head:/data/:rwd:no-cache", "wiki@head:/data:rwd", SourceKind::named},
      {"corpora@GRA:/data", "corpora@GRA:/data:ro", SourceKind::named},
      {"corpora@GRA/:/data:RWD:CACHE", "corpora@GRA:/data:rwd:cache", SourceKind::named},
      {"My_Container@S/pre/fix:/data:Ro:cache", "My_Container@S/pre/fix:/data:ro:cache", SourceKind::named},
      {"corpora@GRA/a@b:/data:cache", "corpora@GRA/a@b:/data:ro:cache", SourceKind::named},
      {"gra:corpora/wiki:/data", "gra:corpora/wiki:/data:ro", SourceKind::store},
      {"https://u@git.example:8443/a/b.git:/code", "https://u@git.example:8443/a/b.git:/code:ro", SourceKind::git},
      {"https://data.example/a.tar:/data:cache", "https://data.example/a.tar:/data:ro:cache", SourceKind::file},
      {"s3://bucket/key:/data", "s3://bucket/key:/data:ro", SourceKind::file},
      {"standalone:/workspace/x", "standalone:/workspace/x:rw", SourceKind::standalone},
      {"standalone:/workspace/x:rw", "standalone:/workspace/x:rw", SourceKind::standalone},
  };
  for (const Row& row : rows) {
    const AttachWord read = parse_attach_word(row.text);
    EXPECT_EQ(text_of(read), row.same);
    EXPECT_EQ(read.source.kind, row.kind) << row.text;
  }
}

TEST(AttachWord, QuotesTheWordThatIsWrongAndNamesTheRightOnes) {
  const std::string forms =
      "expected VOLUME[@VERSION][/SUB]:/PATH[:ro|rw|rwd][:cache], CONTAINER@ALIAS[/PREFIX]:/PATH[:ro|rw|rwd][:cache], "
      "URL:/PATH or standalone:/PATH";
  const std::string permissions =
      "is no permission and no absolute path: expected ro, rw or rwd, and then cache or no-cache";
  const std::string urls = "is no URL that can be attached: expected https://HOST/NAME.git of a public repository, or "
                           "http://, https:// or s3:// and one file";
  const std::pair<std::string, std::string> rows[] = {
      {"", "'' attaches nothing: " + forms},
      {"wiki", "'wiki' attaches nothing: " + forms},
      {"wiki:ro", "'wiki:ro' has no path to stand at: " + forms},
      {"wiki@GRA:cache", "'wiki@GRA:cache' has no path to stand at: " + forms},
      {"https://git.example/a.git", "'https://git.example/a.git' has no path to stand at: " + forms},
      {"wiki:data", "'data' in 'wiki:data' is no absolute path: " + forms},
      {"wiki:/data:wr", "'wr' in 'wiki:/data:wr' " + permissions},
      {"wiki:/data:", "'' in 'wiki:/data:' " + permissions},
      {"wiki:/data:ro:ca", "'ca' in 'wiki:/data:ro:ca' " + permissions},
      {"c@GRA:/data:R0", "'R0' in 'c@GRA:/data:R0' is no permission, for it has the digit 0: expected ro, rw or rwd"},
      {"wiki:/data:ro:rw", "'rw' in 'wiki:/data:ro:rw' is a second permission: expected one of ro, rw and rwd"},
      {"wiki:/data:cache:ro",
       "'ro' in 'wiki:/data:cache:ro' stands behind the caching: expected the permission first, as in ':ro:cache'"},
      {"wiki:/data:cache:no-cache", "'no-cache' in 'wiki:/data:cache:no-cache' says a second time whether to cache: "
                                    "expected one of cache and no-cache"},
      {"standalone:/x:ro", "'ro' in 'standalone:/x:ro' cannot be of a standalone directory, which begins empty and is "
                           "not kept: expected rw"},
      {"standalone:/x:cache", "'cache' in 'standalone:/x:cache' cannot be of a standalone directory: there is nothing "
                              "to keep"},
      {"wiki:/", "'/' in 'wiki:/' is no place for a volume: expected an absolute path such as /data"},
      {"ftp://host/x:/data", "'ftp://host/x' " + urls},
      {"s3://bucket/a.git:/data", "'s3://bucket/a.git' " + urls},
      {"https:///x:/data", "'https:///x' " + urls},
      {"git@host.example:a/b.git:/x", ""},
      {"wiki@:/data", "'wiki@' names nothing after '@': expected a version (a number, a tag, a checksum or 'head'), or "
                      "the alias of a datastore"},
      {"@GRA:/data", "'@GRA' names nothing to attach: expected VOLUME[@VERSION][/SUB], CONTAINER@ALIAS[/PREFIX], a URL "
                     "or standalone"},
      {"Wiki:/data", ""},
      {"c@GRA/a/../b:/data", ""},
      {"c@GRA:/data/../x", ""},
      {"wiki:/a:/b", ""},
  };
  for (const auto& [text, said] : rows) {
    const std::string error = error_of_word(text);
    EXPECT_TRUE(error.starts_with("invalid: " + said) && error != "") << text << " -> " << error;
    EXPECT_EQ(error.find('\n', error.find("\n     while reading the attachment") + 1), std::string::npos) << error;
  }
}

TEST(PushTarget, IsAContainer) {
  EXPECT_EQ(parse_push_target("results@GRA/run-1").path, "run-1");
  EXPECT_EQ(parse_push_target("gra:results").kind, SourceKind::store);
  for (const std::string_view wrong : {"results", "standalone", "https://x.example/a.git"})
    EXPECT_THROW(parse_push_target(wrong), Error) << wrong;
}

rc::Gen<std::string> name() {
  return rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcxyz0189"))));
}

rc::Gen<std::string> component() {
  return rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("abAB01-_@ ,=+"))));
}

rc::Gen<std::string> directory() {
  return rc::gen::map(rc::gen::resize(3, rc::gen::container<std::vector<std::string>>(component())), [](auto parts) {
    std::string path;
    for (const auto& part : parts) path += (path.empty() ? "" : "/") + part;
    return path;
  });
}

RC_GTEST_PROP(AttachWord, IsReadAsWhatWasWritten, ()) {
  AttachWord word;
  word.source.kind = *rc::gen::element(SourceKind::named, SourceKind::store, SourceKind::git, SourceKind::file,
                                       SourceKind::standalone);
  const bool is_standalone = word.source.kind == SourceKind::standalone;
  if (word.source.kind == SourceKind::named || word.source.kind == SourceKind::store) {
    word.source.name = (*name()).substr(0, 60);
    word.source.path = *directory();
  }
  RC_PRE(word.source.name != "standalone");
  if (word.source.kind == SourceKind::named && *rc::gen::arbitrary<bool>()) word.source.word = *name();
  if (word.source.kind == SourceKind::git) word.source.url = "https://" + *name() + ":8443/" + *name() + ".git";
  if (word.source.kind == SourceKind::file) word.source.url = "s3://" + *name() + "/x@" + *name();
  word.path = "/" + *name() + "/" + *name();
  word.access = AttachAccess::rw;
  if (!is_standalone) word.access = *rc::gen::element(AttachAccess::ro, AttachAccess::rw, AttachAccess::rwd);
  word.cache = !is_standalone && *rc::gen::arbitrary<bool>();
  RC_ASSERT(parse_attach_word(text_of(word)) == word);
}

RC_GTEST_PROP(AttachWord, IsEitherReadOrRefusedWithItsOwnText, (const std::string& text)) {
  const std::string error = error_of_word(text);
  RC_ASSERT(error.empty() || error.starts_with("invalid: "));
}

}  // namespace
}  // namespace volary
