// engine/errand.cc: a thread and an eventfd.
#include "engine/errand.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"

namespace volary {
namespace {

Fd make_event() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) throw error_from_errno(errno, "make", "an eventfd");
  return fd;
}

}  // namespace

Errand::Errand(std::function<void(const std::stop_token&)> work)
    : ended_(make_event()), thread_([this, work = std::move(work)](const std::stop_token& stop) {
        try {  // Thrown again by finish().
          work(stop);
        } catch (...) {
          thrown_ = std::current_exception();
        }
        const uint64_t one = 1;
        if (::write(ended_.get(), &one, sizeof one) < 0) return;  // Cannot be full: written once.
      }) {}

void Errand::finish() {
  if (thread_.joinable()) thread_.join();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

}  // namespace volary
