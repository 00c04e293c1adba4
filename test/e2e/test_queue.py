"""Who begins and who waits: order, priority, quotas and flavors; and that whoever waits is told for what."""
import json
import subprocess

import pytest

FOREVER = ["sh", "-c", "while :; do sleep 0.05; done"]


@pytest.fixture
def node(volary):
    """Starts a server on a machine of so many cores and places."""
    def start(text: str):
        volary.data.mkdir(exist_ok=True)
        (volary.data / "node.yaml").write_text(text)
        return volary
    return start


def hold(volary, name: str, *words) -> str:
    """A job that runs until it is stopped, and does so already."""
    job = volary("job", "run", "-n", name, *words, "--", *FOREVER).strip()
    is_in(volary, name, "RUNNING")
    return job


def submit(volary, name: str, *words, command=("true",)) -> str:
    return volary("job", "run", "-n", name, *words, "--", *command).strip()


def is_in(volary, name: str, state: str):
    volary.wait_for(lambda: volary.json("job", "get", name)["state"] == state, f"{name} to be {state}")


def waits(volary, name: str, text: str):
    volary.wait_for(lambda: text in volary.json("job", "get", name)["reason"], f"{name} to wait: {text}")
    assert volary.json("job", "get", name)["state"] == "QUEUED"


def began(volary, *names: str) -> list[str]:
    """The jobs in the order in which they began, once they have ended."""
    dates = {}
    for name in names:
        job = volary.job_ended(name)
        assert job["state"] == "DONE", job["reason"]
        dates[name] = next(event["date"] for event in job["history"] if event["state"] == "INITIALIZING")
    return sorted(names, key=dates.get)


def test_jobs_begin_in_order_and_those_with_a_higher_priority_first(node):
    volary = node("capacity: {cpu: 1}\n")
    hold(volary, "holder", "--cpu", "1")
    for name, words in [("first", []), ("second", []), ("low", ["--priority", "-1"]), ("high", ["--priority", "7"])]:
        submit(volary, name, "--cpu", "1", *words)
    waits(volary, "low", "waits for 1 core: 0 of 1 are free; 4th in the queue")
    waits(volary, "high", "waits for 1 core: 0 of 1 are free; 1st in the queue")
    assert volary.json("job", "get", "high")["priority"] == 7
    assert "waits for room on the machine for 1 core" in volary("job", "ls")
    volary("job", "stop", "holder")
    assert began(volary, "low", "second", "first", "high") == ["high", "first", "second", "low"]


def test_a_large_job_is_not_starved_by_small_ones_and_who_needs_nothing_of_it_goes_on(node):
    volary = node("capacity: {cpu: 4}\n")
    hold(volary, "holder", "--cpu", "1")
    submit(volary, "large", "--cpu", "4")
    waits(volary, "large", "waits for 4 cores: 3 of 4 are free; 1st in the queue")
    small = [f"small{i}" for i in range(4)]
    for name in small:
        submit(volary, name, "--cpu", "1")
    waits(volary, "small3", "waits for those ahead of it, which are given what is free; 5th in the queue")
    submit(volary, "none")
    assert volary.job_ended("none")["state"] == "DONE"
    assert [volary.json("job", "get", name)["state"] for name in ["large", *small]] == ["QUEUED"] * 5
    volary("job", "stop", "holder")
    assert began(volary, *small, "large")[0] == "large"


def test_a_quota_stops_its_project_and_nobody_else(node):
    volary = node("capacity: {cpu: 4}\n")
    volary("project", "create", "vision", "--quota-cpu", "2", "--quota-jobs", "3")
    as_vision = {"env": {"VOLARY_PROJECT": "vision"}}
    code, words = volary.refuses("job", "run", "--cpu", "3", "--", "true", **as_vision)
    assert (code, "3 cpus were asked for: the project may hold 2 at once" in words) == (7, True)
    holder = volary("job", "run", "--cpu", "1", "--", *FOREVER, **as_vision).strip()
    waiting = volary("job", "run", "--cpu", "2", "--", "true", **as_vision).strip()
    reason = "waits for 2 cores: 1 of 2 is free of its project's quota; 1st in the queue"
    volary.wait_for(lambda: volary.json("job", "get", waiting, **as_vision)["reason"] == reason, reason)
    assert f"job {holder} holds 1 core" in volary("explain", "job", waiting, **as_vision)
    submit(volary, "other", "--cpu", "3")  # Of another project, behind it.
    assert volary.job_ended("other")["state"] == "DONE"
    project = volary.json("project", "get", "vision")
    assert project["quotaJobs"] == {"cpu": 2, "jobs": 3} and project["heldByJobs"]["cpu"] == 1
    assert "1 of 2" in volary("project", "ls", "-o", "wide")
    volary("project", "update", "vision", "--quota-cpu", "1")
    never = "cannot begin: it asks for 2 cores, of 1 that its project may hold"
    volary.wait_for(lambda: volary.json("job", "get", waiting, **as_vision)["reason"] == never, never)
    volary("project", "update", "vision", "--quota-cpu", "none", "--quota-jobs", "1")
    volary.wait_for(lambda: "1 place: 0 of 1 are free" in volary.json("job", "get", waiting, **as_vision)["reason"], "a place")
    volary("job", "stop", holder, **as_vision)
    volary.wait_for(lambda: volary.json("job", "get", waiting, **as_vision)["state"] == "DONE", "it to begin and end")


