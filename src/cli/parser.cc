// cli/parser.cc: the one file that knows CLI11: it builds CLI11's tree from the table, and says in our words what is
// wrong.
#include "cli/parser.h"

#include <algorithm>
#include <map>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/command_tree.h"
#include "cli/output.h"

namespace volary {
namespace {

using Strings = std::vector<std::string>;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

void check_choice(const CommandField& field, const std::string& value) {
  if (field.choices.empty() || std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end())
    return;
  const std::string guess = nearest(value, field.choices);
  throw Error(Errc::invalid, "'{}' is no value for {}: expected one of {}{}", value, names_of(field).back(),
              joined(field.choices, ", "), guess.empty() ? "" : "; did you mean '" + guess + "'?");
}

void add_field(CLI::App& app, const CommandField& field) {
  CLI::Option* option =
      std::visit(Overloaded{
                     [&](bool* flag) -> CLI::Option* { return app.add_flag(field.name, *flag); },
                     [&](std::string* text) -> CLI::Option* { return app.add_option(field.name, *text); },
                     [&](std::optional<std::string>* text) -> CLI::Option* {
                       return app.add_option_function<std::string>(field.name,
                                                                   [text](const std::string& given) { *text = given; });
                     },
                     [&](std::vector<std::string>* texts) -> CLI::Option* {
                       CLI::Option* list = app.add_option(field.name, *texts);
                       if (field.is_option()) list->expected(1)->take_all()->allow_extra_args(false);
                       return list;
                     },
                 },
                 field.target);
  if (field.need == Need::required) option->required();
  if (field.value_may_lack) option->expected(0, 1);
}

// "volary job run -- COMMAND…": everything after its options is somebody else's.
bool takes_a_command_line(const Command& command) {
  return std::any_of(command.fields.begin(), command.fields.end(), [](const CommandField& field) {
    return !field.is_option() && std::holds_alternative<std::vector<std::string>*>(field.target);
  });
}

void check_choices(const std::vector<CommandField>& fields) {
  for (const CommandField& field : fields)
    std::visit(Overloaded{
                   [](bool*) {},
                   [&](std::string* text) { if (!text->empty()) check_choice(field, *text); },
                   [&](std::optional<std::string>* text) { if (*text) check_choice(field, **text); },
                   [&](std::vector<std::string>* texts) { for (const auto& one : *texts) check_choice(field, one); },
               },
               field.target);
}

// "job run -- COMMAND…" names no IMAGE: CLI11 gave it the first word all the same, if the list has fewer than came
// after "--".
void keep_after_dashes(const Command& command, const Strings& arguments) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes == arguments.end()) return;
  const auto after = static_cast<size_t>(arguments.end() - dashes - 1);
  std::optional<std::string>* before = nullptr;
  for (const CommandField& field : command.fields) {
    if (field.is_option()) continue;
    if (const auto* text = std::get_if<std::optional<std::string>*>(&field.target)) before = *text;
    if (!field.has_dashes || !before || !*before) continue;
    auto& list = *std::get<std::vector<std::string>*>(field.target);
    if (list.size() >= after) continue;
    list.insert(list.begin(), **before);
    before->reset();
  }
}

