// cli/output.cc: tables and YAML of cli/output.h.
#include "cli/output.h"

#include <algorithm>
#include <array>

#include <boost/json/serialize.hpp>

#include "core/tree_path.h"

namespace volary {
namespace {

struct Colour {
  std::string_view word;
  std::string_view code;
};

constexpr std::array colours = {
    Colour{"DONE", "32"},    Colour{"done", "32"},        Colour{"yes", "32"},         Colour{"ok", "32"},
    Colour{"RUNNING", "36"}, Colour{"running", "36"},     Colour{"FAILED", "31"},      Colour{"failed", "31"},
    Colour{"ERROR", "31"},   Colour{"INTERRUPTED", "33"}, Colour{"cancelled", "33"},   Colour{"TIMEOUT", "33"},
    Colour{"no", "33"},      Colour{"planning", "36"},    Colour{"INITIALIZING", "36"}, Colour{"FINALIZING", "36"}};

// --- YAML: block style; a text that another reader could take for something else is quoted as JSON quotes it.

bool is_plain(std::string_view text) {
  if (text.empty() || !is_utf8(text)) return false;
  static constexpr std::array<std::string_view, 12> special = {"true", "false", "yes", "no",   "on", "off",
                                                               "null", "~",     "y",   "n",    "-",  "="};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (std::find(special.begin(), special.end(), lower) != special.end()) return false;
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_';
  };
  if (!is_letter(text[0])) return false;  // Numbers, dates and indicators begin otherwise.
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ',' || c == '(' || c == ')' ||
           (c == ' ' && text.back() != ' ');
  });
}

std::string yaml_scalar(const json::value& value) {
  if (const auto* text = value.if_string(); text && is_plain(*text)) return std::string(*text);
  return json::serialize(value);
}

bool is_block(const json::value& value) {
  return (value.is_object() && !value.get_object().empty()) || (value.is_array() && !value.get_array().empty());
}

void yaml_into(std::string& out, const json::value& value, size_t indent) {
  const std::string margin(indent, ' ');
  if (const auto* object = value.if_object(); object && !object->empty()) {
    for (const auto& pair : *object) {
      out += margin + yaml_scalar(json::string(pair.key())) + ":";
      if (is_block(pair.value())) {
        out += "\n";
        yaml_into(out, pair.value(), indent + 2);
      } else {
        out += " " + yaml_scalar(pair.value()) + "\n";
      }
    }
  } else if (const auto* array = value.if_array(); array && !array->empty()) {
    for (const auto& item : *array) {
      if (!is_block(item)) {
        out += margin + "- " + yaml_scalar(item) + "\n";
        continue;
      }
      std::string block;
      yaml_into(block, item, indent + 2);
      block[indent] = '-';  // The first line of the block takes the dash into its own margin.
      out += block;
    }
  } else {
    out += margin + yaml_scalar(value) + "\n";
  }
}

}  // namespace

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string yaml_text(const json::value& value) {
  std::string out;
  yaml_into(out, value, 0);
  return out;
}

void Output::document(const json::value& value) {
  print_(format_ == Format::yaml ? yaml_text(value) : print_json_pretty(value) + "\n");
}

std::string Output::painted(std::string_view word) const {
  if (paint_ == Paint::yes)
    for (const Colour& colour : colours)
      if (colour.word == word) return fmt::format("\x1b[{}m{}\x1b[0m", colour.code, word);
  return std::string(word);
}

void Output::table(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& title : titles) widths.push_back(columns_of(title));
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(printable(row[i])));
  std::string out;
  const auto add = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = printable(row[i]);  // What others named must not steer this terminal.
      out += painted(cell);
      if (i + 1 < row.size()) out += std::string(widths[i] - columns_of(cell) + 2, ' ');
    }
    out += "\n";
  };
  add(titles);
  for (const auto& row : rows) add(row);
  print_(out);
}

void Output::sheet(const std::vector<std::pair<std::string, std::string>>& lines) {
  size_t width = 0;
  for (const auto& [title, value] : lines) width = std::max(width, columns_of(title));
  std::string out;
  for (const auto& [title, value] : lines)
    out += title + ":" + std::string(width - columns_of(title) + 2, ' ') + painted(printable(value)) + "\n";
  print_(out);
}

std::string time_text(Time time) {
  if (!time) return "-";
  const std::string text = to_text(time);
  return text.substr(0, 19) + "Z";
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string trail_text(std::string_view error) {
  std::string text;
  for (size_t at = 0; at < error.size();) {
    const size_t end = std::min(error.find('\n', at), error.size());
    std::string_view line = error.substr(at, end - at);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    text += (text.empty() ? "" : "; ") + std::string(line);
    at = end + 1;
  }
  return or_dash(text);
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : std::string(separator)) + word;
  return text;
}

std::string word_of(std::string_view enum_name) {
  std::string word(enum_name);
  while (word.ends_with('_')) word.pop_back();
  std::replace(word.begin(), word.end(), '_', '-');
  return word;
}

std::string short_digest(std::string_view hex) { return or_dash(hex.substr(0, 12)); }

}  // namespace volary
