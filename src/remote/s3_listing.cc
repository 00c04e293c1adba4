// remote/s3_listing.cc: reading <ListBucketResult> and distrusting it.
//
// Keys come percent-encoded (encoding-type=url), with '+' for a space, because XML cannot hold every byte a key can. A
// server that does not know the parameter leaves <EncodingType> out and sends keys as they are.
#include "remote/s3_listing.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/fault.h"
#include "remote/s3_connection.h"
#include "remote/xml_reader.h"

namespace volary {
namespace {

constexpr size_t objects_usual = 1000;  // On a page, unless it is the last.

std::string decode_key(std::string text) {
  const auto is_encoded = [](char c) { return c == '+' || c == '%'; };
  if (std::none_of(text.begin(), text.end(), is_encoded)) return text;
  std::replace(text.begin(), text.end(), '+', ' ');
  return percent_decode(text);
}

void take_field(RemoteObject& object, std::string_view name, const std::string& text) {
  if (name == "Key") {
    object.key = text;
  } else if (name == "ETag") {
    object.etag = bare_etag(text);
  } else if (name == "LastModified") {
    object.modified = parse_time(text);
  } else if (name == "Size") {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), object.size);
    if (error != std::errc() || end != text.data() + text.size())
      throw Error(Errc::corrupt, "a listing says that '{}' has '{}' bytes", object.key, text);
  }
}

}  // namespace

S3Page parse_s3_page(std::string_view document) {
  S3Page page;
  page.objects.reserve(objects_usual);
  bool is_encoded = false;
  bool is_truncated = false;
  bool in_object = false;
  std::string_view root;
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
    if (event == XmlReader::Event::begin) {
      if (root.empty()) root = reader.name();
      if (reader.name() == "Contents") {
        in_object = true;
        page.objects.emplace_back();
      }
    } else if (reader.name() == "Contents") {
      in_object = false;
    } else if (in_object) {
      take_field(page.objects.back(), reader.name(), reader.text());
    } else if (reader.name() == "IsTruncated") {
      is_truncated = reader.text() == "true";
    } else if (reader.name() == "NextContinuationToken") {
      page.next = reader.text();
    } else if (reader.name() == "EncodingType") {
      is_encoded = reader.text() == "url";
    }
  }
  if (root != "ListBucketResult" && !fault::planted("s3.refusals_are_empty"))
    throw Error(Errc::corrupt, "expected a listing of objects, found <{}>", root);
  if (is_truncated && page.next.empty() && !fault::planted("s3.a_lost_token_is_the_end"))
    throw Error(Errc::corrupt, "a listing says that it goes on, but not where");
  if (!is_truncated) page.next.clear();
  if (is_encoded)
    for (RemoteObject& object : page.objects) object.key = decode_key(std::move(object.key));
  return page;
}

std::string likely_next(std::string_view document) {
  constexpr std::string_view begin = "<NextContinuationToken>";
  // Before the objects or behind them, of which there may be many.
  const size_t objects_end = std::min(document.rfind("</Contents>"), document.size());
  for (const std::string_view part : {document.substr(0, document.find("<Contents>")), document.substr(objects_end)}) {
    const size_t at = part.find(begin);
    if (at == part.npos) continue;
    const std::string_view rest = part.substr(at + begin.size());
    const std::string_view token = rest.substr(0, rest.find('<'));
    return token.find('&') == token.npos ? std::string(token) : "";
  }
  return "";
}

void S3Order::check(const S3Page& page) {
  for (const RemoteObject& object : page.objects) {
    if (object.key.empty()) throw Error(Errc::corrupt, "the listing of {} has an object without a key", remote_);
    if (!object.key.starts_with(prefix_))
      throw Error(Errc::corrupt, "the listing of '{}' in {} has '{}', which does not begin so", prefix_, remote_,
                  object.key);
    if (object.key <= last_key_ && !fault::planted("s3.any_order"))
      throw Error(Errc::corrupt, "the listing of {} is not in order: '{}' came after '{}'", remote_, object.key,
                  last_key_);
    last_key_ = object.key;
  }
  if (!page.next.empty() && page.next == last_token_)
    throw Error(Errc::corrupt, "the listing of {} goes in a circle: the same continuation token came twice", remote_);
  last_token_ = page.next;
  empty_pages_ = page.objects.empty() ? empty_pages_ + 1 : 0;
  if (empty_pages_ > empty_pages_max)
    throw Error(Errc::corrupt, "the listing of {} has {} pages without an object in a row", remote_, empty_pages_);
}

}  // namespace volary
