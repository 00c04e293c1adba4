// cli/parser_test.cc: words become fields; wrong words become sentences; and every command can be explained.
#include "cli/parser.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "cli/command_tree.h"
#include "cli/error_test.h"
#include "cli/help.h"
#include "cli/session.h"

namespace volary {
namespace {

struct ThingWords {
  std::string name;
  std::optional<std::string> type;
  std::vector<std::string> volumes;
  std::vector<std::string> rest;
  bool yes = false;
};

ThingWords filled;

std::vector<Command> one_command() {
  return {make_command<ThingWords>(
      {.path = {"thing", "make"}, .aliases = {"create"}, .summary = "make a thing", .example = "volary thing make a"},
      [](ThingWords& w) -> std::vector<CommandField> {
        return {
            {.name = "NAME", .target = &w.name, .help = "its name", .need = Need::required},
            {.name = "--type", .target = &w.type, .help = "its type", .value = "TYPE", .choices = {"model", "other"}},
            {.name = "-v,--volume", .target = &w.volumes, .help = "a volume", .value = "VOLUME"},
            {.name = "-y,--yes", .target = &w.yes, .help = "do not ask"},
            {.name = "COMMAND", .target = &w.rest, .help = "what to run"}};
      },
      [](Session&, const ThingWords& w) {
        filled = w;
        return 0;
      })};
}

std::string parse_error(const std::vector<std::string>& words) {
  const auto commands = one_command();
  GlobalFlags flags;
  return error_of([&] { parse_arguments(commands, flags, words); });
}

Parsed parse(const std::vector<Command>& commands, const std::vector<std::string>& words, GlobalFlags& flags) {
  Parsed parsed = parse_arguments(commands, flags, words);
  Session session({}, {}, {}, nullptr);  // This command does not look at it.
  if (parsed.command && parsed.asked == Asked::run) parsed.command->run(session);
  return parsed;
}

TEST(Parser, FillsTheFieldsOfTheCommand) {
  const auto commands = one_command();
  GlobalFlags flags;
  const Parsed parsed = parse(commands,
                              {"thing", "make", "-v", "a:/x", "it", "-v", "b:/y:rw", "--type=model", "-o", "json", "-y",
                               "--", "python3", "-c", "print(1)", "--type", "x"},
                              flags);
  EXPECT_EQ(parsed.path, (std::vector<std::string>{"thing", "make"}));
  EXPECT_EQ(filled.name, "it");
  EXPECT_EQ(filled.type, "model");
  EXPECT_EQ(filled.volumes, (std::vector<std::string>{"a:/x", "b:/y:rw"}));
  EXPECT_EQ(filled.rest, (std::vector<std::string>{"python3", "-c", "print(1)", "--type", "x"}));
  EXPECT_TRUE(filled.yes);
  EXPECT_EQ(flags.output, "json");
}

struct ImageWords {
  std::optional<std::string> image;
  std::vector<std::string> command;
};
ImageWords with_image;

TEST(Parser, KeepsWhatStandsAfterDashesForTheListAlone) {
  const auto told = [](const std::vector<std::string>& words) {
    const std::vector<Command> commands = {make_command<ImageWords>(
        {.path = {"job", "run"}, .summary = "run", .example = "volary job run"},
        [](ImageWords& o) {
          return std::vector<CommandField>{{.name = "IMAGE", .target = &o.image},
                                           {.name = "COMMAND", .target = &o.command, .has_dashes = true}};
        },
        [](Session&, const ImageWords& o) {
          with_image = o;
          return 0;
        })};
    GlobalFlags flags;
    std::vector<std::string> all = {"job", "run"};
    all.insert(all.end(), words.begin(), words.end());
    parse(commands, all, flags);
    std::string text = with_image.image.value_or("-");
    for (const std::string& word : with_image.command) text += " " + word;
    return text;
  };
  EXPECT_EQ(told({"python:3", "--", "sh", "-c", "true"}), "python:3 sh -c true");
  EXPECT_EQ(told({"--", "sh", "-c", "true"}), "- sh -c true");
  EXPECT_EQ(told({"--", "sh"}), "- sh");
  EXPECT_EQ(told({"python:3"}), "python:3");
  EXPECT_EQ(told({"python:3", "sh"}), "python:3 sh");
  EXPECT_EQ(told({"--", "sh", "--", "x"}), "- sh -- x");
}

TEST(Parser, TakesTheNamesOfCommandsAsNamesOfOtherThings) {
  auto commands = one_command();
  for (const std::string group : {"thing", "data"})
    commands.push_back(make_command<ThingWords>(
        {.path = {group, "ls"}, .summary = "list", .example = "volary data ls"},
        [](ThingWords&) { return std::vector<CommandField>{}; }, [](Session&, const ThingWords&) { return 0; }));
  GlobalFlags flags;
  parse(commands, {"thing", "make", "data", "data", "ls", "thing", "-y"}, flags);
  EXPECT_EQ(filled.name, "data");
  EXPECT_EQ(filled.rest, (std::vector<std::string>{"data", "ls", "thing"}));
  EXPECT_TRUE(filled.yes);
  EXPECT_EQ(parse_error({"thing", "thing"}),
            "invalid: 'thing' is no command of 'volary thing': expected one of make");
}

TEST(Parser, KnowsAliasesAndGlobalOptionsInFront) {
  const auto commands = one_command();
  GlobalFlags flags;
  const Parsed parsed = parse(commands, {"--output", "yaml", "thing", "create", "it"}, flags);
  EXPECT_EQ(parsed.path, (std::vector<std::string>{"thing", "make"}));
  EXPECT_EQ(flags.output, "yaml");
}

TEST(Parser, SaysWhichWordIsWrong) {
  EXPECT_EQ(parse_error({"thing", "make", "it", "--tpye", "model"}),
            "invalid: '--tpye' is no option of 'volary thing make': did you mean '--type'?");
  EXPECT_EQ(parse_error({"thing", "mkae"}), "invalid: 'mkae' is no command of 'volary thing': did you mean 'make'?");
  EXPECT_EQ(parse_error({"nothing-like-it"}),
            "invalid: 'nothing-like-it' is no command of 'volary': expected one of thing");
  EXPECT_EQ(parse_error({"thing", "make", "it", "--type", "modle"}),
            "invalid: 'modle' is no value for --type: expected one of model, other; did you mean 'model'?");
  EXPECT_EQ(parse_error({"thing", "make"}),
            "invalid: 'volary thing make' lacks something: NAME is required; see 'volary thing make --help'");
  EXPECT_EQ(parse_error({"thing", "make", "it", "--type"}),
            "invalid: '--type' lacks its value; see 'volary thing make --help'");
}

TEST(Parser, WordsOfTheCommandToRunNeedTwoDashesBeforeThem) {
  EXPECT_EQ(parse_error({"thing", "make", "it", "ls", "-la"}),
            "invalid: '-la' is no option of 'volary thing make': if it belongs to what is to be run, put '--' before "
            "that; see 'volary thing make --help'");
}

TEST(Parser, GivesHelpWhereverItIsAskedFor) {
  const auto commands = one_command();
  GlobalFlags flags;
  EXPECT_EQ(parse_arguments(commands, flags, {"thing", "make", "--help"}).asked, Asked::help);
  EXPECT_EQ(parse_arguments(commands, flags, {"thing", "-h"}).path, std::vector<std::string>{"thing"});
  EXPECT_EQ(parse_arguments(commands, flags, {"help"}).asked, Asked::help);
  EXPECT_EQ(parse_arguments(commands, flags, {"thing", "help"}).path, std::vector<std::string>{"thing"});
  EXPECT_EQ(parse_arguments(commands, flags, {"help", "thing", "make"}).path,
            (std::vector<std::string>{"thing", "make"}));
  EXPECT_EQ(parse_arguments(commands, flags, {"--version"}).asked, Asked::version);
  EXPECT_EQ(parse_arguments(commands, flags, {"thing"}).command, nullptr);
}

TEST(Help, ShowsUsageOptionsAndExamples) {
  const std::string text = help_text(one_command(), {"thing", "make"});
  EXPECT_TRUE(text.starts_with("Usage: volary thing make [OPTIONS] NAME [COMMAND...]\n\nMake a thing.\n")) << text;
  EXPECT_NE(text.find("      --type TYPE      its type (model, other)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  -v, --volume VOLUME  a volume\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Also known as: create\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Examples:\n  volary thing make a\n"), std::string::npos) << text;
}

TEST(AllCommands, HaveASummaryAnExampleAndHelpForEveryField) {
  std::set<std::vector<std::string>> paths;
  for (const Command& command : all_commands()) {
    const std::string name = command.path[0] + (command.path.size() > 1 ? " " + command.path[1] : "");
    EXPECT_TRUE(paths.insert(command.path).second) << name;
    EXPECT_FALSE(command.summary.empty()) << name;
    EXPECT_FALSE(command.summary.ends_with(".")) << name;
    EXPECT_NE(command.example.find("volary " + name), std::string::npos) << name;
    EXPECT_TRUE(command.run) << name;
    for (const CommandField& field : command.fields) {
      EXPECT_FALSE(field.help.empty()) << name << " " << field.name;
      EXPECT_EQ(field.is_option() && takes_value(field), !field.value.empty()) << name << " " << field.name;
    }
    for (const Child& child : children_of(all_commands(), {command.path[0]}))
      EXPECT_FALSE(child.summary.empty()) << name;
  }
  for (const Child& child : children_of(all_commands(), {})) EXPECT_FALSE(child.summary.empty()) << child.word;
}

TEST(AllCommands, AcceptTheirOwnExamples) {
  for (const Command& command : all_commands()) {
    const std::string first = command.example.substr(0, command.example.find('\n'));
    if (first.find_first_of("'\"<|$") != std::string::npos) continue;  // For a shell to read.
    std::vector<std::string> words;
    std::string word;
    for (const char c : first.substr(0, first.find(" >")) + " ") {
      if (c != ' ') word += c;
      else if (!word.empty()) words.push_back(std::exchange(word, ""));
    }
    words.resize(static_cast<size_t>(std::find(words.begin(), words.end(), "&&") - words.begin()));
    words.erase(words.begin());
    const auto commands = all_commands();
    GlobalFlags flags;
    EXPECT_EQ(error_of([&] { EXPECT_EQ(parse_arguments(commands, flags, words).path, command.path) << first; }), "")
        << first;
  }
}

TEST(Nearest, IsAtMostTwoErrorsAway) {
  EXPECT_EQ(nearest("vloume", {"volume", "job"}), "volume");
  EXPECT_EQ(nearest("xyz", {"volume", "job"}), "");
  EXPECT_EQ(nearest("l", {"ls", "rm"}), "ls");
}

}  // namespace
}  // namespace volary
