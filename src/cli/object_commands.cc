// cli/object_commands.cc: `volary bucket object ls|rm|copy|move` and their older words.
#include <algorithm>
#include <unordered_map>

#include "cli/object_options.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

CommandField prefix_field(std::optional<std::string>& prefix) {
  return {.name = "-p,--prefix", .target = &prefix, .help = "only those whose names begin so", .value = "PREFIX"};
}

// --- ls

struct ListOptions {
  std::string place;
  std::optional<std::string> prefix;
};

std::vector<CommandField> list_fields(ListOptions& o) { return {place_field(o.place), prefix_field(o.prefix)}; }

// What the listing tells besides: markers of directories, and how many parts an object was stored in.
std::string description_of(const BucketObject& object) {
  if (object.key.ends_with('/') && object.size == 0) return "directory";
  const size_t dash = object.etag.rfind('-');
  const bool is_of_parts = object.etag.size() > 33 && dash == 32 &&
                           object.etag.find_first_not_of("0123456789", dash + 1) == std::string::npos;
  return is_of_parts ? object.etag.substr(dash + 1) + " parts" : "-";
}

std::string row_text(const std::string& date, const std::string& bytes, const std::string& name,
                     const std::string& description, const std::string& etag) {
  return fmt::format("{:20}  {:>15}  {:40}  {:11}  {}\n", date, bytes, name, description, etag);
}

std::string row_of(const BucketObject& object) {
  return row_text(time_text(object.modified), std::to_string(object.size), printable(object.key),
                  description_of(object), or_dash(object.etag));
}

// An object at a time: there may be very many.
int list(Session& session, const ListOptions& o) {
  const ContainerPlace place = parse_container_place(o.place);
  const std::string prefix = place.prefix + o.prefix.value_or("");
  Output& output = session.output();
  json::array yaml;
  std::string text = output.format() == Format::json ? "[" : "";
  bool is_first = true;
  const auto flush = [&](size_t enough) {
    if (text.size() < enough) return;
    output.text(text);
    text.clear();
  };
  const auto visit = [&](const BucketObject& object) {
    switch (output.format()) {
      case Format::json: text += (is_first ? "\n  " : ",\n  ") + print_json(to_json(object)); break;
      case Format::yaml: yaml.push_back(to_json(object)); break;
      case Format::name: text += printable(object.key) + "\n"; break;
      default:
        if (is_first) text += row_text("DATE", "BYTES", "NAME", "DESCRIPTION", "ETAG");
        text += row_of(object);
        break;
    }
    is_first = false;
    flush(block_bytes);
  };
  const ListingEnd end = bucket_of(session, place).list(prefix, visit);
  if (output.format() == Format::json) text += is_first ? "]\n" : "\n]\n";
  if (output.format() == Format::yaml) text = yaml_text(yaml);
  flush(1);
  if (!output.is_structured()) session.note(fmt::format("{}, {}", objects_text(end.objects), bytes_text(end.bytes)));
  note_left_out(session, end);
  return 0;
}

// --- get

struct GetOptions {
  std::string place;
  std::string object;
};

std::vector<CommandField> get_fields(GetOptions& o) {
  return {place_field(o.place),
          {.name = "OBJECT", .target = &o.object, .help = "which object, by its whole name", .need = Need::required}};
}

int get(Session& session, const GetOptions& o) {
  const ContainerPlace place = parse_container_place(o.place);
  const BucketObject object = bucket_of(session, place).get(place.prefix + o.object);
  session.output().record<BucketObject>(
      to_json(object), {{"NAME", [](const BucketObject& one) { return printable(one.key); }},
                        {"BYTES", [](const BucketObject& one) { return std::to_string(one.size); }},
                        {"DATE", [](const BucketObject& one) { return time_text(one.modified); }},
                        {"DESCRIPTION", [](const BucketObject& one) { return description_of(one); }},
                        {"ETAG", [](const BucketObject& one) { return or_dash(one.etag); }}});
  return 0;
}

// --- rm

struct RemoveOptions {
  std::string place;
  std::vector<std::string> objects;
  std::optional<std::string> prefix;
  bool all = false;
  bool yes = false;
  bool dry_run = false;
  std::optional<std::string> workers;
};

