// cli/object_commands_test.cc: commands on objects as processes, against an API that breaks off, refuses and changes
// its mind.
#include <gtest/gtest.h>

#include "cli/program_test.h"
#include "core/json.h"
#include "record/datastore.h"
#include "record/object.h"

namespace volary {
namespace {

const std::string objects_path = "/api/v1/datastores/gra/buckets/data/objects";

class ObjectCommandsOn : public testing::Test {
 protected:
  Ran volary(std::vector<std::string> words) {
    return run_volary(scratch_, std::move(words), {{"VOLARY_SERVER", api_.url()}, {"VOLARY_TOKEN", "t"}});
  }

  static std::string object(const std::string& key, uint64_t size, const std::string& etag = "e") {
    return print_json(to_json(BucketObject{key, size, etag, {}})) + "\n";
  }
  // A listing; without its last line it is not whole.
  void lists(const std::vector<std::string>& lines, bool is_whole = true, uint64_t left_out = 0) {
    std::vector<std::string> pieces = lines;
    const ListingEnd end{.objects = lines.size(), .bytes = lines.size(), .left_out = left_out};
    if (is_whole) pieces.push_back(print_json(json::object{{"end", to_json(end)}}) + "\n");
    api_.on("GET " + objects_path,
            [pieces](const Request&) { return stream_response("application/x-ndjson", pieces); });
  }
  void takes_uploads() {
    api_.on("PUT " + objects_path,
            [](const Request& request) { return json_response(200, object("set/a", request.body.size())); });
  }
  size_t count(const std::string& start) {
    size_t count = 0;
    for (const std::string& one : api_.requests()) count += one.starts_with(start);
    return count;
  }

