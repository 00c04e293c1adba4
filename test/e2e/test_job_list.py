"""`volary job ls`: by state, label and user, piece by piece, and watched; `volary events --tail`."""
import json
import subprocess

import pytest


@pytest.fixture
def jobs(volary):
    """Four jobs that have ended: their names, oldest first."""
    def run(name, team, word):
        volary.run("job", "run", "--name", name, "--label", "team=" + team, "--label", "kind=test", "--wait", "--", word)
        return name
    return [run("one", "vision", "true"), run("two", "text", "true"), run("three", "vision", "false"),
            run("four", "vision", "true")]


def names(volary, *words):
    return [job["name"] for job in volary.json("job", "ls", *words)]


def test_jobs_are_found_by_state_label_and_user(volary, jobs):
    assert names(volary) == []
    assert names(volary, "-a") == jobs[::-1]
    assert names(volary, "--state", "DONE") == ["four", "two", "one"]
    assert names(volary, "--state", "DONE", "--state", "FAILED") == jobs[::-1]
    assert names(volary, "-a", "-l", "team=vision") == ["four", "three", "one"]
    assert names(volary, "-a", "-l", "team=vision", "-l", "kind=test", "--state", "FAILED") == ["three"]
    assert names(volary, "-a", "-l", "team=visio") == []
    [user] = {job["user"] for job in volary.json("job", "ls", "-a")}
    assert names(volary, "-a", "--user", user) == jobs[::-1]
    assert names(volary, "-a", "--user", "nobody") == []
    assert names(volary, "-a", "--limit", "2") == ["four", "three"]
    assert volary.refuses("job", "ls", "-l", "team")[1].endswith("'team' is no value for --label: expected KEY=VALUE\n")
    assert "--limit ends what --watch goes on with" in volary.refuses("job", "ls", "--watch", "--limit", "1")[1]
    assert "expected one of" in volary.refuses("job", "ls", "--state", "done")[1]


def test_more_jobs_than_are_given_at_once(volary):
    for number in range(25):
        volary("job", "run", "--name", f"job-{number:02}", "--label", f"odd={number % 2}", "--", "true")
    assert names(volary, "-a") == [f"job-{number:02}" for number in reversed(range(25))]
    volary.wait_for(lambda: names(volary) == [], "the end of all jobs")
    token = (volary.data / "admin.token").read_text().strip()
    found, cursor = [], ""
    while cursor is not None:
        page = json.loads(subprocess.check_output(
            ["curl", "-sf", "--unix-socket", volary.data / "volary.sock", "-H", "Authorization: Bearer " + token,
             f"http://server/api/v1/jobs?all=true&limit=4&label=odd%3D1{cursor}"]))
        found += [job["name"] for job in page["items"]]
        assert len(page["items"]) <= 4
        cursor = "&cursor=" + page["nextCursor"] if page.get("nextCursor") else None
    assert found == [f"job-{number:02}" for number in reversed(range(25)) if number % 2]


def follow(volary, *words):
    return subprocess.Popen([volary.program, *words], stdout=subprocess.PIPE, text=True, env=volary.env)


def test_watching_prints_each_job_that_moves(volary, jobs):
    volary("job", "run", "--name", "first", "--label", "team=text", "--", "sleep", "100")
    watching = follow(volary, "job", "ls", "--watch", "-l", "team=text", "-o", "json")
    assert json.loads(watching.stdout.readline())["name"] == "first"  # It has begun.
    volary("job", "run", "--name", "other", "--label", "team=vision", "--", "true")
    volary("job", "run", "--name", "mine", "--label", "team=text", "--", "true")
    seen = []
    while not seen or seen[-1]["state"] != "DONE":
        seen += [one for one in [json.loads(watching.stdout.readline())] if one["name"] != "first"]
    watching.terminate()
    watching.communicate(timeout=10)
    assert {job["name"] for job in seen} == {"mine"}
    states = [job["state"] for job in seen]
    assert len(states) == len(set(states))


def test_the_newest_events_are_told_first_of_all(volary, jobs):
    newest = volary.json("events", "--tail", "2", "--type", "job.*")
    assert [(one["type"], one["body"]["job"]["name"]) for one in newest] == [("job.finalizing", "four"), ("job.done", "four")]
    assert volary.json("events") == volary.json("events", "--after", "0", "--limit", "1000")[-100:]
    [failed] = volary.json("events", "--type", "job.failed")
    assert failed["body"]["job"]["name"] == "three"
    assert volary.json("events", "--limit", "1")[0]["number"] == 1
    following = follow(volary, "events", "--follow", "--tail", "1", "--type", "job.failed", "-o", "json")
    assert json.loads(following.stdout.readline()) == failed
    volary.run("job", "run", "--name", "five", "--wait", "--", "false")
    assert json.loads(following.stdout.readline())["body"]["job"]["name"] == "five"
    following.terminate()
    following.communicate(timeout=10)
    for words in (("--tail", "1", "--after", "3"), ("--tail", "1", "--limit", "3"), ("--follow", "--limit", "3")):
        assert "expected one of both" in volary.refuses("events", *words)[1]
    assert "expected at most 1000" in volary.refuses("events", "--tail", "1001")[1]
