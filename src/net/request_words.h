// net/request_words.h: what may be said of a request in a message, and what of it may be said to another server.
#pragma once

#include <string>
#include <string_view>

namespace volary {

// Throws `invalid` for what would end a header's line.
void check_header(const std::string& name, const std::string& value);

// Of headers.
bool is_same_name(std::string_view a, std::string_view b);

// "https://host:port/path": what may stand in a message. A query can hold a signature, and a URL a password.
std::string speakable(const std::string& url);

// Whether a header still goes along to another origin: nothing that could be a secret does.
bool may_travel(std::string_view header);

}  // namespace volary
