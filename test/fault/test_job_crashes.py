"""kill -9 of the server in every state and at every step of a job: it is started again, and the job ends properly,
its output published exactly once, nothing left running, no lease held."""
import pathlib
import re

import pytest
from lying import LyingS3, silent

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
    nothing_is_left_of(job)


def nothing_is_left_of(job):
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


PULL_POINTS = ["job.sync_asked", "job.pulling", "import.published", "import.done", "job.pulled", "job.showing", "job.shown"]


@pytest.mark.parametrize("point", PULL_POINTS)
def test_a_server_killed_while_a_job_that_runs_is_shown_what_is_new(volary, directory_bucket, point):
    """It sees the one version or the other, and in the end the new one; its receipt has both."""
    directory_bucket.add(volary, "gra")
    directory_bucket.put("corpora/in/a", b"old")
    volary("volume", "create", "out")
    job = volary("job", "run", "-n", "one", "-v", "corpora@GRA/in:/in:ro", "-v", "out:/out:rw", "--", "sh", "-c",
                 "echo up; until test -e /in/b; do cat /in/a; sleep 0.05; done; cat /in/a /in/b; until test -e /workspace/go; do sleep 0.05; done").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    volary.kill()
    directory_bucket.put("corpora/in/a", b"new ")
    directory_bucket.put("corpora/in/b", b"more")
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    asked = volary.run("job", "pull-data", job)  # The first points are passed before it is answered.
    volary.wait_for(fired.exists, f"the fail point {point} to be passed after {asked}")
    server.wait(timeout=30)
    assert server.returncode == -9

    volary.start()
    volary.wait_for(lambda: volary.json("job", "get", job)["dataSync"][-1]["state"] == "DONE", "the pull")
    (volary.data / "jobs" / job / "work" / "go").touch()
    ended = volary.job_ended("one")
    assert ended["state"] == "DONE", ended["reason"]
    log = volary("job", "logs", job).strip()
    assert re.fullmatch(r"up\n(old)*(new )?new more", log), log
    assert [(one["occasion"], one["state"], one["version"]) for one in ended["dataSync"]] == \
        [("begin", "DONE", 0), ("asked", "DONE", 2)]
    assert [one["version"] for one in volary.json("job", "receipt", job)["receipt"]["read"]] == [1, 2]
    nothing_is_left(volary, job)


BRING_POINTS = ["job.pulling", "job.pulled", "job.arrival_kept", "mount.bring_in.file", "mount.bring_in.written", "mount.bring_in.brought",
                "job.brought", "job.brought_in"]


@pytest.mark.parametrize("point", BRING_POINTS)
def test_a_server_killed_while_a_job_that_writes_is_brought_what_is_new(volary, directory_bucket, point):
    """What is new is there once, what is the job's stays, and what is pushed at the end is that and nothing else."""
    directory_bucket.add(volary, "gra")
    for name in ("a", "b", "own", "gone"):
        directory_bucket.put(f"corpora/io/{name}", b"old " + name.encode())
    job = volary("job", "run", "-n", "one", "-v", "corpora@GRA/io:/io:rwd", "--", "sh", "-c",
                 "echo mine >/io/own; echo made >/io/made; echo up; until test -e /workspace/go; do sleep 0.05; done; cd /io; grep . -r | sort").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    volary.kill()
    for name in ("a", "b", "own", "c"):
        directory_bucket.put(f"corpora/io/{name}", b"new " + name.encode())
    (directory_bucket.path / "corpora/io/gone").unlink()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    asked = volary.run("job", "pull-data", job)  # The first points are passed before it is answered.
    volary.wait_for(fired.exists, f"the fail point {point} to be passed after {asked}")
    server.wait(timeout=30)
    assert server.returncode == -9

    volary.start()
    volary.wait_for(lambda: volary.json("job", "get", job)["dataSync"][-1]["state"] == "DONE", "the pull")
    directory_bucket.put("corpora/io/a", b"newer a")  # A push that sent what was pulled would take it back.
    (volary.data / "jobs" / job / "work" / "go").touch()
    ended = volary.job_ended("one")
    assert ended["state"] == "DONE", ended["reason"]
    assert volary("job", "logs", job).splitlines() == ["up", "a:new a", "b:new b", "c:new c", "made:made", "own:mine"]
    assert directory_bucket.objects() == {"corpora/io/a": b"newer a", "corpora/io/b": b"new b", "corpora/io/c": b"new c",
                                          "corpora/io/made": b"made\n", "corpora/io/own": b"mine\n"}
    assert [(one["occasion"], one["state"]) for one in ended["dataSync"]] == [("begin", "DONE"), ("asked", "DONE"), ("end", "DONE")]
    nothing_is_left_of(job)


