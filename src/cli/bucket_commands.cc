// cli/bucket_commands.cc: `volary bucket create|ls|rm`.
#include <algorithm>

#include "cli/object_options.h"
#include "core/quantity.h"

namespace volary {
namespace {

CommandField alias_field(std::string& alias) {
  return {.name = "ALIAS", .target = &alias, .help = "which datastore", .need = Need::required,
          .words = Words::datastores};
}

std::string count_text(const std::optional<uint64_t>& count) { return count ? std::to_string(*count) : "-"; }

// --- create

struct CreateOptions {
  std::string alias;
  std::string name;
};

std::vector<CommandField> create_fields(CreateOptions& o) {
  return {alias_field(o.alias),
          {.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required}};
}

int create(Session& session, const CreateOptions& o) {
  const json::value made = session.client().post(buckets_path(lower_case(o.alias)), to_json(NewBucket{o.name}));
  if (session.output().is_structured()) session.output().document(made);
  else session.output().line(o.name);
  return 0;
}

// --- ls

struct ListOptions {
  std::string alias;
  std::optional<std::string> prefix;
  std::optional<std::string> fields;
};

std::vector<CommandField> list_fields(ListOptions& o) {
  return {alias_field(o.alias),
          {.name = "-p,--prefix", .target = &o.prefix, .help = "only those whose names begin so", .value = "PREFIX"},
          {.name = "-f,--fields", .target = &o.fields,
           .help = "which of objects,size,name to show, in this order; the first two are counted object by object",
           .value = "FIELDS"}};
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

Column<BucketView> created_column() {
  return {"CREATED", [](const BucketView& b) { return time_text(b.created_at.value_or(Time{})); }};
}

std::vector<Column<BucketView>> columns_of(const std::optional<std::string>& fields) {
  const Column<BucketView> name{"NAME", [](const BucketView& b) { return b.name; }};
  const Column<BucketView> objects{"OBJECTS", [](const BucketView& b) { return count_text(b.objects); }};
  const Column<BucketView> size{"SIZE", [](const BucketView& b) { return b.bytes ? bytes_text(*b.bytes) : "-"; }};
  if (!fields) return {name, created_column()};
  std::vector<Column<BucketView>> columns;
  for (const std::string& word : words_of(*fields)) {
    if (word == "name") columns.push_back(name);
    else if (word == "objects") columns.push_back(objects);
    else if (word == "size") columns.push_back(size);
    else throw Error(Errc::invalid, "'{}' is no value for --fields: expected some of objects, size, name", word);
  }
  return columns;
}

int list(Session& session, const ListOptions& o) {
  const auto columns = columns_of(o.fields);
  Query query = {{"prefix", o.prefix.value_or("")}};
  const bool is_measured = std::any_of(columns.begin(), columns.end(), [](const auto& one) {
    return one.title == "OBJECTS" || one.title == "SIZE";
  });
  if (is_measured) query.emplace_back("measure", "true");
  const json::value answer = session.client().get(buckets_path(lower_case(o.alias)), query, Patience::endless);
  session.output().list<BucketView>(answer.at("items").as_array(), columns);
  return 0;
}

// --- get

std::vector<CommandField> get_fields(CreateOptions& o) {
  return {alias_field(o.alias), {.name = "NAME", .target = &o.name, .help = "which bucket", .need = Need::required}};
}

int get(Session& session, const CreateOptions& o) {
  const std::string alias = lower_case(o.alias);
  const json::value answer = session.client().get(buckets_path(alias), {{"prefix", o.name}});
  for (const json::value& one : answer.at("items").as_array()) {
    BucketView view = typed<BucketView>(one);
    if (view.name != o.name) continue;
    const ListingEnd end = BucketClient(session.client(), alias, o.name).list("", [](const BucketObject&) {});
    view.objects = end.objects + end.left_out;
    view.bytes = end.bytes;
    std::vector<Column<BucketView>> columns = columns_of("name,objects,size");
    columns.push_back(created_column());
    session.output().record<BucketView>(to_json(view), columns);
    return 0;
  }
  throw Error(Errc::not_found, "there is no bucket '{}' in datastore '{}'", o.name, alias);
}

// --- rm

struct RemoveOptions {
  std::string alias;
  std::vector<std::string> names;
  std::optional<std::string> prefix;
  bool all = false;
  bool yes = false;
  std::optional<std::string> workers;
};

std::vector<CommandField> remove_fields(RemoveOptions& o) {
  return {alias_field(o.alias),
          {.name = "NAMES", .target = &o.names, .help = "which buckets"},
          {.name = "-p,--prefix", .target = &o.prefix, .help = "all whose names begin so", .value = "PREFIX"},
          {.name = "-a,--all", .target = &o.all, .help = "all of the datastore's"},
          yes_field(o.yes), workers_field(o.workers)};
}

std::vector<std::string> names_to_remove(Session& session, const RemoveOptions& o) {
  if ((!o.names.empty()) + o.prefix.has_value() + o.all != 1)
    throw Error(Errc::invalid, "expected either names of buckets, or --prefix, or --all");
  if (!o.names.empty()) return o.names;
  const json::value answer =
      session.client().get(buckets_path(lower_case(o.alias)), {{"prefix", o.prefix.value_or("")}});
  std::vector<std::string> names;
  for (const json::value& one : answer.at("items").as_array()) names.push_back(typed<BucketView>(one).name);
  return names;
}

// What lies in the buckets goes with them, so it is counted before anybody is asked.
int remove(Session& session, const RemoveOptions& o) {
  const size_t workers = workers_of(o.workers);
  const std::vector<std::string> names = names_to_remove(session, o);
  std::vector<std::vector<std::string>> keys(names.size());
  ListingEnd sum;
  for (size_t i = 0; i < names.size(); ++i) {
    const ListingEnd end = BucketClient(session.client(), lower_case(o.alias), names[i])
                               .list("", [&](const BucketObject& object) { keys[i].push_back(object.key); });
    if (end.left_out > 0)
      throw Error(Errc::invalid, "bucket '{}' cannot be emptied: the names of {} in it are no UTF-8, so that they "
                  "cannot be deleted here. Nothing was deleted", names[i], objects_text(end.left_out));
    sum.objects += end.objects;
    sum.bytes += end.bytes;
  }
  Tally tally(session, "delete", Run::real, session.output().format());
  if (names.empty()) return tally.finish();
  if (!o.yes)
    session.confirm(fmt::format("This deletes {} ({}) with {} ({}).", counted(names.size(), "bucket", "buckets"),
                                joined(names, ", "), objects_text(sum.objects),
                                bytes_text(sum.bytes)),
                    "--yes");
  tally.expect(names.size(), 0);
  for (size_t i = 0; i < names.size(); ++i) {
    const BucketClient bucket(session.client(), lower_case(o.alias), names[i]);
    tally.attempt(names[i], [&] {
      const size_t batches = (keys[i].size() + deleted_keys_max - 1) / deleted_keys_max;
      for_each_index(batches, workers, [&](size_t batch) {
        const size_t first = batch * deleted_keys_max;
        const size_t last = std::min(first + deleted_keys_max, keys[i].size());
        const DeletedObjects done = bucket.remove({keys[i].begin() + static_cast<std::ptrdiff_t>(first),
                                                   keys[i].begin() + static_cast<std::ptrdiff_t>(last)},
                                                  WhenAbsent::ignore);
        for (const ObjectFailure& failure : done.failures)
          throw Error(errc_named(failure.code), "'{}' in it could not be deleted: {}", failure.key, failure.detail);
      });
      session.client().remove(api_path({"datastores", lower_case(o.alias), "buckets", names[i]}));
      tally.add({names[i], "deleted", 0, {}, {}});
    });
  }
  return tally.finish();
}

}  // namespace

std::vector<Command> bucket_commands() {
  return {
      make_command<CreateOptions>({.path = {"bucket", "create"}, .summary = "make an empty bucket in a datastore",
                                   .example = "volary bucket create gra training-data"},
                                  create_fields, create),
      make_command<ListOptions>({.path = {"bucket", "ls"}, .aliases = {"list"},
                                 .summary = "list the buckets of a datastore",
                                 .example = "volary bucket ls gra\n"
                                            "volary bucket ls gra --prefix train -f objects,size,name -o json"},
                                list_fields, list),
      make_command<CreateOptions>({.path = {"bucket", "get"},
                                   .summary = "show a bucket, with how much lies in it",
                                   .example = "volary bucket get gra training-data"},
                                  get_fields, get),
      make_command<RemoveOptions>({.path = {"bucket", "rm"}, .aliases = {"delete"},
                                   .summary = "delete buckets with all that lies in them",
                                   .example = "volary bucket rm gra old-data\n"
                                              "volary bucket rm gra --prefix tmp- --yes",
                                   .more = "Says how much that is, and asks."},
                                  remove_fields, remove),
  };
}

}  // namespace volary
