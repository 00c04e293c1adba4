// bench/s3_stub.cc: an S3 server that is never the bottleneck, for bench/import and bench/export.
//
//   s3_stub ADDRESS BUCKET:OBJECTS:BYTES…     prints "http://ADDRESS:PORT", then serves until it is killed
//
// Each bucket holds OBJECTS objects of BYTES each, named d000/f0000.bin and so on, a thousand to a directory. Every
// object is a stretch of the same random bytes, each from another offset, so no two are equal, and a GET is one
// sendfile(). It answers listings (version 2, with delimiter), HEAD and GET with ranges and If-Match, one thread a
// connection. POST /BUCKET?change=N gives every Nth object other bytes of the same size, and the date of that moment. It
// checks no signature. A bucket of 0 objects is for writing: it keeps names and sizes (bench/s3_written.h), and no bytes.
// POST /BUCKET?clear=1 empties it. Correctness is tested against real servers, not here.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "s3_written.h"

namespace {

using s3_stub::Written;
using s3_stub::WrittenObjects;

constexpr uint64_t pool_bytes = 64 << 20;       // The random bytes that all objects are stretches of.
constexpr uint64_t parted_bytes_min = 16 << 20;  // From here on, etags look like those of multipart uploads: no MD5.
constexpr time_t first_date = 1'704'067'200;     // 2024-01-01.

// A moment as listings and as headers write it.
struct Date {
  explicit Date(time_t seconds) {
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text;
    iso.assign(text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts));
    http.assign(text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  std::string iso;
  std::string http;
};

struct Object {
  std::string key;
  uint64_t size = 0;
  uint64_t offset = 0;  // Into the pool; it goes on at the pool's beginning.
  std::string etag;
  const Date* modified = nullptr;
};

using Bucket = std::vector<Object>;  // By key.
using Words = std::map<std::string, std::string, std::less<>>;

std::map<std::string, Bucket, std::less<>> buckets;
std::map<std::string, WrittenObjects, std::less<>> written;  // The buckets of 0 objects.
std::shared_mutex changing;  // Alone: to change objects.
int pool_fd = -1;
const char* pool = nullptr;

[[noreturn]] void fail(const std::string& what) {
  std::perror(("s3_stub: " + what).c_str());
  std::exit(1);
}

void make_pool() {
  pool_fd = ::memfd_create("pool", MFD_CLOEXEC);
  if (pool_fd < 0 || ::ftruncate(pool_fd, pool_bytes) < 0) fail("no memory for the pool");
  void* place = ::mmap(nullptr, pool_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd, 0);
  if (place == MAP_FAILED) fail("no memory for the pool");
  auto* numbers = static_cast<uint64_t*>(place);
  std::mt19937_64 random(1);  // The same bytes every time.
  std::generate(numbers, numbers + pool_bytes / sizeof(uint64_t), random);
  pool = static_cast<const char*>(place);
}

std::string md5_of(uint64_t offset, uint64_t size) {
  s3_stub::Md5 md5;
  while (size > 0) {
    const uint64_t step = std::min(size, pool_bytes - offset);
    md5.add({pool + offset, step});
    offset = (offset + step) % pool_bytes;
    size -= step;
  }
  return md5.text();
}

std::string etag_of(uint64_t offset, uint64_t size) {
  return size < parted_bytes_min ? md5_of(offset, size) : md5_of(offset, 64) + "-256";
}

Bucket make_bucket(uint64_t count, uint64_t size) {
  static const Date date(first_date);
  Bucket bucket(count);
  uint64_t step = 4096;  // Whole pages while they suffice for offsets that all differ.
  while (step > 8 && step * count > pool_bytes) step /= 2;
  for (uint64_t i = 0; i < count; ++i) {
    std::array<char, 32> key{};
    std::snprintf(key.data(), key.size(), "d%03lu/f%04lu.bin", i / 1000, i % 1000);
    const uint64_t offset = i * step % pool_bytes;
    bucket[i] = {key.data(), size, offset, etag_of(offset, size), &date};
  }
  return bucket;
}

// Other offsets than any object had before: bytes that nobody has seen.
void change(Bucket& bucket, uint64_t every) {
  static uint64_t changes = 0;
  const auto* date = new Date(std::time(nullptr));  // Kept: old objects point to theirs.
  const std::lock_guard alone(changing);
  ++changes;
  for (uint64_t i = changes % every; i < bucket.size(); i += every) {
    Object& object = bucket[i];
    object.offset = (object.offset + 8 * changes + 8) % pool_bytes;
    object.etag = etag_of(object.offset, object.size);
    object.modified = date;
  }
}

std::string percent_decode(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      plain += text[i];
      continue;
    }
    plain += static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
    i += 2;
  }
  return plain;
}

