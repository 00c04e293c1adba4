"""kill -9 of a container's supervisor or of the server, and then of the server, at every step of the container's life: after a restart the job
ends properly, its process has run once, its output is published once, and nothing is left."""
import os
import pathlib

import pytest

POINTS = ["container.mounted", "container.created", "container.started", "container.noted", "container.ended", "container.removed",
          "supervisor.outcome", "job.PENDING", "engine.spawned", "job.acted.PENDING", "job.moving.RUNNING", "job.FINALIZING"]


# Podman takes seconds for what Docker does at once, so it sees only the points at which it might answer otherwise.
@pytest.mark.parametrize("kind, point", [("docker", one) for one in POINTS] +
                         [("podman", one) for one in ("container.mounted", "container.created", "container.started", "container.ended")])
def test_a_supervisor_killed_at(volary, kind, point):
    name = "VOLARY_TEST_" + kind.upper()
    if name not in os.environ:
        pytest.skip(f"{name} is not set: start test/servers/start-{kind}.sh")
    options = ("--engine", os.environ[name])
    volary("volume", "create", "out")
    volary.end()
    fired = volary.data.parent / "fired"
    volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)}, options=options)
    volary.run("job", "run", "-n", "one", "-v", "out:/out:rw", "volary-test/busybox:1", "--", "sh", "-c", "echo made | tee -a /out/file")
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    volary.kill()
    volary.start(options=options)
    job = volary.job_ended("one")
    assert job["state"] == "DONE", job["reason"]
    assert [event["state"] for event in job["history"]] == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
    assert volary("job", "logs", "one") == "made\n"
    assert volary("volume", "cat", "out:/file") == "made\n"
    assert [one["number"] for one in volary.json("volume", "versions", "out")] == [1]
    assert volary.json("volume", "leases", "out") == []
    assert job["id"] not in pathlib.Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("kind, point", [(kind, point) for kind in ("docker", "podman") for point in ("supervisor.shown", "mount.perform.step")])
def test_a_supervisor_killed_as_it_shows_something_new(volary, directory_bucket, kind, point):
    """The next one shows it, once more if it must."""
    name = "VOLARY_TEST_" + kind.upper()
    if name not in os.environ:
        pytest.skip(f"{name} is not set: start test/servers/start-{kind}.sh")
    options = ("--engine", os.environ[name])
    directory_bucket.add(volary, "gra")
    directory_bucket.put("in/a", b"old\n")
    volary.end()
    fired = volary.data.parent / "fired"
    # A run with one volume makes its mounts in two steps.
    fault = f"{point}=kill" + ("@3" if point == "mount.perform.step" else "")
    volary.start(env={"VOLARY_FAULT": fault, "VOLARY_FAULT_LOG": str(fired)}, options=options)
    volary("job", "run", "-n", "one", "-v", "in@gra:/in:ro", "volary-test/busybox:1", "--", "sh", "-c",
           "echo up; until grep new /in/a; do sleep 0.05; done")
    volary.wait_for(lambda: "up" in volary("job", "logs", "one") and volary.json("job", "get", "one")["state"] == "RUNNING", "it to run")
    directory_bucket.put("in/a", b"new\n")
    volary("job", "pull-data", "one")
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    volary.kill()
    volary.start(options=options)
    job = volary.job_ended("one")
    assert job["state"] == "DONE", job["reason"]
    assert volary("job", "logs", "one") == "up\nnew\n"
    assert job["id"] not in pathlib.Path("/proc/self/mountinfo").read_text()
