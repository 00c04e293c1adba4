"""A server that speaks S3 and lies when told to: buckets in memory, real sockets, and faults that count how often they fired.

    server = LyingS3()
    with server.fault(truncated(5), key="a*", times=1) as fault: …
    assert fault.fired == 1

A fault sees a request and the honest answer to it, and gives another answer, or changes what is stored behind the client's
back. Every request is kept with its headers, and every write and removal in `changes`. Signatures are not checked: a
server that lies lets everybody in.
"""
import base64
import dataclasses
import fnmatch
import gzip
import hashlib
import http.server
import itertools
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
import uuid
import xml.sax.saxutils
import zlib

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclasses.dataclass
class Request:
    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    page: int = 0           # Of a listing: which.

    @property
    def kind(self) -> str:
        if self.method in ("GET", "HEAD"):
            return "object" if self.key else "listing"
        if self.method == "POST":
            return "begin" if "uploads" in self.query else "complete"
        return "removal" if self.method == "DELETE" else "part" if "partNumber" in self.query else "put"

    @property
    def name(self) -> str:
        """What faults choose by."""
        return self.query.get("prefix", "") if self.kind == "listing" else self.key


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None     # The connection ends after so many bytes of the body …
    reset: bool = False        # … by a reset.
    drip: int | None = None    # The body comes in pieces of so many bytes, with waits between them.
    held_until: threading.Event | None = None  # Nothing is said before; a minute at most.
    silent: bool = False       # No answer at all, until the client goes …
    lost: bool = False         # … or the connection ends instead of one.