// One connection: requests in, answers out, until the client goes.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void serve() {
    while (read_head()) {
      if (!answer()) return;
    }
  }

 private:
  bool read_head() {
    size_t end;
    while ((end = in_.find("\r\n\r\n")) == in_.npos) {
      std::array<char, 16384> bytes;
      const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), 0);
      if (size <= 0) return false;
      in_.append(bytes.data(), static_cast<size_t>(size));
    }
    std::string_view head = std::string_view(in_).substr(0, end + 2);
    headers_.clear();
    query_.clear();
    const std::string_view line = take_line(head);
    method_ = line.substr(0, line.find(' '));
    const std::string_view url = line.substr(method_.size() + 1, line.rfind(' ') - method_.size() - 1);
    const size_t mark = std::min(url.find('?'), url.size());
    path_ = percent_decode(url.substr(1, mark - 1));
    if (mark < url.size()) read_query(url.substr(mark + 1));
    while (!head.empty()) read_header(take_line(head));
    in_.erase(0, end + 4);
    return true;
  }

  static std::string_view take_line(std::string_view& text) {
    const size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    return line;
  }

  void read_query(std::string_view text) {
    while (!text.empty()) {
      const std::string_view pair = text.substr(0, text.find('&'));
      text.remove_prefix(std::min(pair.size() + 1, text.size()));
      const size_t equals = std::min(pair.find('='), pair.size());
      query_[percent_decode(pair.substr(0, equals))] =
          equals < pair.size() ? percent_decode(pair.substr(equals + 1)) : "";
    }
  }

  void read_header(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    line.remove_prefix(colon + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    headers_[name] = line;
  }

  std::string word(const Words& words, std::string_view name) const {
    const auto found = words.find(name);
    return found == words.end() ? "" : found->second;
  }

  // False when the connection is over.
  bool answer() {
    const size_t slash = std::min(path_.find('/'), path_.size());
    const auto bucket = buckets.find(std::string_view(path_).substr(0, slash));
    const std::string key = path_.substr(std::min(slash + 1, path_.size()));
    if (bucket == buckets.end()) return send_error(404, "NoSuchBucket");
    if (const std::string every = word(query_, "change"); method_ == "POST" && !every.empty()) {
      change(bucket->second, std::max(std::stoull(every), 1ull));
      return send_text("200 OK", "", "");
    }
    if (const auto into = written.find(bucket->first); into != written.end()) return answer_written(into->second, key);
    if (method_ != "GET" && method_ != "HEAD") return send_error(501, "NotImplemented");
    std::shared_lock unchanged(changing);
    if (key.empty()) return method_ == "HEAD" ? send_text("200 OK", "", "") : send_listing(bucket->second);
    const auto object = std::lower_bound(bucket->second.begin(), bucket->second.end(), key,
                                         [](const Object& one, const std::string& k) { return one.key < k; });
    if (object == bucket->second.end() || object->key != key) return send_error(404, "NoSuchKey");
    const Object found = *object;
    unchanged.unlock();
    return send_object(found);
  }

  bool send_object(const Object& object) {
    const std::string wanted = word(headers_, "if-match");
    if (!wanted.empty() && wanted.find(object.etag) == wanted.npos) return send_error(412, "PreconditionFailed");
    uint64_t first = 0;
    uint64_t end = object.size;
    const std::string range = word(headers_, "range");
    unsigned long from = 0;
    unsigned long last = 0;
    const int numbers = std::sscanf(range.c_str(), "bytes=%lu-%lu", &from, &last);
    if (numbers >= 1) first = from;
    if (numbers == 2) end = std::min<uint64_t>(end, last + 1);
    if (first >= end && object.size > 0) return send_error(416, "InvalidRange");
    std::string fields = "ETag: \"" + object.etag + "\"\r\nLast-Modified: " + object.modified->http +
                         "\r\nAccept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n";
    if (numbers >= 1)
      fields += "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(end - 1) + "/" +
                std::to_string(object.size) + "\r\n";
    const bool has_body = method_ == "GET" && end > first;
    const std::string head = head_of(numbers >= 1 ? "206 Partial Content" : "200 OK", fields, end - first);
    if (!send_bytes(head, has_body ? MSG_MORE : 0)) return false;
    return !has_body || send_stretch((object.offset + first) % pool_bytes, end - first);
  }

  bool send_stretch(uint64_t offset, uint64_t size) {
    while (size > 0) {
      auto at = static_cast<off_t>(offset);
      const ssize_t sent = ::sendfile(fd_, pool_fd, &at, std::min(size, pool_bytes - offset));
      if (sent <= 0) return false;
      size -= static_cast<uint64_t>(sent);
      offset = static_cast<uint64_t>(at) % pool_bytes;
    }
    return true;
  }

  bool send_listing(const Bucket& bucket) {
    const std::string prefix = word(query_, "prefix");
    const std::string delimiter = word(query_, "delimiter");
    const std::string token = word(query_, "continuation-token");
    const std::string asked = word(query_, "max-keys");
    const size_t keys_max = asked.empty() ? 1000 : std::min(std::stoul(asked), 1000ul);
    const auto before = [](const Object& one, const std::string& k) { return one.key < k; };
    auto at = std::lower_bound(bucket.begin(), bucket.end(), std::max(prefix, token), before);
    std::string items;
    size_t count = 0;
    for (; at != bucket.end() && at->key.starts_with(prefix) && count < keys_max; ++count) {
      const size_t cut = delimiter.empty() ? std::string::npos : at->key.find(delimiter, prefix.size());
      if (cut == std::string::npos) {
        items += "<Contents><Key>" + at->key + "</Key><LastModified>" + at->modified->iso + "</LastModified><ETag>&quot;" +
                 at->etag + "&quot;</ETag><Size>" + std::to_string(at->size) +
                 "</Size><StorageClass>STANDARD</StorageClass></Contents>";
        ++at;
      } else {
        std::string directory = at->key.substr(0, cut + delimiter.size());
        items += "<CommonPrefixes><Prefix>" + directory + "</Prefix></CommonPrefixes>";
        ++directory.back();  // The first that a key below it cannot be.
        at = std::lower_bound(at, bucket.end(), directory, before);
      }
    }
    const bool is_cut = at != bucket.end() && at->key.starts_with(prefix);
    std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
                       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Prefix>" + prefix + "</Prefix>";
    if (!word(query_, "encoding-type").empty()) text += "<EncodingType>url</EncodingType>";
    text += "<KeyCount>" + std::to_string(count) + "</KeyCount><IsTruncated>" + (is_cut ? "true" : "false") +
            "</IsTruncated>";
    if (is_cut) text += "<NextContinuationToken>" + at->key + "</NextContinuationToken>";
    return send_text("200 OK", "Content-Type: application/xml\r\n", text + items + "</ListBucketResult>");
  }

  // --- A bucket for writing

  bool answer_written(WrittenObjects& objects, const std::string& key) {
    const std::string upload = word(query_, "uploadId");
    if (method_ == "PUT" && key.empty()) return send_text("200 OK", "", "");  // The bucket itself: it is there.
    if (method_ == "PUT") return take_object(objects, key, upload);
    if (method_ == "POST") return take_order(objects, key, upload);
    if (method_ == "DELETE") {
      upload.empty() ? objects.remove(key) : objects.abort(upload);
      return send_text("204 No Content", "", "");
    }
    if (key.empty()) return method_ == "HEAD" ? send_text("200 OK", "", "") : send_written(objects);
    Written found;
    if (!objects.find(key, found)) return send_error(404, "NoSuchKey");
    if (method_ == "GET") return send_error(501, "NotImplemented");
    const std::string fields = "ETag: \"" + found.etag + "\"\r\nLast-Modified: " + Date(std::time(nullptr)).http +
                               "\r\nContent-Type: application/octet-stream\r\n" + found.fields;
    return send_bytes(head_of("200 OK", fields, found.size), 0);
  }

  bool take_object(WrittenObjects& objects, const std::string& key, const std::string& upload) {
    const uint64_t sent = std::strtoull(word(headers_, "content-length").c_str(), nullptr, 10);
    const std::string decoded = word(headers_, "x-amz-decoded-content-length");  // In chunks that are signed.
    const uint64_t size = decoded.empty() ? sent : std::strtoull(decoded.c_str(), nullptr, 10);
    s3_stub::Md5 md5;
    const bool is_hashed = decoded.empty() && sent <= s3_stub::hashed_bytes_max;
    if (!take_body(sent, is_hashed ? &md5 : nullptr, nullptr)) return false;
    const std::string etag = is_hashed ? md5.text() : objects.next_etag();
    if (upload.empty()) objects.put(key, {size, etag, meta_fields()});
    else if (!objects.put_part(upload, size)) return send_error(404, "NoSuchUpload");
    std::string fields = "ETag: \"" + etag + "\"\r\n";
    for (const auto& [name, value] : headers_)
      if (name.starts_with("x-amz-checksum-")) fields += name + ": " + value + "\r\n";
    return send_text("200 OK", fields, "");
  }

  bool take_order(WrittenObjects& objects, const std::string& key, const std::string& upload) {
    std::string body;
    if (!take_body(std::strtoull(word(headers_, "content-length").c_str(), nullptr, 10), nullptr, &body)) return false;
    if (query_.contains("clear")) {
      objects.clear();
      return send_text("200 OK", "", "");
    }
    const std::string type = "Content-Type: application/xml\r\n";
    if (query_.contains("uploads"))
      return send_text("200 OK", type, "<InitiateMultipartUploadResult><UploadId>" +
                                           objects.begin_upload(meta_fields()) +
                                           "</UploadId></InitiateMultipartUploadResult>");
    const std::string etag = objects.complete(upload, key);
    if (etag.empty()) return send_error(404, "NoSuchUpload");
    return send_text("200 OK", type, "<CompleteMultipartUploadResult><Key>" + key + "</Key><ETag>&quot;" + etag +
                                         "&quot;</ETag></CompleteMultipartUploadResult>");
  }

  std::string meta_fields() const {
    std::string fields;
    for (const auto& [name, value] : headers_)
      if (name.starts_with("x-amz-meta-")) fields += name + ": " + value + "\r\n";
    return fields;
  }

  // Forgets `size` bytes, unless they are to be hashed or kept.
  bool take_body(uint64_t size, s3_stub::Md5* md5, std::string* kept) {
    if (size > in_.size() && word(headers_, "expect") == "100-continue" &&
        !send_bytes("HTTP/1.1 100 Continue\r\n\r\n", 0))
      return false;
    const size_t here = std::min<uint64_t>(size, in_.size());
    if (md5) md5->add(std::string_view(in_).substr(0, here));
    if (kept) kept->assign(in_, 0, here);
    in_.erase(0, here);
    size -= here;
    static thread_local std::array<char, 256 << 10> bytes;
    while (size > 0) {
      const bool is_read = md5 || kept;
      const size_t step = is_read ? bytes.size() : 4 << 20;
      const ssize_t got = ::recv(fd_, is_read ? bytes.data() : nullptr, std::min<uint64_t>(size, step),
                                 is_read ? 0 : MSG_TRUNC);  // Of TCP: taken, and not copied.
      if (got <= 0) return false;
      const std::string_view part(bytes.data(), is_read ? static_cast<size_t>(got) : 0);
      if (md5) md5->add(part);
      if (kept) kept->append(part);
      size -= static_cast<uint64_t>(got);
    }
    return true;
  }

  bool send_written(WrittenObjects& objects) {
    const std::string token = word(query_, "continuation-token");
    const std::string asked = word(query_, "max-keys");
    std::vector<std::pair<std::string, Written>> page;
    const bool is_cut = objects.page(word(query_, "prefix"), token.empty() ? word(query_, "start-after") : token,
                                     asked.empty() ? 1000 : std::min(std::stoul(asked), 1000ul), page);
    const Date now(std::time(nullptr));
    std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
                       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    if (!word(query_, "encoding-type").empty()) text += "<EncodingType>url</EncodingType>";
    for (const auto& [key, object] : page)
      text += "<Contents><Key>" + key + "</Key><LastModified>" + now.iso + "</LastModified><ETag>&quot;" + object.etag +
              "&quot;</ETag><Size>" + std::to_string(object.size) + "</Size></Contents>";
    text += "<IsTruncated>" + std::string(is_cut ? "true" : "false") + "</IsTruncated>";
    if (is_cut) text += "<NextContinuationToken>" + page.back().first + "</NextContinuationToken>";
    return send_text("200 OK", "Content-Type: application/xml\r\n", text + "</ListBucketResult>");
  }

  bool send_error(int status, const std::string& code) {
    return send_text(std::to_string(status) + " " + code, "Content-Type: application/xml\r\n",
                     "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code></Error>");
  }

  bool send_text(const std::string& status, const std::string& fields, const std::string& body) {
    return send_bytes(head_of(status, fields, body.size()) + (method_ == "HEAD" ? "" : body), 0);
  }

  static std::string head_of(const std::string& status, const std::string& fields, uint64_t size) {
    return "HTTP/1.1 " + status + "\r\nServer: s3_stub\r\nx-amz-request-id: 1\r\nContent-Length: " +
           std::to_string(size) + "\r\n" + fields + "\r\n";
  }

  bool send_bytes(std::string_view bytes, int flags) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  int fd_;
  std::string in_;
  std::string method_;
  std::string path_;  // "bucket/key", decoded.
  Words query_;
  Words headers_;  // Names in lower case.
};

int listen_on(const char* where) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (listener < 0 || ::inet_pton(AF_INET, where, &address.sin_addr) != 1 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || ::listen(listener, 1024) < 0)
    fail("cannot listen");
  socklen_t size = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("http://%s:%d\n", where, ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

}  // namespace

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);  // Of sendfile().
  if (count < 3) {
    std::fprintf(stderr, "s3_stub: expected ADDRESS BUCKET:OBJECTS:BYTES…\n");
    return 2;
  }
  make_pool();
  for (int i = 2; i < count; ++i) {
    std::array<char, 64> name{};
    unsigned long objects = 0;
    unsigned long bytes = 0;
    if (std::sscanf(words[i], "%63[^:]:%lu:%lu", name.data(), &objects, &bytes) != 3) {
      std::fprintf(stderr, "s3_stub: '%s' is no bucket: expected NAME:OBJECTS:BYTES\n", words[i]);
      return 2;
    }
    buckets[name.data()] = make_bucket(objects, bytes);
    if (objects == 0) written[name.data()];
  }
  for (const int listener = listen_on(words[1]);;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread([fd] { Connection(fd).serve(); }).detach();
  }
}
