// cli/tally.cc: one object that fails is no reason to give up the others: each is a step of its own.
#include "cli/tally.h"

#include <chrono>
#include <thread>

#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr int tries_max = 4;
constexpr std::chrono::milliseconds first_wait{200};
const std::string failed_act = "failed";

std::string sum_text(const std::pair<uint64_t, uint64_t>& sum, const std::string& act) {
  return sum.second > 0 ? fmt::format("{} {} ({})", sum.first, act, bytes_text(sum.second))
                        : fmt::format("{} {}", sum.first, act);
}

}  // namespace

Tally::Tally(Session& session, const std::string& what, Run run, Format format)
    : session_(session), run_(run), format_(format),
      output_(format, Paint::no, [&session](std::string_view text) { session.output().text(text); }),
      bar_(what, session.progress()) {}

void Tally::expect(uint64_t objects, uint64_t bytes) {
  const std::lock_guard guard(lock_);
  amounts_.files_total += objects;
  amounts_.bytes_total += bytes;
}

void Tally::moved(uint64_t bytes) {
  const std::lock_guard guard(lock_);
  amounts_.bytes_done += bytes;
  if (run_ == Run::real) bar_.show(amounts_);
}

void Tally::unmoved(uint64_t bytes) {
  const std::lock_guard guard(lock_);
  amounts_.bytes_done -= std::min(bytes, amounts_.bytes_done);
}

void Tally::add(ObjectResult result) {
  const std::lock_guard guard(lock_);
  ++amounts_.files_done;
  auto& sum = acts_[result.act];
  ++sum.first;
  sum.second += result.bytes;
  if (result.act == failed_act) ++failed_;
  if (run_ == Run::real) bar_.show(amounts_);
  if (result.error) {
    bar_.clear();
    session_.note(fmt::format("volary: '{}' failed: {}", printable(result.key), *result.error));
  } else if (run_ == Run::dry && !output_.is_structured()) {
    const std::string path = result.path ? " -> " + printable(*result.path) : "";
    output_.line(fmt::format("would be {}: {}{} ({})", result.act, printable(result.key), path,
                             bytes_text(result.bytes)));
  } else if (format_ == Format::name && run_ == Run::real && result.act != "skipped") {
    output_.line(printable(result.key));
  }
  if (output_.is_structured()) results_.push_back(std::move(result));
}

void Tally::attempt(const std::vector<std::string>& keys, const std::function<void()>& work) {
  for (int tries = 1;; ++tries) {
    try {
      return work();
    } catch (const Error& error) {
      if (error.code() != Errc::unavailable || tries == tries_max) {
        for (const std::string& key : keys) fail(key, error);
        return;
      }
    }
    std::this_thread::sleep_for(first_wait * (1 << (2 * (tries - 1))));
  }
}

void Tally::fail(const std::string& key, const Error& error) {
  add({key, failed_act, 0, std::nullopt, error.message()});
  const std::lock_guard guard(lock_);
  if (!first_) first_ = error;
}

int Tally::finish() {
  bar_.clear();
  if (output_.is_structured()) {
    json::object counts;
    for (const auto& [act, sum] : acts_) counts.emplace(act, sum.first);
    json::object document;
    document.emplace("dryRun", is_dry());
    document.emplace("counts", std::move(counts));
    document.emplace("results", to_json(results_));
    output_.document(document);
  }
  std::string text;
  for (const auto& [act, sum] : acts_) text += (text.empty() ? "" : ", ") + sum_text(sum, act);
  if (text.empty()) text = "nothing to do";
  session_.note((is_dry() ? "nothing was done; it would be: " : "") + text);
  if (first_) throw Error(first_->code(), "{} of {} objects failed; the first: {}", failed_.load(),
                          amounts_.files_done, first_->message());
  return 0;
}

}  // namespace volary
