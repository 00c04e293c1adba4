// cli/oic.h: the published tool `oic` (oip-checksum-validator 0.1.3), to the letter: its words, its output, its exit
// codes.
//
// `volary checksum --oic` is it, and so is volary itself when it is called by the name `oic`.
#pragma once

#include <string>
#include <vector>

#include "core/file.h"

namespace volary {

struct OicOptions {
  std::string path;
  std::string checksum;  // "" is no check.
  bool silent = false;
};

// The whole program: reads its words, prints, gives the exit code.
int run_oic(const std::vector<std::string>& arguments);
// After the words are read. A wrong checksum is not an error: nothing is said and the exit code is 0.
int print_oic(const OicOptions& options);

// "0", "512B", "1KB", "1.50KB", …
std::string oic_size_text(uint64_t bytes);

}  // namespace volary
