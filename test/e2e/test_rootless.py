"""Everything a user without root gets: the same promises by link farms and overlayfs in a user namespace."""
import os
import pathlib
import re
import shutil
import uuid

import pytest

from stores import DirectoryStore
from volary import PROGRAM, ROOT, Volary

USER = 12345


@pytest.fixture
def volary(tmp_path_factory):
    """The program as an ordinary user; where the tests run as root, a user of its own is taken."""
    if os.geteuid() != 0:
        pytest.skip("the other tests run without root already")
    home = pathlib.Path("/var/tmp") / f"volary-rootless-{uuid.uuid4().hex[:8]}"
    home.mkdir(mode=0o755)
    program = home / "volary"
    shutil.copy(PROGRAM, program)
    os.chown(home, USER, USER)

    class User(Volary):
        def run(self, *words, **options):
            keep = self.program
            self.program = "/usr/bin/setpriv"
            try:
                return super().run("--reuid", USER, "--regid", USER, "--clear-groups", keep, *words, **options)
            finally:
                self.program = keep

    one = User(program, home / "data")
    yield one
    one.end()
    shutil.rmtree(home)


@pytest.fixture
def store(volary):
    bucket = DirectoryStore(volary.data.parent / "bucket")
    bucket.put("m/keep", b"keep")
    bucket.put("m/sub/change", b"change")
    for path in [bucket.path, *bucket.path.rglob("*")]:
        os.chown(path, USER, USER)
    bucket.add(volary, "store")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "store:m")
    return bucket


def test_doctor_says_which_ways_are_taken(volary):
    ways = {one["subject"]: one for one in volary.json("doctor")}
    assert ways["read-only mounts"]["used"] == "link_farm"
    assert ways["writable mounts"]["used"] == "user_overlay"
    assert ways["sandbox"]["good"]


def test_a_reader_reads_and_cannot_write(volary, store):
    done = volary.run("job", "run", "--wait", "--logs", "-v", "v:/in", "--", "sh", "-c",
                      "id -u; cat /in/keep /in/sub/change; touch /in/x; echo >/in/keep; rm /in/keep")
    assert "42420" in done.stdout and "keepchange" in done.stdout
    assert done.stdout.count("Read-only file system") == 3


def test_a_job_that_runs_is_shown_what_is_new(volary, store):
    job = volary("job", "run", "-v", "v:/in", "-v", "m@store:/m:ro", "--", "sh", "-c",
                 "exec 3</m/keep; echo up; until grep -q new /m/keep && grep -q new /in/keep; do sleep 0.05; done; "
                 "cat /m/more; cat <&3; (echo x >/m/x) 2>&1; true").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    for name, content in {"keep": b"new\n", "more": b"more\n"}.items():
        store.put("m/" + name, content)
        os.chown(store.path / "m" / name, USER, USER)
    volary("volume", "import", "v", "--from", "store:m")
    pulled = volary.json("job", "pull-data", job, "--wait")
    assert [(one["path"], one["state"], one["version"]) for one in pulled] == [("/in", "DONE", 2), ("/m", "DONE", 2)]
    assert volary.job_ended(job)["state"] == "DONE"
    lines = volary("job", "logs", job).splitlines()
    assert lines[:2] == ["up", "more"] and lines[2].startswith("keep") and "Read-only file system" in lines[2]


def test_a_job_that_writes_is_brought_what_is_new(volary, store):
    job = volary("job", "run", "-v", "m@store:/m:rwd", "--", "sh", "-c",
                 "cd /m; echo mine >own; echo up; until grep -q new keep && test -e more; do sleep 0.05; done; "
                 "test -e sub || echo gone; echo x >>keep; chmod +x more; cat keep more own").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    for name, content in {"keep": b"new\n", "more": b"more\n"}.items():
        store.put("m/" + name, content)
        os.chown(store.path / "m" / name, USER, USER)
    shutil.rmtree(store.path / "m" / "sub")
    [pulled] = volary.json("job", "pull-data", job, "--wait")
    assert (pulled["state"], pulled["reason"]) == ("DONE", "")
    assert volary.job_ended(job)["state"] == "DONE"
    assert volary("job", "logs", job).splitlines() == ["up", "gone", "new", "x", "more", "mine"]
    assert store.objects() == {"m/keep": b"new\nx\n", "m/more": b"more\n", "m/own": b"mine\n"}


