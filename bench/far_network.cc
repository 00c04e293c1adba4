// bench/far_network.cc: two network namespaces that are far from each other, for bench/import and bench/export alone.
//
//   far_network NAMESPACE ADDRESS NAMESPACE ADDRESS MILLISECONDS
//
// Makes a device "far0" with the ADDRESS in each NAMESPACE (`ip netns add` made them), prints "ready" and carries packets
// between both until it is killed, each MILLISECONDS after it came. No packet is lost and the rate has no limit. This
// needs root and /dev/net/tun, and no netem in the kernel.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

namespace {

constexpr size_t packet_bytes_max = 65536;
constexpr int packets_at_once_max = 64;
constexpr uint64_t queue_bytes_max = 256 << 20;  // More is dropped, as by a router.

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
  std::perror(("far_network: " + what).c_str());
  std::exit(1);
}

int open_device(const std::string& network, const std::string& address) {
  const int own = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = ::open(("/run/netns/" + network).c_str(), O_RDONLY | O_CLOEXEC);
  if (own < 0 || there < 0 || ::setns(there, CLONE_NEWNET) < 0) fail("cannot enter the namespace " + network);
  const int device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  std::strcpy(request.ifr_name, "far0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (device < 0 || ::ioctl(device, TUNSETIFF, &request) < 0) fail("cannot make a device");
  const std::string commands =
      "ip addr add " + address + "/24 dev far0 && ip link set far0 txqueuelen 10000 up && ip link set lo up";
  if (std::system(commands.c_str()) != 0) fail("cannot set up the device in " + network);
  if (::setns(own, CLONE_NEWNET) < 0) fail("cannot come back from the namespace " + network);
  ::close(own);
  ::close(there);
  return device;
}

// One way.
class Way {
 public:
  Way(int from, int to, Clock::duration delay) : from_(from), to_(to), delay_(delay) {}

  void take() {
    std::array<char, packet_bytes_max> bytes;
    for (int i = 0; i < packets_at_once_max; ++i) {
      const ssize_t size = ::read(from_, bytes.data(), bytes.size());
      if (size <= 0) return;
      if (queued_ + static_cast<uint64_t>(size) > queue_bytes_max) continue;
      queued_ += static_cast<uint64_t>(size);
      queue_.push_back({Clock::now() + delay_, {bytes.data(), static_cast<size_t>(size)}});
    }
  }

  // Passes on what is due; when the next packet is.
  Clock::time_point pass() {
    for (const auto now = Clock::now(); !queue_.empty() && queue_.front().due <= now; queue_.pop_front()) {
      const std::string& bytes = queue_.front().bytes;
      if (::write(to_, bytes.data(), bytes.size()) < 0 && errno == EAGAIN) break;  // Again soon.
      queued_ -= bytes.size();
    }
    return queue_.empty() ? Clock::time_point::max() : queue_.front().due;
  }

 private:
  struct Packet {
    Clock::time_point due;
    std::string bytes;
  };
  int from_;
  int to_;
  Clock::duration delay_;
  std::deque<Packet> queue_;
  uint64_t queued_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count != 6) {
    std::fprintf(stderr, "far_network: expected NAMESPACE ADDRESS NAMESPACE ADDRESS MILLISECONDS\n");
    return 2;
  }
  const std::chrono::milliseconds delay(std::atoi(words[5]));
  const int here = open_device(words[1], words[2]);
  const int there = open_device(words[3], words[4]);
  Way forth(here, there, delay);
  Way back(there, here, delay);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    const Clock::time_point next = std::min(forth.pass(), back.pass());
    timespec wait{};
    if (next != Clock::time_point::max()) {
      const auto left = std::max<int64_t>(1000, std::chrono::nanoseconds(next - Clock::now()).count());
      wait = {left / 1'000'000'000, left % 1'000'000'000};
    }
    std::array<pollfd, 2> ready{{{here, POLLIN, 0}, {there, POLLIN, 0}}};
    ::ppoll(ready.data(), ready.size(), next == Clock::time_point::max() ? nullptr : &wait, nullptr);
    forth.take();
    back.take();
  }
}