def test_only_so_many_jobs_are_at_work_at_once(node):
    volary = node("jobs_max: 2\n")
    hold(volary, "one")
    hold(volary, "two")
    submit(volary, "three")
    waits(volary, "three", "waits for 1 place: 0 of 2 are free; 1st in the queue")
    volary("job", "stop", "one")
    assert volary.job_ended("three")["state"] == "DONE"


def test_who_waits_for_a_job_is_told_what_it_waits_for(node):
    volary = node("capacity: {cpu: 1}\n")
    hold(volary, "holder", "--cpu", "1")
    waiter = subprocess.Popen([str(volary.program), "job", "run", "-n", "next", "--cpu", "1", "--wait", "--", "true"], env=volary.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    volary.wait_for(lambda: "next" in [one["name"] for one in volary.json("job", "ls")], "the job to be submitted")
    waits(volary, "next", "waits for 1 core")
    line = next(line for line in waiter.stderr if " waits for " in line)
    assert line.endswith(" waits for 1 core: 0 of 1 are free; 1st in the queue\n")
    volary("job", "stop", "holder")
    assert waiter.wait(timeout=60) == 0 and " DONE" in waiter.stderr.read()


def test_units_of_a_flavor_are_what_the_job_gets_and_may_not_exceed(node):
    volary = node("capacity: {cpu: 4, memory: 1GiB}\n"
                  "flavors:\n  tiny: {cpu: 1, memory: 64MiB, units_max: 2}\n  one: {cpu: 1}\ndefault_flavor: one\n")
    assert [(one["name"], one["cpu"], one["unitsMax"]) for one in volary.json("flavor", "ls")] == [("one", 1, 12), ("tiny", 1, 2)]
    code, words = volary.refuses("job", "run", "--flavor", "tiny", "--cpu", "3", "--", "true")
    assert code == 2 and "3 units of flavor 'tiny' were asked for: expected at most 2" in words
    code, words = volary.refuses("job", "run", "--flavor", "huge", "--", "true")
    assert code == 4 and "there is no flavor 'huge': expected one of one, tiny" in words
    code, words = volary.refuses("job", "run", "--flavor", "tiny", "--memory", "1GiB", "--", "true")
    assert code == 2 and "beside flavor 'tiny'" in words
    done = volary.run("job", "run", "-n", "cores", "--logs", "--", "python3", "-c", "import os; print(len(os.sched_getaffinity(0)))")
    assert done.stdout == "1\n", done.stderr
    job = volary.json("job", "get", "cores")
    assert (job["flavor"], job["units"], job["cpus"]) == ("one", 1, 1)
    tried = volary.run("job", "run", "-n", "much", "--wait", "--flavor", "tiny", "--", "python3", "-c", "x = bytearray(300 << 20)")
    if "cannot be limited here" in tried.stderr:
        pytest.skip("memory cannot be limited here")
    job = volary.json("job", "get", "much")
    assert job["state"] == "FAILED" and "64.0 MiB" in job["reason"] and job["memoryBytes"] == 64 << 20


def test_more_than_the_machine_gives_is_refused_with_the_numbers_also_when_it_is_run_again(node):
    volary = node("capacity: {cpu: 2, memory: 1GiB}\n")
    for words, told in [(["--cpu", "3"], "3 cpus were asked for: this machine gives 2 to jobs"),
                        (["--memory", "2GiB"], "2.00 GiB of memory were asked for: this machine gives 1.00 GiB to jobs"),
                        (["--priority", "101"], "--priority is '101': expected a whole number from -100 to 100")]:
        code, error = volary.refuses("job", "run", *words, "--", "true")
        assert code == 2 and told in error
    assert volary.json("job", "ls", "--all") == []
    submit(volary, "two", "--cpu", "2")
    assert volary.job_ended("two")["state"] == "DONE"
    volary.end()
    node("capacity: {cpu: 1}\n")
    assert "2 cpus were asked for: this machine gives 1" in volary.refuses("job", "rerun", "two")[1]


def test_to_pass_others_takes_what_it_takes_to_change_quotas(node):
    volary = node("capacity: {cpu: 1}\n")
    token = volary.json("token", "create", "--name", "eve", "--role", "editor")["token"]
    as_eve = {"env": {"VOLARY_SERVER": f"unix:{volary.data}/volary.sock", "VOLARY_TOKEN": token}}
    assert volary.refuses("job", "run", "--priority", "1", "--", "true", **as_eve)[0] == 3
    for priority in ("0", "-5"):
        volary("job", "run", "--wait", "--priority", priority, "--", "true", **as_eve)


def test_the_machine_says_who_holds_what_and_of_other_projects_only_how_much(node):
    volary = node("capacity: {cpu: 4, memory: 2GiB}\njobs_max: 3\n")
    volary("project", "create", "vision")
    mine = hold(volary, "mine", "--cpu", "1", "--memory", "64MiB")
    other = volary("job", "run", "--cpu", "2", "--", *FOREVER, env={"VOLARY_PROJECT": "vision"}).strip()
    volary.wait_for(lambda: volary.json("node")["held"]["cpu"] == 3, "both to hold")
    submit(volary, "waiter", "--cpu", "4")
    volary.wait_for(lambda: volary.json("node")["queued"]["cpu"] == 4, "the third to wait")
    status = volary.json("node")
    assert status["capacity"] == {"cpu": 4, "memoryBytes": 2 << 30, "gpu": 0, "jobs": 3}
    assert status["held"] == {"cpu": 3, "memoryBytes": 64 << 20, "gpu": 0, "jobs": 2}
    assert status["free"]["cpu"] == 1 and [one["id"] for one in status["jobs"]] == [mine]
    table = [line.split() for line in volary("node").splitlines()]
    assert table[0] == ["RESOURCE", "CAPACITY", "HELD", "FREE", "QUEUED"] and ["cores", "4", "3", "1", "4"] in table
    waits(volary, "waiter", "waits for 4 cores: 1 of 4 is free; 1st in the queue")
    told = volary.json("explain", "job", "waiter")
    lines = [line["what"] for line in told["lines"]]
    assert "waited for room on the machine: it asks for 4 cores" in lines
    assert f"job {mine} holds 1 core, 1 other job holds 2 cores" in lines and other not in json.dumps(told)
    assert "waits for 4 cores: 1 of 4 is free; 1st in the queue" in told["summary"]


def test_who_waits_for_a_volume_stands_in_nobodys_way(node):
    volary = node("capacity: {cpu: 2}\n")
    volary("volume", "create", "model")
    hold(volary, "writer", "--cpu", "1", "-v", "model:/out:rw")
    submit(volary, "second", "--cpu", "2", "-v", "model:/out:rw", "--queue")
    waits(volary, "second", "waits: volume 'model' is being written by job")
    submit(volary, "passing", "--cpu", "1")
    assert volary.job_ended("passing")["state"] == "DONE"
    volary("job", "stop", "writer")
    assert volary.job_ended("second")["state"] == "DONE"


def test_one_that_waits_can_be_stopped_and_leaves_the_queue(node):
    volary = node("capacity: {cpu: 1}\n")
    hold(volary, "holder", "--cpu", "1")
    for name in ("first", "second"):
        submit(volary, name, "--cpu", "1")
    waits(volary, "second", "2nd in the queue")
    volary("job", "stop", "first", "--wait")
    assert volary.json("job", "get", "first")["state"] == "INTERRUPTED"
    waits(volary, "second", "1st in the queue")
    volary("job", "stop", "holder")
    assert volary.job_ended("second")["state"] == "DONE"


def test_what_is_held_and_who_waits_outlive_the_server(node):
    """Killed: what runs goes on and is counted, and the queue is as it was."""
    volary = node("capacity: {cpu: 2}\n")
    hold(volary, "holder", "--cpu", "2")
    names = ["first", "second", "third"]
    for name in names:
        submit(volary, name, "--cpu", "1")
    waits(volary, "third", "3rd in the queue")
    volary.kill()
    assert volary.json("node")["held"]["cpu"] == 2
    waits(volary, "third", "waits for 1 core: 0 of 2 are free; 3rd in the queue")
    assert volary.json("job", "get", "holder")["state"] == "RUNNING"
    volary("job", "stop", "holder")
    assert began(volary, *names)[0] in ("first", "second")
