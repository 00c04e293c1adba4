// cli/settings_test.cc: which of five places decides, and what a project's file may not decide.
#include "cli/settings.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"
#include "cli/program_test.h"

namespace volary {
namespace {

class SettingsOf : public testing::Test {
 protected:
  Surroundings around() {
    make_directories(scratch_.path("work"));
    return {.variable = [this](const std::string& name) {
              const auto found = variables_.find(name);
              return found == variables_.end() ? std::nullopt : std::optional(found->second);
            },
            .working_directory = scratch_.path("work"),
            .is_root = false,
            .system_file = scratch_.path("etc/config.yaml")};
  }
  Settings load(const GlobalFlags& flags = {}) { return load_settings(flags, around()); }
  std::string error(const GlobalFlags& flags = {}) {
    std::string message = error_of([&] { load(flags); });
    for (size_t at; (at = message.find(scratch_.path().string())) != std::string::npos;)
      message.replace(at, scratch_.path().string().size(), "~");
    return message;
  }

  Scratch scratch_;
  Variables variables_ = {{"HOME", scratch_.path().string()}};
};

TEST_F(SettingsOf, NothingAreThisMachinesOwnServer) {
  const Settings settings = load();
  EXPECT_EQ(settings.server, "");
  EXPECT_EQ(settings.data_directory, scratch_.path(".local/share/volary"));
  EXPECT_EQ(settings.format, Format::table);
  variables_["XDG_DATA_HOME"] = "/data/mine";
  EXPECT_EQ(load().data_directory, "/data/mine/volary");
}

TEST_F(SettingsOf, TheFirstPlaceThatHasAValueDecides) {
  scratch_.write("etc/config.yaml", "output: json\nserver: https://system\n");
  EXPECT_EQ(load().format, Format::json);
  EXPECT_EQ(load().server, "https://system");
  scratch_.write(".config/volary/config.yaml", "output: yaml\ntoken_file: token\nserver: https://user\n");
  EXPECT_EQ(load().format, Format::yaml);
  EXPECT_EQ(load().server, "https://user");
  EXPECT_EQ(load().token_file, scratch_.path(".config/volary/token"));
  scratch_.write("work/.volary.yaml", "output: wide\n");
  EXPECT_EQ(load().format, Format::wide);
  EXPECT_EQ(load().server, "https://user");
  variables_["VOLARY_OUTPUT"] = "name";
  variables_["VOLARY_SERVER"] = "https://variable";
  variables_["VOLARY_TOKEN"] = "secret";
  EXPECT_EQ(load().format, Format::name);
  EXPECT_EQ(load().server, "https://variable");
  EXPECT_EQ(load().token, "secret");
  GlobalFlags flags;
  flags.output = "table";
  flags.server = "https://flag";
  EXPECT_EQ(load(flags).format, Format::table);
  EXPECT_EQ(load(flags).server, "https://flag");
}

TEST_F(SettingsOf, AProjectCannotSendTokensAway) {
  scratch_.write("work/.volary.yaml", "server: https://elsewhere\n");
  variables_["VOLARY_TOKEN"] = "mine";
  scratch_.write(".config/volary/config.yaml", "token_file: /mine\n");
  EXPECT_EQ(
      error(),
      "denied: '~/work/.volary.yaml' names the server https://elsewhere but no token for it, and it gets none from "
      "elsewhere: put 'token_file' beside 'server', or give --token-file");
  scratch_.write("work/.volary.yaml", "server: https://elsewhere\ntoken_file: ../.config/volary/token\n");
  EXPECT_EQ(error(),
            "invalid: ~/work/.volary.yaml:2: 'token_file' in a project's file must name a file beside it or below, not "
            "'~/.config/volary/token'");
  scratch_.write("work/.volary.yaml", "server: https://elsewhere\ntoken_file: project.token\n");
  EXPECT_EQ(load().token, std::nullopt);
  EXPECT_EQ(load().token_file, scratch_.path("work/project.token"));
}

TEST_F(SettingsOf, AProjectsTokenGoesToNoOtherServer) {
  scratch_.write("work/.volary.yaml", "token_file: project.token\n");
  variables_["VOLARY_SERVER"] = "https://variable";
  EXPECT_EQ(load().token_file, std::nullopt);
}

TEST_F(SettingsOf, AProjectCannotChooseWhatIsRun) {
  scratch_.write("work/.volary.yaml", "data_dir: ./data\n");
  EXPECT_EQ(
      error(),
      "invalid: ~/work/.volary.yaml:1: 'data_dir' may not stand in a project's file, whose writer would choose what "
      "runs here: give --data-dir or VOLARY_DATA_DIR");
}

TEST_F(SettingsOf, ADataDirectoryOnTheCommandLineMeansThisMachine) {
  scratch_.write(".config/volary/config.yaml", "server: https://user\n");
  GlobalFlags flags;
  flags.data_directory = "here";
  EXPECT_EQ(load(flags).server, "");
  EXPECT_EQ(load(flags).data_directory, scratch_.path("work/here"));
}

TEST_F(SettingsOf, WrongValuesAreNamedWithTheirPlace) {
  scratch_.write("etc/config.yaml", "output: html\n");
  EXPECT_EQ(error(),
            "invalid: 'html' is no output format: expected one of table, wide, json, yaml, name, csv, dot, svg\n"
            "     while reading the settings of ~/etc/config.yaml");
  scratch_.write("etc/config.yaml", "outptu: json\n");
  EXPECT_EQ(error(),
            "invalid: ~/etc/config.yaml:1: 'outptu' is not known in the settings: expected one of server, token_file, "
            "data_dir, project, output; did you mean 'output'?");
}

}  // namespace
}  // namespace volary
