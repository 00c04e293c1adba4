"""A job that is run again, because somebody asks or by itself: the same job, its next run."""
import json
import re

from lying import LyingS3, said


def states(job, run=None):
    return [one["state"] for one in job["history"] if run in (None, one["run"])]


def run(volary, *words):
    return volary.run("job", "run", "--wait", *words)


def versions(volary, name):
    return [one["number"] for one in volary.json("volume", "versions", name)]


def test_a_rerun_is_the_same_job_with_the_newest_data(volary):
    volary("volume", "create", "out")
    count = "echo $VOLARY_JOB_RUN >>/out/runs; cat /out/runs; test -e /workspace/left && echo left; touch /workspace/left"
    assert run(volary, "-n", "one", "-v", "out:/out:rw", "--", "sh", "-c", count + "; true").returncode == 0
    first = volary.json("job", "get", "one")
    assert first["run"] == 1 and len(first["runs"]) == 1
    result = volary.run("job", "rerun", "one", "--wait")
    assert result.returncode == 0, result.stderr
    job = volary.json("job", "get", "one")
    assert job["id"] == first["id"] and job["run"] == 2
    assert [(one["number"], one["state"], one["exitCode"]) for one in job["runs"]] == [(1, "DONE", 0), (2, "DONE", 0)]
    assert [one["attachments"][0]["version"] for one in job["runs"]] == [0, 1]
    assert [one["attachments"][0]["result"] for one in job["runs"]] == [1, 2]
    assert states(job, 1) == states(job, 2) == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
    assert versions(volary, "out") == [2, 1]
    assert volary("job", "logs", "one") == "1\n2\n"
    assert volary("job", "logs", "one", "--run", "1") == "1\n"
    assert "has no run 3: expected 1 to 2" in volary.refuses("job", "logs", "one", "--run", "3")[1]
    assert re.search(r"^RUN +STATE +EXIT", volary("job", "get", "one"), re.MULTILINE)
    assert "in 2 runs" in volary("explain", "job", "one")


def test_a_rerun_can_be_followed_and_its_exit_code_is_its_own(volary):
    volary("volume", "create", "flag")
    assert run(volary, "-n", "one", "-v", "flag:/flag:rw", "--", "sh", "-c",
               "test -e /flag/x || { touch /flag/x; exit 4; }; echo better").returncode == 4
    result = volary.run("job", "rerun", "one", "--follow")
    assert (result.returncode, result.stdout) == (0, "better\n")
    # It was a failure that made the volume's version, so both runs made what they made.
    assert versions(volary, "flag") == [1]


def test_only_an_ended_job_is_run_again(volary):
    volary("job", "run", "-n", "one", "--", "sleep", "1000")
    assert "expected one that has ended" in volary.refuses("job", "rerun", "one")[1]
    volary("job", "stop", "one", "--wait")
    volary("job", "rerun", "one")
    assert volary.json("job", "get", "one")["run"] == 2
    volary("job", "stop", "one", "--wait")
    assert "there is no job 'two'" in volary.refuses("job", "rerun", "two")[1]


def test_a_rerun_waits_for_a_volume_that_has_a_writer(volary):
    volary("volume", "create", "out")
    run(volary, "-n", "one", "-v", "out:/out:rw", "--", "touch", "/out/one")
    two = volary("job", "run", "-v", "out:/out:rw", "--", "sh", "-c", "touch /out/two; echo up; sleep 1000").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", two), "the job to run")
    volary("job", "rerun", "one")
    job = volary.json("job", "get", "one")
    assert job["state"] == "QUEUED" and f"is being written by job {two}" in job["reason"], job["reason"]
    volary("job", "stop", two)
    job = volary.job_ended("one")
    assert job["state"] == "DONE"
    assert job["runs"][1]["attachments"][0]["version"] == 2  # What two made.


def test_a_named_version_is_attached_again_and_otherwise_the_newest(volary):
    volary("volume", "create", "in")
    for text in ("a", "b"):
        run(volary, "-v", "in:/in:rw", "--", "sh", "-c", f"echo {text} >/in/x")
    run(volary, "-n", "named", "-v", "in@2:/in", "--", "cat", "/in/x")
    run(volary, "-n", "newest", "-v", "in:/in", "--", "cat", "/in/x")
    run(volary, "-v", "in:/in:rw", "--", "sh", "-c", "echo c >/in/x")
    assert volary.run("job", "rerun", "named", "--logs").stdout == "b\n"
    assert volary.run("job", "rerun", "newest", "--logs").stdout == "c\n"


def test_data_of_a_bucket_is_pulled_and_pushed_by_each_run(volary, directory_bucket):
    directory_bucket.add(volary, "gra")
    directory_bucket.put("corpora/in/a", b"1")
    words = ("-n", "one", "-v", "corpora@GRA/in:/in:rw", "--", "sh", "-c", "cat /in/* >/in/sum-$VOLARY_JOB_RUN")
    assert run(volary, *words).returncode == 0
    directory_bucket.put("corpora/in/b", b"2")
    volary("job", "rerun", "one", "--wait")
    objects = directory_bucket.objects()
    assert objects["corpora/in/sum-1"] == b"1" and objects["corpora/in/sum-2"] == b"121"
    job = volary.json("job", "get", "one")
    assert [(one["direction"], one["state"]) for one in job["dataSync"]] == [("pull", "DONE"), ("push", "DONE")]
    assert volary.json("volume", "ls") == []


