// cli/last_events.cc: one page, from the end.
#include "cli/last_events.h"

#include "core/error.h"
#include "record/event.h"

namespace volary {

constexpr uint64_t count_max = 1000;  // What a server gives at once.

json::array last_events(Client& client, const std::vector<std::string>& types, uint64_t count) {
  if (count > count_max)
    throw Error(Errc::invalid, "the newest {} events were asked for: expected at most {}; --after 0 gives all", count,
                count_max);
  Query query{{"last", "true"}};
  for (const std::string& type : types) query.emplace_back("type", type);
  return client.list(api_path({"events"}), query, count);
}

uint64_t number_of_last(const json::array& events) {
  return events.empty() ? 0 : typed<ProjectEvent>(events.back()).number;
}

}  // namespace volary
