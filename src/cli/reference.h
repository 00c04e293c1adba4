// cli/reference.h: the short texts people type to name things: NAME@VERSION, STORE:PREFIX, VOLUME:/PATH:ACCESS,
// KEY=VALUE.
//
//   volume-reference                                     record/reference.h
//   file-reference   = volume-reference ":/" path
//   volume-place     = [ project "/" ] volume-reference
//   store-reference  = name ":" [ prefix ]
//                    | container "@" name [ "/" [ prefix ] ]                   of which the name in either case
//   attachment                                           record/attach.h
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "record/job.h"
#include "record/reference.h"

namespace volary {

// All of these throw `invalid`, quoting the text.

// "wiki@3:/train/a.txt"
struct FileReference {
  VolumeReference volume;
  std::string path;  // Without the slash it begins with.
};
FileReference parse_file_reference(std::string_view text);

// "team-a/wiki@3"
struct VolumePlace {
  std::string project;  // "" is the one that the commands are about.
  VolumeReference volume;
};
VolumePlace parse_volume_place(std::string_view text);

// "corpora:wiki/2026", or as ovhai writes it "wiki@corpora/2026": then the prefix is that in the container.
struct StoreReference {
  std::string datastore;
  std::string prefix;
  std::string container{};
};

// `option` is what the message calls it: "--from".
StoreReference parse_store_reference(std::string_view text, std::string_view option);

// "wiki@3:/data:ro", by the grammar of record/attach.h.
NewAttachment parse_attachment(std::string_view text);

// ASCII only.
std::string lower_case(std::string_view text);

// "LR=0.1" -> {"LR", "0.1"}; `option` as above; `form` is what messages say was expected.
std::pair<std::string, std::string> parse_assignment(std::string_view text, std::string_view option,
                                                     std::string_view form = "KEY=VALUE");

// A whole number from `low`, in decimal digits only. `what`: "--cpu".
uint64_t parse_count(std::string_view text, std::string_view what, uint64_t low);

}  // namespace volary
