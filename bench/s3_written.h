// bench/s3_written.h: what clients have put into a bucket of bench/s3_stub.cc: names, sizes and etags, and no bytes.
//
// Bodies are read and forgotten. The ETag of a small object is its MD5, as clients expect; of a part or a large object
// it is none, and does not look like one. A checksum that came with a body is said again, as stores do that check it.
#pragma once

#include <openssl/evp.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace s3_stub {

constexpr uint64_t hashed_bytes_max = 1 << 20;  // Bodies up to here have an MD5 as their ETag.

struct Written {
  uint64_t size = 0;
  std::string etag;
  std::string fields;  // "x-amz-meta-…: …\r\n", for a HEAD.
};

// Any thread.
class WrittenObjects {
 public:
  void put(const std::string& key, Written object) {
    const std::lock_guard guard(lock_);
    objects_[key] = std::move(object);
  }
  void remove(const std::string& key) {
    const std::lock_guard guard(lock_);
    objects_.erase(key);
  }
  void clear() {
    const std::lock_guard guard(lock_);
    objects_.clear();
    uploads_.clear();
  }
  bool find(const std::string& key, Written& found) {
    const std::lock_guard guard(lock_);
    const auto at = objects_.find(key);
    if (at == objects_.end()) return false;
    found = at->second;
    return true;
  }

  std::string begin_upload(std::string fields) {
    const std::lock_guard guard(lock_);
    std::string id = "upload-" + std::to_string(++count_);
    uploads_[id] = {0, "", std::move(fields)};
    return id;
  }
  bool put_part(const std::string& id, uint64_t size) {
    const std::lock_guard guard(lock_);
    const auto at = uploads_.find(id);
    if (at == uploads_.end()) return false;
    at->second.size += size;
    return true;
  }
  // The ETag of the whole; "" if there is no such upload.
  std::string complete(const std::string& id, const std::string& key) {
    const std::lock_guard guard(lock_);
    const auto at = uploads_.find(id);
    if (at == uploads_.end()) return "";
    at->second.etag = etag_of_number(++count_);
    const std::string etag = at->second.etag;
    objects_[key] = at->second;
    uploads_.erase(at);
    return etag;
  }
  void abort(const std::string& id) {
    const std::lock_guard guard(lock_);
    uploads_.erase(id);
  }

  // Up to `keys_max` objects behind `after` whose keys begin with `prefix`; whether there are more.
  bool page(const std::string& prefix, const std::string& after, size_t keys_max,
            std::vector<std::pair<std::string, Written>>& found) {
    const std::lock_guard guard(lock_);
    auto at = after.empty() ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
    for (; at != objects_.end() && at->first.starts_with(prefix) && found.size() < keys_max; ++at) found.push_back(*at);
    return at != objects_.end() && at->first.starts_with(prefix);
  }

  static std::string etag_of_number(uint64_t number) { return "not-an-md5-" + std::to_string(number); }
  std::string next_etag() {
    const std::lock_guard guard(lock_);
    return etag_of_number(++count_);
  }

 private:
  std::mutex lock_;
  std::map<std::string, Written> objects_;
  std::map<std::string, Written> uploads_;
  uint64_t count_ = 0;
};

// MD5 of what it is shown, in hexadecimal digits.
class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new()) {
    static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
    EVP_DigestInit_ex2(context_, md5, nullptr);
  }
  ~Md5() { EVP_MD_CTX_free(context_); }
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  void add(std::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string text() {
    std::array<unsigned char, 16> digest{};
    EVP_DigestFinal_ex(context_, digest.data(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
  }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace s3_stub
