// api/content.h: the bytes of one stored file as an answer, whole or a range of it (RFC 9110, 14).
#pragma once

#include "net/http_server.h"
#include "volume/volumes.h"

namespace volary {

// ETag is the digest. A whole file is hashed as it goes out: where it is damaged, the connection breaks off before the
// last bytes. Understands `range: bytes=A-B`, one range, and `if-none-match`.
Response content_response(const Request& request, const VolumeFile& file);

}  // namespace volary
