// remote/remote_words.h: short words for tests that use a Remote.
#pragma once

#include <string>

#include "remote/retry.h"

namespace volary {

// "corrupt: …" as what() gives it, or "no error".
template <class Work>
std::string error_text(Work work) {
  const auto error = error_of(work);
  return error ? error->what() : "no error";
}

// `size` bytes that repeat nowhere soon; another seed, other bytes.
inline std::string some_bytes(size_t size, uint64_t seed = 1) { return SeededRandom(seed).bytes(size); }

inline RemoteObject put(Remote& remote, const std::string& key, std::string_view bytes) {
  StringSource source(bytes);
  return remote.put(key, source, bytes.size());
}

inline std::string get(Remote& remote, const std::string& key, const GetOptions& options = {}) {
  StringSink sink;
  remote.get(key, options, sink);
  return sink.text;
}

}  // namespace volary
