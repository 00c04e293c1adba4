"""What a job prints: kept by bytes, the newest of it; found by time and from the end; followed over deaths of the server."""
import os
import re
import subprocess

import pytest

DROPPED = re.compile(r"\[volary: (\d+) bytes of the log before this line were dropped: it is full\]")
STAMP = 28  # "2026-11-20T21:34:05.123456Z "
LIMIT = 1 << 20


@pytest.fixture
def served(volary):
    volary.start(options=("--job-log-limit", "1MiB"))
    return volary


def run(volary, script, wait=True):
    return volary("job", "run", "-n", "one", *(["--wait"] if wait else []), "--", "python3", "-uc", script)


def pieces(volary):
    [directory] = (volary.data / "jobs").glob("*/run")
    return sorted(directory.glob("log*"))


def test_a_log_that_is_full_keeps_its_newest_lines_and_says_what_is_missing(served):
    run(served, "for i in range(50_000): print('line', i)")
    assert sum(path.stat().st_size for path in pieces(served)) <= LIMIT + 1000
    first, *lines = served("job", "logs", "one").splitlines()
    missing = int(DROPPED.fullmatch(first)[1])
    begin = int(lines[0].split()[1])
    assert begin > 10_000
    assert missing == sum(STAMP + len(f"line {i}\n") for i in range(begin))
    assert lines == [f"line {i}" for i in range(begin, 50_000)]
    assert served("job", "logs", "one", "--tail", "3") == "line 49997\nline 49998\nline 49999\n"
    assert served("job", "logs", "one", "--tail", "50000").splitlines()[0] == first
    # Whoever had read so far goes on from there.
    served.end()
    served.start(options=("--job-log-limit", "1MiB"))
    assert served("job", "logs", "one").splitlines() == [first, *lines]


def test_lines_are_found_by_their_time(served):
    run(served, "import time; print('early'); time.sleep(1.1); print('late'); print('last')")
    stamped = served("job", "logs", "one", "--timestamps").splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[job\] (early|late|last)", line) for line in stamped)
    assert stamped[0][:20] < stamped[1][:20]
    assert served("job", "logs", "one", "--since", stamped[1][:20]) == "late\nlast\n"
    assert served("job", "logs", "one", "--since", stamped[1][:20], "--tail", "1") == "last\n"
    assert served("job", "logs", "one", "--since", "1h") == "early\nlate\nlast\n"
    assert served("job", "logs", "one", "--since", "2999-01-01T00:00:00Z") == ""
    for wrong in ("soon", "2026-13-99"):
        assert f"'{wrong}' is no value for --since: expected how long ago" in \
            served.refuses("job", "logs", "one", "--since", wrong)[1]
    assert served("job", "logs", "-f", "one", "--tail", "1") == "last\n"


def follow(volary, pace):
    """A follower that saw line 100 before the server died, and all that it had printed when the job had ended."""
    run(volary, f"import time\nfor i in range(40_000):\n print('line', i)\n if i < 400: time.sleep(0.01)\n{pace}", wait=False)
    follower = subprocess.Popen([volary.program, "job", "logs", "-f", "one"], env=volary.env, stdout=subprocess.PIPE, text=True)
    said = [follower.stdout.readline() for _ in range(101)]
    assert said[-1] == "line 100\n"
    [directory] = (volary.data / "jobs").glob("*/run")
    volary.kill()
    return follower, said, directory


def test_a_follower_goes_on_over_the_death_of_the_server(volary):
    volary.start()
    follower, said, _ = follow(volary, "")
    volary.start()
    said += follower.stdout.readlines()
    assert follower.wait() == 0
    assert said == [f"line {i}\n" for i in range(40_000)]


def test_a_follower_is_told_what_was_dropped_while_nobody_answered_it(served):
    follower, said, directory = follow(served, "")
    served.wait_for(lambda: (directory / "outcome.json").exists(), "the job to end")
    served.start(options=("--job-log-limit", "1MiB"))
    rest = follower.stdout.readlines()
    assert follower.wait() == 0
    at = next(i for i, line in enumerate(rest) if DROPPED.fullmatch(line.rstrip()))
    before, after = said + rest[:at], rest[at + 1:]
    assert before == [f"line {i}\n" for i in range(len(before))]
    assert after == [f"line {i}\n" for i in range(40_000 - len(after), 40_000)]
    missing = sum(STAMP + len(f"line {i}\n") for i in range(len(before), 40_000 - len(after)))
    assert missing == int(DROPPED.fullmatch(rest[at].rstrip())[1])
