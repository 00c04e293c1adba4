"""Why things are where they are: what was in the way, how long, and how much moved; also after the server died."""
import json
import threading

from lying import LyingS3, held_until, said


def start(volary, *words) -> str:
    return volary("job", "run", *words).strip()


def whats(explanation):
    return [line["what"] for line in explanation["lines"]]


def test_a_job_that_waited_for_a_writer_says_for_whom_and_how_long(volary):
    volary("volume", "create", "model")
    first = start(volary, "--name", "holder", "-v", "model:/out:rw", "--", "sh", "-c",
                  "echo 1 >/out/a; while :; do sleep 0.05; done")
    volary.wait_for(lambda: volary.json("job", "get", first)["state"] == "RUNNING", "the first to run")
    second = start(volary, "--name", "waiter", "-v", "model:/out:rw", "--queue=1h", "--", "sh", "-c",
                   "echo 22 >/out/b")
    waiting = volary.json("explain", "job", second)
    words = f"waited: volume 'model' is being written by job {first} since "
    [line] = [line for line in waiting["lines"] if line["cause"] == "writer"]
    assert line["lasts"] and line["what"].startswith(words)
    assert "s: waits: volume 'model' is being written" in waiting["summary"] and waiting["summary"].startswith("QUEUED for ")
    holders = whats(volary.json("explain", "volume", "model"))
    assert any(one.startswith(f"job {first} (holder) of admin writes on top of version 0") for one in holders)
    assert any(one.startswith(f"job {second} (waiter) of admin waits to be the next writer") for one in holders)
    volary.wait_for(lambda: volary.json("explain", "job", second)["millis"]["writers"] >= 200, "a wait that is worth a word")
    volary.kill()  # What was written down outlives the server.
    volary("job", "stop", first)
    done = volary.job_ended(second)
    assert done["state"] == "DONE"
    told = volary.json("explain", "job", second)
    [line] = [line for line in told["lines"] if line["cause"] == "writer"]
    assert not line["lasts"] and line["until"] > line["at"] and line["what"].startswith(words)
    assert "the server was started anew and took it up" in whats(told)
    [made] = [line for line in told["lines"] if line["cause"] == "made"]
    assert (made["what"], made["files"], made["bytes"]) == ("what it wrote became model@2", 1, 3)
    spent = told["millis"]
    assert spent["writers"] >= 1 and spent["total"] >= spent["writers"] + spent["data"] + spent["running"]
    assert "for others to stop writing its volumes" in told["summary"] and told["summary"].startswith("DONE after ")
    text = volary("explain", "job", "waiter")
    assert text.splitlines()[0].split() == ["SINCE", "FOR", "WHAT"] and "model@1 was ready at /out (rw)" in text
    stopped = whats(volary.json("explain", "job", first))
    assert "admin asked it to end" in stopped


def test_a_transfer_says_what_it_moved_how_fast_and_what_went_wrong(volary, directory_bucket):
    directory_bucket.put("in/a", b"x" * 1000)
    directory_bucket.add(volary, "store")
    volary("volume", "create", "data", "--quota", "1MB")
    moved = volary.json("volume", "import", "data", "--from", "store:in")["id"]
    told = volary.json("explain", "transfer", moved)
    [phase] = [line for line in told["lines"] if line["what"] == "moving what is to be moved"]
    assert (phase["files"], phase["bytes"], phase["lasts"]) == (1, 1000, False) and phase["bytesPerSecond"] > 0
    assert whats(told)[0] == "admin asked for it: import of store:in into volume 'data'"
    assert whats(told)[-1].startswith("done: 1 of 1 file copied, 0 skipped, 0 failed; 1000 B moved")
    directory_bucket.put("in/b", b"y" * 2_000_000)
    volary.refuses("volume", "import", "data", "--from", "store:in")
    [failed] = [one for one in volary.json("transfer", "ls") if one["state"] == "failed"]
    told = volary.json("explain", "transfer", failed["id"])
    assert "volume 'data' has a quota of 977 KiB (1000000 bytes)" in told["summary"]
    assert [line["cause"] for line in told["lines"]].count("failure") == 1
    volume = volary("explain", "volume", "data")
    assert "1000 B of its quota of 977 KiB are used and 0 B reserved" in volume and "nobody holds it" in volume


def test_requests_that_failed_for_the_moment_are_told_in_one_line(volary):
    server = LyingS3()
    server.buckets["corpora"] = {f"in/{number}": b"1" for number in range(4)}
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    volary("datastore", "add", "s3", "s", "--endpoint", server.url, "--secret", "key")
    with server.fault(said(503, "SlowDown"), key="in/2", times=2):
        job = start(volary, "-v", "corpora@s/in:/in", "--wait", "--", "true").splitlines()[0]
    [pull] = volary.json("job", "get", job)["dataSync"]
    assert pull["state"] == "DONE", pull
    for told in (volary.json("explain", "job", job), volary.json("explain", "transfer", pull["transfer"])):
        [line] = [line for line in told["lines"] if line["cause"] == "failure"]
        assert line["what"] == f"2 requests failed for the moment; the last: GET {server.url}/corpora/in/2: it answered with status 503"
    server.buckets["corpora"]["in/new"] = b"1"
    with server.fault(said(503, "SlowDown"), key="in/new"):
        volary.refuses("job", "run", "-v", "corpora@s/in:/again", "-n", "two", "--wait", "--", "true")
    assert any("requests failed for the moment" in one for one in whats(volary.json("explain", "job", "two")))
    server.end()


def test_requests_that_fail_are_told_while_the_transfer_is_under_way(volary):
    server = LyingS3()
    server.buckets["corpora"] = {f"in/{number}": b"1" for number in range(4)}
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    volary("datastore", "add", "s3", "s", "--endpoint", server.url, "--secret", "key")
    is_let_go = threading.Event()
    with server.fault(said(503, "SlowDown"), key="in/2", times=2), server.fault(held_until(is_let_go), key="in/3"):
        job = start(volary, "-v", "corpora@s/in:/in", "--", "true").splitlines()[0]

        def failures() -> list[str]:
            told = [volary.json("explain", "job", job)]
            told += [volary.json("explain", "transfer", pull["transfer"])
                     for pull in volary.json("job", "get", job)["dataSync"] if pull.get("transfer")]
            return [line["what"] for one in told for line in one["lines"] if line["cause"] == "failure"]

        expected = [f"2 requests failed for the moment; the last: GET {server.url}/corpora/in/2: it answered with status 503"] * 2
        try:
            volary.wait_for(lambda: failures() == expected, "the failures of the transfer under way")
            assert volary.json("job", "get", job)["state"] == "INITIALIZING"
            [pull] = [line for line in volary.json("explain", "job", job)["lines"] if line["what"].startswith("pull of")]
            assert pull["files"] >= 1
        finally:
            is_let_go.set()
    assert volary.job_ended(job)["state"] == "DONE"
    assert failures() == expected
    server.end()


def test_who_may_not_see_a_thing_is_not_told_about_it(volary):
    job = start(volary, "--", "true")
    volary("project", "create", "vision")
    assert volary.refuses("explain", "job", job, "--project", "vision")[0] == 4
    assert volary.refuses("explain", "transfer", "xfer-none")[0] == 4
    assert json.loads(volary("explain", "job", job, "-o", "json"))["subject"] == f"job {job}"