def test_a_job_whose_changes_could_not_be_pushed_is_not_run_again_until_they_are(volary):
    server = LyingS3()
    server.buckets["corpora"] = {"in/a": b"1"}
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    volary("datastore", "add", "s3", "s", "--endpoint", server.url, "--secret", "key")
    with server.fault(said(403, "AccessDenied"), kind="put"):
        run(volary, "-n", "one", "-v", "corpora@s/in:/in:rw", "--", "sh", "-c", "echo made >/in/made-$VOLARY_JOB_RUN")
    assert volary.json("job", "get", "one")["state"] == "ERROR"
    code, told = volary.refuses("job", "rerun", "one")
    assert code == 6 and "what job job-" in told and "changed at '/in' has not been pushed" in told, told
    assert volary.json("job", "get", "one")["run"] == 1
    volary("job", "push-data", "one", "--wait")
    assert volary.run("job", "rerun", "one", "--wait").returncode == 0
    assert server.buckets["corpora"] == {"in/a": b"1", "in/made-1": b"made\n", "in/made-2": b"made\n"}
    server.end()


def test_a_run_that_reached_its_timeout_is_followed_by_another(volary):
    volary("volume", "create", "out")
    volary("job", "run", "-n", "one", "-v", "out:/out:rw", "--timeout", "1s", "--auto-restart", "--", "sh", "-c",
           "echo $VOLARY_JOB_RUN >>/out/runs; test $VOLARY_JOB_RUN = 3 || sleep 1000; echo finished")
    job = volary.job_ended("one")
    assert job["state"] == "DONE" and job["run"] == 3, job["reason"]
    assert [one["state"] for one in job["runs"]] == ["INTERRUPTED", "INTERRUPTED", "DONE"]
    assert states(job, 1) == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "TIMEOUT", "FINALIZING", "INTERRUPTED"]
    assert [one["reason"] for one in job["history"] if one["state"] == "QUEUED"][1:] == \
        ["run 2: run 1 ran longer than its timeout allows", "run 3: run 2 ran longer than its timeout allows"]
    assert versions(volary, "out") == [3, 2, 1]
    assert job["attachments"][0]["result"] == 3
    report = volary.json("billing", "report", "--by", "job")
    [line] = report["lines"]
    assert line["minutes"] == 3  # Each run began one.
    assert volary("explain", "job", "one").count("ran longer than its timeout allows") == 2
    lineage = volary("lineage", "out@2")
    assert "one" in lineage
    receipt = json.loads(volary("job", "receipt", "one", "--run", "2"))["receipt"]
    assert receipt["run"] == 2 and [one["version"] for one in receipt["written"]] == [2]


def test_its_log_is_followed_through_all_runs(volary):
    result = volary.run("job", "run", "--timeout", "1s", "--auto-restart", "--logs", "--", "sh", "-c",
                        "echo run $VOLARY_JOB_RUN; test $VOLARY_JOB_RUN = 2 || sleep 1000")
    assert (result.returncode, result.stdout) == (0, "run 1\nrun 2\n"), result.stderr


def test_a_job_that_was_stopped_is_not_run_again(volary):
    volary("job", "run", "-n", "one", "--timeout", "1h", "--auto-restart=always", "--", "sleep", "1000")
    volary.wait_for(lambda: volary.json("job", "get", "one")["state"] == "RUNNING", "it to run")
    volary("job", "stop", "one", "--wait")
    job = volary.json("job", "get", "one")
    assert (job["state"], job["run"]) == ("INTERRUPTED", 1)


def test_a_run_that_failed_is_followed_by_another_after_a_pause(volary):
    volary("job", "run", "-n", "one", "--auto-restart=on-failure:2", "--", "sh", "-c", "exit $VOLARY_JOB_RUN")
    job = volary.job_ended("one")
    assert [(one["state"], one["exitCode"]) for one in job["runs"]] == [("FAILED", 1), ("FAILED", 2), ("FAILED", 3)]
    assert [one["reason"] for one in job["history"] if one["state"] == "QUEUED"][1:] == \
        ["run 2, 1s after run 1 failed: the process ended with exit code 1 (restart 1 of 2)",
         "run 3, 2s after run 2 failed: the process ended with exit code 2 (restart 2 of 2)"]
    assert [line["what"] for line in volary.json("explain", "job", "one")["lines"] if line["cause"] == "pause"] == \
        ["paused before run 2", "paused before run 3"]
    volary("job", "rerun", "one")  # Counted anew from here.
    assert volary.job_ended("one")["run"] == 6


def test_a_pause_can_be_cut_short(volary):
    volary("job", "run", "-n", "one", "--auto-restart=on-failure:20", "--", "false")
    volary.wait_for(lambda: volary.json("job", "get", "one")["run"] == 4, "the third failure")  # 4 s now.
    volary("job", "stop", "one", "--wait")
    job = volary.json("job", "get", "one")
    assert job["state"] == "INTERRUPTED" and job["run"] == 4
    *_, last = [line for line in volary.json("explain", "job", "one")["lines"] if line["cause"] == "pause"]
    assert last["until"] <= job["endedAt"]


def test_wishes_that_cannot_be_are_refused(volary):
    assert "expected on-timeout, on-failure[:N] or always[:N]" in \
        volary.refuses("job", "run", "--auto-restart=sometimes", "--", "true")[1]
    assert "expected 1 to 100" in volary.refuses("job", "run", "--auto-restart=always:101", "--", "true")[1]


def test_a_deleted_job_leaves_nothing_of_any_run(volary):
    run(volary, "-n", "one", "--", "true")
    volary("job", "rerun", "one", "--wait")
    job = volary.json("job", "get", "one")["id"]
    assert (volary.data / "jobs" / job).exists()
    volary("job", "delete", "one")
    assert not (volary.data / "jobs" / job).exists()
    assert volary.json("job", "ls", "--all") == []
