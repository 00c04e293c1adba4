// cli/output_test.cc: tables, sheets, YAML and JSON as they are printed.
#include "cli/output.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/yaml.h"
#include "record/volume.h"

namespace volary {
namespace {

std::string printed(Format format, const std::function<void(Output&)>& work, Paint paint = Paint::no) {
  std::string text;
  Output output(format, paint, [&](std::string_view more) { text += more; });
  work(output);
  return text;
}

const std::vector<Column<Lease>>& columns() {
  static const std::vector<Column<Lease>> columns = {
      {"ID", [](const Lease& l) { return l.id; }},
      {"VOLUME", [](const Lease& l) { return l.volume; }},
      {"HOLDER", [](const Lease& l) { return l.holder; }, Show::wide}};
  return columns;
}

json::array leases() {
  Lease one{.id = "l1",
            .volume = "wiki-en",
            .kind = "reader",
            .version = 3,
            .epoch = 0,
            .holder = "job j",
            .acquired_at = {}};
  Lease two = one;
  two.id = "l-22";
  two.volume = "ä";
  return {to_json(one), to_json(two)};
}

TEST(Table, HasColumnsAsWideAsTheirWidestCell) {
  EXPECT_EQ(printed(Format::table, [](Output& o) { o.list<Lease>(leases(), columns()); }),
            "ID    VOLUME\n"
            "l1    wiki-en\n"
            "l-22  ä\n");
}

TEST(Table, ShowsMoreWhenItIsWide) {
  EXPECT_EQ(printed(Format::wide, [](Output& o) { o.list<Lease>(leases(), columns()); }),
            "ID    VOLUME   HOLDER\n"
            "l1    wiki-en  job j\n"
            "l-22  ä        job j\n");
}

TEST(Table, OfNothingIsItsTitles) {
  EXPECT_EQ(printed(Format::table, [](Output& o) { o.list<Lease>({}, columns()); }), "ID  VOLUME\n");
}

TEST(Table, DoesNotLetNamesSteerTheTerminal) {
  const std::string text = printed(Format::table, [](Output& o) { o.table({"A"}, {{"x\x1b[31m\ny"}}); });
  EXPECT_EQ(text, "A\nx\\x1b[31m\\x0ay\n");
}

TEST(Table, PaintsStatesOnlyWhenAsked) {
  const auto work = [](Output& o) { o.table({"STATE", "X"}, {{"DONE", "1"}}); };
  EXPECT_EQ(printed(Format::table, work), "STATE  X\nDONE   1\n");
  EXPECT_EQ(printed(Format::table, work, Paint::yes), "STATE  X\n\x1b[32mDONE\x1b[0m   1\n");
}

TEST(Names, AreTheFirstColumnAlone) {
  EXPECT_EQ(printed(Format::name, [](Output& o) { o.list<Lease>(leases(), columns()); }), "l1\nl-22\n");
}

TEST(Record, IsASheetOfAllColumns) {
  EXPECT_EQ(printed(Format::table, [](Output& o) { o.record<Lease>(leases()[0], columns()); }),
            "ID:      l1\n"
            "VOLUME:  wiki-en\n"
            "HOLDER:  job j\n");
}

TEST(Record, KeepsWhatANewerServerAdds) {
  json::object lease = leases()[0].as_object();
  lease["colour"] = "red";
  EXPECT_NE(printed(Format::json, [&](Output& o) { o.record<Lease>(lease, columns()); }).find("\"colour\": \"red\""),
            std::string::npos);
  EXPECT_NE(printed(Format::table, [&](Output& o) { o.record<Lease>(lease, columns()); }).find("wiki-en"),
            std::string::npos);
}

TEST(YamlText, IsBlocksWithQuotesWhereNeeded) {
  const json::value value = parse_json(
      R"({"name":"wiki","version":3,"tags":["a","yes","3","", "a: b"],)"
      R"("nested":{"list":[{"x":1,"z":[2]},[]],"none":null}})",
      "the text");
  EXPECT_EQ(yaml_text(value),
            "name: wiki\n"
            "version: 3\n"
            "tags:\n"
            "  - a\n"
            "  - \"yes\"\n"
            "  - \"3\"\n"
            "  - \"\"\n"
            "  - \"a: b\"\n"
            "nested:\n"
            "  list:\n"
            "    - x: 1\n"
            "      z:\n"
            "        - 2\n"
            "    - []\n"
            "  none: null\n");
}

TEST(YamlText, OfAListBeginsAtTheMargin) {
  EXPECT_EQ(yaml_text(parse_json(R"([{"a":"b","c":"d"},"e"])", "the text")), "- a: b\n  c: d\n- e\n");
  EXPECT_EQ(yaml_text(json::array()), "[]\n");
}

RC_GTEST_PROP(YamlText, IsReadBackAsTheSameText, (const std::string& text)) {
  RC_PRE(text.find('\0') == std::string::npos);
  std::string ascii;
  for (const char c : text) ascii += static_cast<char>(c & 0x7f);
  const Yaml yaml = parse_yaml(yaml_text(json::object{{"key", ascii}}), "it");
  const Yaml* value = yaml.find("key");
  RC_ASSERT(value != nullptr);
  RC_ASSERT(value->text == ascii);
}

TEST(Words, AreThoseThatPeopleKnow) {
  EXPECT_EQ(word_of("export_"), "export");
  EXPECT_EQ(word_of("no_overwrite"), "no-overwrite");
  EXPECT_EQ(time_text(parse_time("2026-11-20T21:34:05.123Z")), "2026-11-20T21:34:05Z");
  EXPECT_EQ(time_text({}), "-");
}

TEST(TrailText, is_an_error_in_one_line) {
  EXPECT_EQ(trail_text(""), "-");
  EXPECT_EQ(trail_text("not_found: there is no 'a'"), "not_found: there is no 'a'");
  EXPECT_EQ(trail_text("not_found: there is no 'a'\n     while fetching 'a'\n     while importing"),
            "not_found: there is no 'a'; while fetching 'a'; while importing");
}

}  // namespace
}  // namespace volary
