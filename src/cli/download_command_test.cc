// cli/download_command_test.cc: `volary volume download` as processes, against an API with one version.
#include <gtest/gtest.h>

#include "cli/landing.h"
#include "cli/program_test.h"
#include "core/json.h"
#include "record/volume.h"

namespace volary {
namespace {

class DownloadFrom : public testing::Test {
 protected:
  // A volume 'wiki' of these files, the only thing that the API knows.
  void has(const std::map<std::string, std::string>& files) {
    Version version;
    version.volume = "wiki";
    version.number = 1;
    api_.on("GET /api/v1/volumes/wiki/versions/head", 200, print_json(to_json(version)));
    json::array items;
    for (const auto& [path, content] : files) {
      digests_[path] = Digest::of(content).hex();
      items.push_back(to_json(FileEntry{path, "file", content.size(), 1, false, digests_[path], ""}));
    }
    api_.on("GET /api/v1/volumes/wiki/files", 200, print_json(json::object{{"items", items}}));
    on_content([](const Request&) {});
    files_ = files;
  }
  // `first` is called with each request for a file's content, before it is answered.
  void on_content(std::function<void(const Request&)> first) {
    api_.on("GET /api/v1/volumes/wiki/content", [this, first = std::move(first)](const Request& request) {
      first(request);
      const std::string path = *request.parameter("path");
      Response response = json_response(200, files_.at(path));
      response.content_type = "application/octet-stream";
      response.headers.emplace_back("etag", "\"" + digests_.at(path) + "\"");
      return response;
    });
  }
  Ran download(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"volume", "download", "wiki", out().native()};
    words.insert(words.end(), more.begin(), more.end());
    return run_volary(scratch_, std::move(words), {{"VOLARY_SERVER", api_.url()}, {"VOLARY_TOKEN", "t"}});
  }
  Path out() const { return scratch_.path("out"); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : list_directory(out())) names.push_back(entry.name);
    return names;
  }

  Scratch scratch_;
  FakeApi api_{scratch_.path("s")};
  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> digests_;  // As the listing says them.
};

TEST_F(DownloadFrom, TwoAtOnceMakeOneFileThatIsWhole) {
  has({{"large", std::string(3'000'000, 'x')}});
  Ran second;
  on_content([&](const Request&) {
    on_content([](const Request&) {});
    second = download();
  });
  const Ran first = download();
  EXPECT_EQ(first.err, "1 file (2.86 MiB) fetched and verified of wiki@1, 0 here already\n");
  EXPECT_EQ(second.code, 6) << second.err;
  EXPECT_EQ(second.err.substr(0, second.err.find('\n')),
            "volary: conflict: '" + (out() / "large").native() + "' is being received by another process");
  EXPECT_EQ(names(), std::vector<std::string>{"large"});
  EXPECT_TRUE(read_file(out() / "large") == files_["large"]);
}

TEST_F(DownloadFrom, FilesOfAnyDirectoryStay) {
  has({{".volary-download/a", "one"}, {"b", "two"}});
  const Ran ran = download();
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(read_file(out() / ".volary-download/a"), "one");
  EXPECT_EQ(read_file(out() / "b"), "two");
}

TEST_F(DownloadFrom, WhatIsNotAsPromisedIsNoFile) {
  has({{"a", "right"}});
  on_content([&](const Request&) { files_["a"] = "wrong"; });
  const Ran ran = download();
  EXPECT_EQ(ran.code, 9) << ran.err;
  EXPECT_EQ(names(), std::vector<std::string>{});
}

}  // namespace
}  // namespace volary
