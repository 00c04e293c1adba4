// bench/s3_least.cc: the least that a client can do, beside which importers are judged; for bench/import alone.
//
//   s3_least list URL BUCKET                   reads the listing
//   s3_least hash URL BUCKET DIRECTORY         writes every object to a file below DIRECTORY, and hashes its bytes
//
// Plain sockets, 16 threads, no signatures, no checks: it scans the listing for what it needs and trusts it. Objects
// of more than 64 MiB come in parts of 8 MiB. The hash is BLAKE3, of each request's bytes alone.
#include <arpa/inet.h>
#include <blake3.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr size_t threads = 16;
constexpr size_t buffer_bytes = 1 << 20;
constexpr uint64_t parted_bytes_min = 64 << 20;
constexpr uint64_t part_bytes = 8 << 20;
constexpr size_t batch_objects = 250;        // Handed to a thread at once …
constexpr uint64_t batch_bytes = 4 << 20;  // … or fewer, if they are large.

[[noreturn]] void fail(const std::string& what) {
  std::perror(("s3_least: " + what).c_str());
  std::exit(1);
}

struct Request {
  std::string key;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  bool is_whole = true;
};
using Batch = std::vector<Request>;

class Queue {
 public:
  void put(Batch batch) {
    const std::lock_guard guard(lock_);
    batches_.push_back(std::move(batch));
    changed_.notify_one();
  }
  void end() {
    const std::lock_guard guard(lock_);
    is_over_ = true;
    changed_.notify_all();
  }
  // False when there is none left.
  bool take(Batch& batch) {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return !batches_.empty() || is_over_; });
    if (batches_.empty()) return false;
    batch = std::move(batches_.front());
    batches_.pop_front();
    return true;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<Batch> batches_;
  bool is_over_ = false;
};

class Connection {
 public:
  explicit Connection(const std::string& url) : buffer_(buffer_bytes) {
    const size_t colon = url.rfind(':');
    host_ = url.substr(7, colon - 7);  // Behind "http://".
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(url.substr(colon + 1))));
    ::inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("connect to " + url);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void ask(const std::string& target, const std::string& fields) {
    const std::string head = "GET /" + target + " HTTP/1.1\r\nHost: " + host_ + "\r\n" + fields + "\r\n";
    if (::send(fd_, head.data(), head.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(head.size())) fail("send");
    at_ = end_ = 0;
    for (;;) {
      receive();
      const std::string_view seen(buffer_.data(), end_);
      const size_t head_end = seen.find("\r\n\r\n");
      if (head_end == seen.npos) continue;
      const size_t length = seen.find("Content-Length: ");
      left_ = std::strtoull(buffer_.data() + length + 16, nullptr, 10);
      at_ = head_end + 4;
      return;
    }
  }

  // The next bytes of the answer's body; empty at its end.
  std::string_view more() {
    if (left_ == 0) return {};
    if (at_ == end_) at_ = end_ = 0, receive();
    const size_t size = std::min<uint64_t>(left_, end_ - at_);
    const std::string_view bytes(buffer_.data() + at_, size);
    at_ += size;
    left_ -= size;
    return bytes;
  }

 private:
  void receive() {
    const ssize_t size = ::recv(fd_, buffer_.data() + end_, buffer_.size() - end_, 0);
    if (size <= 0) fail("recv");
    end_ += static_cast<size_t>(size);
  }

  int fd_ = -1;
  std::string host_;
  std::vector<char> buffer_;
  size_t at_ = 0;
  size_t end_ = 0;
  uint64_t left_ = 0;
};

// Fetches what is in the queue until it is over.
void fetch(const std::string& url, const std::string& bucket, int root, Queue& queue) {
  Connection connection(url);
  Batch batch;
  while (queue.take(batch)) {
    for (const Request& one : batch) {
      std::string range;
      if (!one.is_whole)
        range = "Range: bytes=" + std::to_string(one.offset) + "-" + std::to_string(one.offset + one.bytes - 1) + "\r\n";
      connection.ask(bucket + "/" + one.key, range);
      const size_t slash = one.key.rfind('/');
      if (slash != one.key.npos) ::mkdirat(root, one.key.substr(0, slash).c_str(), 0755);
      const int file = ::openat(root, one.key.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      if (file < 0) fail("open " + one.key);
      blake3_hasher hasher;
      blake3_hasher_init(&hasher);
      auto offset = static_cast<off_t>(one.offset);
      for (std::string_view bytes; !(bytes = connection.more()).empty(); offset += static_cast<off_t>(bytes.size())) {
        if (::pwrite(file, bytes.data(), bytes.size(), offset) < 0) fail("write " + one.key);
        blake3_hasher_update(&hasher, bytes.data(), bytes.size());
      }
      std::array<uint8_t, BLAKE3_OUT_LEN> digest;
      blake3_hasher_finalize(&hasher, digest.data(), digest.size());
      ::close(file);
    }
  }
}

// The text between <NAME> and </NAME> behind `at`, which moves there; "" if there is none.
std::string_view element(const std::string& page, std::string_view name, size_t& at) {
  const std::string open = "<" + std::string(name) + ">";
  const size_t begin = page.find(open, at);
  if (begin == page.npos) return {};
  at = begin + open.size();
  return std::string_view(page).substr(at, page.find('<', at) - at);
}

// The number of keys.
size_t list(const std::string& url, const std::string& bucket, Queue* queue) {
  Connection connection(url);
  size_t keys = 0;
  std::string page;
  for (std::string token;;) {
    connection.ask(bucket + "?list-type=2&max-keys=1000" + (token.empty() ? "" : "&continuation-token=" + token), "");
    page.clear();
    for (std::string_view bytes; !(bytes = connection.more()).empty();) page += bytes;
    Batch batch;
    uint64_t bytes = 0;
    size_t at = 0;
    for (std::string_view key; !(key = element(page, "Key", at)).empty(); ++keys) {
      const uint64_t size = std::strtoull(element(page, "Size", at).data(), nullptr, 10);
      if (!queue) continue;
      if (size > parted_bytes_min) {
        for (uint64_t from = 0; from < size; from += part_bytes)
          queue->put({{std::string(key), from, std::min(part_bytes, size - from), false}});
        continue;
      }
      batch.push_back({std::string(key), 0, size, true});
      bytes += size;
      if (batch.size() < batch_objects && bytes < batch_bytes) continue;
      queue->put(std::move(batch));
      batch.clear();
      bytes = 0;
    }
    if (queue && !batch.empty()) queue->put(std::move(batch));
    size_t from = 0;
    token = element(page, "NextContinuationToken", from);
    if (token.empty()) return keys;
  }
}

}  // namespace

int main(int count, char** words) {
  const std::string act = count > 1 ? words[1] : "";
  if (act == "list" && count == 4) {
    std::printf("%zu keys\n", list(words[2], words[3], nullptr));
    return 0;
  }
  if (act != "hash" || count != 5) {
    std::fprintf(stderr, "s3_least: expected list URL BUCKET, or hash URL BUCKET DIRECTORY\n");
    return 2;
  }
  ::mkdir(words[4], 0755);
  const int root = ::open(words[4], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail(std::string("open ") + words[4]);
  Queue queue;
  std::vector<std::jthread> pool;
  for (size_t i = 0; i < threads; ++i) pool.emplace_back([&] { fetch(words[2], words[3], root, queue); });
  list(words[2], words[3], &queue);
  queue.end();
}
