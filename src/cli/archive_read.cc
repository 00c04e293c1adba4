// cli/archive_read.cc: a tar archive, piece by piece, with distrust.
#include <charconv>

#include "cli/archive.h"
#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr size_t block_size = 512;
constexpr uint64_t extension_bytes_max = 1 << 20;

std::string text_at(std::string_view block, size_t at, size_t room) {
  const std::string_view field = block.substr(at, room);
  return std::string(field.substr(0, field.find('\0')));
}

// Octal digits, or GNU's binary number where the first bit is set.
uint64_t number_at(std::string_view block, size_t at, size_t room) {
  std::string_view field = block.substr(at, room);
  if (static_cast<unsigned char>(field[0]) == 0x80) {
    uint64_t number = 0;
    for (const char byte : field.substr(1)) {
      if (number >> 55) throw Error(Errc::invalid, "the archive has a size that cannot be");
      number = number << 8 | static_cast<unsigned char>(byte);
    }
    return number;
  }
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  while (!field.empty() && (field.back() == ' ' || field.back() == '\0')) field.remove_suffix(1);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number, 8);
  if (!field.empty() && (error != std::errc() || end != field.data() + field.size() || number >> 62))
    throw Error(Errc::invalid, "the archive has the number '{}': expected octal digits", printable(field));
  return number;
}

void check_sum(std::string_view block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < block.size(); ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  if (sum == number_at(block, 148, 8)) return;
  if (block.starts_with("\x1f\x8b"))
    throw Error(Errc::invalid, "this is compressed by gzip: expected a tar archive as it is");
  if (block.starts_with("\x28\xb5\x2f\xfd"))
    throw Error(Errc::invalid, "this is compressed by zstd: expected a tar archive as it is");
  throw Error(Errc::invalid, "this is no tar archive, or it is damaged: a header's sum is wrong");
}

}  // namespace

void ArchiveReader::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (part_ == Part::done) return;  // What stands behind the end does not count.
    const uint64_t wanted = part_ == Part::header ? block_size - block_.size() : left_;
    const std::string_view piece = bytes.substr(0, std::min<uint64_t>(wanted, bytes.size()));
    bytes.remove_prefix(piece.size());
    switch (part_) {
      case Part::header:
        block_ += piece;
        if (block_.size() == block_size) take_header();
        continue;
      case Part::content: visitor_.content(piece); break;
      case Part::extension: extension_ += piece; break;
      case Part::padding: case Part::done: break;
    }
    left_ -= piece.size();
    if (left_ == 0) end_content();
  }
}

void ArchiveReader::finish() const {
  if (part_ == Part::done) return;
  if (part_ == Part::header && block_.empty() && !said_.name) {  // Some writers leave the zero blocks out.
    if (!entry_.name.empty()) return;
    throw Error(Errc::corrupt, "the archive is empty: expected its end");
  }
  throw Error(Errc::corrupt, "the archive is cut off{}",
              entry_.name.empty() ? "" : " after '" + printable(entry_.name) + "'");
}

void ArchiveReader::take_header() {
  if (block_.find_first_not_of('\0') == std::string::npos) {
    part_ = Part::done;
    return;
  }
  check_sum(block_);
  const char kind = block_[156];
  const uint64_t size = number_at(block_, 124, 12);
  if (kind == 'x' || kind == 'g' || kind == 'L' || kind == 'K') {
    if (size > extension_bytes_max)
      throw Error(Errc::invalid, "the archive has a name of {} bytes: expected at most {}", size, extension_bytes_max);
    extension_kind_ = kind;
    extension_.clear();
    left_ = size;
    padding_ = (block_size - size % block_size) % block_size;
    part_ = Part::extension;
    block_.clear();
    if (left_ == 0) end_content();
    return;
  }
  begin_entry(kind);
}

void ArchiveReader::begin_entry(char kind) {
  entry_ = {};
  entry_.name = text_at(block_, 0, 100);
  const bool is_posix = block_.compare(257, 6, std::string_view("ustar\0", 6)) == 0;  // GNU uses the field otherwise.
  const std::string prefix = is_posix ? text_at(block_, 345, 155) : "";
  if (!prefix.empty()) entry_.name = prefix + "/" + entry_.name;
  entry_.target = text_at(block_, 157, 100);
  entry_.is_executable = (number_at(block_, 100, 8) & 0100) != 0;
  uint64_t size = number_at(block_, 124, 12);
  if (said_.name) entry_.name = *said_.name;
  if (said_.target) entry_.target = *said_.target;
  if (said_.size) size = *said_.size;
  said_ = {};
  block_.clear();
  switch (kind) {
    case '0': case '\0': case '7':
      entry_.kind = entry_.name.ends_with('/') && size == 0 ? MemberKind::directory : MemberKind::file;
      break;
    case '5': entry_.kind = MemberKind::directory; break;
    case '2': entry_.kind = MemberKind::symlink; break;
    case '1': entry_.kind = MemberKind::hard_link; break;
    default:
      throw Error(Errc::invalid, "the archive's '{}' is of kind '{}': expected files, directories and links",
                  printable(entry_.name), printable(std::string(1, kind)));
  }
  if (entry_.kind != MemberKind::file && size > 0 && entry_.kind != MemberKind::directory)
    throw Error(Errc::invalid, "the archive's link '{}' has {} bytes: expected none", printable(entry_.name), size);
  if (entry_.kind == MemberKind::directory) size = 0;
  entry_.size = size;
  visitor_.begin(entry_);
  left_ = size;
  padding_ = (block_size - size % block_size) % block_size;
  part_ = Part::content;
  if (left_ == 0) end_content();
}

// Of the part whose bytes have all come.
void ArchiveReader::end_content() {
  if (part_ == Part::content) visitor_.end();
  if (part_ == Part::extension) take_extension();
  if (part_ != Part::padding && padding_ > 0) {
    part_ = Part::padding;
    left_ = std::exchange(padding_, 0);
    return;
  }
  part_ = Part::header;
}

void ArchiveReader::take_extension() {
  if (extension_kind_ == 'x') return read_pax(extension_);
  const std::string text = extension_.substr(0, extension_.find('\0'));
  if (extension_kind_ == 'L') said_.name = text;
  if (extension_kind_ == 'K') said_.target = text;
}

void ArchiveReader::read_pax(std::string_view lines) {
  const auto broken = [] { return Error(Errc::invalid, "the archive has a broken extended header"); };
  while (!lines.empty()) {
    size_t length = 0;
    const auto [end, error] = std::from_chars(lines.data(), lines.data() + lines.size(), length);
    if (error != std::errc() || length > lines.size() || length < 5 || *end != ' ' || lines[length - 1] != '\n')
      throw broken();
    const auto start = static_cast<size_t>(end - lines.data()) + 1;
    if (start >= length) throw broken();
    const std::string_view line = lines.substr(start, length - 1 - start);
    lines.remove_prefix(length);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) throw broken();
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "path") said_.name = std::string(value);
    if (key == "linkpath") said_.target = std::string(value);
    if (key.starts_with("GNU.sparse."))
      throw Error(Errc::invalid, "the archive has a sparse file: expected whole ones");
    if (key != "size") continue;
    uint64_t size = 0;
    const auto [last, wrong] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (wrong != std::errc() || last != value.data() + value.size() || size >> 62) throw broken();
    said_.size = size;
  }
}

}  // namespace volary
