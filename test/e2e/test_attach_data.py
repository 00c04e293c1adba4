"""Jobs that attach containers, URLs and standalone directories: filled before they begin, pushed back before they end."""
import subprocess

import pytest
from lying import LyingS3, said, silent
from stores import DirectoryStore
from web import Nginx


@pytest.fixture
def shelf(volary, tmp_path):
    """Containers in a directory: datastore 'gra', with container 'corpora'."""
    store = DirectoryStore(tmp_path / "shelf")
    store.add(volary, "gra")
    for key, content in {"wiki/a.txt": b"alpha", "wiki/sub/b.txt": b"beta", "wiki/gone.txt": b"old", "other": b"x"}.items():
        store.put("corpora/" + key, content)
    return store


def submit(volary, *words, script: str) -> str:
    return volary("job", "run", *words, "--", "sh", "-c", script).strip()


def run(volary, *words, script: str, expect: str = "DONE") -> dict:
    """A job that has ended so."""
    ended = volary.job_ended(submit(volary, *words, script=script))
    assert ended["state"] == expect, (ended["reason"], volary("job", "logs", ended["id"]))
    return ended


def wait_for_up(volary, job) -> None:
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING",
                    "the job to run")


def states(job) -> list[str]:
    return [event["state"] for event in job["history"]]


def test_a_container_is_filled_before_and_pushed_after(volary, shelf):
    job = run(volary, "-v", "corpora@GRA/wiki:/in:rw", script="""
        test "$(cat /in/a.txt /in/sub/b.txt)" = alphabeta && test ! -e /in/other &&
        echo more >>/in/a.txt && mkdir /in/new && echo made >/in/new/c.txt && rm /in/gone.txt""")
    assert states(job) == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
    assert shelf.objects("corpora/") == {
        "corpora/wiki/a.txt": b"alphamore\n", "corpora/wiki/sub/b.txt": b"beta", "corpora/wiki/new/c.txt": b"made\n",
        "corpora/wiki/gone.txt": b"old", "corpora/other": b"x"}
    pull, push = job["dataSync"]
    assert (pull["direction"], pull["state"], pull["manual"], pull["volume"]) == ("pull", "DONE", False, "corpora@GRA/wiki")
    assert (pull["progress"]["total"], pull["progress"]["completed"], pull["progress"]["failed"]) == (3, 3, 0)
    assert (push["direction"], push["state"], push["progress"]["completed"], push["progress"]["deleted"]) == \
        ("push", "DONE", 2, 0)
    assert volary.json("volume", "ls") == []  # What was made for the job is nobody's volume …
    assert [one["bytes"] for one in volary.json("cache", "ls") if one["kind"] == "data"] == []  # … and not kept.
    assert "push" in volary("job", "get", job["id"])


def test_deletions_go_back_exactly(volary, shelf):
    """What others did in the container meanwhile stays, but for the files that the job changed or deleted itself."""
    job = submit(volary, "-v", "corpora@gra/wiki:/in:rwd", script="""
        echo up; until test -e /workspace/go; do sleep 0.05; done; rm -r /in/sub; echo 2 >/in/a.txt""")
    wait_for_up(volary, job)
    shelf.put("corpora/wiki/others.txt", b"new")
    shelf.put("corpora/wiki/gone.txt", b"newer")
    (volary.data / "jobs" / job / "work" / "go").touch()
    ended = volary.job_ended(job)
    assert ended["state"] == "DONE", ended["reason"]
    assert shelf.objects("corpora/wiki") == {"corpora/wiki/a.txt": b"2\n", "corpora/wiki/gone.txt": b"newer",
                                             "corpora/wiki/others.txt": b"new"}
    assert ended["dataSync"][-1]["progress"]["deleted"] == 1


def test_failed_and_interrupted_jobs_are_pushed_too(volary, shelf):
    run(volary, "-v", "corpora@gra/wiki:/in:rw", script="echo half >/in/half; exit 3", expect="FAILED")
    assert shelf.objects("corpora/wiki/half") == {"corpora/wiki/half": b"half\n"}
    job = submit(volary, "-v", "corpora@gra/wiki:/in:rw", script="echo some >/in/stopped; echo up; sleep 1000")
    wait_for_up(volary, job)
    volary("job", "stop", job)
    assert volary.job_ended(job)["state"] == "INTERRUPTED"
    assert shelf.objects("corpora/wiki/stopped") == {"corpora/wiki/stopped": b"some\n"}


