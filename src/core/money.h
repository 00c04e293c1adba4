// core/money.h: amounts of money, exact: whole millionths of a currency's unit, never a fraction in binary.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace volary {

struct Money {
  int64_t micros = 0;  // 1'000'000 is one euro, say.
  auto operator<=>(const Money&) const = default;
};

// "12", "0.0008": digits with at most six after the point. Throws `invalid`, naming `what` ("the price of a cpu").
Money parse_money(std::string_view text, std::string_view what);
// The reverse: "12.00", "0.0008": two digits after the point, or as many as it needs.
std::string to_text(Money amount);

// Throw `exhausted` for what does not fit (beyond 9 million millions).
Money operator*(Money price, uint64_t count);
Money operator+(Money one, Money other);

}  // namespace volary
