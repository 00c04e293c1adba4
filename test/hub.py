"""A Hugging Face hub for tests: repositories in memory, answered over HTTP as the real one does, faults included.

Its answers are held against the hub's own client: test/e2e/test_hub.py downloads from it with huggingface_hub where that is
installed. Files above `large_from` bytes are in large file storage: named by SHA-256, and redirected to another host (here
another port), where the token must not arrive.
"""
import hashlib
import http.server
import json
import threading
import urllib.parse

import lying


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Repository:
    def __init__(self, files: dict[str, bytes], token: str | None = None):
        self.files, self.token = files, token

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(sorted((path, git_hash(content)) for path, content in self.files.items())).encode()).hexdigest()


class HubRequest(lying.Request):
    """For faults: `bucket` is which server was asked, `key` the path."""

    @property
    def kind(self) -> str:
        return "object" if not self.key.startswith("api/") else "listing" if "/tree/" in self.key else "revision"

    @property
    def name(self) -> str:
        return self.key


class Hub:
    def __init__(self, large_from: int = 1000, page: int = 3):
        self.large_from, self.page = large_from, page
        self.repositories: dict[str, Repository] = {}  # "models/org/name"
        self.seen: list[tuple[str, str, str]] = []     # (server, path, authorization)
        self.gated: set[str] = set()                   # Repositories that anybody may list, and nobody may download.
        self.corrupt: set[str] = set()                 # Paths whose bytes arrive changed.
        self.cut: dict[str, int] = {}                  # Paths whose next answer breaks off after so many bytes.
        self.faults: list[lying.Fault] = []
        self.lock = threading.Lock()
        self.servers = {name: self.serve(name) for name in ("hub", "storage")}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers['hub'].server_address[1]}"

    @property
    def storage_url(self) -> str:
        return f"http://127.0.0.1:{self.servers['storage'].server_address[1]}"

    def put(self, name: str, files: dict[str, bytes], token: str | None = None) -> None:
        self.repositories[name] = Repository(files, token)

    def serve(self, name: str) -> http.server.ThreadingHTTPServer:
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(name, self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def end(self) -> None:
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    # --- Answers

    def answer(self, server: str, request) -> None:
        url = urllib.parse.urlsplit(request.path)
        path = urllib.parse.unquote(url.path)
        self.seen.append((server, path, request.headers.get("authorization", "")))
        if server == "storage":
            name, _, file = path[1:].partition("//")
            self.send_file(request, file, self.repositories[name].files[file], {})
        elif path.startswith("/api/"):
            self.answer_api(request, path[len("/api/"):], urllib.parse.parse_qs(url.query), url)
        else:
            self.answer_file(request, path[1:])

    def refuse(self, request, status: int, code: str, message: str) -> None:
        self.send(request, status, b"", {"X-Error-Code": code, "X-Error-Message": message})

    def repository(self, request, name: str) -> Repository | None:
        found = self.repositories.get(name)
        if found and found.token in (None, request.headers.get("authorization", "").removeprefix("Bearer ")):
            return found
        self.refuse(request, 401, "RepoNotFound", "Repository not found")
        return None

    def answer_api(self, request, path: str, query: dict, url) -> None:
        kind, organisation, name, *rest = path.split("/")
        repository = self.repository(request, f"{kind}/{organisation}/{name}")
        if not repository:
            return
        known = {"main", repository.commit}
        if rest and (len(rest) < 2 or rest[1] not in known):
            return self.refuse(request, 404, "RevisionNotFound", f"Invalid rev id: {rest[1:]}")
        if rest and rest[0] == "tree":
            return self.send_tree(request, repository, query, url)
        siblings = [{"rfilename": path} for path in sorted(repository.files)]
        self.send_json(request, {"_id": "1", "id": f"{organisation}/{name}", "sha": repository.commit, "private": False,
                                 "siblings": siblings, "tags": [], "downloads": 0, "likes": 0})

    def send_tree(self, request, repository: Repository, query: dict, url) -> None:
        items = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": directory}
                 for directory in sorted({path.rpartition("/")[0] for path in repository.files} - {""})]
        items += [self.item(path, content) for path, content in repository.files.items()]
        start = int(query.get("cursor", ["0"])[0])
        headers = {}
        if start + self.page < len(items):
            headers["Link"] = f'<{self.url}{url.path}?recursive=true&cursor={start + self.page}>; rel="next"'
        self.send_json(request, items[start:start + self.page], headers)

    def item(self, path: str, content: bytes) -> dict:
        item = {"type": "file", "oid": git_hash(content), "size": len(content), "path": path}
        if len(content) > self.large_from:
            item["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return item

    def answer_file(self, request, path: str) -> None:
        kind = path.split("/")[0] if path.split("/")[0] in ("datasets", "spaces") else "models"
        rest = path if kind == "models" else path.partition("/")[2]
        organisation, name, word, revision, *parts = rest.split("/")
        full_name, file = f"{kind}/{organisation}/{name}", "/".join(parts)
        repository = self.repository(request, full_name)
        if not repository:
            return
        if revision not in ("main", repository.commit):
            return self.refuse(request, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if full_name in self.gated:
            return self.refuse(request, 403, "GatedRepo", f"Access to {organisation}/{name} is restricted")
        content = repository.files.get(file)
        if word != "resolve" or content is None:
            return self.refuse(request, 404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": repository.commit}
        if len(content) <= self.large_from:
            return self.send_file(request, file, content, {**headers, "ETag": f'"{git_hash(content)}"'})
        headers |= {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                    "Location": f"{self.storage_url}/{full_name}//{urllib.parse.quote(file)}"}
        self.send(request, 302, b"", headers)

    def send_file(self, request, path: str, content: bytes, headers: dict) -> None:
        if path in self.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        status, body = 200, content
        if (wanted := request.headers.get("range", "")).startswith("bytes="):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            end = int(last) + 1 if last else len(content)
            status, body = 206, content[int(first):end]
            headers = {**headers, "Content-Range": f"bytes {first}-{int(first) + len(body) - 1}/{len(content)}"}
        self.send(request, status, body, headers, self.cut.pop(path, None) if request.command == "GET" else None)

    def send_json(self, request, value, headers: dict | None = None) -> None:
        self.send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def fault(self, act, kind: str = "object", key: str = "*", after: int = 0, times: int | None = None) -> lying.Fault:
        """As of lying.LyingS3; an act sees the honest answer, whatever it wants."""
        return lying.Fault(self, act, kind, "GET", key, after, times)

    def send(self, request, status: int, body: bytes, headers: dict, cut: int | None = None) -> None:
        url = urllib.parse.urlsplit(request.path)
        server = next(name for name, one in self.servers.items() if one.socket is request.server.socket)
        asked = HubRequest(request.command, server, urllib.parse.unquote(url.path[1:]),
                           dict(urllib.parse.parse_qsl(url.query)), {}, b"")
        answer = lying.Answer(status, dict(headers), body, cut)
        with self.lock:
            for fault in self.faults:
                if fault.takes(asked):
                    act = fault.act
                    answer = act(self, asked) if getattr(act, "when", "") == "instead" else act(self, asked, answer)
        lying.send(request, asked, answer)
