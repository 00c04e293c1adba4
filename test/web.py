"""Web servers for tests: a real nginx over a directory, or with TLS in front of another server, git's own http-backend over a directory of repositories, and a proxy
that counts and holds back."""
import base64
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import urllib.parse

import pytest

from volary import Volary

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log {root}/error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log {root}/access.log; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5; default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port};
    root {files};
    location /closed/ {{ auth_basic "closed"; auth_basic_user_file {root}/users; }}
    location /slow/ {{ limit_rate 2m; }}
    location /near/ {{ return 302 http://127.0.0.1:{port}/; }}
  }}
}}
"""


TLS_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log {root}/error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log {root}/access.log; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  map $http_upgrade $connection_of {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.key;
    location / {{
      proxy_pass {behind}; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_of;
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Nginx:
    """Below /closed/ it wants the name "ann" and the password "secret word"; below /slow/ it gives 2 MiB a second."""

    def __init__(self, root: pathlib.Path):
        if not NGINX:
            pytest.skip("no nginx: apt install nginx-light")
        self.root, self.files, self.port = root, root / "files", free_port()
        self.files.mkdir(parents=True)
        (root / "users").write_text("ann:{PLAIN}secret word\n")
        self.begin(CONFIGURATION.format(root=root, files=self.files, port=self.port))

    def begin(self, configuration: str) -> None:
        (self.root / "nginx.conf").write_text(configuration)
        self.process = subprocess.Popen([NGINX, "-p", str(self.root), "-c", str(self.root / "nginx.conf")], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Volary.wait_for(self.answers, "nginx to answer")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def put(self, path: str, content: bytes) -> None:
        file = self.files / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def requests(self) -> list[str]:
        """As its log has them: '"GET /a HTTP/1.1" 200 12'."""
        return [line[line.index('"'):] for line in (self.root / "access.log").read_text().splitlines()]

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


class TlsProxy(Nginx):
    """In front of the server at `behind`, with a certificate by an authority of its own, whose is in `authority`."""

    def __init__(self, root: pathlib.Path, behind: str):
        if not NGINX:
            pytest.skip("no nginx: apt install nginx-light")
        self.root, self.port, self.authority = root, free_port(), root / "authority.pem"
        root.mkdir(parents=True)

        def openssl(*words) -> None:
            subprocess.run(["openssl", *words], cwd=root, check=True, capture_output=True)

        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl(*new, "-x509", "-subj", "/CN=an authority", "-keyout", "authority.key", "-out", "authority.pem")
        openssl(*new, "-subj", "/CN=a server", "-keyout", "server.key", "-out", "server.csr")
        (root / "names").write_text("subjectAltName=IP:127.0.0.1")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
                "-extfile", "names", "-out", "server.pem")
        self.begin(TLS_CONFIGURATION.format(root=root, port=self.port, behind=behind))

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class GitServer:
    """git's own http-backend. Whoever asks must be `user` with `token`, if there is one."""

    def __init__(self, root: pathlib.Path, token: str = ""):
        self.root, self.token = root, token
        self.asked: list[str] = []
        root.mkdir(parents=True, exist_ok=True)
        git_server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                git_server.answer(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def repository(self, name: str, files: dict[str, bytes], tag: str = "") -> str:
        """Adds a commit with these files, and no others, to the repository NAME.git; the commit."""
        bare, work = self.root / f"{name}.git", self.root.parent / f"work-{name}"
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "ann", f"GIT_{who}_EMAIL": "ann@example.org"}

        def git(*words) -> str:
            return subprocess.run(["git", *map(str, words)], check=True, capture_output=True, text=True, env=env, cwd=work).stdout

        work.mkdir(exist_ok=True)
        if not bare.exists():
            git("init", "-q", "--bare", "-b", "main", bare)
            git("init", "-q", "-b", "main", ".")
        for path in work.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path, content in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(content)
        git("add", "-A", ".")
        git("commit", "-q", "--allow-empty", "-m", "a commit")
        if tag:
            git("tag", tag)
        git("push", "-q", "--tags", bare, "main")
        return git("rev-parse", "HEAD").strip()

    def answer(self, request) -> None:
        url = urllib.parse.urlsplit(request.path)
        self.asked.append(url.path)
        body = request.rfile.read(int(request.headers.get("content-length", "0")))
        given = request.headers.get("authorization", "")
        if self.token and given.removeprefix("Basic ") != base64.b64encode(f"ann:{self.token}".encode()).decode():
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.send_header("Content-Length", "0")
            return request.end_headers()
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": url.path,
               "QUERY_STRING": url.query, "REQUEST_METHOD": request.command, "REMOTE_ADDR": "127.0.0.1",
               "CONTENT_TYPE": request.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
               "GIT_PROTOCOL": request.headers.get("git-protocol", ""), "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.root)}
        said = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=env).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Proxy:
    """Between clients and a server, at an address or a socket: counts the bytes that clients send. When `pause_at` of them
    have come, it holds back what comes until it may go on."""

    def __init__(self, target: str | pathlib.Path):
        self.target, self.sent, self.pause_at = target, 0, None
        self.answering = 0  # Connections whose server has not closed them yet, whatever has become of the client.
        self.lock = threading.Lock()
        self.paused, self.may_go_on = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def connect(self) -> socket.socket:
        if isinstance(self.target, str):
            return socket.create_connection(("127.0.0.1", int(self.target.rpartition(":")[2])))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self.target))
        return server

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = self.connect()
            except OSError:
                client.close()
                continue
            with self.lock:
                self.answering += 1
            threading.Thread(target=self.carry, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, False), daemon=True).start()

    def carry(self, source, target, counts: bool) -> None:
        try:
            while block := source.recv(1 << 18):
                if counts:
                    self.sent += len(block)
                    if self.pause_at is not None and self.sent >= self.pause_at:
                        self.paused.set()
                        self.may_go_on.wait()
                target.sendall(block)
        except OSError:
            pass
        # A client that is gone has sent what it has sent: the server deals with that, and closes.
        for end, how in ((target, socket.SHUT_WR),) if counts else ((source, socket.SHUT_RDWR), (target, socket.SHUT_RDWR)):
            try:
                end.shutdown(how)
            except OSError:
                pass
        if not counts:
            with self.lock:
                self.answering -= 1

    def close(self) -> None:
        self.listener.close()
        self.may_go_on.set()
