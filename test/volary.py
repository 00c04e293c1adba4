"""The program under test, as a user runs it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Begins a command from a small process, since a child's peak is at least what its parent held.
MEASURE = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10, file=sys.stderr)
sys.exit(code)"""
PROGRAM = pathlib.Path(os.environ.get("VOLARY_PROGRAM", ROOT / "build/dev/volary"))


def write_large(path: pathlib.Path, megabytes: int) -> None:
    """A file of which no two blocks of 1 MiB are the same, so that one in another's place is seen."""
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for number in range(megabytes):
            file.write(number.to_bytes(8, "little") + block[8:])


def is_dead(pid: int) -> bool:
    """And all of its threads: the first one may be a zombie while another one still holds the files of all."""
    try:
        return "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text() and len(os.listdir(f"/proc/{pid}/task")) == 1
    except OSError:
        return True


class Volary:
    """Runs the command line against a data directory of its own; its server starts by itself, as for a user."""

    def __init__(self, program: pathlib.Path, data: pathlib.Path):
        self.program, self.data = program, data
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(data.parent), "VOLARY_DATA_DIR": str(data), "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR", "VOLARY_PLANTED"):  # test/fault/test_planted.py plants some.
            if name in os.environ:
                self.env[name] = os.environ[name]

    def run(self, *words, env: dict | None = None, stdin: str | None = None, cwd=None, timeout: float = 120):
        return subprocess.run([str(self.program), *map(str, words)], env={**self.env, **(env or {})}, text=True,
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, cwd=cwd, timeout=timeout)

    def __call__(self, *words, **options) -> str:
        """Standard output of a command that must succeed."""
        result = self.run(*words, **options)
        assert result.returncode == 0, f"volary {' '.join(map(str, words))}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def json(self, *words, **options):
        return json.loads(self(*words, "-o", "json", **options))

    def memory_peak(self, *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=None) -> int:
        """How many bytes of memory a command that must succeed held at most."""
        result = subprocess.run([sys.executable, "-c", MEASURE, str(self.program), *map(str, words)], env=self.env, stdin=stdin,
                                stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=cwd)
        assert result.returncode == 0, result.stderr
        return int(result.stderr.splitlines()[-1])

    def server_memory_peak(self) -> int:
        (server,) = self.server_pids()
        return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{server}/status").read_text())[1]) << 10

    def refuses(self, *words, **options) -> tuple[int, str]:
        """Exit code and standard error of a command that must fail."""
        result = self.run(*words, **options)
        assert result.returncode != 0, f"volary {' '.join(map(str, words))} succeeded:\n{result.stdout}"
        return result.returncode, result.stderr

    def start(self, env: dict | None = None, options: tuple[str, ...] = ()) -> subprocess.Popen:
        """A server in the foreground, with fail points, say."""
        log = open(self.data.parent / "server.log", "ab")
        server = subprocess.Popen([str(self.program), "server", "--data-dir", str(self.data), *options],
                                  env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_for(lambda: self.answers() or server.poll() is not None, "the server to answer")
        return server

    def answers(self) -> bool:
        return subprocess.run(["curl", "-fs", "--unix-socket", str(self.data / "volary.sock"), "http://volary/healthz"],
                              capture_output=True).returncode == 0

    def server_pids(self) -> list[int]:
        return self.pids("server")

    def supervisors(self, job: str) -> list[int]:
        """The processes that watch over a job's; its id."""
        return self.pids("supervise", f"jobs/{job}/")

    def kill_supervisors(self, job: str) -> None:
        """And with them, in a sandbox, the job's processes."""
        for pid in self.supervisors(job):
            os.kill(pid, signal.SIGKILL)

    def pids(self, act: str, below: str = "") -> list[int]:
        """Of the program's processes that do this in the data directory, or below it."""
        pids = []
        for proc in pathlib.Path("/proc").iterdir():
            if proc.name.isdigit():
                try:
                    words = (proc / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if act.encode() in words[1:2] and any((word + b"/").startswith(f"{self.data}/{below}".encode()) for word in words):
                    pids.append(int(proc.name))
        return pids

    def kill(self) -> None:
        """kill -9, as an operator's last resort or the machine's."""
        pids = self.server_pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.wait_for(lambda: not self.server_pids(), "the server to be gone")
        for pid in pids:  # Its memory goes before its files, and with these its lock.
            self.wait_for(lambda: is_dead(pid), f"process {pid} to have closed its files")

    def end(self) -> None:
        for pid in self.server_pids():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.wait_for(lambda: not self.server_pids(), "the server to end", seconds=10)
        except AssertionError:
            self.kill()
        for pid in self.pids("supervise"):  # Jobs outlive their server; here nobody asks for them any more.
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    @staticmethod
    def wait_for(condition, what: str, seconds: float = 30):
        end = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            time.sleep(0.02)

    def job_ended(self, job: str, seconds: float = 60) -> dict:
        terminal = ("DONE", "FAILED", "INTERRUPTED", "ERROR")

        def ended():
            now = self.json("job", "get", job)
            return now if now["state"] in terminal else None

        return self.wait_for(ended, f"job {job} to end", seconds)
