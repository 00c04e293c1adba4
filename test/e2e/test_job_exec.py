"""A command beside a job's process: in its sandbox, and in its container with Docker and with podman, over pipes and with a terminal."""
import copy
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest
from web import TlsProxy, free_port

IMAGE = "volary-test/busybox:1"
# Podman takes seconds for what Docker does at once, so it sees only what it might do otherwise.
without_podman = pytest.mark.parametrize("kind", ["sandbox", "docker"], indirect=True)


@pytest.fixture(params=["sandbox", "docker", "podman"])
def kind(request):
    return request.param


@pytest.fixture
def served(volary, kind):
    """The command line with a job 'one' that runs until it is stopped, and a volume at /out."""
    options, image = (), ()
    if kind != "sandbox":
        name = "VOLARY_TEST_" + kind.upper()
        if name not in os.environ:
            pytest.skip(f"{name} is not set: start test/servers/start-{kind}.sh")
        options, image = ("--engine", os.environ[name]), ("--image", IMAGE)
    volary.start(options=options)
    volary.options = options
    volary("volume", "create", "out")
    volary("job", "run", "-n", "one", "-v", "out:/out:rw", "--memory", "256MiB", "-e", "WORD=spoken", *image, "--", "sh", "-c",
           "echo up; while :; do sleep 0.1; done")
    volary.wait_for(lambda: "up" in volary("job", "logs", "one") and volary.json("job", "get", "one")["state"] == "RUNNING",
                    "the job to run")
    yield volary
    volary.run("job", "stop", "one", "--wait")


def exec_(volary, *words, **options):
    return volary.run("job", "exec", *words, **options)


class Terminal:
    """The command line on a terminal of its own, as a person has it."""

    def __init__(self, volary, *words, rows=30, columns=100):
        self.leader, follower = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(follower)
        self.follower = follower
        self.process = subprocess.Popen([volary.program, "job", "exec", *words], env={**volary.env, "TERM": "xterm"}, stdin=follower,
                                        stdout=follower, stderr=follower, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.said = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.leader, text.encode())

    def wait_for(self, pattern):
        """All up to what is looked for."""
        end = time.monotonic() + 30
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < end, f"waited for {pattern!r}: {self.said!r}"
            if select.select([self.leader], [], [], 0.1)[0]:
                self.said += os.read(self.leader, 65536).decode(errors="replace")
        before, self.said = self.said[:found.end()], self.said[found.end():]
        return before

    def ended(self):
        code = self.process.wait(30)
        assert termios.tcgetattr(self.follower) == self.before
        return code


def test_it_is_in_there_with_the_jobs_rights_and_no_more(served, kind):
    script = ("id -u; id -g; echo $WORD; grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; echo made >/out/file; "
              "echo bad >&2; exit 7")
    done = exec_(served, "one", "--", "sh", "-c", script)
    assert (done.returncode, done.stderr) == (7, "bad\n")
    lines = done.stdout.splitlines()
    assert lines[:3] == ["42420", "42420", "spoken"]
    own = served.run("job", "exec", "one", "--", "sh", "-c", "grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status")
    rights = dict(line.split() for line in lines[3:])
    assert rights["CapPrm:"] == rights["CapEff:"] == rights["CapBnd:"] == "0" * 16 and rights["NoNewPrivs:"] == "1"
    if kind != "sandbox":
        assert rights == dict(line.split() for line in own.stdout.splitlines())
    # The same namespaces, control groups and processes.
    namespaces = "for n in user mnt pid ipc uts; do readlink /proc/{}/ns/$n; done; cat /proc/{}/cgroup"
    pid = exec_(served, "one", "--", "sh", "-c", "for p in /proc/[0-9]*; do grep -q 'echo up' $p/cmdline && echo ${p#/proc/}; done").stdout
    pid = min(int(one) for one in pid.split())
    asked = exec_(served, "one", "--", "sh", "-c", namespaces.replace("{}", str(pid)))
    mine = exec_(served, "one", "--", "sh", "-c", namespaces.replace("{}", "self"))
    assert asked.stdout == mine.stdout and "mnt:[" in mine.stdout
    served("job", "stop", "one", "--wait")
    assert served("volume", "cat", "out:/file") == "made\n"


def test_what_it_reads_and_says_goes_through_whole(served):
    data = os.urandom(3 << 20).hex()
    done = exec_(served, "-i", "one", "--", "cat", stdin=data)
    assert done.returncode == 0 and done.stdout == data
    assert exec_(served, "one", "--", "cat", stdin="not for it").stdout == ""


@without_podman
def test_its_end_is_told_as_shells_tell_it(served, kind):
    assert exec_(served, "one", "--", "sh", "-c", "kill -9 $$").returncode == 137
    missing = exec_(served, "one", "--", "no-such-command")
    assert missing.returncode == 127 and "no-such-command" in missing.stderr + missing.stdout
    denied = exec_(served, "one", "--", "/etc/passwd")
    assert denied.returncode == 126


