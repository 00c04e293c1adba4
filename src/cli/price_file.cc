// cli/price_file.cc: one function a level of the file.
#include "cli/price_file.h"

#include <algorithm>

#include "cli/yaml.h"

namespace volary {
namespace {

constexpr uint64_t file_bytes_max = 1 << 20;

// "1" and 1 are the same price; that of a list or a map is none.
Money read_price(const Yaml& value, const std::string& what) {
  const std::string& text = value.as_text(what);
  return during(fmt::format("reading {}:{}", value.file, value.line),
                [&] { return parse_money(text, "the price of " + what); });
}

Money price_at(const Yaml& map, std::string_view key) {
  const Yaml* value = map.find(key);
  return value ? read_price(*value, std::string(key)) : Money();
}

Prices read_prices(const Yaml& value) {
  value.allow_only({"since", "job", "cpu", "gpu", "flavors"}, "prices");
  Prices prices;
  if (const Yaml* since = value.find("since"))
    prices.since = during(fmt::format("reading {}:{}", since->file, since->line),
                          [&] { return parse_day_or_time(since->as_text("since")); });
  prices.job = price_at(value, "job");
  prices.cpu = price_at(value, "cpu");
  prices.gpu = price_at(value, "gpu");
  if (const Yaml* flavors = value.find("flavors"))
    for (const auto& [name, price] : flavors->as_map("flavors"))
      prices.flavors[name.text] = read_price(price, "flavor " + name.text);
  return prices;
}

JobState read_state(const Yaml& value) {
  const std::string& word = value.as_text("a billed state");
  const JobState state = during(fmt::format("reading {}:{}", value.file, value.line),
                                [&] { return value_named<JobState>(word, "job state"); });
  if (is_terminal(state))
    throw value.error("'{}' is where a job has ended, and never billed: expected states before that", word);
  return state;
}

}  // namespace

PriceList parse_prices(const std::string& text, const std::string& file) {
  const Yaml top = parse_yaml(text, file);
  if (top.kind == Yaml::Kind::nothing) throw top.error("the price list is empty: expected 'currency' and 'prices'");
  top.allow_only({"currency", "billed_states", "prices"}, "the price list");
  PriceList list;
  if (const Yaml* currency = top.find("currency")) list.currency = currency->as_text("currency");
  if (const Yaml* states = top.find("billed_states")) {
    list.billed.clear();
    for (const Yaml& one : states->as_list("billed_states")) list.billed.push_back(read_state(one));
    if (list.billed.empty()) throw states->error("'billed_states' is empty: expected at least one state");
  }
  const Yaml* prices = top.find("prices");
  if (!prices) return list;
  for (const Yaml& one : prices->as_list("prices")) {
    list.prices.push_back(read_prices(one));
    if (list.prices.size() > 1 && list.prices.back().since <= list.prices[list.prices.size() - 2].since)
      throw one.error("prices of {} stand after those of {}: expected each 'since' later than the one before",
                      to_text(list.prices.back().since), to_text(list.prices[list.prices.size() - 2].since));
  }
  if (list.currency.empty()) throw top.error("the price list lacks 'currency': expected a word such as EUR");
  return list;
}

PriceList read_price_file(const Path& file) {
  return parse_prices(read_file(file, file_bytes_max), file.native());
}

Time parse_day_or_time(const std::string& text) {
  return parse_time(text.size() == std::string_view("2026-11-01").size() ? text + "T00:00:00Z" : text);
}

}  // namespace volary
