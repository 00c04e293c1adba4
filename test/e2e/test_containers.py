"""Jobs in containers, the same with Docker and with podman's service: what runs, what it may do, how it ends, and that nothing
of it is left."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

from gpu_engine import GpuEngine
from volary import ROOT

IMAGE = "volary-test/busybox:1"
PYTHON = "volary-test/python:1"
OPEN, CLOSED = "127.0.0.1:5055/jobs/busybox:1", "127.0.0.1:5056/jobs/busybox:1"


class Engine:
    """What the engine itself says, asked without the program under test."""

    def __init__(self, address: str, netns: str):
        self.address, self.netns = address, netns

    def ask(self, path: str, method: str = "GET"):
        text = subprocess.run(["curl", "-s", "-X", method, "--unix-socket", self.address.removeprefix("unix://"),
                               "http://engine/v1.41" + path], capture_output=True, text=True, check=True).stdout
        return json.loads(text) if text.strip() else None

    def containers_of(self, volary) -> list[dict]:
        label = f"io.volary.jobs={volary.data}/jobs"
        return self.ask("/containers/json?all=true&filters=" + json.dumps({"label": [label]}).replace('"', "%22")
                        .replace("{", "%7B").replace("}", "%7D").replace("[", "%5B").replace("]", "%5D").replace(" ", ""))

    def forget(self, image: str) -> None:
        self.ask(f"/images/{image}?force=true", "DELETE")


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    name = "VOLARY_TEST_" + request.param.upper()
    if name not in os.environ:
        pytest.skip(f"{name} is not set: start test/servers/start-{request.param}.sh")
    return Engine(os.environ[name], os.environ[name + "_NETNS"])


@pytest.fixture
def served(volary, engine):
    """The command line with a server that knows the engine; nothing may be left of its jobs at the end."""
    volary.start(options=("--engine", engine.address))
    yield volary
    volary.end()
    assert engine.containers_of(volary) == []
    assert str(volary.data / "jobs") not in pathlib.Path("/proc/self/mountinfo").read_text()


def run(volary, *words, image=IMAGE, wait=True):
    return volary.run("job", "run", "--name", "one", *(["--wait"] if wait else []), *words[:-1], image, "--", *words[-1])


def shell(script):
    return ["sh", "-c", script]


def log(volary, job="one"):
    return volary("job", "logs", job)


@pytest.fixture
def data(served, directory_bucket):
    directory_bucket.put("m/keep", b"kept\n")
    directory_bucket.put("m/change", b"old\n")
    directory_bucket.put("m/sub/drop", b"drop")
    directory_bucket.add(served, "store")
    for volume in ("in", "model"):
        served("volume", "create", volume)
        served("volume", "import", volume, "--from", "store:m")
    return served


def test_it_reads_and_writes_volumes_and_what_it_wrote_becomes_a_version(data):
    script = ("id -u; cat /in/keep; (echo x >/in/new) 2>&1; echo new >/out/change; echo more >/out/sub/more; rm /out/sub/drop; "
              "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; echo $WORD $VOLARY_VOLUME_IN_PATH; echo bad >&2")
    done = run(data, "-v", "in:/in", "-v", "model:/out:rwd", "-e", "WORD=spoken", shell(script))
    assert done.returncode == 0, done.stderr
    lines = log(data).splitlines()
    lines.remove("bad")  # Errors come by another pipe, so their place among the others is not sure.
    assert lines[0] == "42420" and lines[1] == "kept"
    assert "Read-only file system" in lines[2]
    assert [line.split() for line in lines[3:7]] == \
        [["CapEff:", "0" * 16], ["CapBnd:", "0" * 16], ["NoNewPrivs:", "1"], ["Seccomp:", "2"]]
    assert "spoken /in" in lines
    assert sorted(one["path"] for one in data.json("volume", "files", "model") if one["kind"] == "file") == \
        ["change", "keep", "sub/more"]
    assert data("volume", "cat", "model:/change") == "new\n"
    job = data.json("job", "get", "one")
    assert job["image"] == IMAGE and job["exitCode"] == 0
    assert [event["state"] for event in job["history"]] == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]


def test_it_is_shown_what_is_new_while_it_runs(data, directory_bucket):
    run(data, "-v", "in:/in", "-v", "m@store:/m:ro", "-v", "model:/out:rw",
        shell("exec 3</m/keep; echo up; until grep -q new /m/keep && grep -q new /in/keep; do sleep 0.05; done; "
              "cat /m/more <&3; cat <&3; (echo x >/m/x) 2>&1; echo done >/out/done"), wait=False)
    data.wait_for(lambda: "up" in log(data) and data.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    directory_bucket.put("m/keep", b"new\n")
    directory_bucket.put("m/more", b"more\n")
    data("volume", "import", "in", "--from", "store:m")
    pulled = data.json("job", "pull-data", "one", "--wait")
    assert [(one["path"], one["state"], one["version"]) for one in pulled] == [("/in", "DONE", 2), ("/m", "DONE", 2)]
    job = data.job_ended("one")
    assert job["state"] == "DONE", job["reason"]
    lines = log(data).splitlines()
    assert lines[:3] == ["up", "more", "kept"] and "Read-only file system" in lines[3]
    assert data("volume", "cat", "model:/done") == "done\n"


def test_where_it_writes_it_is_brought_what_is_new(data, directory_bucket):
    run(data, "-v", "m@store:/m:rwd",
        shell("cd /m; echo mine >change; echo up; until grep -q new keep && test -e more; do sleep 0.05; done; "
              "test -e sub || echo gone; echo x >>keep; chmod +x more; cat keep more change"), wait=False)
    data.wait_for(lambda: "up" in log(data) and data.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    directory_bucket.put("m/keep", b"new\n")
    directory_bucket.put("m/more", b"more\n")
    directory_bucket.put("m/change", b"theirs\n")
    (directory_bucket.path / "m/sub/drop").unlink()
    [pulled] = data.json("job", "pull-data", "one", "--wait")
    assert (pulled["state"], pulled["reason"]) == ("DONE", "1 stayed as the job had changed it: 'change'")
    job = data.job_ended("one")
    assert job["state"] == "DONE", job["reason"]
    assert log(data).splitlines() == ["up", "gone", "new", "x", "more", "mine"]
    assert directory_bucket.objects() == {"m/keep": b"new\nx\n", "m/more": b"more\n", "m/change": b"mine\n"}


def test_its_exit_code_is_the_jobs_and_a_command_that_is_not_there_is_named(served):
    assert run(served, shell("exit 7")).returncode == 7
    assert served.json("job", "get", "one")["reason"] == "the process ended with exit code 7"
    assert run(served, ["no-such-command"]).returncode == 127
    assert "no-such-command" in served.json("job", "get", "one")["reason"]


def test_the_io_scripts_run_as_jobs(data):
    for volume in ("digits", "digits-model", "base", "checkpoints"):
        data("volume", "create", volume)
        data("volume", "import", volume, "--from", "store:m")
    reads = data.run("job", "run", "-f", ROOT / "examples/io/reader/config.yaml", "--wait", "--logs", "--image", PYTHON)
    assert reads.returncode == 0, reads.stderr
    assert "  sub/drop (4 bytes)" in reads.stdout and reads.stdout.count("3 files") == 2
    writes = data.run("job", "run", "-f", ROOT / "examples/io/writer/config.yaml", "--wait", "--logs", "--image", PYTHON)
    assert writes.returncode == 0, writes.stderr
    assert writes.stdout.count("Write OK") == writes.stdout.count("Delete OK") == 2
    refused = data.run("job", "run", "-f", ROOT / "examples/io/read-only/config.yaml", "--wait", "--logs", "--image", PYTHON)
    assert "Read-only file system" in refused.stdout


def test_it_may_be_stopped_and_has_time_to_say_something(served):
    run(served, shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"), wait=False)
    served.wait_for(lambda: "up" in log(served), "the job to run")
    served("job", "stop", "one", "--wait")
    job = served.json("job", "get", "one")
    assert (job["state"], job["exitCode"]) == ("INTERRUPTED", 3)
    assert log(served).splitlines() == ["up", "bye"]


def test_a_timeout_ends_it(served):
    run(served, "--timeout", "1s", shell("sleep 1000"))
    job = served.json("job", "get", "one")
    assert (job["state"], job["reason"]) == ("INTERRUPTED", "timeout")


def test_a_process_that_takes_too_much_memory_is_killed_and_that_is_said(served):
    done = run(served, "--memory", "32MiB", shell("head -c 200m /dev/zero | tail >/dev/null"))
    job = served.json("job", "get", "one")
    assert job["state"] == "FAILED" and done.returncode != 0
    assert job["reason"] == "killed: the process exceeded its memory limit of 32.0 MiB"


def test_limits_and_options_reach_the_container(served, engine):
    run(served, "--cpu", "1", "--memory", "64MiB", "--read-only", "--user", "1000:1001", "--entrypoint", "/bin/sh", "-p", "8080",
        "-l", "team=vision", ["-c", "id -u; id -g; (echo x >/x) 2>&1; echo x >/tmp/x && cat /tmp/x; sleep 1000"], wait=False)
    served.wait_for(lambda: len(log(served).splitlines()) == 4, "the job to run")
    lines = log(served).splitlines()
    assert lines[:2] == ["1000", "1001"] and "Read-only file system" in lines[2] and lines[3] == "x"
    [container] = engine.containers_of(served)
    told = engine.ask(f"/containers/{container['Id']}/json")
    assert told["HostConfig"]["Memory"] == 64 << 20 and told["HostConfig"]["NanoCpus"] == 10 ** 9
    assert told["HostConfig"]["PidsLimit"] > 0 and told["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    assert container["Labels"]["team"] == "vision"
    served.wait_for(lambda: "the process runs; port 8080 at 127.0.0.1:" in served("job", "get", "one"), "the port to be told")
    assert container["Labels"]["io.volary.job"] == served.json("job", "get", "one")["id"]
    served("job", "stop", "one", "--wait")


def test_an_image_is_fetched_from_a_registry(served, engine):
    engine.forget(OPEN)
    done = run(served, shell("echo fetched"), image=OPEN)
    assert done.returncode == 0, served.json("job", "get", "one")["reason"]
    assert log(served) == "fetched\n"


def test_an_image_may_be_named_by_its_digest(served, engine):
    run(served, shell("true"), image=OPEN)
    named, *_ = [name for name in engine.ask(f"/images/{OPEN}/json")["RepoDigests"] if name.startswith("127.0.0.1:5055")]
    engine.forget(OPEN)
    done = run(served, shell("echo fetched"), image=named)
    assert done.returncode == 0, served.json("job", "get", "one")["reason"]


def test_gpus_that_the_engine_does_not_have_are_refused_in_words(served):
    refused = run(served, "--gpu", "2", shell("true"))
    assert refused.returncode == 2 and "2 GPUs were asked for: this machine gives 0 to jobs" in refused.stderr


@pytest.fixture
def gpus(volary, engine, tmp_path):
    """A server whose engine has two GPUs; and the engine."""
    gpu_engine = GpuEngine(engine.address, tmp_path / "engine.sock", 2)
    volary.start(options=("--engine", gpu_engine.address))
    yield volary, gpu_engine
    volary.end()
    gpu_engine.end()
    assert engine.containers_of(volary) == []


def test_each_job_gets_gpus_of_its_own_and_waits_until_they_are_free(gpus):
    volary, engine = gpus
    forever = ["sh", "-c", "while :; do sleep 0.1; done"]

    def submit(name, *words, command=("true",)):
        return volary("job", "run", "-n", name, *words, IMAGE, "--", *command).strip()

    def given(name):
        return volary.json("job", "get", name)["gpus"]

    one = submit("one", command=forever)  # Asks for none, and gets one.
    two = submit("two", "--gpu", "1", command=forever)
    volary.wait_for(lambda: all(volary.json("job", "get", name)["state"] == "RUNNING" for name in ("one", "two")), "both to run")
    assert sorted(given("one") + given("two")) == [0, 1]
    for job in (one, two):
        assert engine.asked_for(job) == [f"nvidia.com/gpu={given(job)[0]}"]
    both = submit("both", "-g", "2")
    submit("third", "--gpu", "1")
    told = "waits for 2 GPUs: 0 of 2 are free; 1st in the queue"
    volary.wait_for(lambda: volary.json("job", "get", "both")["reason"] == told, told)
    assert volary.run("job", "run", "--wait", "--gpu", "0", IMAGE, "--", "true").returncode == 0
    assert volary.refuses("job", "run", "-g", "3", IMAGE, "--", "true") == \
        (2, "volary: invalid: 3 GPUs were asked for: this machine gives 2 to jobs\n")
    volary("job", "stop", "two", "--wait")
    assert volary.json("job", "get", "third")["state"] == "QUEUED"  # One is free, and kept for who is ahead.
    assert volary.json("node")["free"]["gpu"] == 1
    volary("job", "stop", "one")
    assert [volary.job_ended(name)["state"] for name in ("both", "third")] == ["DONE"] * 2
    assert engine.asked_for(both) == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]
    ended = next(event["date"] for event in volary.json("job", "get", "both")["history"] if event["state"] == "FINALIZING")
    began = next(event["date"] for event in volary.json("job", "get", "third")["history"] if event["state"] == "INITIALIZING")
    assert ended <= began


def test_an_image_that_is_not_there_fails_the_job_with_the_registrys_words(served):
    run(served, shell("true"), image="127.0.0.1:5055/jobs/nothing:1")
    job = served.json("job", "get", "one")
    assert job["state"] == "FAILED" and "exitCode" not in job
    assert "127.0.0.1:5055/jobs/nothing:1 cannot be had" in job["reason"] and "manifest unknown" in job["reason"]


SILENT = """import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 5099))
s.listen(16)
print("up", flush=True)
time.sleep(1000)"""


def test_a_job_that_fetches_its_image_is_pending_says_so_and_may_be_stopped(served, engine):
    registry = subprocess.Popen(["nsenter", f"--net={engine.netns}", "/usr/bin/python3", "-c", SILENT], stdout=subprocess.PIPE)
    try:
        registry.stdout.readline()
        run(served, shell("true"), image="127.0.0.1:5099/jobs/busybox:1", wait=False)
        served.wait_for(lambda: "fetches the image 127.0.0.1:5099/jobs/busybox:1" in served.json("job", "get", "one")["reason"],
                        "the job to fetch its image")
        assert served.json("job", "get", "one")["state"] == "PENDING"
        served("job", "stop", "one", "--wait")
        job = served.json("job", "get", "one")
        assert (job["state"], job["reason"]) == ("INTERRUPTED", "stopped before it started")
    finally:
        registry.kill()
        registry.wait()


def test_a_private_registry_wants_the_right_password_and_nobody_sees_it(served, engine):
    engine.forget(CLOSED)
    for name, password in (("wrong", "wr0ng passw0rd"), ("right", "right password")):
        served("secret", "create", name, stdin=f"username=tester\npassword={password}\n")
    assert run(served, shell("true"), image=CLOSED).returncode == 1
    assert run(served, "--registry-secret", "wrong", shell("true"), image=CLOSED).returncode == 1
    reason = served.json("job", "get", "one")["reason"]
    assert "cannot be had" in reason and "unauthorized" in reason
    done = run(served, "--registry-secret", "right", shell("echo fetched"), image=CLOSED)
    assert done.returncode == 0, served.json("job", "get", "one")["reason"]
    served("secret", "create", "elsewhere", stdin="username=tester\npassword=right password\nregistry=registry.example.org\n")
    assert run(served, "--registry-secret", "elsewhere", shell("true"), image=CLOSED).returncode != 0
    assert "secret 'elsewhere' is for the registry registry.example.org" in served.json("job", "get", "one")["reason"]
    # The image is here now, but whoever names a secret is asked for it again.
    assert run(served, "--registry-secret", "wrong", shell("true"), image=CLOSED).returncode == 1
    code, words = served.refuses("job", "run", "--registry-secret", "none", CLOSED)
    assert "there is no secret 'none'" in words
    said = served("job", "ls", "-a", "-o", "json") + (served.data.parent / "server.log").read_text()
    for path in (served.data / "jobs").rglob("*"):
        said += path.read_text(errors="replace") if path.is_file() else ""
    for word in ("wr0ng passw0rd", "right password", "cmlnaHQgcGFzc3dvcmQ"):
        assert word not in said


def test_it_runs_on_when_the_server_and_its_supervisor_are_killed_and_is_found_again(served, engine):
    served("volume", "create", "out")
    script = "for i in $(seq 50); do echo line $i; sleep 0.05; done; echo made >/out/file; exit 4"
    run(served, "-v", "out:/out:rw", shell(script), wait=False)
    served.wait_for(lambda: "line 3" in log(served), "the job to run")
    job = served.json("job", "get", "one")["id"]
    [container] = engine.containers_of(served)
    served.kill()
    served.kill_supervisors(job)
    served.start(options=("--engine", engine.address))
    served.wait_for(lambda: served.supervisors(job), "another supervisor")
    assert [one["Id"] for one in engine.containers_of(served)] == [container["Id"]]
    ended = served.job_ended("one")
    assert (ended["state"], ended["exitCode"]) == ("FAILED", 4)
    assert log(served).splitlines() == [f"line {i}" for i in range(1, 51)]
    assert len(served.json("volume", "versions", "out")) == 1
    assert served.json("volume", "leases", "out") == []


def test_a_container_that_vanished_is_an_error_and_nothing_is_published(served, engine):
    served("volume", "create", "out")
    run(served, "-v", "out:/out:rw", shell("echo half >/out/file; echo up; sleep 1000"), wait=False)
    served.wait_for(lambda: "up" in log(served), "the job to run")
    [container] = engine.containers_of(served)
    job = served.json("job", "get", "one")["id"]
    served.kill()
    served.kill_supervisors(job)
    engine.ask(f"/containers/{container['Id']}?force=true", "DELETE")
    served.start(options=("--engine", engine.address))
    ended = served.job_ended("one")
    assert ended["state"] == "ERROR" and "the engine's container is gone" in ended["reason"]
    assert served.json("volume", "versions", "out") == []


def test_containers_of_jobs_that_are_gone_are_removed_when_the_server_starts(served, engine):
    run(served, shell("echo up; sleep 1000"), wait=False)
    served.wait_for(lambda: "up" in log(served), "the job to run")
    job = served.json("job", "get", "one")["id"]
    served.kill()
    served.kill_supervisors(job)
    (served.data / "jobs" / job / "run" / "outcome.json").write_text('{"error": "as after a restore"}')
    subprocess.run(["umount", "-l", served.data / "jobs" / job / "run" / "mnt"], capture_output=True)
    assert len(engine.containers_of(served)) == 1
    served.start(options=("--engine", engine.address))
    served.wait_for(lambda: engine.containers_of(served) == [], "the container to be removed")
    served.job_ended("one")


def runs_of(volary):
    return [(one["state"], one.get("exitCode")) for one in volary.json("job", "get", "one")["runs"]]


def test_it_is_run_again_as_another_container_with_the_newest_data(served, engine):
    served("volume", "create", "out")
    script = "echo $VOLARY_JOB_RUN >>/out/runs; cat /out/runs; test ! -e /tmp/left || echo left; touch /tmp/left; exit $VOLARY_JOB_RUN"
    assert run(served, "-v", "out:/out:rw", shell(script)).returncode == 1
    again = served.run("job", "rerun", "one", "--wait")
    assert again.returncode == 2, again.stderr
    assert runs_of(served) == [("FAILED", 1), ("FAILED", 2)]
    assert served("job", "logs", "one", "--run", "1") == "1\n" and log(served) == "1\n2\n"
    assert [one["number"] for one in served.json("volume", "versions", "out")] == [2, 1]
    assert engine.containers_of(served) == []
    assert [one.name for one in (served.data / "jobs" / served.json("job", "get", "one")["id"]).glob("run*/mnt")] == []


def test_it_runs_again_by_itself_when_it_failed_or_took_too_long(served):
    script = "echo up $VOLARY_JOB_RUN; test $VOLARY_JOB_RUN != 1 || exit 3; test $VOLARY_JOB_RUN != 2 || sleep 1000"
    run(served, "--auto-restart=always:2", "--timeout", "3s", shell(script), wait=False)
    ended = served.job_ended("one")
    assert ended["state"] == "DONE", ended["reason"]
    assert runs_of(served) in ([("FAILED", 3), ("INTERRUPTED", 137), ("DONE", 0)], [("FAILED", 3), ("INTERRUPTED", 143), ("DONE", 0)])
    assert [served("job", "logs", "one", "--run", str(one)) for one in (1, 2, 3)] == [f"up {one}\n" for one in (1, 2, 3)]
    served("job", "delete", "one")
    assert [*(served.data / "jobs").iterdir()] == []


def test_what_it_has_written_is_published_when_its_marker_appears_and_every_so_often(served):
    served("volume", "create", "model")

    def versions():
        return [one["number"] for one in served.json("volume", "versions", "model")]

    until = "until test -e /tmp/{}; do sleep 0.05; done"
    run(served, "-v", "model:/m:rw", "--publish-marker", "READY", "--publish-every", "10s", shell(
        f"echo 1 >/m/a; echo up; {until.format('one')}; touch /m/READY; {until.format('two')}; echo 2 >/m/a; {until.format('three')}; "
        "echo 3 >/m/a"), wait=False)
    served.wait_for(lambda: "up" in log(served) and served.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    served("job", "exec", "one", "--", "touch", "/tmp/one")
    served.wait_for(lambda: versions(), "the marker's publication")
    assert served("volume", "cat", "model@1:/a") == "1\n"
    served("job", "exec", "one", "--", "touch", "/tmp/two")
    served.wait_for(lambda: served("volume", "cat", "model:/a") == "2\n", "what it wrote then to be published", seconds=60)
    before = versions()
    served("job", "exec", "one", "--", "touch", "/tmp/three")
    assert served.job_ended("one")["state"] == "DONE"
    assert served("volume", "cat", "model:/a") == "3\n" and "READY" not in served("volume", "files", "model")
    receipt = json.loads(served("job", "receipt", "one"))["receipt"]
    assert [one["version"] for one in receipt["written"]] == versions()[::-1] and len(versions()) >= len(before) >= 2


def test_podmans_service_may_end_while_a_container_runs(volary):
    if "VOLARY_TEST_PODMAN" not in os.environ:
        pytest.skip("VOLARY_TEST_PODMAN is not set: start test/servers/start-podman.sh")
    address = os.environ["VOLARY_TEST_PODMAN"]
    pid_file = pathlib.Path(address.removeprefix("unix://")).parent / "podman.pid"
    volary.start(options=("--engine", address))
    run(volary, shell("for i in $(seq 60); do echo line $i; sleep 0.05; done"), wait=False)
    volary.wait_for(lambda: "line 3" in log(volary), "the job to run")
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    subprocess.run([ROOT / "test/servers/start-podman.sh", "--dir", pid_file.parent.parent], check=True, capture_output=True)
    assert volary.job_ended("one")["state"] == "DONE"
    assert log(volary).splitlines() == [f"line {i}" for i in range(1, 61)]


def test_what_cannot_be_is_refused_in_words(served):
    assert "'BUSYBOX' is no name of an image" in served.refuses("job", "run", "BUSYBOX")[1]
    assert "expected an IMAGE with them" in served.refuses("job", "run", "--read-only", "--", "true")[1]
    served("volume", "create", "out")
    assert "user 0:0 could not write volume 'out'" in served.refuses("job", "run", "--user", "0", "-v", "out:/out:rw", IMAGE)[1]


def test_without_an_engine_that_answers_the_job_says_so_and_keeps_no_password(volary, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    volary.start(options=("--engine", f"unix://{tmp_path}/none.sock"))
    volary("secret", "create", "registry", stdin="username=tester\npassword=right password\n")
    run(volary, "--registry-secret", "registry", shell("true"))
    job = volary.json("job", "get", "one")
    assert job["state"] == "FAILED" and f"the container engine at unix://{tmp_path}/none.sock does not answer" in job["reason"]
    assert not [*(volary.data / "jobs").rglob("credentials")]
