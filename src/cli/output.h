// cli/output.h: what a command prints on stdout: a table, JSON, YAML or bare names.
//
// One list of columns serves a list (a row a record) and a single record (a line a column). The first column is what
// names the record: it alone is printed with `-o name`.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace volary {

// Those after `name` are for the commands that say so (Command::formats).
enum class Format { table, wide, json, yaml, name, csv, dot, svg };
BOOST_DESCRIBE_ENUM(Format, table, wide, json, yaml, name, csv, dot, svg)

enum class Show { always, wide };  // With `-o wide`, and for a single record, every column is shown.
enum class Paint { no, yes };      // Whether words of state get a colour.

template <class Record>
struct Column {
  std::string title;
  std::function<std::string(const Record&)> text;
  Show show = Show::always;
};

class Output {
 public:
  // `print` takes what goes to stdout.
  Output(Format format, Paint paint, std::function<void(std::string_view)> print)
      : format_(format), paint_(paint), print_(std::move(print)) {}

  Format format() const { return format_; }
  bool is_structured() const { return format_ == Format::json || format_ == Format::yaml; }
  void text(std::string_view text) { print_(text); }
  void line(std::string_view line) { print_(std::string(line) + "\n"); }
  // As JSON or YAML; for the other formats as JSON.
  void document(const json::value& value);

  template <class Record>
  void list(const json::array& items, const std::vector<Column<Record>>& columns) {
    if (is_structured()) return document(items);
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> titles;
    for (const auto& column : columns)
      if (shown(column.show)) titles.push_back(column.title);
    for (const json::value& item : items) {
      const auto record = from_json<Record>(item, "answer", Unknown::ignore);
      if (format_ == Format::name) {
        line(columns.front().text(record));
        continue;
      }
      rows.emplace_back();
      for (const auto& column : columns)
        if (shown(column.show)) rows.back().push_back(column.text(record));
    }
    if (format_ != Format::name) table(titles, rows);
  }

  template <class Record>
  void record(const json::value& value, const std::vector<Column<Record>>& columns) {
    if (is_structured()) return document(value);
    const auto record = from_json<Record>(value, "answer", Unknown::ignore);
    if (format_ == Format::name) return line(columns.front().text(record));
    std::vector<std::pair<std::string, std::string>> lines;
    for (const auto& column : columns) lines.emplace_back(column.title, column.text(record));
    sheet(lines);
  }

  // Columns as wide as their widest cell; nothing at all for no rows but the titles.
  void table(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows);
  // "Title:  value" lines.
  void sheet(const std::vector<std::pair<std::string, std::string>>& lines);
  // A word of state, coloured if that is wanted.
  std::string painted(std::string_view word) const;

 private:
  bool shown(Show show) const { return show == Show::always || format_ == Format::wide; }

  Format format_;
  Paint paint_;
  std::function<void(std::string_view)> print_;
};

// The columns a terminal needs for valid UTF-8 text, one a code point.
size_t columns_of(std::string_view text);
std::string yaml_text(const json::value& value);
// "2026-11-20T21:34:05Z", "-" for never.
std::string time_text(Time time);
// "-" for nothing.
std::string or_dash(std::string_view text);
// An Error's lines (core/error.h) as one, for a cell: "not_found: …; while importing …".
std::string trail_text(std::string_view error);
std::string joined(const std::vector<std::string>& words, std::string_view separator);
// The name of an enum's value as people know it: without the underscore that C++ needed, '-' for '_'.
std::string word_of(std::string_view enum_name);
// The first 12 digits of a checksum.
std::string short_digest(std::string_view hex);

}  // namespace volary
