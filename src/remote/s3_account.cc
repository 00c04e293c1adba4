// remote/s3_account.cc: the buckets of an S3 endpoint: ListBuckets, CreateBucket, DeleteBucket.
#include <algorithm>

#include "core/error.h"
#include "remote/account.h"
#include "remote/retry.h"
#include "remote/s3_connection.h"
#include "remote/s3_copy.h"
#include "remote/xml_reader.h"

namespace volary {
namespace {

constexpr std::string_view first_region = "us-east-1";  // Where a bucket is made unless its place is named.
constexpr size_t pages_max = 10'000;

struct BucketPage {
  std::vector<Bucket> buckets;
  std::string next;  // "" on the last.
  bool is_refusal = false;
};

BucketPage parse_bucket_page(const std::string& document) {
  BucketPage page;
  std::string root;
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
    if (event == XmlReader::Event::begin) {
      if (root.empty()) root = reader.name();
      if (reader.name() == "Bucket") page.buckets.emplace_back();
    } else if (reader.name() == "Name" && !page.buckets.empty()) {
      page.buckets.back().name = reader.text();
    } else if (reader.name() == "CreationDate" && !page.buckets.empty()) {
      page.buckets.back().created_at = parse_time(reader.text());
    } else if (reader.name() == "ContinuationToken") {
      page.next = reader.text();
    }
  }
  page.is_refusal = root == "Error";
  if (!page.is_refusal && root != "ListAllMyBucketsResult")
    throw Error(Errc::corrupt, "expected a listing of buckets, found <{}>", root);
  return page;
}

class S3Account final : public Account {
 public:
  S3Account(const S3Options& options, HttpClient& http, Clock& clock, const RetryOptions& retries)
      : options_(options), http_(http), clock_(clock), retry_options_(retries), retries_(retries),
        endpoint_(without_bucket(options), http, clock) {}

  std::vector<Bucket> list_buckets() override {
    std::vector<Bucket> all;
    std::string token;
    for (size_t pages = 0; pages == 0 || !token.empty(); ++pages) {
      if (pages == pages_max)
        throw Error(Errc::corrupt, "the listing of the buckets of {} has no end", description());
      S3Call call;
      if (!token.empty()) call.query = {{"continuation-token", token}};
      BucketPage page;
      retries_.run([&] {
        const HttpResponse response = endpoint_.send(call);
        page = during("listing the buckets of " + description(), [&] { return parse_bucket_page(response.body); });
        if (page.is_refusal) throw endpoint_.refusal(call, response);
      });
      for (Bucket& bucket : page.buckets) {
        check_bucket_name(bucket.name);
        all.push_back(std::move(bucket));
      }
      token = page.next;
    }
    std::sort(all.begin(), all.end(), [](const Bucket& a, const Bucket& b) { return a.name < b.name; });
    return all;
  }

  // Some stores, AWS in its first region among them, answer 200 to who makes a bucket of his again: so it is asked for
  // first.
  void create_bucket(const std::string& name) override {
    S3Connection bucket = connect(name);
    const auto known = error_of([&] { find_bucket(bucket); });
    if (!known) throw Error(Errc::exists, "there is an {} already", bucket.description());
    if (known->code() != Errc::not_found && known->code() != Errc::denied) throw Error(*known);
    S3Call call{.method = "PUT"};
    if (options_.region != first_region)
      call.body = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>" +
                  options_.region + "</LocationConstraint></CreateBucketConfiguration>";
    bool is_first = true;
    retries_.run([&] {
      const auto refused = error_of([&] { bucket.send(call); });
      const bool was_first = std::exchange(is_first, false);  // Whose answer was lost may have made it.
      const bool is_ours = refused && refused->message().find("BucketAlreadyOwnedByYou") != std::string::npos;
      if (refused && (was_first || !is_ours)) throw Error(*refused);
    });
  }

  void remove_bucket(const std::string& name) override {
    S3Connection bucket = connect(name);
    bool is_first = true;
    const auto error = error_of([&] {
      retries_.run([&] {
        const auto refused = error_of([&] { bucket.send({.method = "DELETE"}); });
        const bool was_first = std::exchange(is_first, false);
        if (refused && (was_first || refused->code() != Errc::not_found)) throw Error(*refused);
      });
    });
    if (error && error->code() == Errc::conflict)
      throw Error(Errc::conflict, "{} is not empty: expected no object in it", bucket.description());
    if (error) throw Error(*error);
  }

  std::unique_ptr<Remote> open(const std::string& bucket) override {
    return with_retries(open_s3_remote(with_bucket(bucket), http_, clock_, retry_options_), retry_options_);
  }

  bool has_parts() const override { return true; }

  RemoteObject copy(const ObjectPlace& from, const ObjectPlace& to) override {
    if (from.bucket == to.bucket) return open(from.bucket)->copy(from.key, to.key);
    S3Connection source = connect(from.bucket);
    S3Connection target = connect(to.bucket);
    return copy_in_s3(source, from.key, target, to.key, retries_);
  }

  std::string description() const override { return endpoint_.description(); }

 private:
  static S3Options without_bucket(S3Options options) {
    options.bucket.clear();
    return options;
  }
  S3Options with_bucket(const std::string& name) const {
    check_bucket_name(name);
    S3Options options = options_;
    options.bucket = name;
    return options;
  }
  S3Connection connect(const std::string& bucket) const { return {with_bucket(bucket), http_, clock_}; }
  // Throws `not_found` if it is not there.
  void find_bucket(S3Connection& bucket) {
    retries_.run([&] { bucket.send({.query = {{"list-type", "2"}, {"max-keys", "1"}}}); });
  }

  const S3Options options_;
  HttpClient& http_;
  Clock& clock_;
  const RetryOptions retry_options_;
  Retries retries_;
  S3Connection endpoint_;
};

}  // namespace

std::unique_ptr<Account> open_s3_account(const S3Options& options, HttpClient& http, Clock& clock,
                                         const RetryOptions& retries) {
  return std::make_unique<S3Account>(options, http, clock, retries);
}

}  // namespace volary