  Scratch scratch_;
  FakeApi api_{scratch_.path("s")};
};

TEST_F(ObjectCommandsOn, AListingWithoutItsEndIsNone) {
  lists({object("a", 1)}, false);
  const Ran ran = volary({"bucket", "object", "ls", "data@gra"});
  EXPECT_EQ(ran.code, 8);
  EXPECT_NE(ran.err.find("the listing of 'data' broke off before its end"), std::string::npos) << ran.err;
}

TEST_F(ObjectCommandsOn, NothingIsDeletedAfterAListingWithoutItsEnd) {
  const std::string set = scratch_.write("set/a", "a").parent_path().native();
  takes_uploads();
  api_.on("POST /api/v1/datastores/gra/buckets/data/deletions", 200, R"({"deleted":1,"failures":[]})");
  const std::vector<std::string> upload = {"bucket", "object", "upload",   "data@gra", set,
                                           "-r",     set,      "--delete", "--yes"};
  lists({object("a", 1), object("gone", 1)}, false);
  const Ran ran = volary(upload);
  EXPECT_EQ(ran.code, 8) << ran.err;
  EXPECT_EQ(count("POST"), 0u);
  EXPECT_EQ(count("PUT"), 0u);

  lists({object("a", 1), object("gone", 1)});
  EXPECT_EQ(volary(upload).code, 0);
  EXPECT_EQ(count("POST"), 1u);

  make_directories(scratch_.path("in"));
  const std::string kept = scratch_.write("in/kept", "x").native();
  lists({object("a", 1)}, false);
  const std::string in = scratch_.path("in/").native();
  EXPECT_EQ(volary({"bucket", "object", "download", "data@gra", "-o", in, "--delete", "-y"}).code, 8);
  EXPECT_TRUE(is_present(kept));
}

TEST_F(ObjectCommandsOn, EachObjectCountsOnceOfTheMostThatIsDeleted) {
  const std::string set = scratch_.write("set/a", "a").parent_path().native();
  scratch_.write("set/in/b", "b");
  takes_uploads();
  api_.on("POST /api/v1/datastores/gra/buckets/data/deletions", 200, R"({"deleted":1,"failures":[]})");
  // Of four objects that are there, three go; --no-overwrite lists again, the second directory lies in the first, and
  // what is in the trash is nobody's.
  lists({object("a", 1), object("in/x", 1), object("in/y", 1), object("in/z", 1), object("trash/1", 1),
         object("trash/2", 1), object("trash/3", 1)});
  const Ran ran = volary({"bucket", "object", "upload", "data@gra", set, set + "/in", "-r", set.substr(1) + "/",
                          "--delete", "--no-overwrite", "--trash", "data/trash/"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err, "volary: invalid: This moves 3 of the 4 objects that are there to the trash, more than half. "
                     "Nobody can be asked here: give --yes to say yes\n");
  EXPECT_EQ(count("POST"), 0u);
  EXPECT_EQ(count("PUT"), 0u);
}

TEST_F(ObjectCommandsOn, WhatCannotBeNamedIsSaidAndDeletesNothing) {
  const std::string said = "(2 more have names that are no UTF-8: nothing can be done with them here)";
  const std::string in = scratch_.write("in/kept", "x").parent_path().native() + "/";
  api_.on("POST /api/v1/datastores/gra/buckets/data/deletions", 200, R"({"deleted":1,"failures":[]})");
  api_.on("POST /api/v1/datastores/gra/buckets/data/copies", 200, object("b/a", 1));
  api_.on("GET " + objects_path + "/content", 200, "x");
  lists({object("a", 1)}, true, 2);
  const std::vector<std::vector<std::string>> all = {
      {"ls", "data@gra"},
      {"download", "data@gra", "-o", in},
      {"rm", "data@gra", "--all", "--yes"},
      {"copy", "data@gra", "", "b/", "-p"},
      {"upload", "data@gra", in, "-r", in.substr(1), "--delete", "--dry-run"},
  };
  for (std::vector<std::string> words : all) {
    const std::string name = words[0];
    words.insert(words.begin(), {"bucket", "object"});
    const Ran ran = volary(words);
    EXPECT_EQ(ran.code, 0) << name << ": " << ran.err;
    EXPECT_NE(ran.err.find(said), std::string::npos) << name << ": " << ran.err;
  }
  const size_t deletions = count("POST");
  const Ran mirror = volary({"bucket", "object", "download", "data@gra", "-o", in, "--delete", "-y"});
  EXPECT_EQ(mirror.err, "volary: invalid: --delete could delete files whose objects are there: the names of 2 objects "
                        "in 'data' are no UTF-8, so that nobody knows which files are theirs\n");
  EXPECT_TRUE(is_present(in + "kept"));
  const Ran bucket = volary({"bucket", "rm", "gra", "data", "-y"});
  EXPECT_EQ(bucket.err, "volary: invalid: bucket 'data' cannot be emptied: the names of 2 objects in it are no UTF-8, "
                        "so that they cannot be deleted here. Nothing was deleted\n");
  EXPECT_EQ(count("POST"), deletions);
  EXPECT_EQ(count("DELETE"), 0u);
}

TEST_F(ObjectCommandsOn, WhatIsUnavailableIsTriedAgain) {
  const std::string file = scratch_.write("set/a", "abc").native();
  const auto answers = std::make_shared<std::atomic<int>>(0);
  api_.on("PUT " + objects_path, [answers](const Request& request) {
    if ((*answers)++ == 0) return problem_response(503, "unavailable", "not just now");
    return json_response(200, object("a", request.body.size()));
  });
  const Ran ran = volary({"bucket", "object", "upload", "data@gra", file});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(*answers, 2);
  EXPECT_EQ(ran.err, "1 uploaded (3 B)\n");
}

TEST_F(ObjectCommandsOn, DeletionsThatAreUnavailableAreSentAgainAndNoOthers) {
  lists({object("a", 1), object("b", 1), object("c", 1)});
  api_.on("POST /api/v1/datastores/gra/buckets/data/deletions", [this](const Request&) {
    const DeletedObjects first{1, {{"b", "unavailable", "not just now"}, {"c", "denied", "not yours"}}};
    return json_response(200, print_json(to_json(count("POST") == 1 ? first : DeletedObjects{1, {}})));
  });
  const Ran ran = volary({"bucket", "object", "rm", "data@gra", "--all", "--yes"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(ran.err, "volary: 'c' failed: not yours\n2 deleted (2 B), 1 failed\n"
                     "volary: denied: 1 of 3 objects failed; the first: not yours\n");
  EXPECT_EQ(count("POST"), 2u);
  EXPECT_NE(api_.requests().back().find(R"({"keys":["b"])"), std::string::npos) << api_.requests().back();
}

TEST_F(ObjectCommandsOn, WhatIsRefusedIsNot) {
  const std::string file = scratch_.write("set/a", "abc").native();
  api_.on("PUT " + objects_path, [](const Request&) { return problem_response(403, "denied", "not yours"); });
  const Ran ran = volary({"bucket", "object", "upload", "data@gra", file, "-r", scratch_.path("set").native(), "-j"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(count("PUT"), 1u);
  EXPECT_NE(ran.err.find("volary: 'a' failed: not yours"), std::string::npos) << ran.err;
  EXPECT_EQ(parse_json(ran.out, "out").at("counts").at("failed").as_int64(), 1);
}

TEST_F(ObjectCommandsOn, AnObjectThatIsAnotherByNowIsNoFile) {
  make_directories(scratch_.path("in"));
  lists({object("a", 3)});
  api_.on("GET " + objects_path + "/content",
          [](const Request&) { return problem_response(409, "conflict", "'a' is another one by now"); });
  const Ran ran = volary({"bucket", "object", "download", "data@gra", "-o", scratch_.path("in/").native()});
  EXPECT_EQ(ran.code, 6);
  EXPECT_NE(ran.err.find("'a' is another one by now"), std::string::npos) << ran.err;
  EXPECT_TRUE(list_directory(scratch_.path("in")).empty());
}

TEST_F(ObjectCommandsOn, KeysAreShownWithoutWhatTerminalsObey) {
  lists({object("a\x1b[2Jb", 3)});
  for (const std::string format : {"table", "name"}) {
    const Ran ran = volary({"bucket", "object", "ls", "data@gra", "-o", format});
    EXPECT_EQ(ran.out.find('\x1b'), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("[2Jb"), std::string::npos) << ran.out;
  }
}

TEST_F(ObjectCommandsOn, ContainersAreOfferedForCompletion) {
  const auto store = [](const std::string& name, DatastoreKind kind, const std::string& bucket) {
    Datastore one;
    one.name = name;
    one.kind = kind;
    one.bucket = bucket;
    return print_json(to_json(one));
  };
  api_.on("GET /api/v1/datastores", 200,
          R"({"items":[)" + store("gra", DatastoreKind::s3, "") + "," +
              store("lake", DatastoreKind::s3, "corpora") + "," + store("down", DatastoreKind::s3, "") + "," +
              store("hub", DatastoreKind::hugging_face, "") + "]}");
  api_.on("GET /api/v1/datastores/gra/buckets", 200, R"({"items":[{"name":"data"},{"name":"more"}]})");
  api_.on("GET /api/v1/datastores/down/buckets",
          [](const Request&) { return problem_response(503, "unavailable", "nobody there"); });
  EXPECT_EQ(volary({"__complete", "bucket", "object", "ls", ""}).out, "data@gra\nmore@gra\ncorpora@lake\n");
}

}  // namespace
}  // namespace volary
