"""bench/object_store.py: the object store that transfers are measured against, the peers' programs and a far network."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

from rotation import ENVIRONMENT, ROOT, Rotation, Volary, arguments, make_tree, remove, run_rows

GO_PEERS = {  # Current ones: those of Debian are years old.
    "s5cmd": ("github.com/peak/s5cmd/v2", "v2.3.0"),
    "rclone": ("github.com/rclone/rclone", "v1.75.1"),
}
RUNS = 3  # In five the slow peers take too long.
TOOLS = {"s3_stub": ["-lcrypto"], "s3_least": ["blake3"], "far_network": []}


def tool(bench: Rotation, name: str) -> str:
    """One of the C++ programs of bench/, compiled for this run."""
    made = bench.scratch.parent / f"{bench.scratch.name}-{name}"
    if not made.exists():
        flags = TOOLS[name]
        if "blake3" in flags:  # The library that volary itself is built with.
            sources = next(pathlib.Path("/usr/share/cargo/registry").glob("blake3-*/c"))
            flags = ["-isystem", sources, bench.options.program.parent / "libblake3.a"]
        subprocess.run(["clang++-19", "-O2", "-std=c++20", ROOT / f"bench/{name}.cc", *flags, "-o", made], check=True)
        bench.made.append(made)
    return str(made)


def peer(name: str) -> str:
    """A peer written in Go, built once from its module into build/peers."""
    module, version = GO_PEERS[name]
    place = ROOT / "build/peers" / f"{name}-{version}"
    program = place / name
    if program.exists():
        return str(program)
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not os.path.exists(go):
        sys.exit(f"bench: {name} is built from its Go module: expected Go 1.25 or later in PATH, from https://go.dev/dl "
                 "(Debian 12 has an older one)")
    place.mkdir(parents=True, exist_ok=True)
    (place / "go.mod").write_text(f"module bench\n\ngo 1.21\n\nrequire {module} {version}\n")
    print(f"building {name} {version} …", file=sys.stderr)
    if subprocess.run(["nice", go, "build", "-mod=mod", "-o", program, module], cwd=place).returncode != 0:
        sys.exit(f"bench: {name} {version} cannot be built: expected Go and a module proxy")
    return str(program)


class ObjectRotation(Rotation):
    """Of transfers from or to an object store."""

    def __init__(self, options):
        super().__init__(options)
        self.runs = options.runs or RUNS

    def sized(self, objects: tuple[int, int]) -> tuple[int, int]:
        count, size = objects
        if not self.options.quick:
            return count, size
        return (count // 10, size) if count > 1 else (count, size // 10)


def run_object_rows(description: str, make_bench, rows: list[str], of_stub: list[str], asked_for: list[str],
                    where: str) -> None:
    """`of_stub`: rows that only bench/s3_stub.cc can serve; `asked_for`: those left out unless --only names them."""
    parser = arguments(description, rows)
    parser.add_argument("--server", choices=["stub", "rgw"], default="stub",
                        help="the object store: bench/s3_stub.cc, or the Ceph object gateway of test/servers, without the "
                             "rows " + ", ".join(of_stub))
    options = parser.parse_args()
    left_out = of_stub if options.server == "rgw" else []
    for name in options.only or []:
        if name in left_out:
            parser.error(f"--only {name}: the object store of this row is the stub; leave out --server {options.server}")
    wanted = [name for name in rows if name not in [*left_out, *asked_for]]
    run_rows(options, make_bench, wanted, f"objects {where} {options.server}, ")


class FarNetwork:
    """Two network namespaces, a delay apart each way: `here` and `there` begin commands in them."""

    def __init__(self, bench: Rotation, delay_ms: int):
        self.names = [f"volary-bench-{os.getpid()}-{end}" for end in ("here", "there")]
        self.address = "10.78.0.2"
        self.process = None
        bench.at_end.append(self.end)
        for name in self.names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        self.here, self.there = (["ip", "netns", "exec", name] for name in self.names)
        self.process = subprocess.Popen([tool(bench, "far_network"), self.names[0], "10.78.0.1", self.names[1],
                                         self.address, str(delay_ms)], stdout=subprocess.PIPE, text=True)
        bench.running.append(self.process)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit("bench: the far network does not start: expected root and /dev/net/tun")

    def end(self) -> None:
        """Again: nothing more."""
        if self.process:
            self.process.kill()
            self.process.wait()
        for name in self.names:
            if os.path.exists(f"/run/netns/{name}"):
                subprocess.run(["ip", "netns", "del", name], check=True)


class ObjectStore:
    """The S3 server that both sides use: `buckets` are its buckets, each with so many objects of so many bytes."""

    def __init__(self, bench: Rotation, buckets: dict[str, tuple[int, int]], network: "FarNetwork | None" = None):
        self.bench, self.network = bench, network
        if bench.options.server == "rgw":
            self.start_rgw(buckets)
            bench.at_end.append(self.end)  # What it holds is not in the scratch directory.
        else:
            self.start_stub(buckets)

    def start_stub(self, buckets) -> None:
        words = [f"{name}:{count}:{size}" for name, (count, size) in buckets.items()]
        there, address = (self.network.there, self.network.address) if self.network else ([], "127.0.0.1")
        self.process = subprocess.Popen([*there, tool(self.bench, "s3_stub"), address, *words], stdout=subprocess.PIPE,
                                        text=True)
        self.bench.running.append(self.process)
        self.endpoint = self.process.stdout.readline().strip()
        self.pids = [self.process.pid]
        self.access_key, self.secret_key = "BENCHACCESSKEY000001", "bench-secret-key-not-checked"
        self.prefix = ""

    def start_rgw(self, buckets) -> None:
        script = ROOT / "test/servers/start-rgw.sh"
        lines = subprocess.run([script], capture_output=True, text=True, check=True).stdout.splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        self.endpoint = found["VOLARY_TEST_S3_ENDPOINT"]
        self.access_key, self.secret_key = found["VOLARY_TEST_S3_ACCESS_KEY"], found["VOLARY_TEST_S3_SECRET_KEY"]
        self.process = None
        self.pids = [int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()
                     and self.program_of(path) in ("radosgw", "ceph-osd", "ceph-mon")]
        self.prefix = f"bench{os.getpid()}-"
        for name, (count, size) in buckets.items():
            subprocess.run([peer("rclone"), "mkdir", self.remote(name)], env=self.rclone_env(), check=True)
            if count == 0:
                continue
            source = self.bench.scratch / "upload"
            if size > 1 << 20:
                source.mkdir()
                subprocess.run(["truncate", "-s", str(size), source / "large.bin"], check=True)
            else:
                make_tree(source, count, size)
            subprocess.run([peer("rclone"), "copy", "--transfers", "16", source, self.remote(name)], env=self.rclone_env(),
                           check=True)
            remove(source)

    @staticmethod
    def program_of(process: pathlib.Path) -> str:
        with contextlib.suppress(OSError):
            return (process / "comm").read_text().strip()
        return ""

    def remote(self, bucket: str) -> str:
        return f"bench:{self.prefix}{bucket}"

    def rclone_env(self) -> dict:
        return {**ENVIRONMENT, "RCLONE_CONFIG": "", "RCLONE_CONFIG_BENCH_TYPE": "s3",
                "RCLONE_CONFIG_BENCH_PROVIDER": "Other", "RCLONE_CONFIG_BENCH_ENDPOINT": self.endpoint,
                "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": self.access_key,
                "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": self.secret_key, "RCLONE_CONFIG_BENCH_LIST_VERSION": "2"}

    def add_to(self, volary: Volary, bucket: str) -> None:
        volary("secret", "create", "key", "--from-env",
               env={"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key})
        volary("datastore", "add", "s3", "store", "--endpoint", self.endpoint, "--bucket", self.prefix + bucket,
               "--secret", "key")

    def s5cmd_env(self) -> dict:
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_REGION": "us-east-1", "S3_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}

    def change(self, bucket: str, every: int) -> None:
        """Every so-many-th object gets other bytes of the same size."""
        self.order(f"/{bucket}?change={every}")

    def clear(self, bucket: str) -> None:
        """Forgets what was written into the bucket, which has no objects of its own."""
        if self.process:
            self.order(f"/{bucket}?clear=1")
        else:
            subprocess.run([peer("rclone"), "purge", self.remote(bucket)], env=self.rclone_env(), check=True)
            subprocess.run([peer("rclone"), "mkdir", self.remote(bucket)], env=self.rclone_env(), check=True)

    def order(self, what: str) -> None:
        host, port = self.endpoint.removeprefix("http://").split(":")
        place = self.network.here if self.network else []
        script = ("import http.client, sys; c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=60); "
                  "c.request('POST', sys.argv[3]); sys.exit(c.getresponse().status != 200)")
        if subprocess.run([*place, sys.executable, "-c", script, host, port, what]).returncode != 0:
            sys.exit(f"bench: the stub does not do {what}")

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        else:
            for bucket in subprocess.run([peer("rclone"), "lsf", "bench:"], env=self.rclone_env(), capture_output=True,
                                         text=True).stdout.split():
                if bucket.startswith(self.prefix):
                    subprocess.run([peer("rclone"), "purge", f"bench:{bucket}"], env=self.rclone_env())
