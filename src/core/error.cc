// core/error.cc: words and errno for core/error.h.
#include "core/error.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace volary {
namespace {

constexpr std::array<std::string_view, 9> code_names = {"invalid",   "denied",      "not_found", "exists",  "conflict",
                                                        "exhausted", "unavailable", "corrupt",   "internal"};

Errc code_of_errno(int number) {
  switch (number) {
    case ENOENT: case ENOTDIR: case ENXIO: return Errc::not_found;
    case EACCES: case EPERM: case EROFS: return Errc::denied;
    case EEXIST: case ENOTEMPTY: return Errc::exists;
    case ENOSPC: case EDQUOT: case EMFILE: case ENFILE: case ENOMEM: case EFBIG: return Errc::exhausted;
    case EINVAL: case ENAMETOOLONG: case ELOOP: case EISDIR: case EXDEV: return Errc::invalid;
    case EAGAIN: case EBUSY: case ETIMEDOUT: case ECONNREFUSED: case ECONNRESET: case EINTR: return Errc::unavailable;
    case EIO: case EUCLEAN: return Errc::corrupt;
    default: return Errc::internal;
  }
}

}  // namespace

std::string_view name_of(Errc code) { return code_names[static_cast<size_t>(code)]; }

Errc errc_named(std::string_view name) {
  for (size_t i = 0; i < code_names.size(); ++i)
    if (code_names[i] == name) return static_cast<Errc>(i);
  return Errc::internal;
}

Error::Error(Errc code, Text message) : code_(code), message_(std::move(message.text)) {
  text_ = fmt::format("{}: {}", name_of(code_), message_);
}

void Error::add_to_trail(std::string what) {
  text_ += "\n     while " + what;
  trail_.push_back(std::move(what));
}

Error error_from_errno(int number, std::string_view action, std::string_view path) {
  std::array<char, 128> buffer{};
  const char* reason = ::strerror_r(number, buffer.data(), buffer.size());
  return Error(code_of_errno(number), "cannot {} '{}': {}", action, path, reason);
}

}  // namespace volary
