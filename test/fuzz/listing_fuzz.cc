// fuzz/listing_fuzz.cc: what a server that lies may send as a page of a listing, or as any XML.
#include "fuzz.h"
#include "remote/s3_listing.h"
#include "remote/xml_reader.h"

using namespace volary;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text = text_of(bytes, size);
  const bool well_formed = reads([&] {
    XmlReader reader(text);
    int depth = 0;
    for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
      depth += event == XmlReader::Event::begin ? 1 : -1;
      require(depth >= 0 && !reader.name().empty());
    }
    require(depth == 0);
  });
  reads([&] {
    const S3Page page = parse_s3_page(text);
    require(well_formed);
    S3Order order("a", "the server");
    order.check(page);
    std::string last;
    for (const RemoteObject& object : page.objects) {
      require(object.key.starts_with('a') && object.key > last);
      last = object.key;
    }
  });
  return 0;
}
