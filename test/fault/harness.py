"""Runs acts of the workload (test/fault/workload) under faults, each at exactly one place, and holds what is left against
the invariants. A run counts only if its fault really happened: the tracer says so, and the exit status proves it.

A machine point is the n-th call by which an act changes files (test/fault/tracer.cc lists them), or one of its
acknowledgements. A network point is the n-th request to the server of objects, before or after it is carried out.
"""
import ctypes
import dataclasses
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test"))

import lying  # noqa: E402

BUILD = pathlib.Path(os.environ.get("VOLARY_PROGRAM", ROOT / "build/dev/volary")).parent
WORKLOAD, TRACER = BUILD / "volary_workload", BUILD / "volary_tracer"
ACTS = subprocess.run([WORKLOAD, "acts"], capture_output=True, text=True, check=True).stdout.split()
FILE_ACTS = [act for act in ACTS if act not in ("fetch", "send")]
BUCKET_ACTS = [act for act in ACTS if act not in FILE_ACTS]
THREADED = ["import", "export", "fetch", "send", "snapshot"]
KILLED = 137
SECONDS_MAX = 120


TALLY: dict[str, tuple[int, int]] = {}


def tally(what: str, happened: int, wanted: int) -> None:
    """For what is said at the end (conftest.py): how many of the faults that were wanted happened."""
    before = TALLY.get(what, (0, 0))
    TALLY[what] = before[0] + happened, before[1] + wanted


@dataclasses.dataclass
class Outcome:
    """Of one run under one fault: what the tracer says of it, and what the check found wrong afterwards."""
    act: str
    at: int
    calls: int
    fired: int
    after: int                # Lines of the run acknowledged before it fired.
    then: list[str]           # Those after it.
    call: str
    path: str
    exit: int
    acknowledged: str
    said: str                 # On standard error.
    wrong: list[str]

    def __str__(self):
        return f"{self.act} at {self.at} ({self.call} {self.path}), {len(self.acknowledged.splitlines())} acknowledged"


def scratch() -> pathlib.Path:
    return pathlib.Path(os.environ.get("TMPDIR") or "/dev/shm")


