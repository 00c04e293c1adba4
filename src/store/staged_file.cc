// store/staged_file.cc: the records of store/staged_file.h, written after the bytes they speak of.
//
// A part that comes again first loses its record: a process that ends while it writes leaves a part that has not come,
// never one whose record speaks of other bytes.
#include "store/staged_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/fault.h"

namespace volary {
namespace {

constexpr uint64_t parts_max = 1 << 24;  // 128 TiB.
static_assert(staged_part_bytes % block_bytes == 0);

// One that a commit has taken already is read-only, and never written to again.
Fd open_to_change(const Path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd && errno == EACCES) return open_to_read(path);
  if (!fd) throw error_from_errno(errno, "open", path.native());
  return fd;
}

// What tells one start of the machine from the next.
uint32_t start_of_machine() {
  static const uint32_t start = [] {
    const Digest digest = Digest::of(read_file("/proc/sys/kernel/random/boot_id"));
    uint32_t number = 0;
    std::memcpy(&number, digest.bytes().data(), sizeof number);
    return number;
  }();
  return start;
}

SegmentedHash::Pair proof_of(const Digest& digest) {
  SegmentedHash::Pair proof{};
  std::memcpy(proof.data(), digest.bytes().data(), Digest::size);
  return proof;
}

SegmentedHash::Pair proof_of(uint64_t part, std::string_view bytes) {
  if (bytes.size() == staged_part_bytes) return SegmentedHash::pair_of(part * staged_part_bytes, bytes);
  return proof_of(Digest::of(bytes));
}

void read_whole(int fd, std::span<char> to, uint64_t offset, const Path& name) {
  for (size_t done = 0; done < to.size();) {
    const size_t more = read_some_at(fd, to.subspan(done), offset + done, name);
    if (more == 0) {  // It ends before: as if zeros were there, which no record speaks of.
      std::fill(to.begin() + static_cast<std::ptrdiff_t>(done), to.end(), '\0');
      return;
    }
    done += more;
  }
}

// The disk begins on these bytes while others arrive: else it would idle until the commit's sync, which then waits for
// all of them. This promises nothing; where it cannot be had, only that time is lost.
void begin_writing(int fd, uint64_t offset, uint64_t bytes) {
  (void)::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}

}  // namespace

struct StagedFile::Record {
  uint32_t bytes = 0;
  uint32_t start = 0;
  SegmentedHash::Pair proof{};

  static constexpr size_t size = 72;
};

StagedFile::StagedFile(Path path)
    : path_(std::move(path)),
      records_path_(path_.native() + ".parts"),
      bytes_(open_to_change(path_)),
      records_(open_to_change(records_path_)) {}

StagedFile::Record StagedFile::record_of(uint64_t part) const {
  std::array<char, Record::size> raw{};
  read_whole(records_.get(), raw, part * Record::size, records_path_);
  Record record;
  std::memcpy(&record.bytes, raw.data(), 4);
  std::memcpy(&record.start, raw.data() + 4, 4);
  std::memcpy(record.proof.data(), raw.data() + 8, record.proof.size());
  if (record.bytes > staged_part_bytes) return {};
  return record;
}

void StagedFile::set_record(uint64_t part, const Record& record) const {
  std::array<char, Record::size> raw{};
  std::memcpy(raw.data(), &record.bytes, 4);
  std::memcpy(raw.data() + 4, &record.start, 4);
  std::memcpy(raw.data() + 8, record.proof.data(), record.proof.size());
  write_all_at(records_.get(), {raw.data(), raw.size()}, part * Record::size, records_path_);
}

void StagedFile::check(uint64_t part, uint64_t bytes) const {
  if (part >= parts_max || bytes == 0 || bytes > staged_part_bytes)
    throw Error(Errc::invalid, "part {} of {} bytes cannot be kept: expected 1 to {} bytes, and at most {} parts", part,
                bytes, staged_part_bytes, parts_max);
  if (is_taken())
    throw Error(Errc::conflict, "all parts of this file have come, and the store has it: expected no more of them");
}

bool StagedFile::is_taken() const { return stat_of(bytes_.get(), path_).st_nlink > 1; }

void StagedFile::give_back_missing() const {
  const struct stat now = stat_of(bytes_.get(), path_);
  if (now.st_nlink > 1) return;  // A commit has it, and all of it.
  const auto punch = [&](uint64_t from, uint64_t to) {
    if (from >= to) return;
    const int punched = ::fallocate(bytes_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    static_cast<off_t>(from), static_cast<off_t>(to - from));
    if (punched < 0 && errno != EOPNOTSUPP) throw error_from_errno(errno, "give back room of", path_.native());
  };
  uint64_t end = 0;  // Of what has come so far.
  for (const StagedRange& range : received()) {
    punch(end, range.offset);
    end = range.offset + range.size;
  }
  punch(end, static_cast<uint64_t>(now.st_size));
}

