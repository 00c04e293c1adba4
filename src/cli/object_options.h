// cli/object_options.h: what the commands on objects share: their words, both spellings, and how they work in parallel.
//
// Today's is "bucket object upload CONTAINER@ALIAS …", the older one "data upload ALIAS CONTAINER …"; here, and only
// here, the older is turned into today's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/bucket_client.h"
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "cli/tally.h"

namespace volary {

constexpr size_t workers_default = 8;
constexpr size_t workers_max = 64;

inline CommandField place_field(std::string& place) {
  return {.name = "CONTAINER@ALIAS", .target = &place, .help = "which bucket of which datastore",
          .need = Need::required, .words = Words::containers};
}
inline CommandField yes_field(bool& yes) {
  return {.name = "-y,--yes", .target = &yes, .help = "do not ask"};
}
inline CommandField workers_field(std::optional<std::string>& workers) {
  return {.name = "-w,--workers", .target = &workers, .help = "so many objects at once; 8 unless told", .value = "N"};
}

// Throws `invalid` for what is no number from 1 to workers_max.
size_t workers_of(const std::optional<std::string>& text, size_t unless_told = workers_default);

inline Format format_of(Session& session, bool json) { return json ? Format::json : session.output().format(); }

inline BucketClient bucket_of(Session& session, const ContainerPlace& place) {
  return {session.client(), place.datastore, place.container};
}

// Says on stderr how many objects a listing could not name.
void note_left_out(Session& session, const ListingEnd& end);

// "1 file", "2 files"
std::string counted(uint64_t count, std::string_view one, std::string_view many);
std::string objects_text(uint64_t count);

// "volary bucket object ls data@gra …" as "volary data ls gra data …", line by line.
std::string in_older_words(std::string_view example);

// The command in today's words and in the older ones. The options have their place as `place`, the first field.
template <class Options>
std::vector<Command> both_spellings(CommandText text, std::vector<CommandField> (*fields)(Options&),
                                    int (*run)(Session&, const Options&)) {
  struct Older {
    std::string alias;
    std::string container;
    Options options;
  };
  Command today = make_command<Options>(text, fields, run);
  const auto older = std::make_shared<Older>();  // Shared by the fields that point into it, and by what runs.
  std::vector<CommandField> words = {
      {.name = "ALIAS", .target = &older->alias, .help = "which datastore", .need = Need::required,
       .words = Words::datastores},
      {.name = "CONTAINER", .target = &older->container, .help = "which bucket of it", .need = Need::required}};
  std::vector<CommandField> all = fields(older->options);
  words.insert(words.end(), all.begin() + 1, all.end());
  const std::string same = "volary bucket object " + text.path.back();
  Command command{.path = {"data", text.path.back()},
                  .aliases = text.aliases,
                  .summary = "the same as '" + same + "', in older words",
                  .example = in_older_words(text.example),
                  .fields = std::move(words),
                  .run = [older, run](Session& session) {
                    Options options = older->options;
                    options.place = older->container + "@" + older->alias;
                    return run(session, options);
                  },
                  .more = "'" + same + " --help' says more."};
  return {std::move(today), std::move(command)};
}

}  // namespace volary
