// sync/absence_test.cc: what a listing leaves out is noticed before a mirror deletes it.
#include "sync/absence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "core/error.h"
#include "core/scratch_test.h"
#include "remote/memory_remote.h"

namespace volary {
namespace {

// A source that lists nothing of what it has, and counts what it is asked.
struct Silent final : Remote {
  void list(const std::string&, const std::function<void(const RemoteObject&)>&) override {}
  std::optional<RemoteObject> find(const std::string& key) override {
    ++asked;
    if (key.find("odd") != key.npos) throw Error(Errc::invalid, "no key of this store");
    return inner->find(key);
  }
  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override {
    return inner->get(key, options, sink);
  }
  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    return inner->put(key, source, size);
  }
  void remove(const std::string& key) override { inner->remove(key); }
  std::string description() const override { return "a store"; }

  std::unique_ptr<Remote> inner = open_memory_remote();
  std::atomic<int> asked{0};
};

struct Mirror {
  explicit Mirror(size_t files) {
    for (size_t i = 0; i < files; ++i) add(fmt::format("file {:06}", i));
  }
  void add(const std::string& path) {
    Listed file;
    file.path = TreePath::parse(path);
    acts.add(PlanAct::delete_, file, nullptr);
    ++deletes;
  }
  void check() { check_absence(source, TreePath::parse("dir"), acts, deletes); }
  void put(const std::string& key) {
    StringSource bytes("x");
    source.put(key, bytes, 1);
  }

  Silent source;
  TestDirectory directory;
  ActList acts{directory.path()};
  uint64_t deletes = 0;
};

TEST(Absence, of_all_that_a_mirror_deletes_is_asked_about) {
  Mirror mirror(100);
  mirror.check();
  EXPECT_EQ(mirror.source.asked, 100);
  mirror.put("dir/file 000099");
  EXPECT_THAT([&] { mirror.check(); }, ::testing::ThrowsMessage<Error>(::testing::HasSubstr(
                                           "the listing of a store leaves out 'dir/file 000099'")));
}

TEST(Absence, of_very_much_is_asked_about_in_so_many_places_that_a_page_is_not_missed) {
  Mirror mirror(100'000);
  mirror.check();
  EXPECT_EQ(mirror.source.asked, 128);
  for (int i = 41'234; i < 42'234; ++i) mirror.put(fmt::format("dir/file {:06}", i));
  EXPECT_THROW(mirror.check(), Error);
}

TEST(Absence, is_certain_of_what_cannot_be_a_key) {
  Mirror mirror(0);
  mirror.add("odd");
  mirror.check();
  EXPECT_EQ(mirror.source.asked, 1);
}

}  // namespace
}  // namespace volary