class Fault:
    """While it stands, it happens to requests of one kind whose keys match: to `times` of them after the first `after`."""

    def __init__(self, server, act, kind: str, method: str, key: str, after: int, times: int | None):
        self.server, self.act, self.kind, self.method, self.key = server, act, kind, method, key
        self.after, self.times, self.passed, self.fired = after, times, 0, 0

    def __enter__(self):
        self.server.faults.append(self)
        return self

    def __exit__(self, *_):
        self.server.faults.remove(self)

    def takes(self, request: Request) -> bool:
        if (request.kind != self.kind or self.method not in ("", request.method) or
                not fnmatch.fnmatch(request.name, self.key)):
            return False
        self.passed += 1
        if self.passed <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class LyingS3:
    def __init__(self, page: int = 5):
        self.page = page                                   # Keys of one page of a listing.
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.etags: dict[tuple[str, str], str] = {}        # Of objects whose ETag is no MD5.
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.marks: dict[tuple[str, str], dict[str, str]] = {}
        self.checksums: list[str] = []                     # Those that are kept of each object, of KEPT.
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.changes: list[tuple[str, str]] = []           # ("put" or "removal", key), in their order.
        self.last_refused = ""                             # For people: the last request for a bucket that is not there.
        self.lock = threading.RLock()
        self.http = self.serve()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def fault(self, act, kind: str = "object", method: str = "GET", key: str = "*", after: int = 0,
              times: int | None = None) -> Fault:
        return Fault(self, act, kind, method if kind in ("object", "listing") else "", key, after, times)

    def etag(self, bucket: str, key: str) -> str:
        return self.etags.get((bucket, key)) or hashlib.md5(self.buckets[bucket][key]).hexdigest()

    def serve(self) -> http.server.ThreadingHTTPServer:
        lying = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def answer(self):
                lying.answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # Clients come in crowds: who finds a queue of 5 full waits for a second.

            def handle_error(self, *_):
                if not isinstance(sys.exc_info()[1], ConnectionError):  # Clients are killed, too.
                    super().handle_error(*_)

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    def end(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, http_request) -> None:
        url = urllib.parse.urlsplit(http_request.path)
        bucket, _, key = urllib.parse.unquote(url.path[1:], errors="surrogateescape").partition("/")
        headers = {name.lower(): value for name, value in http_request.headers.items()}
        body = http_request.rfile.read(int(headers.get("content-length", 0)))
        if len(body) < int(headers.get("content-length", 0)):  # Whoever sent it has died: nothing is done.
            http_request.close_connection = True
            return
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        request = Request(http_request.command, bucket, key, query, headers, body)
        with self.lock:
            self.requests.append(request)
            request.page = int(query.get("continuation-token", "0-0").split("-")[0])
            mine = [fault.act for fault in self.faults if fault.takes(request)]
            for act in mine:
                if getattr(act, "when", "") == "before":
                    act(self, request)
            instead = [act for act in mine if getattr(act, "when", "") == "instead"]
            answer = instead[0](self, request) if instead else self.honest(request)
            for act in mine:
                if not hasattr(act, "when"):
                    answer = act(self, request, answer)
        send(http_request, request, answer)

    # --- What an honest server says

    def honest(self, request: Request) -> Answer:
        objects = self.buckets.get(request.bucket)
        if objects is None:
            self.last_refused = f"{self.url} has {sorted(self.buckets)}, not what {request} asks for"
            return refusal(404, "NoSuchBucket")
        if request.kind == "listing":
            return self.listing(request, *self.page_at(request))
        if request.kind == "object":
            return self.read(request, objects)
        if request.kind == "removal":
            if "uploadId" in request.query:
                self.uploads.pop(request.query["uploadId"], None)
            elif objects.pop(request.key, None) is not None:
                self.changes.append(("removal", request.key))
            return Answer(204)
        return self.write(request, objects)

    def page_at(self, request: Request) -> tuple[list[str], str]:
        """The keys of the page that was asked for, and the token of the next."""
        keys = sorted((key for key in self.buckets[request.bucket] if key.startswith(request.query.get("prefix", ""))),
                      key=lambda key: key.encode(errors="surrogateescape"))
        start = int(request.query.get("continuation-token", "0-0").split("-")[1])
        end = start + min(self.page, int(request.query.get("max-keys", 1000)))
        return keys[start:end], f"{request.page + 1}-{end}" if end < len(keys) else ""

    def listing(self, request: Request, keys: list[str], token: str) -> Answer:
        def item(key: str) -> str:
            name = urllib.parse.quote_from_bytes(key.encode(errors="surrogateescape"))
            return (f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                    f"<ETag>&quot;{self.etag(request.bucket, key)}&quot;</ETag>"
                    f"<Size>{len(self.buckets[request.bucket][key])}</Size></Contents>")

        body = (f'<ListBucketResult xmlns="{NAMESPACE}"><EncodingType>url</EncodingType>'
                f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated>" + "".join(map(item, keys)) +
                (f"<NextContinuationToken>{token}</NextContinuationToken>" if token else "") + "</ListBucketResult>")
        return Answer(headers={"Content-Type": "application/xml"}, body=body.encode())

    def read(self, request: Request, objects: dict[str, bytes]) -> Answer:
        if request.key not in objects:
            return refusal(404, "NoSuchKey")
        content, etag = objects[request.key], self.etag(request.bucket, request.key)
        wanted = request.headers.get("if-match", "")
        if wanted and wanted.strip('"') != etag:
            return refusal(412, "PreconditionFailed")
        headers = {"ETag": f'"{etag}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
                   **self.marks.get((request.bucket, request.key), {})}
        if request.headers.get("x-amz-checksum-mode") == "ENABLED" and "range" not in request.headers:
            headers |= {f"x-amz-checksum-{kind}": base64.b64encode(KEPT[kind](content)).decode() for kind in self.checksums}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
            first, last = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
            if first > last:
                return refusal(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            return Answer(206, headers, content[first:last + 1])
        return Answer(200, headers, content)

    def write(self, request: Request, objects: dict[str, bytes]) -> Answer:
        if request.kind == "begin":
            name = uuid.uuid4().hex
            self.uploads[name] = {}
            self.marks[request.bucket, request.key] = marks_of(request)
            return Answer(body=f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId>"
                               "</InitiateMultipartUploadResult>".encode())
        if request.kind == "part":
            if request.query["uploadId"] not in self.uploads:
                return refusal(404, "NoSuchUpload")
            self.uploads[request.query["uploadId"]][int(request.query["partNumber"])] = request.body
            return Answer(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
        if request.kind == "complete":
            parts = self.uploads.pop(request.query["uploadId"], None)
            if parts is None:
                return refusal(404, "NoSuchUpload")
            content = b"".join(parts[number] for number in sorted(parts))
            hashes = b"".join(hashlib.md5(parts[number]).digest() for number in sorted(parts))
            etag = f"{hashlib.md5(hashes).hexdigest()}-{len(parts)}"
            self.etags[request.bucket, request.key] = etag
        else:
            content = request.body
            self.etags.pop((request.bucket, request.key), None)
            self.marks[request.bucket, request.key] = marks_of(request)
        objects[request.key] = content
        self.changes.append(("put", request.key))
        etag = self.etag(request.bucket, request.key)
        if request.kind == "put":
            return Answer(headers={"ETag": f'"{etag}"'})
        return Answer(body=f"<CompleteMultipartUploadResult><ETag>&quot;{etag}&quot;</ETag>"
                           "</CompleteMultipartUploadResult>".encode())


def crc(polynomial: int, size: int):
    """A reflected one, by the book."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        table.append(byte)

    def of(content: bytes) -> bytes:
        value = ones = 256 ** size - 1
        for byte in content:
            value = table[(value ^ byte) & 255] ^ value >> 8
        return (value ^ ones).to_bytes(size, "big")
    return of


KEPT = {"crc32c": crc(0x82F63B78, 4), "crc64nvme": crc(0x9A6C9329AC4BC9B5, 8),
        "crc32": lambda content: zlib.crc32(content).to_bytes(4, "big"),
        "sha1": lambda content: hashlib.sha1(content).digest(), "sha256": lambda content: hashlib.sha256(content).digest()}


def marks_of(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-")}


def refusal(status: int, code: str, message: str = "said by the lying server") -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{xml.sax.saxutils.escape(message)}</Message></Error>"
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def send(http_request, request: Request, answer: Answer) -> None:
    connection = http_request.connection
    if answer.held_until:
        answer.held_until.wait(60)
    if answer.silent or answer.lost:
        while answer.silent and connection.recv(65536):
            pass
        http_request.close_connection = True
        return
    has_body = request.method != "HEAD" and answer.status != 204
    http_request.send_response(answer.status)
    for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
        http_request.send_header(name, value)
    http_request.end_headers()
    body = answer.body[:answer.cut] if has_body else b""
    step = answer.drip or max(len(body), 1)
    try:
        for at in range(0, len(body), step):
            http_request.wfile.write(body[at:at + step])
            http_request.wfile.flush()
            if answer.drip:
                time.sleep(0.01)
        http_request.wfile.flush()
        if answer.cut is not None or answer.reset or len(body) != int(answer.headers.get("Content-Length", len(body))):
            http_request.close_connection = True
            if answer.reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        http_request.close_connection = True  # The client had enough.


# --- Acts: what a fault does. Each gives a function (server, request, honest answer) → answer.

def changed(**fields):
    return lambda _server, _request, answer: dataclasses.replace(answer, **fields)


def truncated(at: int):
    """Fewer bytes than announced."""
    return changed(cut=at)


def reset_at(at: int):
    return changed(cut=at, reset=True)


def dripping(step: int):
    return changed(drip=step)


def held_until(event: threading.Event):
    return changed(held_until=event)


def silent():
    return changed(silent=True)


def answer_lost():
    """It was done, and the client does not learn of it."""
    return changed(lost=True)


def broken_off():
    """Nothing is done, and nothing is said."""
    return at("instead", lambda *_: Answer(lost=True))


def said(status: int, code: str, message: str = "said by the lying server"):
    """And nothing is done."""
    return at("instead", lambda *_: refusal(status, code, message))


def at(when: str, act):
    """`before` the request is carried out, or `instead` of that; an act without it changes the honest answer."""
    act.when = when
    return act


def flipped(at: int):
    def act(_server, _request, answer):
        return dataclasses.replace(answer, body=answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1:])
    return act


def flipped_anew():
    """Another byte is wrong each time."""
    places = itertools.count(1)

    def act(server, request, answer):
        return flipped(next(places) % len(answer.body))(server, request, answer)
    return act


def other_length(difference: int):
    """Content-Length says so many bytes more or less than there are."""
    def act(_server, _request, answer):
        return with_headers(answer, {"Content-Length": str(len(answer.body) + difference)})
    return act


def with_headers(answer: Answer, headers: dict[str, str]) -> Answer:
    return dataclasses.replace(answer, headers={**answer.headers, **headers})


def redirected(url: str, status: int = 307):
    return at("instead", lambda _s, request: Answer(status, {"Location": f"{url}/{request.bucket}/{request.key}"}))


def gzipped():
    def act(_server, _request, answer):
        return with_headers(dataclasses.replace(answer, body=gzip.compress(answer.body)), {"Content-Encoding": "gzip"})
    return act


def whole_for_a_range():
    def act(server, request, answer):
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
        return Answer(200, headers, server.buckets[request.bucket][request.key])
    return act


def replaced_before(content: bytes):
    """Somebody puts other bytes there just before the answer is made."""
    def act(server, request):
        server.buckets[request.bucket][request.key] = content
    return at("before", act)


def replaced_unnoticed(content: bytes):
    """The same, by a server that does not know If-Match."""
    def act(server, request, _answer):
        server.buckets[request.bucket][request.key] = content
        return server.read(dataclasses.replace(request, headers={}), server.buckets[request.bucket])
    return act


def stored_otherwise():
    """Other bytes of the same size are kept than came."""
    def act(_server, request):
        request.body = bytes([request.body[0] ^ 1]) + request.body[1:]
    return at("before", act)


def answering_with_another_etag(choose):
    """`choose` (server, request) sets the object's ETag, which an honest server forgets when an object is put."""
    def act(server, request, answer):
        choose(server, request)
        return with_headers(answer, {"ETag": f'"{server.etag(request.bucket, request.key)}"'})
    return act


# --- Listings. Each page is made anew from the keys and the token that it should have.

def page_of(change):
    def act(server, request, _answer):
        keys, token = change(server, request, *server.page_at(request))
        return server.listing(request, keys, token)
    return act


def first_page_again():
    """Under another token."""
    def change(server, request, _keys, token):
        everything = sorted(key for key in server.buckets[request.bucket]
                            if key.startswith(request.query.get("prefix", "")))
        return everything[:server.page], token
    return page_of(change)


def same_token_again():
    return page_of(lambda _s, request, keys, _t: (keys, request.query.get("continuation-token", "0-0")))


def page_skipped():
    """A page that nobody gets to see: the one after it comes in its place."""
    def change(server, request, keys, token):
        query = {**request.query, "continuation-token": token or "0-0"}
        return server.page_at(dataclasses.replace(request, query=query))
    return page_of(change)


def backwards():
    return page_of(lambda _s, _r, keys, token: (keys[::-1], token))


def ended_early():
    return page_of(lambda _s, _r, keys, _t: (keys, ""))


def empty():
    return page_of(lambda *_: ([], ""))


def token_lost():
    """It says that it goes on, and not where."""
    def act(_server, _request, answer):
        return dataclasses.replace(answer, body=re.sub(rb"<NextContinuationToken>.*</NextContinuationToken>", b"",
                                                       answer.body))
    return act


def with_key(key: str):
    """A key that was not asked for."""
    return page_of(lambda _s, _r, keys, token: ([key, *keys], token))
