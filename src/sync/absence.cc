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

constexpr uint64_t questions_max = 128;
constexpr size_t question_threads = 16;

bool is_there(Remote& remote, const std::string& key) {
  bool found = false;
  const auto error = error_of([&] { found = remote.find(key).has_value(); });
  // `invalid`: it cannot have an object of that name.
  if (error && error->code() != Errc::invalid) throw Error(*error);
  return found;
}

// So many of the deletions, spread evenly over them.
std::vector<std::string> sample_of(const TreePath& directory, const ActList& acts, uint64_t deletes) {
  const uint64_t questions = std::min(deletes, questions_max);
  std::vector<std::string> keys;
  ActList::Reader reader(acts);
  FileAct act;
  for (uint64_t number = 0; keys.size() < questions && reader.next(act);)
    if (act.act == PlanAct::delete_ && number++ == keys.size() * deletes / questions)
      keys.push_back(key_of(directory, act.file.path));
  return keys;
}

}  // namespace

void check_absence(Remote& remote, const TreePath& directory, const ActList& acts, uint64_t deletes) {
  if (fault::planted("import.trusts_listings")) return;
  const std::vector<std::string> keys = sample_of(directory, acts, deletes);
  for_each_index(keys.size(), question_threads, [&](size_t i) {
    if (is_there(remote, keys[i]))
      throw Error(Errc::corrupt,
                  "the listing of {} leaves out '{}', which is there: expected a whole one before anything is deleted",
                  remote.description(), printable(keys[i]));
  });
}

}  // namespace volary
