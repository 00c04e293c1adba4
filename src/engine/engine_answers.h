// engine/engine_answers.h: reading JSON that an engine wrote: what is missing is empty.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "net/http_client.h"

namespace volary {

const json::value& engine_member(const json::value& value, std::string_view key);
std::string engine_text_of(const json::value& value);
int64_t engine_number_of(const json::value& value);
bool engine_truth_of(const json::value& value);
// Of an answer that is a success; else throws what the engine says.
json::value engine_content_of(const HttpResponse& response);

}  // namespace volary
