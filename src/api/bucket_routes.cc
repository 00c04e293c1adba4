// api/bucket_routes.cc: buckets of datastores, and their objects: listed, streamed in and out, copied, deleted.
#include <charconv>

#include "api/produced_stream.h"
#include "api/routes.h"
#include "core/error.h"

namespace volary {
namespace {

constexpr uint64_t whole_bytes_max = 1 << 20;  // A smaller range is answered at once, without a thread.
const std::string buckets_path = "/api/v1/datastores/{datastore}/buckets";
const std::string objects_path = buckets_path + "/{bucket}/objects";

BucketPlace place_of(const Call& call) { return {call.path("datastore"), call.path("bucket")}; }
std::string key_of(const Call& call) { return *call.query("key"); }

QueryParameter key_parameter() {
  return {.name = "key", .description = "The object's whole name", .need = Need::required};
}

std::string without_quotes(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

// --- reading

struct Span {
  uint64_t from = 0;
  uint64_t to = 0;  // Behind the last byte.
};

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "bytes=0-99" as it stands. Nothing for what else a range may be: the object's size has to be known for that.
std::optional<Span> closed_range(std::string_view text) {
  constexpr std::string_view unit = "bytes=";
  const size_t dash = text.find('-');
  if (!text.starts_with(unit) || dash == text.npos) return std::nullopt;
  const auto first = number_of(text.substr(unit.size(), dash - unit.size()));
  const auto last = number_of(text.substr(dash + 1));
  if (!first || !last || *last < *first || *last == UINT64_MAX) return std::nullopt;
  return Span{*first, *last + 1};
}

// "bytes=5-", "bytes=-5" and ranges beyond the end, of an object whose size is known. Nothing is the whole.
std::optional<Span> range_within(std::string_view text, uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  const size_t dash = text.find('-');
  if (!text.starts_with(unit) || dash == text.npos) return std::nullopt;
  const auto first = number_of(text.substr(unit.size(), dash - unit.size()));
  const auto last = number_of(text.substr(dash + 1));
  if (dash == unit.size()) return last ? std::optional(Span{size - std::min(*last, size), size}) : std::nullopt;
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Span{};
  return Span{*first, last && *last < size ? *last + 1 : size};
}

Response headers_of(const BucketObject& object) {
  Response response;
  response.content_type = "application/octet-stream";
  response.headers = {{"etag", "\"" + object.etag + "\""}, {"accept-ranges", "bytes"},
                      {"volary-modified", to_text(object.modified)}};
  return response;
}

void say_range(Response& response, const Span& span, uint64_t size) {
  response.status = 206;
  response.headers.emplace_back("content-range", fmt::format("bytes {}-{}/{}", span.from, span.to - 1, size));
}

// Who names the object by its etag and a range that is small needs one request to the store. Nothing for a range that
// reaches beyond the end.
std::optional<Response> read_small(OpenObject& object, const Span& span, const std::string& etag) {
  StringSink sink;
  const auto found = object.read_if_within(span.from, span.to - span.from, etag, sink);
  if (!found) return std::nullopt;
  Response response = headers_of(*found);
  say_range(response, span, found->size);
  response.body = std::move(sink.text);
  return response;
}

Response read_object(const Call& call, OpenObject object) {
  const auto wanted = call.header("range");
  const std::string etag = without_quotes(call.header("if-match").value_or(""));
  const auto closed = wanted ? closed_range(*wanted) : std::nullopt;
  const bool is_head = call.request().method == "HEAD";
  if (!is_head && closed && !etag.empty() && closed->to - closed->from <= whole_bytes_max)
    if (auto response = read_small(object, *closed, etag)) return *std::move(response);
  const BucketObject found = object.look();
  if (!etag.empty() && etag != found.etag)
    throw Error(Errc::conflict, "'{}' is another one by now: its etag is '{}', expected '{}'", found.key, found.etag,
                etag);
  Response response = headers_of(found);
  Span span{0, found.size};
  if (const auto part = wanted ? range_within(*wanted, found.size) : std::nullopt) {
    if (part->from == part->to) {
      response.status = 416;
      response.headers.emplace_back("content-range", fmt::format("bytes */{}", found.size));
      return response;
    }
    span = *part;
    say_range(response, span, found.size);
  }
  if (span.from == span.to) return response;
  response.stream_bytes = span.to - span.from;
  if (is_head) return response;  // Nobody will take the bytes, so none are asked for.
  response.stream = make_produced_stream([object, span, found](Sink& sink) mutable {
    object.read(span.from, span.to - span.from, found.etag, sink);
  });
  return response;
}

// One JSON object a line, then the line {"end": …}.
Response list_objects(Services& services, const Call& call) {
  const auto list = services.objects.lister(call.caller(), place_of(call), call.query("prefix").value_or(""));
  Response response;
  response.content_type = "application/x-ndjson";
  response.stream = make_produced_stream([list](Sink& sink) {
    const ListingEnd end =
        list([&](const BucketObject& object) { sink.write(print_json(to_json(object)) + "\n"); });
    json::object last;
    last.emplace("end", to_json(end));
    sink.write(print_json(last) + "\n");
  });
  return response;
}

// --- writing

BucketObject put_object(Services& services, const Call& call) {
  const Request& request = call.request();
  if (!request.header("content-length"))
    throw Error(Errc::invalid, "the body has no content-length: the size of an object has to be known before");
  StringSource whole(request.body);
  Source& source = request.body_source ? *request.body_source : whole;
  return services.objects.put(call.caller(), place_of(call), key_of(call), source, request.body_bytes);
}

void add_bucket_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, buckets_path, Permission::datastore_read,
                    {.name = "list_buckets", .summary = "The buckets of a datastore's endpoint",
                     .query = {{.name = "prefix", .description = "Only those whose names begin so"},
                               {.name = "measure", .description = "Count objects and bytes of each: lists all of it",
                                .kind = ParameterKind::flag}}},
                    [&services](const Call& call) {
                      return Page<BucketView>{
                          services.objects.list_buckets(call.caller(), call.path("datastore"),
                                                        call.query("prefix").value_or(""),
                                                        call.flag("measure") ? Measure::yes : Measure::no),
                          std::nullopt};
                    }});
  routes.push_back({Method::post, buckets_path, Permission::datastore_write,
                    {.name = "create_bucket", .summary = "Makes an empty bucket", .status = 201},
                    [&services](const Call& call, const NewBucket& wanted) {
                      return services.objects.create_bucket(call.caller(), call.path("datastore"), wanted.name);
                    }});
  routes.push_back({Method::delete_, buckets_path + "/{bucket}", Permission::datastore_write,
                    {.name = "delete_bucket", .summary = "Removes an empty bucket"},
                    [&services](const Call& call) { services.objects.remove_bucket(call.caller(), place_of(call)); }});
}

