// fuzz/json_fuzz.cc: bodies of requests: JSON of any form, read into records; what was read prints and reads the same.
#include "core/json.h"
#include "fuzz.h"
#include "record/datastore.h"
#include "record/job.h"
#include "record/transfer.h"
#include "record/volume.h"

using namespace volary;

namespace {

template <class T>
void check(const json::value& json) {
  reads([&] {
    const T record = from_json<T>(json, "body");
    const std::string text = print_json(to_json(record));
    require(print_json(to_json(from_json<T>(parse_json(text, "text"), "body"))) == text);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  reads([&] {
    const auto json = parse_json(text_of(bytes, size), "the body");
    check<NewVolume>(json);
    check<NewDatastore>(json);
    check<NewSecret>(json);
    check<NewTransfer>(json);
    check<NewJob>(json);
  });
  return 0;
}
