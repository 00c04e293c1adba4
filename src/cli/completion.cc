// cli/completion.cc: the words typed so far are walked along the table of commands.
#include "cli/completion.h"

#include <algorithm>
#include <array>

#include "cli/command_tree.h"
#include "cli/containers.h"
#include "cli/session.h"

namespace volary {
namespace {

// Where on the command line the word being typed stands.
struct Place {
  std::vector<std::string> path;
  const CommandField* value_of = nullptr;  // The option whose value it is.
  size_t words_before = 0;          // By their place, not counting options and commands.
  bool after_dashes = false;
  std::vector<std::string> used;    // Options.
};

class Completer {
 public:
  Completer(const std::vector<Command>& commands, const NamesOf& names) : commands_(commands), names_(names) {
    globals_ = global_fields(unused_);
  }

  std::string lines(const std::vector<std::string>& words) {
    if (words.empty()) return "";
    Place place;
    for (size_t i = 0; i + 1 < words.size(); ++i) pass(place, words[i]);
    const std::string& current = words.back();
    if (place.value_of) {
      values(*place.value_of, current, "");
    } else if (const size_t equals = current.find('='); current.starts_with("--") && equals != std::string::npos) {
      if (const CommandField* field = option(place, current.substr(0, equals)))
        values(*field, current.substr(equals + 1), current.substr(0, equals + 1));
    } else if (current.starts_with("-") && !place.after_dashes) {
      options(place, current);
    } else {
      if (place.words_before == 0 && !place.after_dashes)
        for (const Child& child : children_of(commands_, place.path)) offer(child.word, child.summary, current);
      if (const CommandField* field = word_field(place)) values(*field, current, "");
    }
    return out_ + directive_;
  }

 private:
  void pass(Place& place, const std::string& word) {
    if (place.value_of) {
      place.value_of = nullptr;
    } else if (place.after_dashes) {
      ++place.words_before;
    } else if (word == "--") {
      place.after_dashes = true;
    } else if (word.starts_with("-") && word.size() > 1) {
      const CommandField* field = option(place, word.substr(0, word.find('=')));
      place.used.push_back(word.substr(0, word.find('=')));
      if (field && takes_value(*field) && word.find('=') == std::string::npos) place.value_of = field;
    } else if (const auto command = canonical_word(commands_, place.path, word); command && place.words_before == 0) {
      place.path.push_back(*command);
      globals_ = global_fields(unused_, find_command(commands_, place.path));
    } else {
      ++place.words_before;
    }
  }

  const std::vector<CommandField>& fields(const Place& place) const {
    static const std::vector<CommandField> none;
    const Command* command = find_command(commands_, place.path);
    return command ? command->fields : none;
  }

  const CommandField* option(const Place& place, const std::string& name) const {
    for (const auto* list : std::array<const std::vector<CommandField>*, 2>{&fields(place), &globals_})
      for (const CommandField& field : *list)
        if (field.is_option())
          for (const auto& one : names_of(field))
            if (one == name) return &field;
    return nullptr;
  }

  const CommandField* word_field(const Place& place) const {
    size_t index = 0;
    for (const CommandField& field : fields(place)) {
      if (field.is_option()) continue;
      if (index++ == place.words_before || std::holds_alternative<std::vector<std::string>*>(field.target))
        return &field;
    }
    return nullptr;
  }

  void options(const Place& place, const std::string& current) {
    const auto is_used = [&](const CommandField& field) {
      if (std::holds_alternative<std::vector<std::string>*>(field.target)) return false;
      const auto names = names_of(field);
      return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return std::find(place.used.begin(), place.used.end(), name) != place.used.end();
      });
    };
    for (const auto* list : std::array<const std::vector<CommandField>*, 2>{&fields(place), &globals_})
      for (const CommandField& field : *list)
        if (field.is_option() && !is_used(field)) offer(names_of(field).back(), field.help, current);
    offer("--help", "what this command does", current);
  }

  void values(const CommandField& field, const std::string& current, const std::string& prefix) {
    if (field.words == Words::files) directive_ = ":files\n";
    if (field.words == Words::directories) directive_ = ":directories\n";
    for (const auto& choice : field.choices) offer(prefix + choice, "", prefix + current);
    if (field.words == Words::anything || !directive_.empty()) return;
    const bool goes_on = field.words == Words::attachments || field.words == Words::prefixes;
    for (const auto& name : names_(field.words)) offer(prefix + name + (goes_on ? ":" : ""), "", prefix + current);
  }

  void offer(const std::string& text, const std::string& what, const std::string& current) {
    if (text.starts_with(current)) out_ += what.empty() ? text + "\n" : text + "\t" + what + "\n";
  }

  const std::vector<Command>& commands_;
  const NamesOf& names_;
  GlobalFlags unused_;
  std::vector<CommandField> globals_;
  std::string out_;
  std::string directive_;
};

struct NameSource {
  Words words;
  std::string_view path;
  std::string_view key;
};

constexpr NameSource sources[] = {{Words::volumes, "volumes", "name"},       {Words::attachments, "volumes", "name"},
                               {Words::jobs, "jobs", "id"},               {Words::transfers, "transfers", "id"},
                               {Words::datastores, "datastores", "name"}, {Words::prefixes, "datastores", "name"},
                               {Words::secrets, "secrets", "name"},       {Words::tokens, "tokens", "id"},
                               {Words::projects, "projects", "name"},   {Words::flavors, "flavors", "name"},
                               {Words::uploads, "uploads", "id"}};

// "data@gra": the buckets of all datastores that have some, as far as their stores answer soon.
std::vector<std::string> container_names(Client& client, uint64_t names_max) {
  std::vector<std::string> names;
  for (const json::value& item : client.list(api_path({"datastores"}), {}, names_max)) {
    const auto store = typed<Datastore>(item);
    if (!has_containers(store.kind)) continue;
    if (!store.bucket.empty()) {
      names.push_back(store.bucket + "@" + store.name);
      continue;
    }
    const auto answer = client.get_soon(api_path({"datastores", store.name, "buckets"}));
    if (!answer) continue;  // A store that does not answer has nothing to offer.
    for (const json::value& bucket : answer->at("items").as_array())
      names.push_back(std::string(bucket.at("name").as_string()) + "@" + store.name);
  }
  return names;
}

}  // namespace

std::string completion_lines(const std::vector<Command>& commands, const std::vector<std::string>& words,
                             const NamesOf& names_of) {
  return Completer(commands, names_of).lines(words);
}

std::string completion_answer(const std::vector<Command>& commands, const std::vector<std::string>& words,
                              Session& session) {
  constexpr uint64_t names_max = 200;
  return completion_lines(commands, words, [&](Words wanted) {
    std::vector<std::string> names;
    Client* client = session.running_client();  // To look something up never starts a server.
    if (!client) return names;
    if (wanted == Words::containers) return container_names(*client, names_max);
    for (const NameSource& source : sources)
      if (source.words == wanted)
        for (const json::value& item : client->list(api_path({source.path}), {}, names_max))
          names.emplace_back(item.at(source.key).as_string());
    return names;
  });
}

}  // namespace volary
