// cli/price_file.h: the price list as an operator writes it.
//
//   currency: EUR
//   billed_states: [RUNNING]      # unless told
//   prices:                       # of a started minute
//     - since: 2026-01-01         # the first may lack it: from the beginning
//       job: 0.001                # of each job
//       cpu: 0.0008               # of each core
//       gpu: 0.0322               # of each GPU
//       flavors: {ai1-1-gpu: 0.0305}   # of each unit of a flavor, in place of its cores and GPUs
#pragma once

#include <string>

#include "core/file.h"
#include "record/billing.h"

namespace volary {

// Throws `invalid` with "file:line: …".
PriceList parse_prices(const std::string& text, const std::string& file);
PriceList read_price_file(const Path& file);

// "2026-11-01" (the beginning of that day, UTC) or RFC 3339. Throws `invalid`.
Time parse_day_or_time(const std::string& text);

}  // namespace volary
