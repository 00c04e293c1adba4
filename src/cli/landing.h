// cli/landing.h: a directory that files arrive in, under names that somebody else chose.
//
// No name leads out of it: parts that are empty, "." or ".." are refused, and no link below the directory is followed.
// A file gets its name only when it is whole. What came of one that is not stays beside it, and is gone on with.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"

namespace volary {

// Whether this is the name, without directories, of what a landing or an unpacking has not finished.
bool is_unfinished(std::string_view name);
constexpr std::string_view unpacking_prefix = ".volary-unpacking-";

// A file on its way, which nobody else receives meanwhile. One thread.
class Arrival final : public Sink {
 public:
  Arrival(Fd parent, Fd file, std::string part_name, std::string name, Path shown);
  Arrival(Arrival&&) = default;
  ~Arrival() override;  // What has come stays for the next try, but for nothing at all.
  // What is there already, of an earlier try.
  uint64_t bytes() const { return bytes_; }
  void write(std::string_view bytes) override;
  // Forgets what is there.
  void begin_anew();
  // Gives what has come to `visit`, piece by piece.
  void read_back(const std::function<void(std::string_view)>& visit) const;
  // What has come is on the disk.
  void sync() { sync_file(file_.get(), shown_); }
  // Gives it its name, replacing a file of that name. Throws `conflict` where a directory has it.
  void finish(bool is_executable);

 private:
  Fd parent_;
  Fd file_;
  const std::string part_name_;
  const std::string name_;
  const Path shown_;  // For messages.
  uint64_t bytes_ = 0;
};

// Any thread may call, for different names.
class Landing {
 public:
  // Throws `not_found` if there is no such directory.
  explicit Landing(const Path& directory);

  // Throws `invalid` if `name` cannot be that of a file below. All functions do.
  static void check(std::string_view name);
  bool has(const std::string& name) const;
  // Throws `conflict` if a directory has the name, or if something else stands where a directory of it would be.
  void check_place(const std::string& name) const;
  // `mark` is what tells this content from another of the same name: what an earlier try left counts only if it had the
  // same, and the machine has not stopped since, which may cost what was not synced. Throws `conflict` if somebody else
  // is receiving it.
  Arrival begin(const std::string& name, const std::string& mark) const;
  void make_directory(const std::string& name) const;
  void make_symlink(const std::string& name, const std::string& target) const;
  // `target` is the name of a file here.
  void make_hard_link(const std::string& name, const std::string& target) const;

  // Files and links below `directory` ("" is all), but for what is still on its way.
  void each_file(const std::string& directory, const std::function<void(const std::string& name)>& visit) const;
  // With the directories that it leaves empty.
  void remove(const std::string& name) const;
  // To another landing, replacing what is there. Throws `invalid` if that is on another file system.
  void move(const std::string& name, const Landing& target) const;

  const Path& path() const { return path_; }
  // All that has arrived is durable.
  void sync() const;

 private:
  enum class Missing { make, leave, check };
  // The directory of `name`; nothing if there is none, and where something else has its name an Error but for `leave`.
  std::optional<Fd> open_parent(const std::string& name, Missing missing) const;

  Path path_;
  Fd directory_;
};

}  // namespace volary
