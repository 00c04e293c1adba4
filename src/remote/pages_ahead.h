// remote/pages_ahead.h: the next pages of a listing, asked for by a thread of its own while those before are read.
//
// Where a listing goes on stands in each page's text and is found there without reading it (likely_next()), so the
// thread need not wait for the reader. It is at most pages_ahead_max pages ahead, which bounds what is kept.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "core/synced.h"

namespace volary {

constexpr size_t pages_ahead_max = 4;

class PagesAhead {
 public:
  using Ask = std::function<std::string(const std::string& token)>;

  // Begins to ask for the page of `token` and those behind it, by another thread, as long as this lives.
  PagesAhead(Ask ask, const std::string& token);
  // Asks for no more; waits for what is under way.
  ~PagesAhead();
  PagesAhead(const PagesAhead&) = delete;
  PagesAhead& operator=(const PagesAhead&) = delete;

  // The next page, when it has come; throws what asking for it threw. Nothing if it is not the one of `token`, or if it
  // could not be seen that there would be one: ask for that page anew, and make another of these behind it.
  std::optional<std::string> take(const std::string& token);

 private:
  struct Page {
    std::string token;
    std::future<std::string> text;
  };
  struct State {
    std::deque<Page> pages;
    bool is_over = false;  // Of the thread.
    bool is_let_go = false;
  };
  void run(std::string token);

  const Ask ask_;
  Synced<State> state_;
  std::condition_variable changed_;
  std::jthread thread_;  // Last: it uses the others.
};

}  // namespace volary
