// engine/showing.h: what a run is shown while it runs, over what it was shown when it began.
//
// Whoever wants it leaves a request in the run's directory and wakes the supervisor, which makes the mount where it
// made the first ones; the kernel carries it on into the sandbox or container (mount/mount.h, show_over()). The
// supervisor answers when it has looked, with the eyes of one of the run's processes, that it is there.
//
//   show-ID.json   a ShowRequest
//   shown-ID       a ShowAnswer
//
// Nothing is taken away: who has something open, or stands in it, goes on with what it was.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/run_directory.h"

namespace volary {

// Makes `mount` below the staging directory and shows it over what stands there at `place`.
using ShowOver = std::function<void(const json::value& mount, const Path& staging, const std::string& place)>;

bool is_asked_to_show(const RunDirectory& run, const std::string& id);
void ask_to_show(const RunDirectory& run, const ShowRequest& request);
// Nothing while there is none, or it cannot be read now.
std::optional<ShowAnswer> answer_to(const RunDirectory& run, const std::string& id);
// Removes both files. Whoever asked has written down the answer.
void forget_showing(const RunDirectory& run, const std::string& id);

// What stands at `target` in a run that runs and may write there, as its supervisor mounted it: the run's own processes
// can put nothing else in its place. Throws `not_found`.
Fd open_written(const RunDirectory& run, const std::string& target);

// The supervisor's side.
class Showing {
 public:
  Showing(const RunDirectory& run, const RunSpec& spec, Path staging, ShowOver show_over)
      : run_(run), spec_(spec), staging_(std::move(staging)), show_over_(std::move(show_over)) {}
  // Does and answers what was asked since. `find_inside` gives a process of the run's, 0 if there is none: then nobody
  // is answered any more. What cannot be answered now is, the next time; throws nothing.
  void look(const std::function<int()>& find_inside);

 private:
  void look_at(const std::string& id, bool may_be_tried, const std::function<int()>& find_inside);
  std::optional<ShowAnswer> show(const ShowRequest& request, const std::function<int()>& find_inside) const;

  const RunDirectory& run_;
  const RunSpec& spec_;
  const Path staging_;
  const ShowOver show_over_;
  bool is_first_look_ = true;                  // What was asked before, another supervisor may have tried.
  std::map<std::string, ShowAnswer> answers_;  // That no disk has taken yet.
  std::string said_;
};

}  // namespace volary