def test_read_only_is_read_only_and_says_when_there_is_nothing(volary, shelf):
    job = run(volary, "-v", "corpora@gra/wiki/sub:/in", script="! echo x >/in/b.txt && cat /in/b.txt")
    assert "Read-only file system" in volary("job", "logs", job["id"])
    assert len(job["dataSync"]) == 1
    lost = run(volary, "-v", "nothing@gra:/in", script="true", expect="ERROR")
    assert lost["reason"].startswith("DATASYNC_FAILED: pulling 'nothing@gra': transfer "), lost["reason"]
    assert states(lost) == ["QUEUED", "INITIALIZING", "ERROR"]


def test_another_place_for_what_changes(volary, shelf):
    volary("volume", "create", "mine")
    run(volary, "-v", "mine:/m:rw", script="echo one >/m/one")
    run(volary, "-v", "mine:/m:rw", "--push-to", "/m=results@GRA/run-1", "-v", "corpora@gra/wiki:/in:rwd", "--push-to",
        "/in=results@gra/run-2", script="cat /m/one && echo two >/m/two && rm /in/gone.txt && echo new >/in/a.txt")
    assert shelf.objects("results/") == {"results/run-1/two": b"two\n", "results/run-2/a.txt": b"new\n"}
    assert volary.json("volume", "get", "mine")["head"] == 1
    assert "'/m' is no value for --push-to: expected /PATH=CONTAINER@ALIAS/PREFIX" in \
        volary.refuses("job", "run", "-v", "mine:/m", "--push-to", "/m", "--", "true")[1]
    code, said = volary.refuses("job", "run", "-v", "mine:/m", "--push-to", "/m=results@gra", "--", "true")
    assert code == 2 and "expected permission rw or rwd" in said


def test_git_files_and_standalone(volary, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null"}
    for words in (["init", "-q", "-b", "main"], ["config", "user.email", "a@b"], ["config", "user.name", "a"]):
        subprocess.run(["git", *words], cwd=work, check=True, env=env)
    (work / "train.py").write_text("print('hello')")
    subprocess.run(["git", "add", "."], cwd=work, check=True, env=env)
    subprocess.run(["git", "commit", "-qm", "one"], cwd=work, check=True, env=env)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(tmp_path / "code.git")], check=True, env=env)
    url = f"file://{tmp_path}/code.git"
    job = run(volary, "-v", url + ":/code", "-v", "standalone:/fast", script="python3 /code/train.py >/fast/out && cat /fast/out")
    assert "hello" in volary("job", "logs", job["id"])
    assert volary.json("datastore", "ls") == []
    web = Nginx(tmp_path)
    web.put("file.txt", b"from the web")
    job = run(volary, "-v", web.url + "/file.txt:/in:cache", script="cat /in/file.txt")
    web.end()
    assert "from the web" in volary("job", "logs", job["id"])
    code, told = volary.refuses("job", "run", "-v", url + ":/code:rw", "--", "true")
    assert code == 2 and "can only be read" in told


def test_a_part_of_a_volume(volary):
    volary("volume", "create", "wiki")
    run(volary, "-v", "wiki:/w:rw", script="mkdir /w/train /w/test && echo 1 >/w/train/a && echo 2 >/w/test/b")
    run(volary, "-v", "wiki@1/train:/in", script="test $(ls /in) = a")
    run(volary, "-v", "wiki/train:/in:rwd", script="rm /in/a && echo 3 >/in/c")
    assert sorted(one["path"] for one in volary.json("volume", "files", "wiki@2") if one["kind"] == "file") == \
        ["test/b", "train/c"]
    lost = run(volary, "-v", "wiki/other:/in", script="true", expect="ERROR")
    assert "version 2 of volume 'wiki' has no directory 'other'" in lost["reason"]