class Bench:
    """Prepared data directories, copied for each run. `planted`: the bug that the runs and the first opening after them
    have; the check has none."""

    def __init__(self, at: pathlib.Path | None = None, planted: str = ""):
        self.own = tempfile.TemporaryDirectory(prefix="volary-fault-", dir=scratch())
        self.root = pathlib.Path(self.own.name)
        self.at = at or self.root / "runs"     # Where the data directories of the runs stand.
        self.at.mkdir(exist_ok=True)
        self.planted = planted
        self.inputs = self.root / "inputs"
        self.templates = {}
        self.number = 0
        run([WORKLOAD, "inputs", self.inputs])
        large = self.inputs / "large"
        self.rounds = {path.relative_to(large).as_posix(): path.read_bytes() for path in large.rglob("*") if path.is_file()}
        self.server = lying.LyingS3(page=8)
        self.server.buckets["source"] = dict(self.rounds)
        self.fill_target()
        self.env = {**os.environ, "VOLARY_WORKLOAD_S3": self.server.url}

    def fill_target(self):
        """As it is before anybody exports: the first round."""
        self.server.buckets["target"] = {name[2:]: file for name, file in self.rounds.items() if name.startswith("1/")}
        self.server.uploads.clear()

    def close(self):
        self.server.end()
        self.own.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def prepared(self, act: str) -> tuple[pathlib.Path | None, str]:
        """A data directory for `act` and what its making acknowledged. None: the act makes its own."""
        if act not in self.templates:
            data = self.root / f"prepared-{act}"
            said = run([WORKLOAD, "prepare", act, data, self.inputs], self.env)
            self.templates[act] = (data if data.exists() else None, said)
        return self.templates[act]

    def fresh(self, act: str) -> tuple[pathlib.Path, str]:
        template, said = self.prepared(act)
        self.number += 1
        data = self.at / str(self.number)
        if template:
            run(["cp", "-a", template, data])
        if act in BUCKET_ACTS:
            self.fill_target()
        return data, said

    def points(self, act: str, calls: str = "all") -> int:
        """How many there are of a class. Threads make the number vary a little: the least of three counts."""
        counts = []
        for _ in range(3 if act in THREADED else 1):
            data, _ = self.fresh(act)
            outcome = self.perform(act, data, "", ["--act", "count", "--class", calls])
            assert outcome.exit == 0, f"without any fault: {outcome.said}\n{self.server.last_refused}"
            shutil.rmtree(data)
            counts.append(outcome.calls)
        return min(counts)

    def perform(self, act: str, data: pathlib.Path, before: str, options: list[str], at: int = 0,
                below: pathlib.Path | None = None) -> Outcome:
        acknowledged = self.root / "acknowledged"
        acknowledged.write_text(before)
        with open(acknowledged, "ab") as out:
            result = subprocess.run([TRACER, "--below", below or data, *options, "--at", str(at), "--",
                                     WORKLOAD, "perform", act, data, self.inputs],
                                    stdout=out, stderr=subprocess.PIPE, text=True, timeout=SECONDS_MAX,
                                    env={**self.env, "VOLARY_PLANTED": self.planted})
        assert result.returncode == 0, result.stderr
        *said, report = result.stderr.splitlines()
        report, text = json.loads(report), acknowledged.read_text()
        return Outcome(act=act, at=at, acknowledged=text, then=text[len(before):].splitlines()[report["after"]:],
                       said="\n".join(said), wrong=[], **report)

    def check(self, data: pathlib.Path, acknowledged: str) -> list[str]:
        if self.planted:
            subprocess.run([WORKLOAD, "recover", data], env={**self.env, "VOLARY_PLANTED": self.planted},
                           stderr=subprocess.DEVNULL, timeout=SECONDS_MAX)
        acked = self.root / "acked"
        acked.write_text(acknowledged)
        result = subprocess.run([WORKLOAD, "check", data, self.inputs, acked], capture_output=True, text=True,
                                timeout=SECONDS_MAX, env=self.env)
        if result.returncode == 0:
            return []
        return result.stdout.splitlines() or [f"the check ended with {result.returncode}: {result.stderr}"]

    def perform_only(self, act: str) -> Outcome:
        """Without any fault."""
        return self.under(act, 0, ["--act", "count"])

    def kill(self, act: str, at: int, calls: str = "all") -> Outcome:
        """SIGKILL just before point `at` of a class."""
        return self.under(act, at, ["--act", "kill", "--class", calls])

    def fail(self, act: str, at: int, errno: int, calls: str, *options: str) -> Outcome:
        """The `at`-th call of a class fails."""
        return self.under(act, at, ["--act", "fail", "--errno", str(errno), "--class", calls, *options], "failing\n")

    def requests(self, act: str) -> int:
        """How many an act makes: the least of three counts."""
        return min(self.kill_at_request(act, 0).calls for _ in range(3))

    def kill_at_request(self, act: str, at: int, is_done: bool = False) -> Outcome:
        """SIGKILL when the `at`-th request comes, which is carried out or not; nobody learns of it."""
        data, before = self.fresh(act)
        said = self.root / "said"
        requests = Requests(at, is_done)
        with open(self.root / "acknowledged", "w+") as out, open(said, "w") as err:
            out.write(before)
            out.flush()
            status = self.wait_for(act, data, requests, out, err)
            out.seek(0)
            text = out.read()
        outcome = Outcome(act, at, requests.calls, requests.fired, 0, [], requests.call, requests.path,
                          status if status >= 0 else 128 - status, text, said.read_text(), [])
        outcome.wrong = self.check(data, text)
        shutil.rmtree(data)
        return outcome

    def wait_for(self, act: str, data: pathlib.Path, requests: "Requests", out, err) -> int:
        """The exit status of a run under `requests`, which has ended in any case."""
        with self.server.lock:  # No request comes before it is known whom to kill.
            process = subprocess.Popen([WORKLOAD, "perform", act, data, self.inputs], stdout=out, stderr=err,
                                       env={**self.env, "VOLARY_PLANTED": self.planted})
            requests.process = process
            self.server.faults.append(requests)
        try:
            return process.wait(timeout=SECONDS_MAX)
        finally:
            process.kill()
            process.wait()
            self.server.faults.remove(requests)

    def under(self, act: str, at: int, options: list[str], said: str = "") -> Outcome:
        data, before = self.fresh(act)
        before += said
        outcome = self.perform(act, data, before, options, at)
        outcome.wrong = self.check(data, outcome.acknowledged)
        shutil.rmtree(data)
        return outcome


