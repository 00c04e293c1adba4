// sync/acts_test.cc: a list of acts gives back what it was given, from memory and from its file.
#include "sync/acts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "core/scratch_test.h"

namespace volary {
namespace {

Listed file_of(const std::string& path, const std::string& content) {
  Listed file;
  file.path = TreePath::parse(path);
  file.size = content.size() * 1000;
  file.etag = content.empty() ? "" : '"' + content + '"';
  if (content != "unknown") file.digest = Digest::of(content);
  file.executable = content == "run";
  return file;
}

std::string text_of(const Listed& file) {
  return fmt::format("{} {} {} {} {}", file.path.text(), file.size, file.etag, file.digest ? file.digest->hex() : "-",
                     file.executable);
}

std::string text_of(const FileAct& act) {
  const std::string text = (act.act == PlanAct::copy ? "copy " : "delete ") + text_of(act.file);
  return act.replaces ? text + ", was " + text_of(*act.replaces) : text;
}

std::vector<std::string> texts_of(const ActList& list) {
  std::vector<std::string> texts;
  ActList::Reader reader(list);
  for (FileAct act; reader.next(act);) texts.push_back(text_of(act));
  return texts;
}

// What the plan says without a list, in the order of paths.
std::vector<std::string> texts_of(const Planner::Result& made) {
  std::map<std::string, std::string> texts;
  for (const PlannedCopy& copy : made.plan.copies) {
    FileAct act{PlanAct::copy, made.source[copy.source], {}};
    if (copy.replaces) act.replaces = made.target[*copy.replaces];
    texts[act.file.path.text()] = text_of(act);
  }
  for (const size_t index : made.plan.deletes) {
    const FileAct act{PlanAct::delete_, made.target[index], {}};
    texts[act.file.path.text()] = text_of(act);
  }
  std::vector<std::string> sorted;
  for (const auto& [path, text] : texts) sorted.push_back(text);
  return sorted;
}

std::vector<Listed> any_side() {
  static const std::string names[] = {"a", "a-", "b", "a rather long name of a directory"};
  static const std::string contents[] = {"", "1", "22", "run", "unknown"};
  std::map<std::string, std::string> files;
  for (int i = *rc::gen::inRange(0, 12); i > 0; --i) {
    std::string path;
    for (int j = *rc::gen::inRange(1, 4); j > 0; --j)
      path += (path.empty() ? "" : "/") + names[*rc::gen::inRange(0, 4)];
    files.emplace(path, contents[*rc::gen::inRange(0, 5)]);
  }
  std::vector<Listed> side;
  for (const auto& [path, content] : files) side.push_back(file_of(path, content));
  return side;
}

RC_GTEST_PROP(Acts, are_what_the_plan_says_without_a_list_whether_in_memory_or_in_a_file, ()) {
  static const TestDirectory directory;
  const auto strategy = *rc::gen::element(Strategy::overwrite, Strategy::no_overwrite, Strategy::mirror);
  const std::vector<Listed> source = any_side();
  const std::vector<Listed> target = any_side();
  const auto wanted = texts_of(make_plan(source, target, {.strategy = strategy}));
  for (const size_t held_max : {size_t{0}, size_t{200}, ActList::held_bytes_max}) {
    ActList acts(directory.path(), held_max);
    const Plan plan = make_plan(source, target, {.strategy = strategy}, &acts).plan;
    RC_ASSERT(texts_of(acts) == wanted);
    RC_ASSERT(plan.copy_files + plan.delete_files == wanted.size());
    RC_ASSERT(plan.copies.empty() && plan.deletes.empty());
  }
}

TEST(Acts, that_are_many_are_read_along_any_number_of_times_and_leave_nothing_behind) {
  const TestDirectory directory;
  {
    ActList acts(directory.path());
    const auto nth = [](int i) { return file_of(fmt::format("d{:03}/f{:03}", i / 1000, i % 1000), "22"); };
    for (int i = 0; i < 100'000; ++i) acts.add(PlanAct::copy, nth(i), nullptr);
    EXPECT_EQ(list_directory(directory.path()).size(), 1u);
    for (int pass = 0; pass < 2; ++pass) {
      ActList::Reader reader(acts);
      FileAct act;
      for (int i = 0; i < 100'000; ++i) {
        ASSERT_TRUE(reader.next(act));
        ASSERT_EQ(text_of(act.file), text_of(nth(i)));
      }
      EXPECT_FALSE(reader.next(act));
    }
  }
  EXPECT_TRUE(list_directory(directory.path()).empty());
}

}  // namespace
}  // namespace volary
