// cli/command_tree.h: questions about the table of commands: what is below a word, and what one may be called.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/settings.h"

namespace volary {

// The command with exactly this path, or null. The path's words are canonical: see canonical_word().
const Command* find_command(const std::vector<Command>& commands, const std::vector<std::string>& path);

struct Child {
  std::string word;
  std::vector<std::string> aliases;
  std::string summary;
};
// What may stand after `path`, in the table's order; hidden commands are not among it.
std::vector<Child> children_of(const std::vector<Command>& commands, const std::vector<std::string>& path);

// "list" after {"volume"} is "ls"; nothing if there is no such word there.
std::optional<std::string> canonical_word(const std::vector<Command>& commands, const std::vector<std::string>& path,
                                          std::string_view word);

// The fields that every command has; of this one.
std::vector<CommandField> global_fields(GlobalFlags& flags, const Command* command = nullptr);

// The candidate that differs from `word` by at most two typing errors, or "".
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// "--quota" of "-q,--quota": each name of an option.
std::vector<std::string> names_of(const CommandField& field);
bool takes_value(const CommandField& field);

}  // namespace volary
