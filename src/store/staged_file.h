// store/staged_file.h: a large content on its way into the store by many requests, kept through restarts.
//
// Its parts come in any order, each to its place in a sparse file, and beside it a record of each is kept: how long it
// is and the hash values by which the content is named in the end, so nothing is read again (core/segmented_hash.h).
// Nothing is synced: what was written survives the end of this process, and where the machine itself has been started
// anew since, each part is read and held against its record before it is believed.
//
//   FILE         the bytes
//   FILE.parts   for each part, at its number's place:  bytes(4) start(4) proof(64), little-endian; zeros: it has not
//                come. start: of the machine when it was written; proof: the pair of a full part, the BLAKE3 of a
//                shorter one
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/file.h"
#include "core/segmented_hash.h"
#include "core/stream.h"

namespace volary {

constexpr uint64_t staged_part_bytes = 8 << 20;

struct StagedRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// Any thread may call; one object a file at a time.
class StagedFile {
 public:
  // Made if it is not there; its directory is.
  explicit StagedFile(Path path);

  const Path& path() const { return path_; }
  // Takes part `part` in place of what came as that before. Only the last part of a content may be shorter than
  // staged_part_bytes.
  void write(uint64_t part, std::string_view bytes);
  // Gives the room back that is taken by what has not come whole. Nobody writes meanwhile.
  void give_back_missing() const;
  // What has come, in order; neighbours are one.
  std::vector<StagedRange> received() const;
  // The digest of the content of `size` bytes, or nothing while parts of it are missing. Cuts off what is beyond.
  // Nobody writes meanwhile.
  std::optional<Digest> finish(uint64_t size);

  // Whether a commit has taken it: nothing is written to it any more.
  bool is_taken() const;

  static void remove(const Path& path);

 private:
  friend class StagedPart;
  struct Record;
  void check(uint64_t part, uint64_t bytes) const;
  Record record_of(uint64_t part) const;
  void set_record(uint64_t part, const Record& record) const;
  bool survived(uint64_t part, const Record& record, std::string& bytes) const;

  const Path path_;
  const Path records_path_;
  const Fd bytes_;
  const Fd records_;
  std::array<std::mutex, 16> writing_;  // Of the parts whose numbers modulo 16 are these.
};

// One part whose bytes come in order, written and hashed block by block, so that nobody holds it whole. It has come
// when finish() has returned. No other of the same part at the same time.
class StagedPart final : public Sink {
 public:
  // `bytes`: how many the part has.
  StagedPart(StagedFile& file, uint64_t part, uint64_t bytes);

  // Throws `conflict` for more bytes than the part has.
  void write(std::string_view bytes) override;
  // Throws `conflict` if the part is not whole.
  void finish();

 private:
  void flush();
  void take(std::string_view block);

  StagedFile& file_;
  const uint64_t part_;
  const uint64_t bytes_;
  uint64_t written_ = 0;
  std::string block_;
  std::vector<SegmentedHash::Pair> pairs_;  // Of the blocks of a full part;
  Hasher hasher_;                           // a shorter one is hashed as it comes.
};

}  // namespace volary
