// sync/absence.cc: the questions of sync/absence.h, many at once.
#include "sync/absence.h"

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/workers.h"
#include "remote/retry.h"
#include "sync/listing.h"

namespace volary {
namespace {

constexpr size_t questions_max = 128;
constexpr size_t question_threads = 16;

bool is_there(Remote& remote, const std::string& key) {
  bool found = false;
  const auto error = error_of([&] { found = remote.find(key).has_value(); });
  // `invalid`: it cannot have an object of that name.
  if (error && error->code() != Errc::invalid) throw Error(*error);
  return found;
}

}  // namespace

void check_absence(Remote& remote, const TreePath& directory, const Plan& plan, const std::vector<Listed>& target) {
  if (fault::planted("import.trusts_listings")) return;
  const size_t questions = std::min(plan.deletes.size(), questions_max);
  for_each_index(questions, question_threads, [&](size_t i) {
    const size_t index = plan.deletes[i * plan.deletes.size() / questions];
    const std::string key = key_of(directory, target[index].path);
    if (is_there(remote, key))
      throw Error(Errc::corrupt,
                  "the listing of {} leaves out '{}', which is there: expected a whole one before anything is deleted",
                  remote.description(), printable(key));
  });
}

}  // namespace volary
