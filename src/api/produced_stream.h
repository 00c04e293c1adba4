// api/produced_stream.h: an answer that something writes: as a Stream, with back pressure.
#pragma once

#include <functional>
#include <memory>

#include "core/stream.h"
#include "net/http_server.h"

namespace volary {

// Runs `produce` on a thread of its own; what it writes goes out as the client takes it, at most a few MiB are waiting.
// Returns when there is something to send: what `produce` throws before is thrown here, and becomes an answer with its
// status; what it throws later breaks the stream off. When the client goes, its next write throws. Throws `unavailable`
// while too many others run.
std::unique_ptr<Stream> make_produced_stream(std::function<void(Sink&)> produce);

}  // namespace volary