@without_podman
def test_words_for_what_cannot_be(served):
    code, words = served.refuses("job", "exec", "nobody", "--", "true")
    assert code == 4 and "nobody" in words
    served("job", "stop", "one", "--wait")
    code, words = served.refuses("job", "exec", "one", "--", "true")
    assert code == 6 and "is INTERRUPTED: expected one that is RUNNING" in words
    assert "standard input is no terminal" in served.refuses("job", "exec", "-it", "one", "--", "true")[1]


def test_a_terminal_is_one(served):
    terminal = Terminal(served, "-it", "one", "--", "sh")
    terminal.type("stty size; echo $TERM; [ -t 0 ] && [ -t 1 ] && echo a-tty\n")
    assert "30 100" in terminal.wait_for("xterm[\\s\\S]*\na-tty")
    terminal.resize(41, 77)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.type("while [ \"$(stty size)\" != '41 77' ]; do sleep 0.05; done; echo 're'sized\n")
    terminal.wait_for("resized")
    terminal.type("sleep 1000; echo 'inter'rupted\n")
    time.sleep(0.3)  # For the shell to start it; too early is told the same.
    terminal.type("\x03")
    terminal.type("echo 'go'es-on\n")
    terminal.wait_for("goes-on")
    terminal.type("exit 5\n")
    assert terminal.ended() == 5


@without_podman
def test_ctrl_c_without_a_terminal_is_for_the_command(served):
    command = subprocess.Popen([served.program, "job", "exec", "one", "--", "sh", "-c", "trap 'echo caught; exit 9' INT; echo up; "
                                "while :; do sleep 0.05; done"], env=served.env, stdout=subprocess.PIPE, text=True)
    assert command.stdout.readline() == "up\n"
    command.send_signal(signal.SIGINT)
    assert command.stdout.readline() == "caught\n"
    assert command.wait(30) == 9


