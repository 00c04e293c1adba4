// core/random.cc: getrandom(2) and the ids of core/random.h.
#include "core/random.h"

#include <sys/random.h>

#include <cerrno>

#include "core/error.h"

namespace volary {
namespace {

class SystemRandom final : public Random {
 public:
  std::string bytes(size_t count) override {
    std::string text(count, '\0');
    for (size_t at = 0; at < count;) {
      const ssize_t size = ::getrandom(text.data() + at, count - at, 0);
      if (size < 0 && errno != EINTR) throw error_from_errno(errno, "read", "random bytes");
      if (size > 0) at += static_cast<size_t>(size);
    }
    return text;
  }
};

}  // namespace

Random& system_random() {
  static SystemRandom random;
  return random;
}

std::string SeededRandom::bytes(size_t count) {
  std::string text(count, '\0');
  for (char& c : text) {  // splitmix64, its top byte.
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    c = static_cast<char>(z >> 56);
  }
  return text;
}

std::string random_hex(size_t count, Random& random) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : random.bytes(count)) {
    text += digits[static_cast<uint8_t>(c) >> 4];
    text += digits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

std::string new_id(std::string_view prefix, Random& random) {
  constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string text(prefix);
  text += '-';
  for (const char c : random.bytes(16)) text += digits[static_cast<uint8_t>(c) & 31];
  return text;
}

}  // namespace volary
