"""What a job writes is published while it runs: every so often, and when its marker appears."""
import pytest
from stores import DirectoryStore


def submit(volary, *words, script: str) -> str:
    job = volary("job", "run", *words, "--", "sh", "-c", script).strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job), "the job to run")
    return job


def go_on(volary, job, name: str) -> None:
    (volary.data / "jobs" / job / "work" / name).touch()


UNTIL = "until test -e /workspace/{}; do sleep 0.02; done"


def pushes(volary, job) -> list[tuple]:
    return [(one["path"], one["occasion"], one["state"]) for one in volary.json("job", "get", job)["dataSync"]
            if one["direction"] == "push"]


def test_a_marker_publishes_once_for_each_appearance(volary, tmp_path):
    shelf = DirectoryStore(tmp_path / "shelf")
    shelf.add(volary, "gra")
    volary("volume", "create", "model")
    job = submit(volary, "-v", "model/part:/m:rw", "-v", "results@gra:/out:rw", "--publish-marker", "READY", script=f"""
        echo 1 >/m/a; echo 1 >/out/b; echo up; {UNTIL.format("one")}; touch /m/READY; {UNTIL.format("two")}
        echo 2 >/m/a; rm /m/READY; touch /m/READY /out/READY; {UNTIL.format("three")}; rm /m/READY; touch /m/READY
        {UNTIL.format("four")}; touch /m/READY; echo over >/m/a""")
    assert pushes(volary, job) == []
    go_on(volary, job, "one")
    volary.wait_for(lambda: pushes(volary, job) == [("/m", "marker", "DONE")], "the first appearance")
    assert volary("volume", "cat", "model@1:/part/a") == "1\n" and shelf.objects() == {}
    go_on(volary, job, "two")
    volary.wait_for(lambda: sorted(pushes(volary, job)) == [("/m", "marker", "DONE")] * 2 + [("/out", "marker", "DONE")],
                    "the other appearances")
    assert volary("volume", "cat", "model@2:/part/a") == "2\n" and shelf.objects() == {"results/b": b"1\n"}
    told = [line for line in volary.json("explain", "job", job)["lines"] if "for its marker 'READY'" in line["what"]]
    assert [line["what"].split(",")[0] for line in told] == [
        "publication of what it wrote at /m as version 1", "publication of what it wrote at /m as version 2",
        "push of what it wrote at /out to 'results@gra'"]
    assert (told[2]["files"], told[2]["bytes"]) == (1, 2) and told[2]["what"].endswith(": done")
    go_on(volary, job, "three")  # Nothing is new: no version more.
    volary.wait_for(lambda: pushes(volary, job).count(("/m", "marker", "DONE")) == 3, "the third appearance")
    assert [one["number"] for one in volary.json("volume", "versions", "model")] == [2, 1]
    go_on(volary, job, "four")
    ended = volary.job_ended(job)
    assert ended["state"] == "DONE" and ended["publishMarker"] == "READY", ended["reason"]
    assert [one["path"] for one in volary.json("volume", "files", "model@3") if one["kind"] == "file"] == ["part/a"]
    assert [one["number"] for one in volary.json("volume", "versions", "model")] == [3, 2, 1]
    assert shelf.objects() == {"results/b": b"1\n"}


def test_what_cannot_be_published_is_refused(volary, tmp_path):
    volary("volume", "create", "model")
    for words, said in [
            (["-v", "model:/m:rw", "--publish-every", "9s"], "every 9 seconds: expected 10 to 2419200 (28 days)"),
            (["-v", "model:/m:rw", "--publish-marker", "a/b"], "'a/b' is no name of a marker"),
            (["-v", "standalone:/s", "--publish-every", "1m"], "expected something that it attaches with permission rw"),
            (["--publish-marker", "READY"], "expected something that it attaches with permission rw or rwd")]:
        code, told = volary.refuses("job", "run", *words, "--", "true")
        assert code == 2 and said in told, told
    (tmp_path / "job").mkdir()
    config = tmp_path / "job" / "config.yaml"
    config.write_text("command: [echo, up]\nvolumes: ['model:/m:rw']\npublish_every: 10m\npublish_marker: READY\n")
    job = volary.json("job", "get", volary("job", "run", "-f", config).strip())
    assert (job["publishEverySeconds"], job["publishMarker"]) == (600, "READY")
    config.write_text("command: [echo, up]\nvolumes: ['model:/m:rw']\npublish_every: often\n")
    code, told = volary.refuses("job", "run", "-f", config)
    assert code == 2 and "config.yaml:3" in told
