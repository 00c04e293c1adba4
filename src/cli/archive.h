// cli/archive.h: tar archives (POSIX 1003.1-2001, "pax"): written from files, read from a stream.
//
//   archive = *( entry ) 1024 zero bytes
//   entry   = header block [ content, padded to blocks of 512 bytes ]
//
// A name, target or size that the header block cannot hold is in an entry of kind 'x' before it: lines of
// "LENGTH KEY=VALUE\n". GNU's own 'L' and 'K' are read too. All else is refused, never guessed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/object_files.h"
#include "core/stream.h"

namespace volary {

// The archive of these files, under their names. How large it is, is known before: a file that has another size or time
// before or after it is read throws `conflict`.
class ArchiveSource final : public Source {
 public:
  explicit ArchiveSource(std::vector<ObjectFile> files);
  uint64_t bytes() const { return bytes_; }
  size_t read(std::span<char> to) override;

 private:
  void begin_next();

  const std::vector<ObjectFile> files_;
  uint64_t bytes_ = 0;
  size_t next_ = 0;         // Of files_.
  bool has_ended_ = false;
  std::string block_;       // Headers and padding to give, and how far that is.
  size_t given_ = 0;
  std::unique_ptr<FileSource> file_;
  uint64_t left_ = 0;       // Of the file.
};

enum class MemberKind { file, directory, symlink, hard_link };

struct ArchiveEntry {
  MemberKind kind{};
  std::string name;    // As it stands in the archive: nothing about it is checked.
  std::string target;  // Of a link.
  uint64_t size = 0;
  bool is_executable = false;
};

// What is done with what an archive holds; may throw.
class ArchiveVisitor {
 public:
  virtual ~ArchiveVisitor() = default;
  virtual void begin(const ArchiveEntry& entry) = 0;
  virtual void content(std::string_view bytes) = 0;  // Of the file that was begun.
  virtual void end() = 0;                            // Of each entry.
};

// Takes an archive in pieces of any size. Throws `invalid` for what is no such archive.
class ArchiveReader final : public Sink {
 public:
  explicit ArchiveReader(ArchiveVisitor& visitor) : visitor_(visitor) {}
  void write(std::string_view bytes) override;
  // Throws `corrupt` if the archive is cut off.
  void finish() const;

 private:
  enum class Part { header, content, extension, padding, done };
  void take_header();
  void begin_entry(char kind);
  void take_extension();
  void end_content();
  void read_pax(std::string_view lines);

  ArchiveVisitor& visitor_;
  Part part_ = Part::header;
  std::string block_;      // The header so far.
  std::string extension_;  // An 'x', 'L' or 'K' so far.
  char extension_kind_ = 0;
  uint64_t left_ = 0;      // Of the part.
  uint64_t padding_ = 0;   // After it.
  ArchiveEntry entry_;
  // What extensions say of the next entry.
  struct Said {
    std::optional<std::string> name;
    std::optional<std::string> target;
    std::optional<uint64_t> size;
  } said_;
};

}  // namespace volary