def test_what_could_be_a_version_or_a_container_is_refused(volary, shelf):
    volary("volume", "create", "corpora")
    run(volary, "-v", "corpora:/w:rw", script="echo 1 >/w/a")
    volary("volume", "tag", "corpora@1", "gra")
    code, said = volary.refuses("job", "run", "-v", "corpora@gra:/in", "--", "true")
    assert code == 2 and "is a version of volume 'corpora' and a container of datastore 'gra'" in said
    run(volary, "-v", "gra:corpora/wiki:/in", script="cat /in/a.txt")
    code, said = volary.refuses("job", "run", "-v", "none@nowhere:/in", "--", "true")
    assert code == 4 and "there is no volume 'none' and no datastore 'nowhere' in this project" in said


def lying_store(volary, objects):
    server = LyingS3()
    server.buckets["corpora"] = dict(objects)
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    volary("datastore", "add", "s3", "s", "--endpoint", server.url, "--secret", "key")
    return server


def fetched(server) -> list[str]:
    return [request.key for request in server.requests if request.method == "GET" and request.key]


def test_jobs_that_start_together_fetch_once(volary):
    server = lying_store(volary, {f"wiki/{n}": b"content %d" % n for n in range(20)})
    jobs = [submit(volary, "-v", "corpora@S/wiki:/in:ro:cache", script="cat /in/*") for _ in range(4)]
    assert [volary.job_ended(job)["state"] for job in jobs] == ["DONE"] * 4
    assert sorted(fetched(server)) == sorted(f"wiki/{n}" for n in range(20))
    # A later one, that writes: what is kept is its beginning; nothing is fetched.
    run(volary, "-v", "corpora@S/wiki:/in:rw:cache", script="cat /in/0 && echo mine >/in/mine")
    assert len(fetched(server)) == 20 and server.buckets["corpora"]["wiki/mine"] == b"mine\n"
    server.end()


def test_a_push_that_fails_keeps_everything(volary):
    server = lying_store(volary, {"wiki/a": b"alpha"})
    with server.fault(said(403, "AccessDenied"), kind="put"):
        job = run(volary, "-v", "corpora@s/wiki:/in:rw", script="echo made >/in/made", expect="ERROR")
    assert job["reason"].startswith("DATASYNC_FAILED: pushing 'corpora@s/wiki': transfer "), job["reason"]
    assert "wiki/made" not in server.buckets["corpora"]
    again = volary.json("job", "push-data", job["id"], "--wait")
    assert [(one["state"], one["progress"]["completed"]) for one in again] == [("DONE", 1)]
    assert server.buckets["corpora"]["wiki/made"] == b"made\n"
    code, told = volary.refuses("job", "push-data", job["id"])
    assert code == 6 and "nothing is left to be pushed" in told
    server.end()


def test_what_cannot_be_pushed_for_its_name_is_kept_and_told(volary, shelf):
    shelf.put("corpora/wiki/a", b"file")
    job = run(volary, "-v", "corpora@gra/wiki:/in:rw", expect="ERROR",
              script="rm /in/a && mkdir /in/a && echo precious >/in/a/b && echo more >/in/more")
    assert job["reason"].startswith("DATASYNC_FAILED: pushing 'corpora@gra/wiki': transfer "), job["reason"]
    assert "'a/b' cannot be copied: " in job["reason"] and "; all others are there" in job["reason"]
    assert shelf.objects("corpora/wiki/more") == {"corpora/wiki/more": b"more\n"}
    shelf.remove("corpora/wiki/a")
    assert [one["state"] for one in volary.json("job", "push-data", job["id"], "--wait")] == ["DONE"]
    assert shelf.objects("corpora/wiki/a/") == {"corpora/wiki/a/b": b"precious\n"}


