// remote/pages_ahead.cc: the thread of remote/pages_ahead.h. A future carries each page's text or error to the reader.
#include "remote/pages_ahead.h"

#include "remote/s3_listing.h"

namespace volary {

PagesAhead::PagesAhead(Ask ask, const std::string& token)
    : ask_(std::move(ask)), thread_([this, token] { run(token); }) {}

PagesAhead::~PagesAhead() {
  state_.lock()->is_let_go = true;
  changed_.notify_all();
}

void PagesAhead::run(std::string token) {
  while (!token.empty()) {
    std::string next;  // "" also if asking fails.
    std::packaged_task<std::string()> asking([&] {
      std::string text = ask_(token);
      next = likely_next(text);
      return text;
    });
    asking();
    auto held = state_.lock();
    held->pages.push_back({std::move(token), asking.get_future()});
    changed_.notify_all();
    held.wait(changed_, [&] { return held->pages.size() < pages_ahead_max || held->is_let_go; });
    if (held->is_let_go) return;
    token = std::move(next);
  }
  state_.lock()->is_over = true;
  changed_.notify_all();
}

std::optional<std::string> PagesAhead::take(const std::string& token) {
  auto held = state_.lock();
  held.wait(changed_, [&] { return !held->pages.empty() || held->is_over; });
  if (held->pages.empty() || held->pages.front().token != token) return std::nullopt;
  Page page = std::move(held->pages.front());
  held->pages.pop_front();
  held.unlock();
  changed_.notify_all();
  return page.text.get();
}

}  // namespace volary
