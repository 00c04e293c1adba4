// remote/parted.h: bytes that can be read again, from anywhere, on their way into a store.
//
// Such content goes in parts at once, each is sent again alone, and another process can go on where this one died. What
// the store says of the bytes that it has is held against what was sent.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "remote/remote.h"

namespace volary {

// Any thread may call any function, many at once.
class Content {
 public:
  virtual ~Content() = default;
  virtual uint64_t size() const = 0;
  // Parts begin at multiples of this, a power of two, and reach to the next or to the end.
  virtual uint64_t step_bytes() const = 0;
  // Shows the bytes of the range, in their order, for the content's own check. Each part is shown once.
  virtual void show(const Range& range, const std::function<void(std::string_view)>& visit) = 0;
  // After all was shown. Throws `corrupt` if the bytes are not those that the content promises.
  virtual void check() = 0;
  // Fills `to` with bytes that were shown before, from `offset` on.
  virtual void read_at(uint64_t offset, std::span<char> to) = 0;
};

// An upload in parts that was begun and not ended.
struct UploadNote {
  std::string id;    // The store's name for it.
  std::string mark;  // What its object will carry, so that it is recognised.
};

// Where the caller writes down what is under way, for whoever comes after it.
class UploadNotes {
 public:
  virtual ~UploadNotes() = default;
  // What was begun for the same bytes under this key.
  virtual std::optional<UploadNote> find(const std::string& key) = 0;
  // Durable when it returns. An id of "" is one that is about to be asked for.
  virtual void begun(const std::string& key, const UploadNote& note) = 0;
  virtual void ended(const std::string& key) = 0;
};

struct PutOptions {
  UploadNotes& notes;
  std::stop_token stop{};  // Ends with `unavailable`; an upload in parts then stays, to be gone on with.
  size_t threads = 8;      // That send parts.
  std::atomic<uint64_t>* bytes_sent = nullptr;  // Grows by what travelled and arrived.
};

class PartedRemote {
 public:
  virtual ~PartedRemote() = default;
  // As Remote::put. Any other failure than a stop leaves no upload in parts behind. The result's proof says how the
  // store's words were held against the bytes.
  virtual RemoteObject put_content(const std::string& key, Content& content, const PutOptions& options) = 0;
  // Whether the etag of an object of the content's size shows that it has these very bytes. Shows all of the content.
  virtual bool is_same(const std::string& etag, Content& content) = 0;
  // Ends an upload in parts and forgets its parts. Absent is success.
  virtual void abandon(const std::string& key, const UploadNote& note) = 0;
};

}  // namespace volary
