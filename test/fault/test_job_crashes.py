"""kill -9 of the server in every state and at every step of a job: it is started again, and the job ends properly,
its output published exactly once, nothing left running, no lease held."""
import os
import pathlib
import signal

import pytest

POINTS = [
    "job.submitting", "job.QUEUED", "job.moving.INITIALIZING", "job.INITIALIZING", "job.files_written", "job.prepared",
    "job.acted.INITIALIZING", "job.moving.PENDING", "job.PENDING", "engine.spawned", "job.acted.PENDING",
    "job.moving.RUNNING", "job.RUNNING", "job.moving.FINALIZING", "job.FINALIZING", "mount.harvest.file",
    "job.harvested", "store.synced", "store.unsettled", "store.created", "store.written", "store.settled",
    "store.published", "job.published", "ledger.committing",
    "job.committed", "job.acted.FINALIZING", "job.moving.DONE",
]


def nothing_is_left(volary, job):
    assert volary.json("volume", "leases", "out") == []
    marker = f"/jobs/{job}".encode()
    for proc in pathlib.Path("/proc").iterdir():
        if proc.name.isdigit():
            try:
                assert marker not in (proc / "cmdline").read_bytes(), proc
            except (FileNotFoundError, ProcessLookupError):
                pass
    assert marker.decode() not in pathlib.Path("/proc/mounts").read_text()


@pytest.mark.parametrize("point", POINTS)
def test_a_server_killed_at(volary, point):
    volary("volume", "create", "out")
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    submitted = volary.run("job", "run", "-n", "one", "-v", "out:/out:rw", "--", "sh", "-c", "echo made >/out/file")
    if point == "job.submitting":
        assert submitted.returncode != 0
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    server.wait(timeout=30)
    assert server.returncode == -9

    volary.start()
    if point == "job.submitting":  # It was never acknowledged, so it is as if it had never been.
        assert volary.json("job", "ls", "--all") == []
        assert volary.json("volume", "leases", "out") == []
        return
    job = volary.job_ended("one")
    assert job["state"] == "DONE", job["reason"]
    assert [event["state"] for event in job["history"]] == \
        ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
    assert [one["number"] for one in volary.json("volume", "versions", "out")] == [1]
    assert volary.json("volume", "verify", "out")["whole"]
    nothing_is_left(volary, job["id"])


DATA_POINTS = [
    "job.pulling", "import.planned", "import.published", "import.done", "job.pulled", "job.pushing", "job.committed",
    "export.planned", "export.sent", "job.pushed", "job.acted.FINALIZING", "job.moving.DONE",
]


@pytest.mark.parametrize("point", DATA_POINTS)
def test_a_server_killed_while_a_jobs_data_travel(volary, directory_bucket, point):
    """What it attached is there when it begins, and what it changed is in the bucket when it has ended, nothing more."""
    directory_bucket.add(volary, "gra")
    for name in ("a", "b", "gone"):
        directory_bucket.put(f"corpora/in/{name}", name.encode())
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    volary.run("job", "run", "-n", "one", "-v", "corpora@GRA/in:/in:rwd", "--", "sh", "-c",
               "cat /in/a /in/b >/in/both && rm /in/gone")  # The first points are passed before it is answered.
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    server.wait(timeout=30)
    assert server.returncode == -9

    volary.start()
    job = volary.job_ended("one")
    assert job["state"] == "DONE", job["reason"]
    assert [event["state"] for event in job["history"]] == \
        ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
    assert directory_bucket.objects() == {"corpora/in/a": b"a", "corpora/in/b": b"b", "corpora/in/both": b"ab"}
    assert [(one["direction"], one["state"]) for one in job["dataSync"]] == [("pull", "DONE"), ("push", "DONE")]
    assert volary.json("volume", "ls") == []
    volary.wait_for(lambda: not [one for one in volary.json("transfer", "ls") if one["state"] != "done"], "all to end")


def test_a_job_runs_on_while_the_server_is_dead(volary):
    volary("volume", "create", "out")
    volary("job", "run", "-n", "long", "-v", "out:/out:rw", "--", "sh", "-c",
           "echo up; sleep 2; echo made >/out/file; echo done")
    volary.wait_for(lambda: "up" in volary("job", "logs", "long"), "the job to run")
    volary.kill()
    job = volary.job_ended("long")
    assert job["state"] == "DONE"
    assert "done" in volary("job", "logs", "long")
    assert len(volary.json("volume", "versions", "out")) == 1


def test_a_job_whose_supervisor_was_killed_ends_in_error_and_publishes_nothing(volary):
    volary("volume", "create", "out")
    volary("job", "run", "-n", "one", "-v", "out:/out:rw", "--", "sh", "-c", "echo half >/out/file; echo up; sleep 1000")
    volary.wait_for(lambda: "up" in volary("job", "logs", "one"), "the job to run")
    job = volary.json("job", "get", "one")
    for proc in pathlib.Path("/proc").iterdir():
        if proc.name.isdigit():
            try:
                words = (proc / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[1:2] == [b"supervise"] and job["id"].encode() in words[2]:
                os.kill(int(proc.name), signal.SIGKILL)
    ended = volary.job_ended("one")
    assert ended["state"] == "ERROR" and "vanished" in ended["reason"]
    assert volary.json("volume", "versions", "out") == []
    nothing_is_left(volary, job["id"])