std::vector<CommandField> remove_fields(RemoveOptions& o) {
  return {place_field(o.place),
          {.name = "OBJECTS", .target = &o.objects, .help = "which objects, by their whole names"},
          prefix_field(o.prefix),
          {.name = "-a,--all", .target = &o.all, .help = "all objects of the bucket"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would be deleted"},
          yes_field(o.yes), workers_field(o.workers)};
}

void remove_keys(const BucketClient& bucket, const std::vector<BucketObject>& objects, WhenAbsent when_absent,
                 size_t workers, Tally& tally) {
  constexpr size_t batch_keys = 250;  // Few enough that the progress is seen.
  const size_t batches = (objects.size() + batch_keys - 1) / batch_keys;
  for_each_index(batches, workers, [&](size_t batch) {
    std::vector<std::string> keys;
    std::unordered_map<std::string, uint64_t> bytes;
    const size_t last = std::min((batch + 1) * batch_keys, objects.size());
    for (size_t i = batch * batch_keys; i < last; ++i) {
      keys.push_back(objects[i].key);
      bytes[objects[i].key] = objects[i].size;
    }
    tally.attempt(keys, [&] {
      const DeletedObjects done = bucket.remove(keys, when_absent);
      std::vector<std::string> again;
      std::string why;
      for (const ObjectFailure& failure : done.failures) {
        std::erase(keys, failure.key);
        const Error error(errc_named(failure.code), Error::Text{failure.detail});
        if (error.code() == Errc::unavailable) {
          again.push_back(failure.key);
          why = failure.detail;
        } else {
          tally.fail(failure.key, error);
        }
      }
      for (const std::string& key : keys) tally.add({key, "deleted", bytes[key], {}, {}});
      keys = std::move(again);
      if (!keys.empty()) throw Error(Errc::unavailable, Error::Text{why});
    });
  });
}

int remove(Session& session, const RemoveOptions& o) {
  if ((!o.objects.empty()) + o.prefix.has_value() + o.all != 1)
    throw Error(Errc::invalid, "expected either names of objects, or --prefix, or --all");
  const size_t workers = workers_of(o.workers);
  const ContainerPlace place = parse_container_place(o.place);
  const BucketClient bucket = bucket_of(session, place);
  std::vector<BucketObject> objects;
  ListingEnd end;
  for (const std::string& name : o.objects) objects.push_back({place.prefix + name, 0, "", {}});
  if (o.objects.empty())
    end = bucket.list(place.prefix + o.prefix.value_or(""), [&](const BucketObject& one) { objects.push_back(one); });
  note_left_out(session, end);
  Tally tally(session, "delete", o.dry_run ? Run::dry : Run::real, session.output().format());
  tally.expect(objects.size(), 0);
  if (o.dry_run) {
    for (const BucketObject& one : objects) tally.add({one.key, "deleted", one.size, {}, {}});
    return tally.finish();
  }
  if (!o.yes && !objects.empty())
    session.confirm(fmt::format("This deletes {}{} in '{}'.", objects_text(objects.size()),
                                o.objects.empty() ? " (" + bytes_text(end.bytes) + ")" : "", place.container),
                    "--yes");
  remove_keys(bucket, objects, o.objects.empty() ? WhenAbsent::ignore : WhenAbsent::fail, workers, tally);
  return tally.finish();
}

// --- copy, move

struct CopyOptions {
  std::string place;
  std::string source;
  std::optional<std::string> destination;
  std::optional<std::string> container;
  bool is_prefix = false;
  bool yes = false;
  bool dry_run = false;
  std::optional<std::string> workers;
};

std::vector<CommandField> copy_fields(CopyOptions& o) {
  return {place_field(o.place),
          {.name = "SOURCE", .target = &o.source, .help = "which object", .need = Need::required},
          {.name = "DESTINATION", .target = &o.destination, .help = "its new name; the same one unless told"},
          {.name = "-c,--container", .target = &o.container, .help = "to this other bucket of the datastore",
           .value = "CONTAINER"},
          {.name = "-p,--prefix", .target = &o.is_prefix,
           .help = "SOURCE is what names begin with, and DESTINATION what they then begin with instead"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only say what would be done"},
          yes_field(o.yes), workers_field(o.workers)};
}

struct Pair {
  BucketObject source;
  std::string destination;
};

std::vector<Pair> pairs_of(Session& session, const BucketClient& bucket, const std::string& source,
                           const CopyOptions& o) {
  std::vector<Pair> pairs;
  if (!o.is_prefix) {
    std::string destination = o.destination.value_or(source);
    if (destination.empty() || destination.ends_with('/')) destination += source.substr(source.rfind('/') + 1);
    pairs.push_back({bucket.get(source), destination});
    return pairs;
  }
  note_left_out(session, bucket.list(source, [&](const BucketObject& one) {
    pairs.push_back({one, o.destination ? *o.destination + one.key.substr(source.size()) : one.key});
  }));
  if (pairs.empty()) throw Error(Errc::not_found, "no object in '{}' begins with '{}'", bucket.bucket(), source);
  return pairs;
}

// All happens at once, so what is read must not be written: "a" to "aa" and "aa" to "aaa" has no right outcome.
void check_pairs(const std::vector<Pair>& pairs, const std::string& bucket) {
  std::vector<std::string_view> sources;  // In byte order, as they were listed.
  for (const Pair& pair : pairs) sources.push_back(pair.source.key);
  for (const Pair& pair : pairs) {
    if (pair.source.key == pair.destination)
      throw Error(Errc::invalid, "'{}' is already called so in '{}'", printable(pair.destination), bucket);
    if (std::binary_search(sources.begin(), sources.end(), pair.destination))
      throw Error(Errc::invalid, "'{}' would become '{}', which is to be read too: do it in two steps",
                  printable(pair.source.key), printable(pair.destination));
  }
}

// How many of the pairs would replace something.
uint64_t replaced_by(const BucketClient& target, const std::vector<Pair>& pairs) {
  std::vector<std::string> wanted;
  for (const Pair& pair : pairs) wanted.push_back(pair.destination);
  std::sort(wanted.begin(), wanted.end());
  if (wanted.size() == 1) return target.is_present(wanted.front()) ? 1 : 0;
  const std::string& low = wanted.front();
  const auto [end, ignored] = std::mismatch(low.begin(), low.end(), wanted.back().begin(), wanted.back().end());
  uint64_t count = 0;
  target.list(std::string(low.begin(), end), [&](const BucketObject& one) {
    count += std::binary_search(wanted.begin(), wanted.end(), one.key);
  });
  return count;
}

int transfer(Session& session, const CopyOptions& o, CopyAct act) {
  const size_t workers = workers_of(o.workers);
  const ContainerPlace place = parse_container_place(o.place);
  const BucketClient bucket = bucket_of(session, place);
  const BucketClient target(session.client(), place.datastore, o.container.value_or(place.container));
  if (!o.destination && target.bucket() == bucket.bucket())
    throw Error(Errc::invalid, "expected a DESTINATION, or another bucket by --container");
  const std::vector<Pair> pairs = pairs_of(session, bucket, place.prefix + o.source, o);
  if (target.bucket() == bucket.bucket()) check_pairs(pairs, bucket.bucket());
  const std::string done = act == CopyAct::copy ? "copied" : "moved";
  Tally tally(session, std::string(name_of_value(act)), o.dry_run ? Run::dry : Run::real, session.output().format());
  for (const Pair& pair : pairs) tally.expect(1, pair.source.size);
  if (!o.yes && !o.dry_run)
    if (const uint64_t replaced = replaced_by(target, pairs))
      session.confirm(fmt::format("This replaces {} in '{}'.", objects_text(replaced), target.bucket()), "--yes");
  for_each_index(pairs.size(), workers, [&](size_t i) {
    const Pair& pair = pairs[i];
    tally.attempt(pair.source.key, [&] {
      if (!tally.is_dry()) {
        bucket.copy({pair.source.key, pair.destination, target.bucket(), act});
        tally.moved(pair.source.size);
      }
      tally.add({pair.source.key, done, pair.source.size, target.bucket() + "/" + pair.destination, {}});
    });
  });
  return tally.finish();
}

int copy(Session& session, const CopyOptions& o) { return transfer(session, o, CopyAct::copy); }
int move(Session& session, const CopyOptions& o) { return transfer(session, o, CopyAct::move); }

}  // namespace

std::vector<Command> object_commands() {
  std::vector<Command> all;
  const auto add = [&](std::vector<Command> commands) {
    for (Command& one : commands) all.push_back(std::move(one));
  };
  add(both_spellings<ListOptions>({.path = {"bucket", "object", "ls"}, .aliases = {"list"},
                                   .summary = "list the objects of a bucket",
                                   .example = "volary bucket object ls data@gra\n"
                                              "volary bucket object ls data@gra --prefix train/ -o json"},
                                  list_fields, list));
  add(both_spellings<GetOptions>({.path = {"bucket", "object", "get"},
                                  .summary = "show what is known of an object",
                                  .example = "volary bucket object get data@gra train/a.txt"},
                                 get_fields, get));
  add(both_spellings<RemoveOptions>({.path = {"bucket", "object", "rm"}, .aliases = {"delete"},
                                     .summary = "delete objects of a bucket",
                                     .example = "volary bucket object rm data@gra train/a.txt train/b.txt\n"
                                                "volary bucket object rm data@gra --prefix tmp/ --yes"},
                                    remove_fields, remove));
  add(both_spellings<CopyOptions>({.path = {"bucket", "object", "copy"}, .aliases = {"cp"},
                                   .summary = "copy objects inside a datastore",
                                   .example = "volary bucket object copy data@gra a.txt b.txt\n"
                                              "volary bucket object copy data@gra train/ -c archive -p",
                                   .more = "Where the store can, the bytes do not leave it."},
                                  copy_fields, copy));
  add(both_spellings<CopyOptions>({.path = {"bucket", "object", "move"}, .aliases = {"mv"},
                                   .summary = "rename objects, or move them to another bucket of the datastore",
                                   .example = "volary bucket object move data@gra a.txt old/a.txt\n"
                                              "volary bucket object move data@gra train/ old/train/ -p"},
                                  copy_fields, move));
  return all;
}

}  // namespace volary
