// core/random.h: unpredictable bytes, and the ids made of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace volary {

// The seam for randomness. Any thread may call.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::string bytes(size_t count) = 0;
};

// The kernel's generator.
Random& system_random();
// A repeatable sequence, for tests.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  std::string bytes(size_t count) override;  // One thread.

 private:
  uint64_t state_;
};

// `count` random bytes as hexadecimal digits.
std::string random_hex(size_t count, Random& random = system_random());
// "job-8k3v0q…": a prefix, then 80 random bits in 16 characters of Crockford's base 32, lower case.
std::string new_id(std::string_view prefix, Random& random = system_random());

}  // namespace volary
