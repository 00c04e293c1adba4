"""A receiver of webhooks: keeps what comes, and answers as it is told."""
import base64
import hashlib
import hmac
import http.server
import json
import threading


class Receiver:
    def __init__(self):
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []  # Of the next requests; 204 when there are none left.
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver.lock:
                    receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/hook"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def end(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def events(self) -> list[dict]:
        with self.lock:
            return [json.loads(body) for _, body in self.requests]

    def ids(self) -> list[str]:
        with self.lock:
            return [headers["webhook-id"] for headers, _ in self.requests]

    def verify(self, key: str) -> None:
        """As the Standard Webhooks specification says."""
        secret = base64.b64decode(key.removeprefix("whsec_"))
        for headers, body in self.requests:
            text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mac = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
            assert headers["webhook-signature"] == f"v1,{mac}"
