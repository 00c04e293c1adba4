"""A container engine with GPUs where there are none: the real one behind a socket of its own, which says that it has CDI
devices and keeps to itself who asked for which."""
import json
import pathlib
import re
import socket
import threading


class GpuEngine:
    def __init__(self, address: str, at: pathlib.Path, count: int):
        self.behind, self.count = address.removeprefix("unix://"), count
        self.address = f"unix://{at}"
        self.asked = {}  # By the container's name: the ids of its devices.
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(at))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def end(self):
        self.listener.close()

    def asked_for(self, job: str) -> list[str]:
        [ids] = [ids for name, ids in self.asked.items() if job in name]
        return sorted(ids)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket):
        """One request a connection: the engine is told to close it."""
        with client, socket.socket(socket.AF_UNIX) as engine:
            try:
                head, body = self.read(client)
                engine.connect(self.behind)
                path = head.split(" ")[1]
                if created := re.search(r"/containers/create\?name=([^&]+)", path):
                    body = self.without_devices(created[1], body)
                if "upgrade:" not in head.lower():
                    head = re.sub(r"(?i)\r\nconnection:[^\r]*", "", head) + "\r\nConnection: close"
                head = re.sub(r"(?i)(\r\ncontent-length:)[^\r]*", rf"\1 {len(body)}", head)
                engine.sendall(head.encode() + b"\r\n\r\n" + body)
                if path.endswith("/info"):
                    client.sendall(self.with_gpus(engine))
                    return
                threading.Thread(target=self.pump, args=(client, engine), daemon=True).start()
                self.pump(engine, client)
            except OSError:
                pass  # Either may go at any time.

    @staticmethod
    def read(client: socket.socket) -> tuple[str, bytes]:
        got = b""
        while b"\r\n\r\n" not in got:
            more = client.recv(65536)
            if not more:
                raise OSError("gone")
            got += more
        head, _, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += client.recv(65536)
        return head.decode(), body

    @staticmethod
    def pump(source: socket.socket, target: socket.socket):
        try:
            while some := source.recv(65536):
                target.sendall(some)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def without_devices(self, name: str, body: bytes) -> bytes:
        wanted = json.loads(body)
        requests = wanted["HostConfig"].pop("DeviceRequests", None) or []
        self.asked[name] = [one for request in requests for one in request["DeviceIDs"]]
        return json.dumps(wanted).encode()

    def with_gpus(self, engine: socket.socket) -> bytes:
        answer = b""
        while some := engine.recv(65536):
            answer += some
        devices = [{"Source": "cdi", "ID": f"nvidia.com/gpu={index}"} for index in range(self.count)]
        text = json.dumps({"DiscoveredDevices": devices}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text