def test_a_supervisor_killed_while_its_job_is_brought_what_is_new(volary, directory_bucket):
    directory_bucket.add(volary, "gra")
    directory_bucket.put("corpora/io/own", b"old")
    job = volary("job", "run", "-v", "corpora@GRA/io:/io:rwd", "--", "sh", "-c", "echo mine >/io/own; echo up; sleep 600").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    for n in range(3000):
        directory_bucket.put(f"corpora/io/many/{n}", b"%d" % n)
    volary("job", "pull-data", job)
    volary.wait_for((volary.data / "jobs" / job / "scratch-0/upper/many/100").exists, "some of it to be there")
    volary.kill_supervisors(job)
    volary.wait_for(lambda: volary.json("job", "get", job)["state"] == "ERROR", "its end")
    pull = volary.json("job", "get", job)["dataSync"][-1]
    assert (pull["state"], pull["reason"]) in (("FAILED", "the job ended first"), ("DONE", ""))
    [push] = volary.json("job", "push-data", job, "--wait")
    assert push["state"] == "DONE", push
    found = directory_bucket.objects()
    assert len(found) == 3001 and found["corpora/io/own"] == b"mine\n"


@pytest.mark.parametrize("point", BRING_POINTS[2:])
def test_a_job_that_ends_while_its_server_is_dead_pushes_nothing_of_a_pull_that_is_not_its_own(volary, directory_bucket, point):
    directory_bucket.add(volary, "gra")
    for name in ("a", "b"):
        directory_bucket.put(f"corpora/io/{name}", b"old " + name.encode())
    job = volary("job", "run", "-n", "one", "-v", "corpora@GRA/io:/io:rwd", "--", "sh", "-c",
                 "echo mine >/io/own; echo up; until test -e /workspace/go; do sleep 0.05; done").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    volary.kill()
    for name in ("a", "b"):
        directory_bucket.put(f"corpora/io/{name}", b"new " + name.encode())
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    volary.run("job", "pull-data", job)
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    server.wait(timeout=30)
    (volary.data / "jobs" / job / "work" / "go").touch()
    volary.wait_for((volary.data / "jobs" / job / "run" / "outcome.json").exists, "the process to end")
    volary.start()
    assert volary.job_ended("one")["state"] == "DONE"
    assert directory_bucket.objects() == {"corpora/io/a": b"new a", "corpora/io/b": b"new b", "corpora/io/own": b"mine\n"}
    nothing_is_left_of(job)


def test_a_server_killed_before_it_gave_up_what_a_stopped_job_had_begun_to_pull(volary):
    store = LyingS3()
    store.buckets["corpora"] = {"a": b"alpha"}
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    volary("datastore", "add", "s3", "s", "--endpoint", store.url, "--secret", "key")
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": "job.tidying=kill", "VOLARY_FAULT_LOG": str(fired)})
    with store.fault(silent()):
        volary("job", "run", "-n", "one", "-v", "corpora@s:/in", "-v", "corpora@s:/kept:ro:cache", "--", "true")
        volary.wait_for(lambda: all(one["transfer"] for one in volary.json("job", "get", "one")["dataSync"]), "pulls")
        volary.run("job", "stop", "one")
        server.wait(timeout=30)
        assert server.returncode == -9 and fired.exists()
    volary.start()
    job = volary.job_ended("one")
    assert job["state"] == "INTERRUPTED"
    assert [(one["state"], one["reason"]) for one in job["dataSync"]] == \
        [("FAILED", "the job was stopped before it began")] * 2
    store.end()


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
    volary.kill_supervisors(job["id"])
    ended = volary.job_ended("one")
    assert ended["state"] == "ERROR" and "vanished" in ended["reason"]
    assert volary.json("volume", "versions", "out") == []
    nothing_is_left(volary, job["id"])


def test_a_lost_machine_loses_what_was_written_since_the_last_publication(volary, directory_bucket):
    """The server dies as a publication is due and as one is made; then the job's processes die, without a word."""
    directory_bucket.add(volary, "gra")
    volary("volume", "create", "out")
    volary.end()

    def dies_at(point):
        fired = volary.data.parent / point
        server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
        return server, fired

    def is_dead(server, fired):
        volary.wait_for(fired.exists, f"the fail point {fired.name} to be passed")
        server.wait(timeout=60)
        assert server.returncode == -9

    # The first server that sees the job dies at the first publication, so that none is made before, however slow all is.
    first = dies_at("job.publication_due")
    job = volary("job", "run", "-n", "one", "-v", "out:/out:rw", "-v", "results@gra:/r:rw", "-v", "standalone:/s",
                 "--publish-every", "10s", "--", "sh", "-c",
                 "echo half | tee /out/file >/r/file; echo up; sleep 1000").strip()
    is_dead(*first)
    is_dead(*dies_at("job.published"))
    volary.start()

    def published():
        return [(one["path"], one["occasion"], one["state"]) for one in volary.json("job", "get", job)["dataSync"]
                if one["direction"] == "push"]
    volary.wait_for(lambda: sorted(published()) == [("/out", "interval", "DONE"), ("/r", "interval", "DONE")],
                    "both publications")
    volary.kill_supervisors(job)
    ended = volary.job_ended("one")
    assert ended["state"] == "ERROR" and "the process vanished without an exit code" in ended["reason"]
    assert "; 'out@1' has what it had written by 20" in ended["reason"], ended["reason"]
    assert "; 'results@gra' has what it had written by 20" in ended["reason"], ended["reason"]
    assert [one["number"] for one in volary.json("volume", "versions", "out")] == [1]
    assert volary("volume", "cat", "out:/file") == "half\n"
    assert directory_bucket.objects() == {"results/file": b"half\n"}
    nothing_is_left(volary, job)