def test_a_datastore_stays_while_a_job_uses_it_and_another_of_its_name_is_not_meant(volary, shelf, tmp_path):
    shelf.put("corpora/wiki/a", b"file")
    job = submit(volary, "-v", "corpora@gra/wiki:/in:rw", script="""
        rm /in/a && mkdir /in/a && echo 1 >/in/a/b && echo up; until test -e /workspace/go; do sleep 0.05; done""")
    wait_for_up(volary, job)
    code, said = volary.refuses("datastore", "rm", "gra")
    assert code == 6 and f"datastore 'gra' is attached to job {job}: expected none under way" in said, said
    (volary.data / "jobs" / job / "work" / "go").touch()
    assert volary.job_ended(job)["state"] == "ERROR"
    volary("datastore", "rm", "gra")
    other = DirectoryStore(tmp_path / "other")
    other.add(volary, "gra")
    code, said = volary.refuses("job", "push-data", job)
    assert code == 4 and "datastore 'gra', to which '/in' is pushed, has been removed; the one of that name now is " \
        "another" in said, said
    assert other.objects("") == {}


def test_what_is_left_out_is_told(volary):
    server = lying_store(volary, {"wiki/a": b"file", "wiki/a/b": b"below it", "wiki/c": b"other"})
    job = submit(volary, "-v", "corpora@s/wiki:/in:rw",
                 script="mkfifo /in/pipe; echo 1 >/in/new; echo up; until test -e /workspace/go; do sleep 0.05; done")
    wait_for_up(volary, job)
    pull, = volary.json("job", "get", job)["dataSync"]
    assert pull["state"] == "DONE" and pull["reason"].startswith("1 left out: 'a': it is both"), pull
    push, = volary.json("job", "push-data", job, "--wait")
    assert push["state"] == "DONE" and push["reason"] == "(1 left out: pipe 'pipe')", push
    (volary.data / "jobs" / job / "work" / "go").touch()
    assert volary.job_ended(job)["state"] == "DONE"
    server.end()


def test_what_a_lost_job_left_can_be_pushed(volary, shelf):
    job = submit(volary, "-v", "corpora@gra/wiki:/in:rwd", script="""
        echo 1 >/in/step; echo up; until test -e /workspace/go; do sleep 0.05; done; echo 2 >/in/step; echo on; sleep 1000""")
    wait_for_up(volary, job)
    assert [one["state"] for one in volary.json("job", "push-data", job, "--wait")] == ["DONE"]
    (volary.data / "jobs" / job / "work" / "go").touch()
    volary.wait_for(lambda: "on" in volary("job", "logs", job), "the job to go on")
    volary.kill_supervisors(job)
    assert volary.job_ended(job)["state"] == "ERROR"
    assert shelf.objects("corpora/wiki/step") == {"corpora/wiki/step": b"1\n"}
    assert [one["state"] for one in volary.json("job", "push-data", job, "--wait")] == ["DONE"]
    assert shelf.objects("corpora/wiki/step") == {"corpora/wiki/step": b"2\n"}
    code, told = volary.refuses("job", "push-data", job)
    assert code == 6 and "nothing is left to be pushed" in told


def test_a_file_that_never_holds_still_stays_as_it_was_pushed(volary, shelf):
    volary("volume", "create", "model")
    job = submit(volary, "-v", "corpora@gra/wiki:/in:rwd", "-v", "model:/m:rw", script="""
        head -c 1048576 /dev/zero | tee /in/busy >/m/busy; echo up; until test -e /workspace/go; do sleep 0.05; done
        exec python3 -c '
import os
files = [os.open(name, os.O_WRONLY) for name in ("/in/busy", "/m/busy")]
os.write(1, b"busy\\n")
while True:
    for letter in b"abcdefghij":
        for file in files:
            os.pwrite(file, bytes([letter]) * 1048576, 0)
'""")
    wait_for_up(volary, job)
    assert [one["state"] for one in volary.json("job", "push-data", job, "--wait")] == ["DONE"] * 2
    (volary.data / "jobs" / job / "work" / "go").touch()
    volary.wait_for(lambda: "busy" in volary("job", "logs", job), "the job to be busy")
    left_out = set()

    def both_left_out():
        pushed = volary.json("job", "push-data", job, "--wait")
        assert len(shelf.objects("corpora/wiki/busy")["corpora/wiki/busy"]) == 1048576
        assert [one["path"] for one in volary.json("volume", "files", "model")] == ["busy"]
        left_out.update(one["path"] for one in pushed if "'busy', which is being written" in one["reason"])
        return len(left_out) == 2

    volary.wait_for(both_left_out, "a file that never holds still")
    volary("job", "stop", job)
    assert volary.job_ended(job)["state"] == "INTERRUPTED"


