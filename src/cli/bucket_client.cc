// cli/bucket_client.cc: the routes of api/bucket_routes.cc as functions.
#include "cli/bucket_client.h"

#include "core/error.h"

namespace volary {
namespace {

// Lines of JSON out of bytes that come in any pieces.
class LineSink final : public Sink {
 public:
  explicit LineSink(std::function<void(const json::value&)> seen) : seen_(std::move(seen)) {}
  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      partial_ += bytes.substr(0, end);
      if (end == std::string_view::npos) return;
      seen_(parse_json(partial_, "a line of the listing"));
      partial_.clear();
      bytes.remove_prefix(end + 1);
    }
  }

 private:
  std::function<void(const json::value&)> seen_;
  std::string partial_;
};

}  // namespace

std::string buckets_path(const std::string& datastore) { return api_path({"datastores", datastore, "buckets"}); }

std::string BucketClient::path(const std::string& below) const {
  return api_path({"datastores", datastore_, "buckets", bucket_}) + below;
}

ListingEnd BucketClient::list(const std::string& prefix, const std::function<void(const BucketObject&)>& visit) const {
  std::optional<ListingEnd> end;
  LineSink sink([&](const json::value& line) {
    const json::object* object = line.if_object();
    if (const json::value* last = object ? object->if_contains("end") : nullptr) end = typed<ListingEnd>(*last);
    else visit(typed<BucketObject>(line));
  });
  client_.stream(path("/objects"), {{"prefix", prefix}}, sink);
  if (!end) throw Error(Errc::unavailable, "the listing of '{}' broke off before its end", bucket_);
  return *end;
}

BucketObject BucketClient::get(const std::string& key) const {
  return typed<BucketObject>(client_.get(path("/objects/properties"), {{"key", key}}));
}

bool BucketClient::is_present(const std::string& key) const {
  return client_.find(path("/objects/properties"), {{"key", key}}).has_value();
}

BucketObject BucketClient::put(const std::string& key, Source& source, uint64_t bytes) const {
  return typed<BucketObject>(client_.put_bytes(path("/objects"), {{"key", key}}, source, bytes));
}

void BucketClient::read(const BucketObject& object, uint64_t offset, Sink& sink) const {
  if (offset == object.size) return;
  Client::Headers headers = {{"range", fmt::format("bytes={}-{}", offset, object.size - 1)}};
  if (!object.etag.empty()) headers.emplace_back("if-match", "\"" + object.etag + "\"");
  client_.stream(path("/objects/content"), {{"key", object.key}}, sink, headers);
}

BucketObject BucketClient::copy(const NewObjectCopy& wanted) const {
  return typed<BucketObject>(client_.post(path("/copies"), to_json(wanted), {}, Patience::endless));
}

DeletedObjects BucketClient::remove(const std::vector<std::string>& keys, WhenAbsent when_absent) const {
  return typed<DeletedObjects>(
      client_.post(path("/deletions"), to_json(ObjectsToDelete{keys, when_absent}), {}, Patience::endless));
}

}  // namespace volary