void add_reading_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, objects_path, Permission::datastore_read,
                    {.name = "list_objects", .summary = "The objects of a bucket, in byte order of their keys",
                     .description = "A JSON object a line: key, size, etag, modified. The last line holds `end` with "
                                    "the sums; a listing without it broke off.",
                     .query = {{.name = "prefix", .description = "Only those whose keys begin so"}},
                     .answer_type = "application/x-ndjson"},
                    [&services](const Call& call) { return list_objects(services, call); }});
  routes.push_back({Method::get, objects_path + "/properties", Permission::datastore_read,
                    {.name = "get_object", .summary = "What is known of an object, without its bytes",
                     .query = {key_parameter()}},
                    [&services](const Call& call) {
                      return services.objects.open(call.caller(), place_of(call), key_of(call)).look();
                    }});
  routes.push_back({Method::get, objects_path + "/content", Permission::datastore_read,
                    {.name = "read_object", .summary = "The bytes of an object, all or a range",
                     .description = "Understands `Range` and, with an ETag, `If-Match`.",
                     .query = {key_parameter()},
                     .answer_type = "application/octet-stream"},
                    [&services](const Call& call) {
                      return read_object(call, services.objects.open(call.caller(), place_of(call), key_of(call)));
                    }});
}

}  // namespace

void add_object_routes(std::vector<Route>& routes, Services& services) {
  add_bucket_routes(routes, services);
  add_reading_routes(routes, services);
  routes.push_back({Method::put, objects_path, Permission::datastore_write,
                    {.name = "put_object", .summary = "Stores the request's body as an object, replacing what is there",
                     .description = "Of any size; visible only whole. Needs a content-length.",
                     .query = {key_parameter()},
                     .body_type = "application/octet-stream",
                     .body_comes = BodyComes::streamed},
                    [&services](const Call& call) { return put_object(services, call); }});
  routes.push_back({Method::delete_, objects_path, Permission::datastore_write,
                    {.name = "delete_object", .summary = "Removes an object; absent is success",
                     .query = {key_parameter()}},
                    [&services](const Call& call) {
                      const DeletedObjects done =
                          services.objects.remove(call.caller(), place_of(call), {{key_of(call)}, {}});
                      for (const ObjectFailure& failure : done.failures)
                        throw Error(errc_named(failure.code), Error::Text{failure.detail});
                    }});
  routes.push_back({Method::post, buckets_path + "/{bucket}/copies", Permission::datastore_write,
                    {.name = "copy_object", .summary = "Copies or moves an object, at the store itself where it can",
                     .status = 201},
                    [&services](const Call& call, const NewObjectCopy& wanted) {
                      return services.objects.copy(call.caller(), place_of(call), wanted);
                    }});
  routes.push_back({Method::post, buckets_path + "/{bucket}/deletions", Permission::datastore_write,
                    {.name = "delete_objects", .summary = "Removes many objects, and says which it could not"},
                    [&services](const Call& call, const ObjectsToDelete& wanted) {
                      return services.objects.remove(call.caller(), place_of(call), wanted);
                    }});
}

}  // namespace volary
