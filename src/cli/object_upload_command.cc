// cli/object_upload_command.cc: `volary bucket object upload`: files become objects of a bucket.
#include <algorithm>
#include <unordered_set>

#include "cli/archive.h"
#include "cli/object_files.h"
#include "cli/object_options.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct UploadOptions {
  std::string place;
  std::vector<std::string> paths;
  std::optional<std::string> add_prefix;
  std::optional<std::string> remove_prefix;
  bool no_overwrite = false;
  bool json = false;
  std::optional<std::string> workers;
  bool with_deletion = false;
  std::optional<std::string> trash;
  bool dry_run = false;
  std::optional<std::string> tar;
  bool yes = false;
};

std::vector<CommandField> upload_fields(UploadOptions& o) {
  return {place_field(o.place),
          {.name = "PATHS", .target = &o.paths, .help = "which files and directories", .need = Need::required,
           .words = Words::files},
          {.name = "-a,--add-prefix", .target = &o.add_prefix, .help = "put before each name", .value = "PREFIX"},
          {.name = "-r,--remove-prefix", .target = &o.remove_prefix, .help = "taken off each name that begins so",
           .value = "PREFIX"},
          {.name = "--no-overwrite", .target = &o.no_overwrite, .help = "leave objects that are there as they are"},
          {.name = "--delete", .target = &o.with_deletion,
           .help = "afterwards delete objects under the directories' names that have no file here"},
          {.name = "--trash", .target = &o.trash, .help = "with --delete: move them there instead",
           .value = "CONTAINER/DIR"},
          {.name = "--tar", .target = &o.tar, .help = "make one object of this name of all: a tar archive",
           .value = "NAME"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would be done"},
          {.name = "-j,--json", .target = &o.json, .help = "the same as -o json"},
          workers_field(o.workers), yes_field(o.yes)};
}

// Those that lie in no other.
std::vector<std::string> outermost(std::vector<std::string> scopes) {
  std::sort(scopes.begin(), scopes.end());
  std::vector<std::string> kept;
  for (std::string& scope : scopes)
    if (kept.empty() || !scope.starts_with(kept.back())) kept.push_back(std::move(scope));
  return kept;
}

class Upload {
 public:
  Upload(Session& session, const UploadOptions& o)
      : session_(session), o_(o), place_(parse_container_place(o.place)), workers_(workers_of(o.workers)),
        bucket_(bucket_of(session, place_)),
        tally_(session, "upload", o.dry_run ? Run::dry : Run::real, format_of(session, o.json)) {
    if (o.trash) trash_ = parse_trash_place(*o.trash);
    if (trash_ && !o.with_deletion)
      throw Error(Errc::invalid, "--trash says where --delete moves objects to: expected both");
    if (o.tar && (o.with_deletion || o.tar->empty()))
      throw Error(Errc::invalid, "--tar makes one object: expected its name, and no --delete");
  }

  int run() {
    local_ = find_object_files(o_.paths, {o_.remove_prefix.value_or(""), place_.prefix + o_.add_prefix.value_or("")});
    for (const std::string& line : local_.left_out) session_.note("left out: " + line);
    if (o_.tar) return upload_archive();
    if (o_.no_overwrite || o_.with_deletion) look_at_bucket();
    confirm_deletion();
    std::vector<const ObjectFile*> wanted;
    for (const ObjectFile& file : local_.files) {
      if (o_.no_overwrite && present_.contains(file.name))
        tally_.add({file.name, "skipped", file.size, shown(file), {}});
      else
        wanted.push_back(&file);
    }
    for (const ObjectFile* file : wanted) tally_.expect(1, file->size);
    for_each_index(wanted.size(), workers_, [&](size_t i) {
      tally_.attempt(wanted[i]->name, [&] { upload(*wanted[i]); });
    });
    if (o_.with_deletion && tally_.has_failures() && !extra_.empty() && !fault::planted("upload.deletes_anyway"))
      session_.note("nothing was deleted, because not all was uploaded");
    else
      remove_extra();
    return tally_.finish();
  }

 private:
  static std::string shown(const ObjectFile& file) { return file.path.native(); }

  void upload(const ObjectFile& file) {
    if (!tally_.is_dry()) {
      FileSource source(file.path);
      CountedSource counted(source, tally_);
      const BucketObject stored = bucket_.put(file.name, counted, file.size);
      if (stored.size != file.size)
        throw Error(Errc::corrupt, "{} bytes were stored of {}", stored.size, file.size);
      check_unchanged(file);
      counted.keep();
    }
    tally_.add({file.name, "uploaded", file.size, shown(file), {}});
  }

  int upload_archive() {
    const std::string name = place_.prefix + *o_.tar;
    if (o_.no_overwrite && bucket_.is_present(name)) {
      tally_.add({name, "skipped", 0, {}, {}});
      return tally_.finish();
    }
    const uint64_t bytes = ArchiveSource(local_.files).bytes();
    tally_.expect(1, bytes);
    tally_.attempt(name, [&] {
      if (!tally_.is_dry()) {
        ArchiveSource source(local_.files);
        CountedSource counted(source, tally_);
        bucket_.put(name, counted, bytes);
        counted.keep();
      }
      tally_.add({name, "uploaded", bytes, {}, {}});
    });
    return tally_.finish();
  }

  // What of the names is there, and what lies in the directories' scopes besides.
  void look_at_bucket() {
    std::unordered_set<std::string> names;
    for (const ObjectFile& file : local_.files) names.insert(file.name);
    const auto is_in_trash = [&](const std::string& key) {
      return trash_ && trash_->container == place_.container && !trash_->directory.empty() &&
             key.starts_with(trash_->directory);
    };
    const auto look = [&](const std::string& scope, bool may_delete) {
      const ListingEnd end = bucket_.list(scope, [&](const BucketObject& object) {
        const bool is_ours = may_delete && !is_in_trash(object.key);
        in_scope_ += is_ours;
        if (names.contains(object.key)) present_.insert(object.key);
        else if (is_ours && !local_.keeps(object.key)) extra_.push_back(object);
      });
      if (may_delete) note_left_out(session_, end);
    };
    if (o_.with_deletion) {
      if (local_.scopes.empty())
        throw Error(Errc::invalid, "--delete is about what lies in a directory: expected one among the paths");
      for (const std::string& scope : outermost(local_.scopes)) look(scope, true);
    }
    if (o_.no_overwrite && !local_.files.empty()) look(shared_start(), false);
  }

  std::string shared_start() const {
    const std::string& low = local_.files.front().name;
    const std::string& high = local_.files.back().name;
    const auto [end, ignored] = std::mismatch(low.begin(), low.end(), high.begin(), high.end());
    return {low.begin(), end};
  }

  void confirm_deletion() {
    const bool is_most = extra_.size() * 2 > in_scope_;
    if (!is_most || extra_.empty() || o_.yes || o_.dry_run) return;
    session_.confirm(fmt::format("This {} {} of the {} that are there{}, more than half.",
                                 trash_ ? "moves" : "deletes", extra_.size(), objects_text(in_scope_),
                                 trash_ ? " to the trash" : ""),
                     "--yes");
  }

  void remove_extra() {
    tally_.expect(extra_.size(), 0);
    for_each_index(extra_.size(), workers_, [&](size_t i) {
      const BucketObject& one = extra_[i];
      tally_.attempt(one.key, [&] {
        if (trash_) {
          if (!tally_.is_dry()) bucket_.copy({one.key, trash_->directory + one.key, trash_->container, CopyAct::move});
          tally_.add({one.key, "trashed", one.size, trash_->container + "/" + trash_->directory + one.key, {}});
          return;
        }
        if (!tally_.is_dry()) {
          const DeletedObjects done = bucket_.remove({one.key}, WhenAbsent::ignore);
          for (const ObjectFailure& failure : done.failures)
            throw Error(errc_named(failure.code), Error::Text{failure.detail});
        }
        tally_.add({one.key, "deleted", one.size, {}, {}});
      });
    });
  }

  Session& session_;
  const UploadOptions& o_;
  const ContainerPlace place_;
  const size_t workers_;
  const BucketClient bucket_;
  Tally tally_;
  std::optional<TrashPlace> trash_;
  ObjectFiles local_;
  std::unordered_set<std::string> present_;
  std::vector<BucketObject> extra_;
  uint64_t in_scope_ = 0;
};

int upload(Session& session, const UploadOptions& o) { return Upload(session, o).run(); }

}  // namespace

std::vector<Command> object_upload_commands() {
  return both_spellings<UploadOptions>(
      {.path = {"bucket", "object", "upload"},
       .summary = "upload files and directories into a bucket",
       .example = "volary bucket object upload data@gra train/\n"
                  "volary bucket object upload data@gra /srv/sets/wiki -r /srv/sets/ -a raw/\n"
                  "volary bucket object upload data@gra train/ --delete --trash data/trash --dry-run\n"
                  "volary bucket object upload data@gra src/ --tar src.tar",
       .more = "An object's name is the path as it is given, without a slash at its start: 'train/a.txt' for the\n"
               "first example. The file .ovhaiignore in a directory says what of it is left out, in the language\n"
               "of .gitignore. Links to files are uploaded as what they point to."},
      upload_fields, upload);
}

}  // namespace volary