void StagedFile::write(uint64_t part, std::string_view bytes) {
  check(part, bytes.size());
  const Record record{static_cast<uint32_t>(bytes.size()), start_of_machine(), proof_of(part, bytes)};
  const std::lock_guard guard(writing_[part % writing_.size()]);
  if (record_of(part).bytes != 0) set_record(part, {});
  write_all_at(bytes_.get(), bytes, part * staged_part_bytes, path_);
  fault::point("staging.written");
  set_record(part, record);
  fault::point("staging.recorded");
}

std::vector<StagedRange> StagedFile::received() const {
  std::vector<StagedRange> ranges;
  const uint64_t parts = static_cast<uint64_t>(stat_of(records_.get(), records_path_).st_size) / Record::size;
  for (uint64_t part = 0; part < parts; ++part) {
    const Record record = record_of(part);
    if (record.bytes == 0) continue;
    const uint64_t offset = part * staged_part_bytes;
    if (!ranges.empty() && ranges.back().offset + ranges.back().size == offset) ranges.back().size += record.bytes;
    else ranges.push_back({offset, record.bytes});
  }
  return ranges;
}

bool StagedFile::survived(uint64_t part, const Record& record, std::string& bytes) const {
  if (record.start == start_of_machine()) return true;
  bytes.resize(record.bytes);
  read_whole(bytes_.get(), bytes, part * staged_part_bytes, path_);
  return proof_of(part, bytes) == record.proof;
}

std::optional<Digest> StagedFile::finish(uint64_t size) {
  SegmentedHash hash(size, staged_part_bytes);
  std::string bytes;
  bool is_whole = true;
  for (uint64_t part = 0; part < hash.segments(); ++part) {
    const Record record = record_of(part);
    if (record.bytes != hash.size_of(part)) {
      is_whole = false;
      continue;
    }
    if (record.bytes != 0 && !survived(part, record, bytes)) {
      set_record(part, {});
      is_whole = false;
      continue;
    }
    if (part + 1 < hash.segments()) hash.set(part, record.proof);
  }
  if (!is_whole) return std::nullopt;
  bytes.resize(hash.size_of(hash.segments() - 1));
  read_whole(bytes_.get(), bytes, hash.offset_of(hash.segments() - 1), path_);
  hash.add(hash.segments() - 1, bytes);
  const struct stat now = stat_of(bytes_.get(), path_);
  const bool is_longer = static_cast<uint64_t>(now.st_size) != size;
  if (is_longer && now.st_nlink > 1)
    throw Error(Errc::conflict, "this file has {} bytes in the store: expected them all", now.st_size);
  if (is_longer && ::ftruncate(bytes_.get(), static_cast<off_t>(size)) < 0)
    throw error_from_errno(errno, "set the length of", path_.native());
  return hash.finish();
}

StagedPart::StagedPart(StagedFile& file, uint64_t part, uint64_t bytes) : file_(file), part_(part), bytes_(bytes) {
  file_.check(part, bytes);
  if (file_.record_of(part).bytes != 0) file_.set_record(part, {});
  block_.reserve(std::min(bytes, block_bytes));
}

void StagedPart::write(std::string_view bytes) {
  if (bytes.size() > bytes_ - written_ - block_.size())
    throw Error(Errc::conflict, "more came than was asked for: expected {} bytes", bytes_);
  while (!bytes.empty()) {
    if (block_.empty() && bytes.size() >= block_bytes) {  // Nothing is copied of what comes as a whole block.
      take(bytes.substr(0, block_bytes));
      bytes.remove_prefix(block_bytes);
      continue;
    }
    const size_t size = std::min<uint64_t>(bytes.size(), block_bytes - block_.size());
    block_ += bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (block_.size() == block_bytes) flush();
  }
}

void StagedPart::flush() {
  take(block_);
  block_.clear();
}

void StagedPart::take(std::string_view block) {
  const uint64_t offset = part_ * staged_part_bytes + written_;
  if (bytes_ == staged_part_bytes) pairs_.push_back(SegmentedHash::pair_of(offset, block));
  else hasher_.update(block);
  write_all_at(file_.bytes_.get(), block, offset, file_.path_);
  written_ += block.size();
}

void StagedPart::finish() {
  if (const uint64_t came = written_ + block_.size(); came != bytes_)
    throw Error(Errc::conflict, "only {} bytes came: expected {}", came, bytes_);
  if (!block_.empty()) flush();
  begin_writing(file_.bytes_.get(), part_ * staged_part_bytes, bytes_);
  fault::point("staging.written");
  file_.set_record(part_, {static_cast<uint32_t>(bytes_), start_of_machine(),
                           pairs_.empty() ? proof_of(hasher_.finish()) : SegmentedHash::join(pairs_)});
  fault::point("staging.recorded");
}

void StagedFile::remove(const Path& path) {
  remove_file(path);
  remove_file(path.native() + ".parts");
}

}  // namespace volary
