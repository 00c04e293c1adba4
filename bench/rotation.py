"""bench/rotation.py: what every benchmark here is made of.

A row runs ours and its peers in rotation (ours, peer, ours, peer, …), so that whatever else the machine does falls on all
alike, and prints medians with their spread, how many times as long as ours each peer took, CPU seconds and the peak of
resident memory.
"""
import argparse
import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
OTHERS_SHARE_MAX = 0.15      # Of all cores, used by processes that are not ours, before a run is called disturbed.
QUIET_SECONDS_MAX = 3        # How long a single run waits for a quiet second.
LOAD_MAX = 1.5               # What a row waits for, as long as --patience allows.
SECONDS_TO_JUDGE = 0.2       # Shorter runs say nothing about others: the kernel counts in hundredths of a second.
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}  # For everybody.


# --- One run

@dataclasses.dataclass
class Sample:
    """What one run took. `seconds` is the row's figure, `wall` the whole command's."""
    seconds: float
    wall: float
    cpu: float
    rss_mib: float
    others: float
    load: float


def busy_seconds() -> float:
    user, nice, system, _, _, irq, softirq, steal = map(int, open("/proc/stat").readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS  # utime, stime and those of children waited for.


def peak_mib(pid: int) -> float:
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def forget_peak(pid: int) -> None:
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def wait_for_quiet(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(1)
        if busy_seconds() - before < OTHERS_SHARE_MAX * CORES:
            return


def timed(command: list, *, working: int | None = None, beside: list[int] = (), env: dict | None = None,
          cwd: pathlib.Path | None = None, seconds_of=None) -> Sample:
    """Runs `command` once. `working` is the server that does the work for it: its CPU and memory count as the
    command's. `beside` are processes whose CPU is neither ours nor others': the object store's. `seconds_of` reads the
    row's figure from standard output, where that is not the time of the whole command."""
    wait_for_quiet(QUIET_SECONDS_MAX)
    load = os.getloadavg()[0]
    if working:
        forget_peak(working)
    cpu_before = cpu_seconds(working) if working else 0
    beside_before = sum(cpu_seconds(pid) for pid in beside)
    out = tempfile.TemporaryFile(dir="/dev/shm")
    err = tempfile.TemporaryFile(dir="/dev/shm")
    busy = busy_seconds()
    start = time.monotonic()
    child = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stderr=err, cwd=cwd,
                             stdout=out, env={**ENVIRONMENT, **(env or {})})
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    busy = busy_seconds() - busy
    if child.returncode != 0:
        err.seek(0)
        sys.exit(f"bench: {' '.join(map(str, command[:12]))} ended with {child.returncode}:\n"
                 + err.read().decode(errors="replace")[-2000:])
    own = usage.ru_utime + usage.ru_stime
    cpu = own + (cpu_seconds(working) - cpu_before if working else 0)
    rss = max(usage.ru_maxrss / 1024, peak_mib(working) if working else 0)
    apart = busy - cpu - (sum(cpu_seconds(pid) for pid in beside) - beside_before)
    out.seek(0)
    seconds = seconds_of(out.read().decode()) if seconds_of else wall
    return Sample(seconds, wall, cpu, rss, max(0.0, apart / (wall * CORES)), load)


# --- What rows are made of

@dataclasses.dataclass
class Side:
    """One of the ways to do a row's work. `before` and `after` are not timed."""
    name: str
    run: object
    before: object = lambda: None
    after: object = lambda: None
    is_ours: bool = False
    is_server: bool = False  # Its memory is that of our server.
    is_bound: bool = False   # No peer, but what none can be much better than.


@dataclasses.dataclass
class Row:
    name: str
    title: str
    note: str = ""
    bytes: int = 0  # That each side moves: their CPU is printed for each GiB of it.
    asked: float = 0  # So many times as fast as the fastest peer at least …
    aim: str = ""     # … and what would be good.


class Volary:
    """The program with a server of its own in `data`."""

    def __init__(self, program: pathlib.Path, data: pathlib.Path, place: list[str] = []):
        """`place` begins the server's command: the network it is in."""
        self.program, self.data, self.place = program, data, place
        self.env = {"VOLARY_DATA_DIR": str(data)}
        data.mkdir(parents=True)
        self.begin()

    def begin(self) -> None:
        self.server = subprocess.Popen([*self.place, str(self.program), "server", "--data-dir", str(self.data)],
                                       env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                       stdout=open(self.data / "bench.log", "w"), stderr=subprocess.STDOUT)
        while not (self.data / "volary.sock").exists():
            if self.server.poll() is not None:
                sys.exit("bench: the server ended at once:\n" + (self.data / "bench.log").read_text())
            time.sleep(0.01)
        self("volume", "ls")

    def restart(self) -> None:
        self.server.terminate()
        self.server.wait()
        self.begin()

    def __call__(self, *words, env: dict | None = None) -> str:
        done = subprocess.run([str(self.program), *map(str, words)], env={**ENVIRONMENT, **self.env, **(env or {})},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bench: volary {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def timed(self, *words, beside=(), seconds_of=None) -> Sample:
        return timed([self.program, *words], working=self.server.pid, beside=beside, env=self.env,
                     seconds_of=seconds_of)

    def end(self) -> None:
        self.server.terminate()
        self.server.wait()
        remove(self.data)


class Api(http.client.HTTPConnection):
    """The server by its socket: what a request takes without the start of a command."""

    def __init__(self, volary: Volary):
        super().__init__("volary")
        self.path = str(volary.data / "volary.sock")
        self.token = (volary.data / "admin.token").read_text().strip()

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def __call__(self, method: str, path: str, body: dict | None = None) -> dict:
        self.request(method, path, json.dumps(body) if body is not None else None,
                     {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {path} answered {answer.status}: {text.decode()}")
        return json.loads(text) if text else {}

    def timed(self, method: str, path: str, body: dict | None = None) -> Sample:
        self.close()
        self.connect()  # Not timed: one that was idle for long may have been closed by the server.
        start = time.monotonic()
        self(method, path, body)
        seconds = time.monotonic() - start
        return Sample(seconds, seconds, 0, 0, 0, os.getloadavg()[0])


def remove(path: pathlib.Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def make_tree(root: pathlib.Path, files: int, size: int) -> list[str]:
    """`files` different files of `size` bytes, a thousand to a directory; their names."""
    block = os.urandom(1 << 20)
    names = []
    for i in range(files):
        directory = root / f"d{i // 1000:03}"
        if i % 1000 == 0:
            directory.mkdir(parents=True)
        name = f"d{i // 1000:03}/f{i % 1000:04}.bin"
        at = i * 7 % (len(block) - size)
        with open(root / name, "wb") as file:
            file.write(i.to_bytes(8, "little") + block[at:at + size - 8])
        names.append(name)
    return names


# --- Rows

class Rotation:
    def __init__(self, options):
        self.options = options
        self.runs = options.runs or (3 if options.quick else 5)
        self.results = []
        self.made = []     # Programs compiled for this run,
        self.running = []  # and processes that must not outlive it;
        self.at_end = []   # what else is to be done then, also where it has been done before.
        self.found = []  # Lines of the table at the end, as bench/RESULTS.md has them.
        place = options.disk or "/dev/shm"
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="volary-bench-", dir=place))

    def volary(self, name: str = "data", place: list[str] = []) -> Volary:
        volary = Volary(self.options.program, self.scratch / name, place)
        self.running.append(volary.server)
        return volary

    def quiet_row(self, row: Row) -> None:
        end = time.monotonic() + self.options.patience
        while os.getloadavg()[0] > LOAD_MAX and time.monotonic() < end:
            time.sleep(2)
        print(f"\n{row.title}", flush=True)

    def measure(self, row: Row, sides: list[Side]) -> dict[str, list[Sample]]:
        samples = {side.name: [] for side in sides}
        self.quiet_row(row)
        for _ in range(self.runs):
            for side in sides:
                side.before()
                samples[side.name].append(side.run())
                side.after()
        self.print_row(row, sides, samples)
        return samples

    def print_row(self, row: Row, sides: list[Side], samples: dict[str, list[Sample]]) -> None:
        median = lambda side, what: statistics.median(getattr(one, what) for one in samples[side.name])  # noqa: E731
        ours = median(next(side for side in sides if side.is_ours), "seconds")
        print(f"  {'':44} {'median s':>9} {'min–max':>15} {'peer/ours':>9} {'CPU s':>7} {'RSS MiB':>8} {'load':>6}"
              + (f" {'CPU s/GiB':>9}" if row.bytes else ""))
        for side in sides:
            every = [one.seconds for one in samples[side.name]]
            ratio = "" if side.is_ours else f"{statistics.median(every) / ours:.2f}"
            print(f"  {side.name:44} {statistics.median(every):9.3f} {f'{min(every):.3f}–{max(every):.3f}':>15} "
                  f"{ratio:>9} {median(side, 'cpu'):7.2f} {max(one.rss_mib for one in samples[side.name]):8.0f} "
                  f"{max(one.load for one in samples[side.name]):6.1f}"
                  + (f" {median(side, 'cpu') * (1 << 30) / row.bytes:9.2f}" if row.bytes else ""))
            others = [one.others for one in samples[side.name] if one.wall >= SECONDS_TO_JUDGE]
            if others and max(others) > OTHERS_SHARE_MAX:
                print(f"    warning: other processes used up to {100 * max(others):.0f}% of the cores meanwhile")
            self.results.append({"row": row.name, "title": row.title, "side": side.name, "ours": side.is_ours,
                                 "samples": [dataclasses.asdict(one) for one in samples[side.name]]})
        if row.note:
            print(f"  {row.note}")
        if row.asked:
            self.found.append(self.found_line(row, sides, samples))
        sys.stdout.flush()

    @staticmethod
    def found_line(row: Row, sides: list[Side], samples: dict[str, list[Sample]]) -> str:
        seconds = {side.name: statistics.median(one.seconds for one in samples[side.name]) for side in sides}
        ours = next(side for side in sides if side.is_ours)
        fastest = min((side for side in sides if not side.is_ours and not side.is_bound), key=lambda one: seconds[one.name])
        ratio = seconds[fastest.name] / seconds[ours.name]
        bound = next((f"{seconds[ours.name] / seconds[side.name]:.2f} ×" for side in sides if side.is_bound), "")
        memory = max(one.rss_mib for one in samples[ours.name])
        found = f"{ratio:.2f} ×" if ratio >= row.asked else f"**{ratio:.2f} ×: missed**"
        return f"| {row.title} | {fastest.name} | {row.asked:g} × | {row.aim} | {found} | {bound} | {memory:.0f} MiB |"

    def print_found(self) -> None:
        if self.found:
            print("\n| work | fastest peer | at least | aim | found | time of the bound | memory |\n|---|---|---|---|---|---|---|")
            print("\n".join(self.found), flush=True)

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
        for act in self.at_end:
            act()
        remove(self.scratch)
        for program in self.made:
            program.unlink()


def arguments(description: str, rows: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="runs of each side: 5, or 3 with --quick")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--only", action="append", choices=rows, metavar="NAME",
                        help="only this row; may be given again: " + ", ".join(rows))
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write every sample there")
    parser.add_argument("--program", type=pathlib.Path, help="the volary to measure; by default build/release is built")
    parser.add_argument("--disk", type=pathlib.Path, metavar="DIR",
                        help="work in this directory of a real disk instead of in memory")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS",
                        help=f"how long a row waits for a load average below {LOAD_MAX}; 60 unless told")
    return parser


def build() -> pathlib.Path:
    subprocess.run([ROOT / "tools/packages", "build", "run", "bench"], check=True)
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "-C", ROOT / "build/release", "volary"], stdout=subprocess.DEVNULL, check=True)
    return ROOT / "build/release/volary"


def run_rows(options, make_bench, rows: list[str], where: str) -> None:
    options.program = options.program.resolve() if options.program else build()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = make_bench(options)
    place = "memory" if not options.disk else str(options.disk)
    print(f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {CORES} cores, Linux {platform.release()}, files in {place}, "
          f"{where}{bench.runs} runs each, load {os.getloadavg()[0]:.1f}")
    try:
        for name in options.only or rows:
            getattr(bench, name)()
        bench.print_found()
    finally:
        bench.end()
        if options.json:
            options.json.write_text(json.dumps(bench.results, indent=1))


def size_text(size: int) -> str:
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.3g} {unit}"
    return f"{size} bytes"
