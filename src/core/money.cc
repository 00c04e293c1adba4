// core/money.cc: the arithmetic of core/money.h, each step checked.
#include "core/money.h"

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t whole_digits_max = 12;
constexpr size_t fraction_digits_max = 6;
constexpr size_t fraction_digits_min = 2;

bool are_digits(std::string_view text) { return text.find_first_not_of("0123456789") == text.npos; }

[[noreturn]] void overflow() { throw Error(Errc::exhausted, "an amount of money is too large to be counted"); }

}  // namespace

Money parse_money(std::string_view text, std::string_view what) {
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == text.npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty() || whole.size() > whole_digits_max || !are_digits(whole) || !are_digits(fraction) ||
      fraction.size() > fraction_digits_max || (point != text.npos && fraction.empty()))
    throw Error(Errc::invalid, "'{}' is no amount for {}: expected digits such as 12 or 0.0008, at most six after the "
                "point", text, what);
  int64_t micros = 0;
  for (const char c : whole) micros = micros * 10 + (c - '0');
  for (size_t i = 0; i < fraction_digits_max; ++i) micros = micros * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  return {micros};
}

std::string to_text(Money amount) {
  std::string text = fmt::format("{}.{:06}", amount.micros / 1'000'000, amount.micros % 1'000'000);
  const size_t shortest = text.size() - (fraction_digits_max - fraction_digits_min);
  while (text.size() > shortest && text.back() == '0') text.pop_back();
  return text;
}

Money operator*(Money price, uint64_t count) {
  int64_t product = 0;
  if (count > INT64_MAX || __builtin_mul_overflow(price.micros, static_cast<int64_t>(count), &product)) overflow();
  return {product};
}

Money operator+(Money one, Money other) {
  int64_t sum = 0;
  if (__builtin_add_overflow(one.micros, other.micros, &sum)) overflow();
  return {sum};
}

}  // namespace volary
