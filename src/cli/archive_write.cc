// cli/archive_write.cc: files into a tar archive.
#include <algorithm>
#include <cstring>

#include "cli/archive.h"
#include "core/error.h"

namespace volary {
namespace {

constexpr size_t block_size = 512;
constexpr size_t name_bytes_max = 100;
constexpr uint64_t size_max = 077777777777;  // Eleven octal digits.

void put_text(std::string& block, size_t at, size_t room, std::string_view text) {
  block.replace(at, std::min(room, text.size()), text.substr(0, room));
}

void put_octal(std::string& block, size_t at, size_t room, uint64_t number) {
  put_text(block, at, room, fmt::format("{:0{}o}", number, room - 1));
}

std::string header_of(std::string_view name, char kind, uint64_t size, unsigned mode, int64_t seconds) {
  std::string block(block_size, '\0');
  put_text(block, 0, name_bytes_max, name);
  put_octal(block, 100, 8, mode);
  put_octal(block, 108, 8, 0);
  put_octal(block, 116, 8, 0);
  put_octal(block, 124, 12, std::min(size, size_max));
  put_octal(block, 136, 12, static_cast<uint64_t>(std::clamp<int64_t>(seconds, 0, size_max)));
  block[156] = kind;
  put_text(block, 257, 8, std::string_view("ustar\00000", 8));
  put_text(block, 148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put_text(block, 148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

// "LENGTH KEY=VALUE\n", where LENGTH counts itself.
std::string pax_line(std::string_view key, std::string_view value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string padding_of(uint64_t size) { return std::string((block_size - size % block_size) % block_size, '\0'); }

bool is_plain(std::string_view name) {
  return name.size() <= name_bytes_max &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c < 127; });
}

std::string headers_of(const ObjectFile& file) {
  std::string lines;
  if (!is_plain(file.name)) lines += pax_line("path", file.name);
  if (file.size > size_max) lines += pax_line("size", std::to_string(file.size));
  const int64_t seconds = file.modified.micros / 1'000'000;
  std::string headers;
  if (!lines.empty())
    headers = header_of("PaxHeader", 'x', lines.size(), 0644, seconds) + lines + padding_of(lines.size());
  return headers + header_of(file.name, '0', file.size, file.is_executable ? 0755 : 0644, seconds);
}

}  // namespace

ArchiveSource::ArchiveSource(std::vector<ObjectFile> files) : files_(std::move(files)) {
  bytes_ = 2 * block_size;
  for (const ObjectFile& file : files_) bytes_ += headers_of(file).size() + file.size + padding_of(file.size).size();
}

void ArchiveSource::begin_next() {
  given_ = 0;
  if (next_ == files_.size()) {
    block_ = has_ended_ ? "" : std::string(2 * block_size, '\0');
    has_ended_ = true;
    return;
  }
  const ObjectFile& file = files_[next_++];
  file_ = std::make_unique<FileSource>(file.path);
  check_unchanged(file);
  block_ = headers_of(file);
  left_ = file.size;
}

size_t ArchiveSource::read(std::span<char> to) {
  if (given_ == block_.size() && !file_) begin_next();
  if (given_ < block_.size()) {
    const size_t size = block_.copy(to.data(), to.size(), given_);
    given_ += size;
    return size;
  }
  if (!file_) return 0;
  if (left_ > 0) {
    const size_t size = file_->read(to.first(std::min<uint64_t>(to.size(), left_)));
    if (size == 0)
      throw Error(Errc::conflict, "'{}' became shorter while it was read", files_[next_ - 1].path.native());
    left_ -= size;
    return size;
  }
  file_.reset();
  check_unchanged(files_[next_ - 1]);
  block_ = padding_of(files_[next_ - 1].size);
  given_ = 0;
  return read(to);
}

}  // namespace volary
