"""What users see of a job's life: exit codes, logs, stopping, time limits, access to volumes."""
import pathlib
import re
import shutil
import time

import pytest

from volary import PROGRAM, Volary


def run(volary, *words, wait=True):
    options = ["--wait"] if wait else []
    return volary.run("job", "run", *options, *words)


@pytest.fixture
def model(volary, directory_bucket):
    """A volume 'model' with one version: keep, change and drop."""
    for name in ("keep", "change", "drop"):
        directory_bucket.put("m/" + name, name.encode())
    directory_bucket.add(volary, "store")
    volary("volume", "create", "model")
    volary("volume", "import", "model", "--from", "store:m")
    return volary


def files(volary, name):
    return sorted(one["path"] for one in volary.json("volume", "files", name) if one["kind"] == "file")


def test_a_server_without_work_sleeps(volary):
    volary.json("job", "ls")  # It runs.
    (server,) = volary.server_pids()

    def times_woken() -> int:
        woken = 0
        for thread in pathlib.Path(f"/proc/{server}/task").iterdir():
            status = (thread / "status").read_text()
            woken += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])
        return woken

    def woken_in_two_seconds() -> int:
        before = times_woken()
        time.sleep(2)
        return times_woken() - before

    assert min(woken_in_two_seconds() for _ in range(3)) < 60


def test_the_exit_code_of_wait_is_the_jobs(volary):
    assert run(volary, "--", "sh", "-c", "exit 7").returncode == 7
    [job] = volary.json("job", "ls", "--all")
    assert (job["state"], job["exitCode"]) == ("FAILED", 7)
    assert job["reason"] == "the process ended with exit code 7"


def test_a_command_that_is_not_there_fails_with_its_name(volary):
    result = run(volary, "--", "no-such-command")
    assert result.returncode != 0
    [job] = volary.json("job", "ls", "--all")
    assert job["state"] == "FAILED" and "no-such-command" in job["reason"]


def test_a_job_is_nobody_and_sees_nothing_of_the_host(volary):
    script = "id -u; ls /root /home 2>&1 | head -3; cat /etc/shadow 2>&1; touch /usr/x 2>&1; echo $VOLARY_JOB_ID"
    run(volary, "-n", "look", "--", "sh", "-c", script)
    log = volary("job", "logs", "look")
    assert "42420" in log and "Permission denied" in log and "Read-only file system" in log and "job-" in log
    assert "root:" not in log


def test_stopping_passes_interrupting_and_keeps_the_output(model):
    run(model, "-n", "long", "-v", "model:/out:rw", "--", "sh", "-c", "echo new >/out/new; echo ready; sleep 1000", wait=False)
    model.wait_for(lambda: "ready" in model("job", "logs", "long"), "the job to write")
    model("job", "stop", "long")
    job = model.job_ended("long")
    assert job["state"] == "INTERRUPTED"
    assert [event["state"] for event in job["history"]][-3:] == ["INTERRUPTING", "FINALIZING", "INTERRUPTED"]
    assert files(model, "model") == ["change", "drop", "keep", "new"]


def test_a_job_that_runs_too_long_passes_timeout(volary):
    result = run(volary, "-n", "slow", "--timeout", "1s", "--", "sleep", "1000")
    assert result.returncode == 130
    job = volary.json("job", "get", "slow")
    assert [event["state"] for event in job["history"]][-4:] == ["RUNNING", "TIMEOUT", "FINALIZING", "INTERRUPTED"]
    assert job["reason"] == "timeout"


def test_rw_keeps_deletions_to_itself_and_rwd_does_not(model):
    script = "echo more >>/out/change; echo new >/out/new; rm /out/drop"
    assert run(model, "-v", "model:/out:rw", "--", "sh", "-c", script).returncode == 0
    assert files(model, "model") == ["change", "drop", "keep", "new"]
    assert run(model, "-v", "model:/out:rwd", "--", "sh", "-c", "rm /out/drop /out/new").returncode == 0
    assert files(model, "model") == ["change", "keep"]
    versions = model.json("volume", "versions", "model")
    assert [one["number"] for one in versions] == [3, 2, 1]
    assert model.json("volume", "verify", "model")["whole"]


def test_a_second_writer_is_refused_with_the_holders_name(model):
    run(model, "-n", "first", "-v", "model:/out:rw", "--", "sleep", "1000", wait=False)
    first = model.json("job", "get", "first")["id"]
    code, words = model.refuses("job", "run", "-v", "model:/out:rw", "--", "true")
    assert code == 6 and first in words
    code, words = model.refuses("volume", "rm", "model", "-y")
    assert code == 6 and first in words
    assert run(model, "-v", "model:/in:ro", "--", "true").returncode == 0
    model("job", "stop", "first")
    model.job_ended("first")


def test_readers_keep_their_version_while_the_head_moves(model):
    run(model, "-n", "reader", "-v", "model:/in:ro", "--", "sh", "-c", "echo up; sleep 3; cat /in/change", wait=False)
    model.wait_for(lambda: "up" in model("job", "logs", "reader"), "the reader")
    assert run(model, "-v", "model:/out:rw", "--", "sh", "-c", "echo other >/out/change").returncode == 0
    assert model.job_ended("reader")["state"] == "DONE"
    assert model("job", "logs", "reader").rstrip().endswith("change")
    assert model("job", "logs", "reader").count("other") == 0


def test_logs_follow_a_job_to_its_end(volary):
    run(volary, "-n", "count", "--", "sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.3; done", wait=False)
    log = volary("job", "logs", "-f", "count", "--timestamps")
    assert [line.split(" ", 1)[1] for line in log.splitlines()] == ["[job] line 1", "[job] line 2", "[job] line 3"]
    assert all(line.startswith("20") and line.split()[0].endswith("Z") for line in log.splitlines())
    assert volary("job", "logs", "count") == "line 1\nline 2\nline 3\n"


def test_cpus_and_memory_are_limits(volary):
    assert "1\n" in volary("job", "run", "--wait", "--logs", "--cpu", "1", "--", "python3", "-c",
                           "import os; print(len(os.sched_getaffinity(0)))")
    result = run(volary, "-n", "fat", "--memory", "64MiB", "--", "python3", "-c", "x = bytearray(200 << 20); print('no limit')")
    if result.returncode == 2 and "memory" in result.stderr:
        pytest.skip("this machine cannot limit memory: " + result.stderr)
    assert result.returncode != 0
    assert "no limit" not in volary("job", "logs", "fat")


def test_jobs_run_on_after_the_program_was_replaced(tmp_path):
    """An upgrade puts another file in the program's place while its server still runs."""
    program = tmp_path / "volary"
    shutil.copy(PROGRAM, program)
    one = Volary(program, tmp_path / "data")
    try:
        one("volume", "ls")
        shutil.copy(PROGRAM, tmp_path / "new")
        (tmp_path / "new").rename(program)
        assert one.run("job", "run", "--wait", "--", "true").returncode == 0
    finally:
        one.end()