bool contains(const Strings& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Whether a command's last word, by one of its names, is among the words: no other can be meant.
bool may_be_meant(const Command& command, const Strings& words) {
  return contains(words, command.path.back()) ||
         std::any_of(command.aliases.begin(), command.aliases.end(),
                     [&](const std::string& alias) { return contains(words, alias); });
}

// The group of commands above this one, as far down as it may be meant.
Strings group_meant(const Command& command, const Strings& words) {
  const auto last = std::find_if_not(command.path.begin(), command.path.end() - 1,
                                     [&](const std::string& word) { return contains(words, word); });
  return {command.path.begin(), last};
}

// CLI11's tree of the commands that may be meant by some words, with the way back from its nodes to paths. A tree of
// all would take longer to make than the rest of a start.
class Tree {
 public:
  Tree(const std::vector<Command>& commands, GlobalFlags& flags, const Strings& words)
      : commands_(commands), flags_(flags), globals_(global_fields(flags)) {
    root_.set_help_flag("-h,--help");
    root_.require_subcommand(0, 1);  // So that "volume" is no command any more where a thing of that name may stand.
    root_.add_flag("--version", version_);
    for (const CommandField& field : globals_) add_field(root_, field);
    for (const Command& command : commands) {
      if (!may_be_meant(command, words)) {
        node(group_meant(command, words));
        continue;
      }
      CLI::App& app = node(command.path);
      for (const auto& alias : command.aliases) app.alias(alias);
      for (const CommandField& field : command.fields) add_field(app, field);
    }
  }

  Parsed parse(const Strings& arguments) {
    Strings reversed(arguments.rbegin(), arguments.rend());
    Parsed parsed;
    try {
      root_.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
      parsed.asked = Asked::help;
    } catch (const CLI::ParseError& problem) {  // The one place that calls CLI11: here its errors become ours.
      throw translated(problem);
    }
    parsed.path = chosen();
    parsed.command = find_command(commands_, parsed.path);
    if (version_) parsed.asked = Asked::version;
    if (parsed.command) keep_after_dashes(*parsed.command, arguments);
    if (parsed.asked == Asked::run) {
      check_choices(global_fields(flags_, parsed.command));
      if (parsed.command) check_choices(parsed.command->fields);
    }
    return parsed;
  }

 private:
  CLI::App& node(const Strings& path) {
    CLI::App* app = &root_;
    Strings below;
    for (const auto& word : path) {
      below.push_back(word);
      CLI::App*& known = nodes_[below];
      if (!known) {
        known = app->add_subcommand(word);
        known->fallthrough()->require_subcommand(0, 1);
      }
      app = known;
    }
    return *app;
  }

  Strings chosen() const {
    Strings path;
    for (const CLI::App* app = &root_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      path.push_back(app->get_name());
    }
    return path;
  }

  Error translated(const CLI::ParseError& problem) const {
    const Strings path = chosen();
    const std::string name = joined({"volary", joined(path, " ")}, path.empty() ? "" : " ");
    const std::string hint = "; see '" + name + " --help'";
    if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
      const Strings extra = root_.remaining(true);
      if (!extra.empty()) return unexpected(extra.front(), path, name, hint);
    }
    if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError))
      return {Errc::invalid, "'{}' lacks something: {}{}", name, problem.what(), hint};
    const std::string words = problem.what();
    if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch) && words.starts_with("-"))
      return {Errc::invalid, "'{}' lacks its value{}", words.substr(0, words.find(':')), hint};
    return {Errc::invalid, "{}{}", words, hint};
  }

  Error unexpected(const std::string& word, const Strings& path, const std::string& name,
                   const std::string& hint) const {
    Strings known;
    const Command* command = find_command(commands_, path);
    if (word.starts_with("-")) {
      for (const CommandField& field : globals_)
        for (const auto& one : names_of(field)) known.push_back(one);
      if (command)
        for (const CommandField& field : command->fields)
          if (field.is_option())
            for (const auto& one : names_of(field)) known.push_back(one);
      // Of "-c" every other short option is as near as the next.
      const std::string guess = word.starts_with("--") ? nearest(word, known) : "";
      if (guess.empty() && command && takes_a_command_line(*command))
        return {Errc::invalid, "'{}' is no option of '{}': if it belongs to what is to be run, put '--' before that{}",
                word, name, hint};
      return {Errc::invalid, "'{}' is no option of '{}'{}{}", word, name,
              guess.empty() ? "" : ": did you mean '" + guess + "'?", guess.empty() ? hint : ""};
    }
    for (const Child& child : children_of(commands_, path)) known.push_back(child.word);
    if (known.empty()) return {Errc::invalid, "'{}' is one word too many for '{}'{}", word, name, hint};
    const std::string guess = nearest(word, known);
    return {Errc::invalid, "'{}' is no command of '{}': {}", word, name,
            guess.empty() ? "expected one of " + joined(known, ", ") : "did you mean '" + guess + "'?"};
  }

  const std::vector<Command>& commands_;
  GlobalFlags& flags_;
  std::vector<CommandField> globals_;
  CLI::App root_{"", "volary"};
  std::map<Strings, CLI::App*> nodes_;
  bool version_ = false;
};

// "--auto-restart" alone, before "--", is "--auto-restart=on-timeout": the next word is not its value.
void give_values(const std::vector<Command>& commands, Strings& words) {
  const auto dashes = std::find(words.begin(), words.end(), "--");
  for (const Command& command : commands)
    for (const CommandField& field : command.fields) {
      if (field.value_alone.empty() || !may_be_meant(command, words)) continue;
      const Strings names = names_of(field);
      for (auto word = words.begin(); word != dashes; ++word)
        if (contains(names, *word)) *word += "=" + field.value_alone;
    }
}

}  // namespace

Parsed parse_arguments(const std::vector<Command>& commands, GlobalFlags& flags, const Strings& arguments) {
  // "help volume" and "volume help" are what other programs understand.
  Strings words = arguments;
  const auto asks_for_help = [&](size_t at) {
    return words.size() > at && words[at] == "help" &&
           !children_of(commands, {words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at)}).empty();
  };
  for (const size_t at : {0, 1})
    if (asks_for_help(at)) {
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
      words.push_back("--help");
      break;
    }
  give_values(commands, words);
  return Tree(commands, flags, words).parse(words);
}

}  // namespace volary