def test_what_jobs_stage_is_found_by_no_name(volary, shelf):
    run(volary, "-v", "corpora@gra/wiki:/in:rw:cache", script="echo more >/in/more")
    job, = volary.json("job", "ls", "--all")
    for transfer in {one["transfer"] for one in job["dataSync"]}:
        name = volary.json("transfer", "get", transfer)["volume"]
        for words in (["volume", "get"], ["volume", "rm"], ["volume", "versions"], ["volume", "leases"]):
            code, told = volary.refuses(*words, name)
            assert code in (2, 4), told
        code, told = volary.refuses("transfer", "retry", transfer)
        assert code in (2, 6), told
    assert volary.json("transfer", "ls") == [] and [one["volumes"] for one in volary.json("project", "ls")] == [0]
    assert {one["type"].split(".")[0] for one in volary.json("events")} == {"job"}
    kept, = [one for one in volary.json("cache", "ls") if one["kind"] == "data"]
    assert not [word for one in volary.json("cache", "ls") for word in one["versions"] if "cached" in word]
    volary("cache", "prune")
    run(volary, "-v", "corpora@gra/wiki:/in:ro:cache", script="test $(cat /in/more) = more")
    again, = [one for one in volary.json("cache", "ls") if one["kind"] == "data"]
    assert again["name"] == kept["name"]


def test_what_is_kept_for_jobs_is_not_used_by_a_server_that_starts(volary, shelf):
    run(volary, "-v", "corpora@gra/wiki:/in:ro:cache", script="true")
    used = [one["lastUsed"] for one in volary.json("cache", "ls") if one["kind"] == "data"]
    volary.end()
    assert [one["lastUsed"] for one in volary.json("cache", "ls") if one["kind"] == "data"] == used and len(used) == 1


def test_whoever_cancels_a_shared_pull_stops_no_other_job(volary):
    server = lying_store(volary, {f"wiki/{n}": b"content %d" % n for n in range(20)})
    with server.fault(silent()):
        jobs = [submit(volary, "-v", "corpora@S/wiki:/in:ro:cache", script="cat /in/*") for _ in range(2)]
        volary.wait_for(lambda: all(volary.json("job", "get", job)["dataSync"][0]["transfer"] for job in jobs), "pulls")
        first, other = [volary.json("job", "get", job)["dataSync"][0]["transfer"] for job in jobs]
        assert first == other
        volary("transfer", "cancel", first)
    assert [volary.job_ended(job)["state"] for job in jobs] == ["DONE"] * 2
    server.end()


def test_pushing_while_it_runs(volary, shelf):
    volary("volume", "create", "model")
    job = submit(volary, "-v", "corpora@gra/wiki:/in:rwd", "-v", "model:/m:rw", script="""
        echo 1 >/in/step; echo 2 >/in/passing; echo m >/m/m; echo up
        until test -e /workspace/go; do sleep 0.05; done; rm /in/passing; echo 3 >/in/step""")
    wait_for_up(volary, job)
    pushed = volary.json("job", "push-data", job, "--wait")
    assert sorted((one["path"], one["state"], one["manual"]) for one in pushed) == [("/in", "DONE", True), ("/m", "DONE", True)]
    assert shelf.objects("corpora/wiki/step") == {"corpora/wiki/step": b"1\n"}
    assert shelf.objects("corpora/wiki/passing") and volary("volume", "cat", "model:/m") == "m\n"
    [pulled] = volary.json("job", "pull-data", job, "--wait")  # All that is new there is the job's own.
    assert (pulled["state"], pulled["reason"], pulled["path"]) == ("DONE", "nothing is new there", "/in")
    (volary.data / "jobs" / job / "work" / "go").touch()
    assert volary.job_ended(job)["state"] == "DONE"
    # What a push brought and the job then took away goes too.
    assert shelf.objects("corpora/wiki/step") == {"corpora/wiki/step": b"3\n"}
    assert shelf.objects("corpora/wiki/passing") == {}
    assert [one["number"] for one in volary.json("volume", "versions", "model")] == [1]