class Requests:
    """Of one run, counted; at one of them the process dies. Stands among the faults of the server of objects."""

    def __init__(self, at: int, is_done: bool):
        self.at, self.is_done, self.calls, self.fired, self.call, self.path = at, is_done, 0, 0, "", ""
        self.process = None
        after = lambda _server, _request, _answer: self.kill()
        self.act = after if is_done else lying.at("instead", lambda _server, _request: self.kill())

    def takes(self, request: lying.Request) -> bool:
        self.calls += 1
        if self.calls != self.at:
            return False
        self.call, self.path = request.kind, request.key
        return True

    def kill(self) -> lying.Answer:
        self.fired += 1
        self.process.send_signal(signal.SIGKILL)
        return lying.Answer(lost=True)


@functools.cache
def enter_own_mounts():
    """Nobody else sees what is mounted from here on: another's copy of a mount would keep a file system alive that has lost
    its power, and mounting its image again would only show it once more."""
    new_mounts = 0x00020000
    if ctypes.CDLL(None, use_errno=True).unshare(new_mounts) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run(["mount", "--make-rprivate", "/"])


class Disk:
    """A file system of its own in a file, which can lose its power."""
    MEGABYTES = {"ext4": 64, "xfs": 320}

    def __init__(self, kind: str):
        enter_own_mounts()
        self.kind = kind
        self.own = tempfile.TemporaryDirectory(prefix=f"volary-{kind}-", dir="/dev/shm")
        self.image = pathlib.Path(self.own.name) / "image"
        self.at = pathlib.Path(self.own.name) / "mounted"
        self.at.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(self.MEGABYTES[kind] << 20)
        run(["mkfs." + kind, "-q", self.image])
        self.mount()

    def mount(self):
        run(["mount", "-t", self.kind, "-o", "loop", self.image, self.at])

    def unmount(self):
        run(["umount", self.at])

    def close(self):
        self.unmount()
        self.own.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cut(self, bench: Bench, act: str, at: int, *options: str) -> Outcome:
        """The power goes at point `at`: all that is not durable is lost, and the machine starts again."""
        data, before = bench.fresh(act)
        run(["sync", "-f", self.at])
        outcome = bench.perform(act, data, before + "cut\n", ["--act", "cut", *options], at, below=self.at)
        self.unmount()
        self.mount()
        outcome.wrong = bench.check(data, outcome.acknowledged)
        shutil.rmtree(data, ignore_errors=True)
        return outcome



def run(words, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=SECONDS_MAX, env=env)
    assert result.returncode == 0, f"{' '.join(map(str, words))}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def spread(points: dict[str, int], wanted: int, seed: int) -> list[tuple[str, int]]:
    """`wanted` of all points, evenly over the acts and over each act's length; which ones, the seed says."""
    all_points = [(act, at) for act, count in points.items() for at in range(1, count + 1)]
    if wanted >= len(all_points):
        return all_points
    if wanted == 0:
        return []
    step = len(all_points) / wanted
    first = random.Random(seed).random() * step
    return [all_points[int(first + i * step)] for i in range(wanted)]
