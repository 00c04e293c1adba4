// cli/object_download_command.cc: `volary bucket object download`: objects of a bucket become files.
#include <algorithm>
#include <unordered_set>

#include "cli/landing.h"
#include "cli/object_options.h"
#include "cli/unpacking.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct DownloadOptions {
  std::string place;
  std::vector<std::string> objects;
  std::optional<std::string> prefix;
  std::optional<std::string> output;
  std::optional<std::string> remove_prefix;
  bool no_overwrite = false;
  bool create = false;
  bool json = false;
  std::optional<std::string> workers;
  bool with_deletion = false;
  std::optional<std::string> trash;
  bool dry_run = false;
  bool untar = false;
  bool yes = false;
};

std::vector<CommandField> download_fields(DownloadOptions& o) {
  return {place_field(o.place),
          {.name = "OBJECTS", .target = &o.objects, .help = "which objects, by their whole names; all unless told"},
          {.name = "-p,--prefix", .target = &o.prefix, .help = "only those whose names begin so", .value = "PREFIX"},
          {.name = "-o,--output", .target = &o.output, .help = "the directory to put them in; ends with a '/'",
           .value = "DIR/", .words = Words::directories},
          {.name = "--create", .target = &o.create, .help = "make that directory if it is not there"},
          {.name = "-r,--remove-prefix", .target = &o.remove_prefix, .help = "taken off each name that begins so",
           .value = "PREFIX"},
          {.name = "--no-overwrite", .target = &o.no_overwrite, .help = "leave files that are there as they are"},
          {.name = "--delete", .target = &o.with_deletion,
           .help = "afterwards delete files of the directory that have no object there"},
          {.name = "--trash", .target = &o.trash, .help = "with --delete: move them to this directory instead",
           .value = "DIR", .words = Words::directories},
          {.name = "--untar", .target = &o.untar, .help = "unpack the objects, which are tar archives"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would be done"},
          {.name = "-j,--json", .target = &o.json, .help = "print what was done as JSON"},
          workers_field(o.workers), yes_field(o.yes)};
}

// Counts what arrives for the progress; what is not kept counts as not arrived in the end.
class CountedArrival final : public Sink {
 public:
  CountedArrival(Sink& next, Tally& tally, uint64_t bytes) : next_(next), tally_(tally), bytes_(bytes) {
    tally_.moved(bytes);
  }
  ~CountedArrival() override { tally_.unmoved(bytes_); }
  void write(std::string_view bytes) override {
    next_.write(bytes);
    bytes_ += bytes.size();
    tally_.moved(bytes.size());
  }
  void keep() { bytes_ = 0; }

 private:
  Sink& next_;
  Tally& tally_;
  uint64_t bytes_;
};

class Download {
 public:
  Download(Session& session, const DownloadOptions& o)
      : session_(session), o_(o), place_(parse_container_place(o.place)), workers_(workers_of(o.workers)),
        bucket_(bucket_of(session, place_)),
        tally_(session, "download", o.dry_run ? Run::dry : Run::real, format_of(session, o.json)) {
    if (o.output && !o.output->ends_with('/')) throw Error(Errc::invalid, "add_prefix should ends with a '/'");
    if (!o.objects.empty() && o.prefix) throw Error(Errc::invalid, "expected either names of objects or --prefix");
    if (o.trash && !o.with_deletion)
      throw Error(Errc::invalid, "--trash says where --delete moves files to: expected both");
    if (o.with_deletion && (!o.output || !o.objects.empty() || o.untar))
      throw Error(Errc::invalid, "--delete makes a directory what the bucket is: expected --output, and neither names "
                  "of objects nor --untar");
  }

  int run() {
    const Path directory = o_.output.value_or("./");
    std::vector<BucketObject> objects = wanted_objects();
    if (o_.create && !o_.dry_run) make_directories(directory);
    if (is_present(directory)) landing_.emplace(directory);
    else if (!o_.create)
      throw Error(Errc::not_found, "there is no directory '{}': --create makes it", directory.native());
    find_extra(objects);
    for (const BucketObject& one : objects) tally_.expect(1, one.size);
    for_each_index(objects.size(), workers_, [&](size_t i) {
      tally_.attempt(objects[i].key, [&] { fetch(objects[i]); });
    });
    if (o_.with_deletion && tally_.has_failures() && !extra_.empty())
      session_.note("nothing was deleted, because not all was downloaded");
    else
      remove_extra();
    if (landing_ && !o_.dry_run) landing_->sync();
    return tally_.finish();
  }

 private:
  std::vector<BucketObject> wanted_objects() {
    std::vector<BucketObject> objects;
    for (const std::string& name : o_.objects)
      tally_.attempt(name, [&] { objects.push_back(bucket_.get(place_.prefix + name)); });
    if (!o_.objects.empty()) return objects;
    const ListingEnd end =
        bucket_.list(place_.prefix + o_.prefix.value_or(""), [&](const BucketObject& one) { objects.push_back(one); });
    if (o_.with_deletion && end.left_out > 0)
      throw Error(Errc::invalid, "--delete could delete files whose objects are there: the names of {} in '{}' are no "
                  "UTF-8, so that nobody knows which files are theirs", objects_text(end.left_out), bucket_.bucket());
    note_left_out(session_, end);
    return objects;
  }

  std::string local_name(const BucketObject& object) const {
    return renamed(object.key, {o_.remove_prefix.value_or(""), ""});
  }
  std::string shown(const std::string& name) const { return o_.output.value_or("") + name; }

  void fetch(const BucketObject& object) {
    if (o_.untar) return unpack(object);
    std::string name = local_name(object);
    const bool is_marker = name.ends_with('/') && object.size == 0;
    if (is_marker) name.pop_back();
    Landing::check(name);
    if (landing_ && o_.no_overwrite && landing_->has(name))
      return tally_.add({object.key, "skipped", object.size, shown(name), {}});
    if (!tally_.is_dry()) {
      if (is_marker) landing_->make_directory(name);
      else receive(object, name);
    }
    tally_.add({object.key, "downloaded", object.size, shown(name), {}});
  }

  void receive(const BucketObject& object, const std::string& name) {
    Arrival arrival = landing_->begin(name, fmt::format("{} {}", object.etag, object.size));
    if (arrival.bytes() > object.size || object.etag.empty()) arrival.begin_anew();
    CountedArrival counted(arrival, tally_, arrival.bytes());
    bucket_.read(object, arrival.bytes(), counted);
    if (arrival.bytes() != object.size)
      throw Error(Errc::unavailable, "{} bytes came of {}", arrival.bytes(), object.size);
    arrival.finish(false);
    counted.keep();
  }

  void unpack(const BucketObject& object) {
    if (!tally_.is_dry()) {
      Unpacking unpacking(*landing_);
      CountedArrival counted(unpacking.sink(), tally_, 0);
      bucket_.read(object, 0, counted);
      unpacking.finish(o_.no_overwrite ? Overwrite::no : Overwrite::yes);
      counted.keep();
    }
    tally_.add({object.key, "unpacked", object.size, shown(""), {}});
  }

  // Files of the directory that are no object's, in the part of it that the objects' names begin with.
  void find_extra(const std::vector<BucketObject>& objects) {
    if (!o_.with_deletion || !landing_) return;
    std::unordered_set<std::string> wanted;
    for (const BucketObject& one : objects) wanted.insert(local_name(one));
    std::string scope = renamed(place_.prefix + o_.prefix.value_or(""), {o_.remove_prefix.value_or(""), ""});
    const std::string start = scope;
    scope.erase(scope.rfind('/') == std::string::npos ? 0 : scope.rfind('/'));
    if (!scope.empty()) Landing::check(scope);
    const std::string trash = o_.trash ? std::filesystem::weakly_canonical(*o_.trash).native() + "/" : "";
    const std::string root = std::filesystem::weakly_canonical(landing_->path()).native() + "/";
    uint64_t files = 0;
    landing_->each_file(scope, [&](const std::string& name) {
      const bool is_in_trash = !trash.empty() && (root + name).starts_with(trash);
      if (is_in_trash || !name.starts_with(start)) return;
      ++files;
      if (!wanted.contains(name)) extra_.push_back(name);
    });
    if (extra_.size() * 2 > files && !o_.yes && !o_.dry_run)
      session_.confirm(fmt::format("This {} {} of the {} files that are there{}, more than half.",
                                   o_.trash ? "moves" : "deletes", extra_.size(), files,
                                   o_.trash ? " to the trash" : ""),
                       "--yes");
  }

  void remove_extra() {
    if (extra_.empty()) return;
    std::optional<Landing> trash;
    if (o_.trash && !o_.dry_run) {
      make_directories(*o_.trash);
      trash.emplace(*o_.trash);
    }
    tally_.expect(extra_.size(), 0);
    for (const std::string& name : extra_)
      tally_.attempt(name, [&] {
        if (!tally_.is_dry()) {
          if (trash) landing_->move(name, *trash);
          else landing_->remove(name);
        }
        tally_.add({name, o_.trash ? "trashed" : "deleted", 0, shown(name), {}});
      });
  }

  Session& session_;
  const DownloadOptions& o_;
  const ContainerPlace place_;
  const size_t workers_;
  const BucketClient bucket_;
  Tally tally_;
  std::optional<Landing> landing_;  // Nothing in a dry run where the directory is not there.
  std::vector<std::string> extra_;
};

int download(Session& session, const DownloadOptions& o) { return Download(session, o).run(); }

}  // namespace

std::vector<Command> object_download_commands() {
  return both_spellings<DownloadOptions>(
      {.path = {"bucket", "object", "download"},
       .summary = "download objects of a bucket into files",
       .example = "volary bucket object download data@gra train/a.txt\n"
                  "volary bucket object download data@gra --prefix train/ -o sets/ --create\n"
                  "volary bucket object download data@gra src.tar --untar -o src/ --create",
       .more = "A file's name is the object's, below the directory of -o. Names that would lead out of it are\n"
               "refused, each by itself. What an interrupted download had received is kept, and gone on with."},
      download_fields, download);
}

}  // namespace volary
