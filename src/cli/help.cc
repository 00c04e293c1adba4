// cli/help.cc: usage, words, options and examples, in this order.
#include "cli/help.h"

#include <algorithm>

#include "cli/command_tree.h"
#include "cli/output.h"

namespace volary {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string indented(const Rows& rows) {
  constexpr size_t left_max = 32;
  size_t width = 0;
  for (const auto& [left, right] : rows)
    if (left.size() <= left_max) width = std::max(width, left.size());
  std::string text;
  for (const auto& [left, right] : rows)
    text += left.size() > left_max ? fmt::format("  {}\n  {:{}}  {}\n", left, "", width, right)
                                   : fmt::format("  {:{}}  {}\n", left, width, right);
  return text;
}

std::string left_of(const CommandField& field) {
  if (!field.is_option()) return field.name;
  std::string left = joined(names_of(field), ", ");
  if (!left.starts_with("--")) return takes_value(field) ? left + " " + field.value : left;
  return "    " + (takes_value(field) ? left + " " + field.value : left);
}

std::string right_of(const CommandField& field) {
  return field.choices.empty() ? field.help : field.help + " (" + joined(field.choices, ", ") + ")";
}

std::string usage(const Command& command) {
  std::string line = "volary " + joined(command.path, " ");
  const auto is_option = [](const CommandField& field) { return field.is_option(); };
  if (std::any_of(command.fields.begin(), command.fields.end(), is_option)) line += " [OPTIONS]";
  for (const CommandField& field : command.fields) {
    if (field.is_option()) continue;
    std::string word = field.name;
    if (std::holds_alternative<std::vector<std::string>*>(field.target)) word += "...";
    line += field.need == Need::required ? " " + word : " [" + word + "]";
  }
  return line;
}

std::string sentence_of(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text.empty() || text.ends_with('.') ? text : text + ".";
}

std::string examples(const std::string& lines) {
  if (lines.empty()) return "";
  std::string text = "\nExamples:\n  ";
  for (const char c : lines) text += c == '\n' ? "\n  " : std::string(1, c);
  return text + "\n";
}

std::string global_options(const Command* command) {
  GlobalFlags unused;
  Rows rows;
  for (const CommandField& field : global_fields(unused, command)) rows.emplace_back(left_of(field), right_of(field));
  rows.emplace_back("-h, --help", "this page");
  return "\nWith every command:\n" + indented(rows);
}

std::string group_text(const std::vector<Command>& commands, const std::vector<std::string>& path) {
  const std::string name = joined(path, " ");
  std::string text = "Usage: volary " + name + (name.empty() ? "" : " ") + "COMMAND\n\n";
  text += path.empty() ? "Volary keeps versioned volumes for AI training, and runs jobs on them.\n"
                       : sentence_of(group_summary(name)) + "\n";
  Rows rows;
  for (const Child& child : children_of(commands, path)) rows.emplace_back(child.word, child.summary);
  text += "\nCommands:\n" + indented(rows);
  if (path.empty())
    text += global_options(nullptr) +
            examples("volary volume create digits --type dataset\n"
                     "volary datastore add directory mine /srv/data\n"
                     "volary volume import digits --from mine:digits\n"
                     "volary job run -f config.yaml --wait --logs");
  return text + fmt::format("\n'volary {}COMMAND --help' says more.\n", name.empty() ? "" : name + " ");
}

}  // namespace

std::string help_text(const std::vector<Command>& commands, const std::vector<std::string>& path) {
  const Command* command = find_command(commands, path);
  if (!command) return group_text(commands, path);
  std::string text = "Usage: " + usage(*command) + "\n\n" + sentence_of(command->summary) + "\n";
  if (!command->more.empty()) text += command->more + "\n";
  Rows words;
  Rows options;
  for (const CommandField& field : command->fields)
    (field.is_option() ? options : words).emplace_back(left_of(field), right_of(field));
  if (!words.empty()) text += "\nWords:\n" + indented(words);
  if (!options.empty()) text += "\nOptions:\n" + indented(options);
  Rows below;
  for (const Child& child : children_of(commands, path)) below.emplace_back(child.word, child.summary);
  if (!below.empty()) text += "\nCommands:\n" + indented(below);
  text += global_options(command);
  if (!command->aliases.empty()) text += "\nAlso known as: " + joined(command->aliases, ", ") + "\n";
  return text + examples(command->example);
}

}  // namespace volary
