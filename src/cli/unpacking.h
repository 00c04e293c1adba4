// cli/unpacking.h: an archive into a directory, all of it or nothing.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/archive.h"
#include "cli/landing.h"
#include "cli/object_names.h"

namespace volary {

enum class Overwrite { yes, no };

// Unpacks into a hidden directory beside, and moves what came to its place when the archive has come to its end. What
// would lead out of the directory is `invalid`, and nothing of the archive is kept: names with "..", absolute ones,
// links that point elsewhere, devices. One archive; one thread.
class Unpacking final : private ArchiveVisitor {
 public:
  explicit Unpacking(const Landing& landing);
  ~Unpacking() override;
  Unpacking(const Unpacking&) = delete;
  Unpacking& operator=(const Unpacking&) = delete;

  Sink& sink() { return reader_; }
  // How many files were moved to their place.
  uint64_t finish(Overwrite overwrite);

 private:
  void begin(const ArchiveEntry& entry) override;
  void content(std::string_view bytes) override { arrival_->write(bytes); }
  void end() override;
  std::string checked_name(std::string name) const;
  void check_target(const std::string& name, const std::string& target) const;

  const Landing& landing_;
  const Path hidden_path_;
  std::unique_ptr<Landing> hidden_;
  ArchiveReader reader_{*this};
  std::unique_ptr<Arrival> arrival_;
  bool is_executable_ = false;
  std::unordered_set<std::string> names_;  // Of all but directories.
  std::vector<std::string> directories_;  // That stand in the archive themselves.
};

}  // namespace volary
