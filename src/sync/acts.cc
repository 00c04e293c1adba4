// sync/acts.cc: acts as bytes. Nothing but the process that wrote them reads them, so they have no version.
//
//   list    = *( size record )                         size: 4 bytes, of the record
//   record  = flags shared text listed [ listed ]      shared: how many bytes of the path are those of the act before
//   listed  = number text [ digest ]                   size and etag; the second is what the first replaces
//   text    = number *byte                             number: 7 bits a byte, the lowest first
#include "sync/acts.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t read_bytes = 64 << 10;

enum Flag : uint8_t { deletes = 1, replaces = 2, executable = 4, has_digest = 8, was_executable = 16, had_digest = 32 };

void put_number(std::string& out, uint64_t number) {
  for (; number >= 128; number >>= 7) out += static_cast<char>(number | 128);
  out += static_cast<char>(number);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

void put_listed(std::string& out, const Listed& file) {
  put_number(out, file.size);
  put_text(out, file.etag);
  if (file.digest) out += file.digest->raw();
}

uint64_t take_number(std::string_view& from) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(from.front());
    from.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return number;
  }
}

std::string_view take_bytes(std::string_view& from, size_t size) {
  const std::string_view bytes = from.substr(0, size);
  from.remove_prefix(size);
  return bytes;
}

void take_listed(std::string_view& from, bool with_digest, Listed& file) {
  file.size = take_number(from);
  file.etag = take_bytes(from, take_number(from));
  file.digest.reset();
  if (with_digest) file.digest = Digest::from_raw(take_bytes(from, Digest::size));
}

}  // namespace

size_t ActList::add(PlanAct act, const Listed& file, const Listed* replaced) {
  const std::string& path = file.path.text();
  const auto differ = std::mismatch(path.begin(), path.end(), path_.begin(), path_.end()).first;
  const auto shared = static_cast<size_t>(differ - path.begin());
  record_.clear();
  record_ += static_cast<char>((act == PlanAct::delete_ ? deletes : 0) | (replaced ? replaces : 0) |
                               (file.executable ? executable : 0) | (file.digest ? has_digest : 0) |
                               (replaced && replaced->executable ? was_executable : 0) |
                               (replaced && replaced->digest ? had_digest : 0));
  put_number(record_, shared);
  put_text(record_, std::string_view(path).substr(shared));
  put_listed(record_, file);
  if (replaced) put_listed(record_, *replaced);
  const auto size = static_cast<uint32_t>(record_.size());
  held_.append(reinterpret_cast<const char*>(&size), sizeof size);
  held_ += record_;
  path_ = path;
  if (held_.size() >= held_max_) {
    if (!file_) file_.emplace(directory_, 0600);
    file_->write(held_);
    written_ += held_.size();
    held_.clear();
  }
  return count_++;
}

size_t ActList::read_at(uint64_t offset, std::span<char> to) const {
  if (offset < written_) {
    const size_t size = std::min<uint64_t>(to.size(), written_ - offset);
    const size_t found = read_some_at(file_->fd(), to.first(size), offset, file_->path());
    if (found == 0) throw Error(Errc::corrupt, "'{}' is shorter than it was written", file_->path().native());
    return found;
  }
  const std::string_view rest = std::string_view(held_).substr(offset - written_);
  return rest.copy(to.data(), to.size());
}

ActList::Reader::Reader(const ActList& list) : list_(list), taken_back_(list.taken_back_) {
  std::sort(taken_back_.begin(), taken_back_.end());
}

bool ActList::Reader::next(FileAct& act) {
  for (std::string_view record; read(record);) {
    const auto flags = static_cast<uint8_t>(record.front());
    record.remove_prefix(1);
    path_.resize(take_number(record));
    path_ += take_bytes(record, take_number(record));
    if (is_taken_back(number_++)) continue;
    act.act = (flags & deletes) != 0 ? PlanAct::delete_ : PlanAct::copy;
    act.file.path = TreePath::parse(path_);
    act.file.executable = (flags & executable) != 0;
    take_listed(record, (flags & has_digest) != 0, act.file);
    act.replaces.reset();
    if ((flags & replaces) == 0) return true;
    act.replaces.emplace().path = act.file.path;
    act.replaces->executable = (flags & was_executable) != 0;
    take_listed(record, (flags & had_digest) != 0, *act.replaces);
    return true;
  }
  return false;
}

// Asked in the order of numbers.
bool ActList::Reader::is_taken_back(size_t number) {
  if (taken_back_at_ == taken_back_.size() || taken_back_[taken_back_at_] != number) return false;
  ++taken_back_at_;
  return true;
}

// The next record, until it is called again; false behind the last one.
bool ActList::Reader::read(std::string_view& record) {
  uint32_t size = 0;
  if (!fill(sizeof size)) return false;
  std::memcpy(&size, block_.data() + at_, sizeof size);
  at_ += sizeof size;
  fill(size);
  record = std::string_view(block_).substr(at_, size);
  at_ += size;
  return true;
}

// Whether so many bytes are in the block from `at_` on.
bool ActList::Reader::fill(size_t bytes) {
  while (block_.size() - at_ < bytes) {
    block_.erase(0, at_);
    at_ = 0;
    const size_t before = block_.size();
    block_.resize(std::max(read_bytes, bytes));
    const size_t found = list_.read_at(offset_, std::span(block_).subspan(before));
    block_.resize(before + found);
    offset_ += found;
    if (found == 0) return false;
  }
  return true;
}

}  // namespace volary