def test_what_a_job_has_closed_stays_as_it_is(volary, store):
    store.put("m/shut/a", b"old\n")
    store.put("m/still/a", b"old\n")
    for name in ("m/shut", "m/still", "m/shut/a", "m/still/a"):
        os.chown(store.path / name, USER, USER)
    job = volary("job", "run", "-v", "m@store:/m:rw", "--", "sh", "-c",
                 "cd /m; chmod 000 shut; chmod 555 still; echo up; until grep -q new keep; do sleep 0.05; done; "
                 "ls -A; chmod 755 shut still; cat keep shut/a still/a; ls shut still").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    for name in ("shut/a", "shut/b", "still/a", "still/b", "zz", "keep"):
        store.put("m/" + name, b"new\n")
        os.chown(store.path / "m" / name, USER, USER)
    [pulled] = volary.json("job", "pull-data", job, "--wait")
    assert (pulled["state"], pulled["reason"]) == ("DONE", "4 stayed as the job had changed them: 'shut/a', …")
    assert volary.job_ended(job)["state"] == "DONE"
    assert volary("job", "logs", job).splitlines() == \
        ["up", "keep", "shut", "still", "sub", "zz", "new", "old", "old", "shut:", "a", "", "still:", "a"]


def test_the_cache_takes_nothing_from_under_a_job_that_has_a_part_of_a_volume(volary, store):
    job = volary("job", "run", "-v", "v/sub:/in", "--", "sh", "-c", "echo up; until test -e /workspace/go; do sleep 0.05; done; cat /in/change").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    volary("cache", "prune", "--to", "0")
    (volary.data / "jobs" / job / "work" / "go").touch()
    assert volary.job_ended(job)["state"] == "DONE", volary("job", "logs", job)
    farms = [one for one in volary.json("cache", "ls") if one["kind"] == "link farm"]
    volary("cache", "prune", "--to", "0")
    assert len(farms) == 1 and not [one for one in volary.json("cache", "ls") if one["kind"] == "link farm"]


def test_a_writer_changes_files_in_place_and_the_next_version_has_it(volary, store):
    script = "echo more >>/out/sub/change; echo new >/out/new; mkdir /out/d; mv /out/new /out/d/; chmod +x /out/d/new; rm /out/keep"
    done = volary.run("job", "run", "--wait", "--logs", "-v", "v:/out:rwd", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    files = {one["path"]: (one["size"], one["executable"]) for one in volary.json("volume", "files", "v")
             if one["kind"] == "file"}
    assert files == {"sub/change": (11, False), "d/new": (4, True)}
    assert volary.json("volume", "verify", "v")["whole"]
    assert volary.json("volume", "verify", "v@1")["whole"]
    volary("volume", "export", "v", "--to", "store:out")
    assert store.objects("out/")["out/sub/change"] == b"changemore\n"


def test_the_io_scripts_run_as_jobs(volary, store):
    examples = volary.data.parent / "io"
    shutil.copytree(ROOT / "examples/io", examples)  # The checkout may be in a directory that this user cannot read.
    for name in ("digits", "digits-model", "checkpoints"):
        volary("volume", "create", name)
    for name in ("digits", "digits-model"):
        volary("volume", "import", name, "--from", "store:m")

    def runs(name):
        config = examples / name / "config.yaml"
        done = volary.run("job", "run", "-f", config, "--wait", "--logs")
        if "leave the limit out" not in done.stderr:
            return done
        config.write_text(re.sub(r"^resources:\n(?:  .*\n)*", "", config.read_text(), flags=re.M))  # No control groups here.
        return volary.run("job", "run", "-f", config, "--wait", "--logs")
    reads = runs("reader")
    assert reads.returncode == 0, reads.stdout + reads.stderr
    assert "  sub/change (6 bytes)" in reads.stdout and reads.stdout.count("2 files") == 2
    writes = runs("writer")
    assert writes.returncode == 0, writes.stdout + writes.stderr
    assert [writes.stdout.count(word) for word in ("Write OK", "Read OK", "Delete OK")] == [2, 2, 2]
    assert "Read-only file system" in runs("read-only").stdout


def test_an_image_needs_a_server_that_is_root_and_that_is_said(volary):
    code, words = volary.refuses("job", "run", "busybox:1", "--", "true")
    assert "jobs with an image need a server that runs as root" in words
    [containers] = [one for one in volary.json("doctor") if one["subject"] == "containers"]
    assert not containers["good"]


def test_a_command_runs_beside_a_jobs_process(volary, store):
    volary("job", "run", "-n", "one", "-v", "v:/out:rw", "--", "sh", "-c", "echo up; sleep 1000")
    volary.wait_for(lambda: volary.json("job", "get", "one")["state"] == "RUNNING", "the job to run")
    done = volary.run("job", "exec", "one", "--", "sh", "-c", "id -u; cat /out/keep; echo made >/out/file; kill -0 1; exit 5")
    assert (done.returncode, done.stdout) == (5, "42420\nkeep"), done.stderr
    volary("job", "stop", "one", "--wait")
    assert volary("volume", "cat", "v:/file") == "made\n"