class Raw:
    """A connection of one's own making."""

    def __init__(self, volary, *command, version="1.1", connection="keep-alive, Upgrade", terminal=False):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(volary.data / "volary.sock"))
        body = json.dumps({"command": command, "terminal": terminal})
        token = (volary.data / "admin.token").read_text().strip()
        self.socket.sendall((f"POST /api/v1/jobs/one/exec HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: {connection}\r\n"
                             f"Upgrade: volary-exec\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def send(self, kind, size, payload=b""):
        self.socket.sendall(kind + struct.pack(">I", size) + payload)

    def next(self):
        kind, size = struct.unpack(">cI", self.file.read(5))
        return kind, self.file.read(size)

    def close(self):
        self.file.close()
        self.socket.close()


def test_a_frame_that_is_none_ends_the_command(served):
    raw = Raw(served, "sh", "-c", "echo up; exec sleep 12345")
    assert raw.status == 101 and raw.next() == (b"o", b"up\n")
    for columns in range(1, 2000):  # Only the last window of many is of use.
        window = f"30 {columns}".encode()
        raw.send(b"w", len(window), window)
    raw.send(b"i", 1 << 20)
    kind, words = raw.next()
    assert kind == b"x" and words.startswith(b"126 ") and b"a frame of 1048576 bytes" in words
    raw.close()
    look = "for p in /proc/[0-9]*; do grep -q 12345 $p/cmdline && grep -v State:.Z $p/status | grep -q ^Name:.sleep && echo there; done; true"
    served.wait_for(lambda: exec_(served, "one", "--", "sh", "-c", look).stdout == "", "the command to be ended")


def leaves_mark(volary, mark):
    """A command that says when it is hung up."""
    command = subprocess.Popen([volary.program, "job", "exec", "one", "--", "sh", "-c", f"trap 'echo gone >{mark}; exit' HUP; echo up; "
                                "while :; do sleep 0.05; done"], env=volary.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert command.stdout.readline() == "up\n"
    return command


def test_a_user_who_is_gone_ends_it_and_so_does_the_servers_death_but_the_job_goes_on(served):
    command = leaves_mark(served, "/out/client")
    command.kill()
    served.wait_for(lambda: exec_(served, "one", "--", "cat", "/out/client").stdout == "gone\n", "the command to be hung up")
    command = leaves_mark(served, "/out/server")
    served.kill()
    assert command.wait(30) == 8
    served.start(options=served.options)
    served.wait_for(lambda: exec_(served, "one", "--", "cat", "/out/server").stdout == "gone\n", "the command to be hung up")
    assert served.json("job", "get", "one")["state"] == "RUNNING"


@without_podman
def test_the_jobs_end_is_its_end(served):
    command = leaves_mark(served, "/out/end")
    served("job", "stop", "one", "--wait")
    assert command.wait(30) != 0


@pytest.fixture
def sandboxed(volary):
    volary.start()
    volary("job", "run", "-n", "one", "--", "sh", "-c", "echo up; sleep 1000")
    volary.wait_for(lambda: volary.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    yield volary
    volary.run("job", "stop", "one", "--wait")


def test_the_terminal_has_its_modes_back_when_its_reader_goes(sandboxed):
    ours, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    command = subprocess.Popen([sandboxed.program, "job", "exec", "-it", "one", "--", "sh", "-c", "while echo words; do :; done"],
                               env=sandboxed.env, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert b"words" in command.stdout.readline()
    command.stdout.close()
    command.wait(30)
    assert termios.tcgetattr(follower) == before
    os.close(ours)


def test_a_terminal_without_input_is_left_by_its_keys(sandboxed):
    terminal = Terminal(sandboxed, "-t", "one", "--", "sh", "-c", "trap 'echo caught; exit 9' INT; echo up; while :; do sleep 0.05; done")
    terminal.wait_for("up")
    terminal.type("\x03")
    terminal.wait_for("caught")
    assert terminal.ended() == 9


def test_only_so_many_run_beside_one_job(sandboxed):
    raws = [Raw(sandboxed, "sleep", "1000") for _ in range(16)]
    assert [raw.status for raw in raws] == [101] * 16
    code, words = sandboxed.refuses("job", "exec", "one", "--", "true")
    assert "16 commands run beside job" in words, (code, words)
    raws.pop().close()
    sandboxed.wait_for(lambda: exec_(sandboxed, "one", "--", "true").returncode == 0, "a place to be free")
    for raw in raws:
        raw.close()


def test_only_a_connection_that_is_to_be_upgraded_is(sandboxed):
    assert [Raw(sandboxed, "true", **one).status for one in ({"connection": "close"}, {"version": "1.0"}, {"connection": "xupgrade"}, {})] \
        == [400, 400, 400, 101]


@pytest.fixture
def far(volary, tmp_path):
    """The command line of somebody else, whose way to the server with job 'one' is a proxy with TLS."""
    port = free_port()
    volary.start(options=("--listen", f"127.0.0.1:{port}"))
    volary("job", "run", "-n", "one", "--", "sh", "-c", "echo up; sleep 1000")
    volary.wait_for(lambda: volary.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    far = copy.copy(volary)
    far.proxy = TlsProxy(tmp_path / "proxy", f"http://127.0.0.1:{port}")
    far.env = {**volary.env, "VOLARY_SERVER": far.proxy.url, "VOLARY_TOKEN": (volary.data / "admin.token").read_text().strip(),
               "SSL_CERT_FILE": str(far.proxy.authority)}
    yield far
    volary.run("job", "stop", "one", "--wait")
    far.proxy.end()


def test_it_goes_through_a_proxy_that_speaks_tls(far):
    code, words = far.refuses("job", "exec", "one", "--", "true", env={"SSL_CERT_FILE": ""})
    assert code == 2 and f"the certificate of {far.proxy.url}" in words and "cannot be trusted" in words
    code, words = far.refuses("job", "exec", "none", "--", "true")
    assert code == 4 and "'none'" in words
    data = os.urandom(3 << 20).hex()
    done = exec_(far, "-i", "one", "--", "cat", stdin=data)
    assert done.returncode == 0 and done.stdout == data, done.stderr
    terminal = Terminal(far, "-it", "one", "--", "sh")
    terminal.type("stty size; [ -t 0 ] && [ -t 1 ] && echo a-tty\n")
    assert "30 100" in terminal.wait_for("\na-tty")
    terminal.type("sleep 1000; echo 'inter'rupted\n")
    time.sleep(0.3)  # For the shell to start it; too early is told the same.
    terminal.type("\x03")
    terminal.type("head -c 3000000 /dev/zero | tr '\\0' x; echo 'al'l\n")
    assert terminal.wait_for("all").count("x") >= 3000000
    terminal.type("exit 5\n")
    assert terminal.ended() == 5


def test_a_proxy_that_goes_away_is_told_and_the_command_ends(volary, far):
    command = leaves_mark(far, "/workspace/mark")
    far.proxy.end()
    assert command.wait(30) == 8
    volary.wait_for(lambda: exec_(volary, "one", "--", "cat", "/workspace/mark").stdout == "gone\n", "the command to be hung up")


def test_it_is_only_for_who_may_over_tcp_too_and_it_is_written_down(volary):
    port = free_port()
    volary.start(options=("--listen", f"127.0.0.1:{port}"))
    volary("job", "run", "-n", "one", "--", "sh", "-c", "echo up; sleep 1000")
    volary.wait_for(lambda: volary.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    token = volary.json("token", "create", "--name", "other", "--role", "editor")["token"]
    remote = {"VOLARY_SERVER": f"http://127.0.0.1:{port}"}
    assert volary.refuses("job", "exec", "one", "--", "true", env={**remote, "VOLARY_TOKEN": token})[0] == 3
    admin = (volary.data / "admin.token").read_text().strip()
    done = exec_(volary, "-i", "one", "--", "cat", stdin="over tcp", env={**remote, "VOLARY_TOKEN": admin})
    assert (done.returncode, done.stdout) == (0, "over tcp")
    audit = subprocess.run(["curl", "-fsS", "--unix-socket", volary.data / "volary.sock", "-H", f"Authorization: Bearer {admin}",
                            "http://volary/api/v1/audit"], capture_output=True, text=True, check=True).stdout
    said = [entry["outcome"] for entry in json.loads(audit)["items"] if entry["action"] == "POST /api/v1/jobs/{job}/exec"]
    assert sorted(said) == ["denied", "ok"]
    volary("job", "stop", "one", "--wait")