RUN_POINTS = ["job.rerunning", "job.run_begun", "job.files_written", "job.acted.PENDING", "job.harvested",
              "ledger.committing", "job.committed", "job.moving.DONE"]


@pytest.mark.parametrize("point", RUN_POINTS)
def test_a_server_killed_while_a_job_is_run_again(volary, point):
    """Its second run begins or does not, and publishes once, whatever the first has left."""
    volary("volume", "create", "out")
    volary("job", "run", "-n", "one", "-v", "out:/out:rw", "--wait", "--", "sh", "-c", "echo x >>/out/runs")
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    asked = volary.run("job", "rerun", "one")
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    server.wait(timeout=30)
    assert server.returncode == -9

    volary.start()
    job = volary.job_ended("one")
    is_begun = point not in ("job.rerunning", "job.run_begun")
    assert is_begun or asked.returncode != 0
    assert [one["state"] for one in job["runs"]] == ["DONE"] * (2 if is_begun else 1), job["reason"]
    assert [one["number"] for one in volary.json("volume", "versions", "out")] == ([2, 1] if is_begun else [1])
    assert volary("volume", "cat", "out:/runs") == "x\n" * (2 if is_begun else 1)
    nothing_is_left(volary, job["id"])


@pytest.mark.parametrize("point", ["job.moving.TIMEOUT", "job.run_begun", "job.moving.INTERRUPTED", "job.attaching_anew"])
def test_a_server_killed_while_a_job_that_took_too_long_is_run_again(volary, point):
    volary("volume", "create", "out")
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    volary("job", "run", "-n", "one", "-v", "out:/out:rw", "--timeout", "1s", "--auto-restart", "--", "sh", "-c",
           "echo x >>/out/runs; test $VOLARY_JOB_RUN = 2 || sleep 1000")
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    server.wait(timeout=30)
    assert server.returncode == -9

    volary.start()
    job = volary.job_ended("one")
    assert [one["state"] for one in job["runs"]] == ["INTERRUPTED", "DONE"], job["reason"]
    assert [one["number"] for one in volary.json("volume", "versions", "out")] == [2, 1]
    assert volary("volume", "cat", "out:/runs") == "x\nx\n"
    nothing_is_left(volary, job["id"])


def test_a_server_killed_before_it_tidied_up_after_a_run_leaves_none_of_its_secrets(volary, tmp_path):
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": "job.tidying=kill", "VOLARY_FAULT_LOG": str(fired)})
    config = tmp_path / "job" / "config.yaml"
    config.parent.mkdir()
    config.write_text("secrets: {TOKEN: hush-hush}\n")
    (config.parent / "main.py").write_text("import os, time\n"
                                          "if os.environ['VOLARY_JOB_RUN'] == '1': os._exit(3)\ntime.sleep(1000)\n")
    volary("job", "run", "-n", "one", "--auto-restart=on-failure:1", "-f", str(config))
    volary.wait_for(fired.exists, "the end of its first run")
    server.wait(timeout=30)
    assert server.returncode == -9
    jobs = volary.data / "jobs"
    assert [path for path in jobs.glob("*/run/spec.json") if "hush-hush" in path.read_text()]  # As it died.
    [run] = jobs.glob("*/run")
    (run / ".volary-0123456789abcdef01234567").write_text("hush-hush")  # As one that dies while it writes leaves it.

    volary.start()
    volary.wait_for(lambda: volary.json("job", "get", "one")["run"] == 2, "the second run")
    assert not (run / "spec.json").exists() and not [*run.glob(".volary-*")]
    volary.wait_for(lambda: volary.json("job", "get", "one")["state"] == "RUNNING", "it to run")
    assert (run.parent / "run.2" / "spec.json").exists()
    volary("job", "stop", "one", "--wait")
    volary.wait_for(lambda: not [*jobs.glob("*/run*/spec.json")], "the second run to be tidied up after")
