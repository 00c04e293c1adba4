"""kill -9 of the server while jobs are admitted: whatever it had decided and not written is decided anew, nothing is held by
more than there is, and all of the queue ends."""
import pytest

POINTS = ["job.QUEUED", "job.acted.QUEUED", "job.moving.INITIALIZING", "job.INITIALIZING", "job.moving.FINALIZING", "job.moving.DONE"]
HOLDING = ("INITIALIZING", "PENDING", "RUNNING", "INTERRUPTING", "TIMEOUT")
CORES, JOBS = 2, 6


def most_at_once(jobs: list[dict]) -> int:
    """How many cores were held at most, by the jobs' own histories."""
    changes = []
    for job in jobs:
        begin = next(event["date"] for event in job["history"] if event["state"] == "INITIALIZING")
        end = next(event["date"] for event in job["history"] if event["state"] not in ("QUEUED", *HOLDING))
        changes += [(begin, 1), (end, -1)]
    held = most = 0
    for _, change in sorted(changes):  # Of one moment, first who gives back.
        held += change
        most = max(most, held)
    return most


@pytest.mark.parametrize("occurrence", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_server_killed_while_jobs_are_admitted(volary, point, occurrence):
    volary.data.mkdir()
    (volary.data / "node.yaml").write_text(f"capacity: {{cpu: {CORES}}}\n")
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill@{occurrence}", "VOLARY_FAULT_LOG": str(fired)})
    for number in range(JOBS):  # A command that finds no server starts one.
        volary.run("job", "run", "-n", f"job{number}", "--cpu", "1", "--", "sleep", "0.1")
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    server.wait(timeout=30)
    assert server.returncode == -9
    submitted = [job["name"] for job in volary.json("job", "ls", "--all")]
    assert len(submitted) >= JOBS - 1  # The one that was being submitted may have been lost.
    ended = [volary.job_ended(name) for name in submitted]
    assert [job["state"] for job in ended] == ["DONE"] * len(ended), [job["reason"] for job in ended]
    assert most_at_once(ended) <= CORES
    assert volary.json("node")["held"] == {"cpu": 0, "memoryBytes": 0, "gpu": 0, "jobs": 0}
