"""Jobs that run and are shown what is new: in a datastore, in a volume, in a bucket that is a volume."""
import signal
import subprocess

import pytest
from lying import silent
from stores import DirectoryStore
from test_attach_data import lying_store
from web import Nginx

# Says what it sees at /in, and what a file that it opened at the beginning holds, each time that it is asked.
LOOKS = """
exec 3</in/a.txt; echo up; n=1
while :; do
  until test -e /workspace/look$n; do sleep 0.02; done
  echo "$n: $(cd /in && find . -type f | sort | tr '\\n' ' ')$(cat /in/a.txt)"; n=$((n + 1))
  if test -e /workspace/end; then cat <&3; exit; fi
done"""


@pytest.fixture
def shelf(volary, tmp_path):
    store = DirectoryStore(tmp_path / "shelf")
    store.add(volary, "gra")
    for key, content in {"wiki/a.txt": b"alpha", "wiki/sub/b.txt": b"beta", "other": b"x"}.items():
        store.put("corpora/" + key, content)
    return store


class Looker:
    """A job whose eyes are asked."""

    def __init__(self, volary, *words):
        self.volary, self.asked = volary, 0
        self.id = volary("job", "run", *words, "--", "sh", "-c", LOOKS).strip()
        volary.wait_for(lambda: "up" in self.log() and self.get()["state"] == "RUNNING", "the job to run")

    def log(self) -> str:
        return self.volary("job", "logs", self.id)

    def get(self) -> dict:
        return self.volary.json("job", "get", self.id)

    def touch(self, name: str) -> None:
        (self.volary.data / "jobs" / self.id / "work" / name).touch()

    def sees(self) -> str:
        self.asked += 1
        self.touch(f"look{self.asked}")
        begin = f"{self.asked}: "
        self.volary.wait_for(lambda: begin in self.log(), "the job to look")
        [line] = [line for line in self.log().splitlines() if line.startswith(begin)]
        return line.removeprefix(begin)

    def pull(self, *words) -> list[dict]:
        return self.volary.json("job", "pull-data", self.id, "--wait", *words)

    def end(self) -> str:
        self.touch("end")
        self.sees()
        ended = self.volary.job_ended(self.id)
        assert ended["state"] == "DONE", ended["reason"]
        return self.log().splitlines()[-1]


def receipt_of(volary, job) -> list[tuple]:
    return [(one["path"], one["version"]) for one in volary.json("job", "receipt", job)["receipt"]["read"]]


def test_what_is_new_in_a_container_is_seen_at_once_and_what_is_open_stays(volary, shelf):
    job = Looker(volary, "-v", "corpora@gra/wiki:/in:ro")
    assert job.sees() == "./a.txt ./sub/b.txt alpha"
    shelf.put("corpora/wiki/a.txt", b"ALPHA")
    shelf.put("corpora/wiki/c.txt", b"gamma")
    (shelf.path / "corpora/wiki/sub/b.txt").unlink()
    assert job.sees() == "./a.txt ./sub/b.txt alpha"  # Nobody has asked.
    [pull] = job.pull()
    assert (pull["direction"], pull["state"], pull["manual"], pull["occasion"]) == ("pull", "DONE", True, "asked")
    assert (pull["progress"]["completed"], pull["progress"]["skipped"], pull["progress"]["deleted"]) == (2, 0, 1)
    assert (pull["version"], pull["path"]) == (2, "/in")
    assert job.sees() == "./a.txt ./c.txt ALPHA"
    for n in range(3):  # Again and again.
        shelf.put("corpora/wiki/a.txt", b"again %d" % n)
        assert [one["state"] for one in job.pull("--volume", "/in")] == ["DONE"]
        assert job.sees() == f"./a.txt ./c.txt again {n}"
    [nothing] = job.pull("--volume", "corpora@gra/wiki")
    assert (nothing["state"], nothing["reason"], nothing["version"]) == ("DONE", "nothing is new there", 5)
    assert "pull of 'corpora@gra/wiki' to /in while it ran, as somebody asked: done" in volary("explain", "job", job.id)
    assert job.end() == "alpha"  # What it had opened at the beginning.
    assert receipt_of(volary, job.id) == [("/in", number) for number in range(1, 6)]
    assert [one for one in volary.json("cache", "ls") if one["kind"] == "data"] == []


def test_a_command_beside_the_job_sees_it_too(volary, shelf):
    job = Looker(volary, "-v", "corpora@gra/wiki:/in:ro")
    shelf.put("corpora/wiki/a.txt", b"ALPHA")
    job.pull()
    assert volary("job", "exec", job.id, "--", "cat", "/in/a.txt") == "ALPHA"
    said = volary.run("job", "exec", job.id, "--", "sh", "-c", "echo x >/in/a.txt; touch /in/new; rm /in/a.txt")
    assert said.stderr.count("Read-only file system") == 3
    job.end()


def test_the_newest_version_of_a_volume(volary, shelf):
    volary("volume", "create", "data")
    volary("volume", "import", "data", "--from", "gra:corpora/wiki")
    job = Looker(volary, "-v", "data:/in", "-v", "data@1:/first", "-v", "data/sub:/sub:ro", "-v", "standalone:/s")
    assert [(one["path"], one["state"], one["reason"]) for one in job.pull()] == \
        [("/in", "DONE", "it is the newest version already"), ("/sub", "DONE", "it is the newest version already")]
    shelf.put("corpora/wiki/a.txt", b"ALPHA")
    shelf.put("corpora/wiki/sub/c.txt", b"gamma")
    volary("volume", "import", "data", "--from", "gra:corpora/wiki")
    assert job.sees() == "./a.txt ./sub/b.txt alpha"
    assert [(one["path"], one["state"], one["version"]) for one in job.pull()] == [("/in", "DONE", 2), ("/sub", "DONE", 2)]
    assert job.sees() == "./a.txt ./sub/b.txt ./sub/c.txt ALPHA"
    assert volary("job", "exec", job.id, "--", "cat", "/first/a.txt", "/sub/c.txt") == "alphagamma"
    code, said = volary.refuses("volume", "delete-version", "data@1", "-y")  # Both are in use.
    assert code != 0 and job.id in said
    job.end()
    assert sorted(receipt_of(volary, job.id)) == [("/first", 1), ("/in", 1), ("/in", 2), ("/sub", 1), ("/sub", 2)]
    lineage = volary.json("lineage", "data@2")
    assert any(edge["how"] == "read at /in" for edge in lineage["edges"]), lineage


def test_a_volume_without_the_part_that_is_attached_is_not_shown(volary, shelf):
    volary("volume", "create", "data")
    volary("volume", "import", "data", "--from", "gra:corpora/wiki")
    job = Looker(volary, "-v", "data:/in", "-v", "data/sub:/sub:ro")
    (shelf.path / "corpora/wiki/sub/b.txt").unlink()
    volary("volume", "import", "data", "--from", "gra:corpora/wiki", "--strategy", "mirror", "--yes")
    done = volary.run("job", "pull-data", job.id, "--wait", "-o", "json")
    assert done.returncode == 1 and "version 2 of volume 'data' has no directory 'sub'" in done.stdout
    assert job.sees() == "./a.txt alpha" and volary("job", "exec", job.id, "--", "cat", "/sub/b.txt") == "beta"
    job.end()
    assert sorted(receipt_of(volary, job.id)) == [("/in", 1), ("/in", 2), ("/sub", 1)]


def test_what_jobs_share_is_pulled_for_one_and_the_other_goes_on_with_what_it_has(volary, shelf):
    one, other = (Looker(volary, "-v", "corpora@gra/wiki:/in:ro:cache") for _ in range(2))
    shelf.put("corpora/wiki/a.txt", b"ALPHA")
    assert [sync["progress"]["completed"] for sync in one.pull()] == [1]  # The other file is there already.
    assert one.sees() == "./a.txt ./sub/b.txt ALPHA" and other.sees() == "./a.txt ./sub/b.txt alpha"
    one.end()
    other.end()
    assert receipt_of(volary, other.id) == [("/in", 1)]
    [kept] = [found for found in volary.json("cache", "ls") if found["kind"] == "data"]
    assert kept["bytes"] == 9 and kept["users"] == []


def test_a_source_that_fails_leaves_all_as_it_was(volary):
    server = lying_store(volary, {"a.txt": b"alpha"})
    job = Looker(volary, "-v", "corpora@s:/in:ro")
    server.buckets["corpora"].clear()
    done = volary.run("job", "pull-data", job.id, "--wait", "-o", "json")
    assert done.returncode == 1 and '"FAILED"' in done.stdout, done.stdout
    assert job.sees() == "./a.txt alpha"
    server.buckets["corpora"]["a.txt"] = b"ALPHA"
    assert [sync["state"] for sync in job.pull()] == ["DONE"]
    assert job.sees() == "./a.txt ALPHA"
    job.end()
    assert receipt_of(volary, job.id) == [("/in", 1), ("/in", 2)]
    server.end()


def test_urls_are_pulled_anew(volary, tmp_path):
    web = Nginx(tmp_path)
    web.put("a.txt", b"alpha")
    work = tmp_path / "work"
    work.mkdir()
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null"}

    def git(*words, at=work):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=at, check=True, env=env)

    git("init", "-q", "-b", "main")
    (work / "train.py").write_text("one")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("clone", "-q", "--bare", str(work), str(tmp_path / "code.git"))
    job = Looker(volary, "-v", web.url + "/a.txt:/in:ro", "-v", f"file://{tmp_path}/code.git:/code")
    web.put("a.txt", b"ALPHA!")
    (work / "train.py").write_text("two")
    git("commit", "-qam", "two")
    git("push", "-q", str(tmp_path / "code.git"), "main")
    assert [one["state"] for one in job.pull()] == ["DONE", "DONE"]
    assert job.sees() == "./a.txt ALPHA!" and volary("job", "exec", job.id, "--", "cat", "/code/train.py") == "two"
    job.end()
    web.end()


def test_what_cannot_be_is_said(volary, shelf):
    volary("volume", "create", "data")
    volary("volume", "import", "data", "--from", "gra:corpora/wiki")
    job = Looker(volary, "-v", "data@1:/in", "-v", "data:/out:rw", "-v", "data@1:/copy:rw", "--push-to", "/copy=corpora@gra/out")
    code, said = volary.refuses("job", "pull-data", job.id)
    assert code == 2 and "has nothing that could be pulled: expected a container, directory or URL, or a volume that" in said
    code, said = volary.refuses("job", "pull-data", job.id, "--volume", "/out")
    assert code == 2 and "cannot be pulled: the job is the only one that writes to it" in said
    code, said = volary.refuses("job", "pull-data", job.id, "--volume", "/copy")
    assert code == 2 and "cannot be pulled: the job writes to a copy of a version" in said
    code, said = volary.refuses("job", "pull-data", job.id, "--volume", "data@1")
    assert code == 2 and "cannot be pulled: it was attached by '1', so it stays version 1" in said
    code, said = volary.refuses("job", "pull-data", job.id, "--volume", "/elsewhere")
    assert code == 3 or "nothing is attached" in said
    job.end()
    ended = volary("job", "run", "-v", "data:/in", "--wait", "-n", "ended", "--", "true").strip()
    code, said = volary.refuses("job", "pull-data", "ended")
    assert "is DONE: expected one that is RUNNING" in said, (ended, said)


def test_a_job_that_ends_first_breaks_it_off(volary):
    server = lying_store(volary, {"a.txt": b"alpha"})
    job = Looker(volary, "-v", "corpora@s:/in:ro")
    server.buckets["corpora"]["b.txt"] = b"beta"
    with server.fault(silent()):
        volary("job", "pull-data", job.id)
        volary.wait_for(lambda: job.get()["dataSync"][-1]["transfer"], "the pull to begin")
        volary("job", "stop", job.id, "--wait")
        volary.wait_for(lambda: job.get()["dataSync"][-1]["state"] == "FAILED", "the pull to be given up")
    assert job.get()["dataSync"][-1]["reason"] == "the job ended first"
    assert receipt_of(volary, job.id) == [("/in", 1)]
    server.end()


def catches_ctrl_c(pid: int) -> bool:
    [caught] = [line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)


def test_ctrl_c_says_that_it_goes_on(volary):
    server = lying_store(volary, {"a.txt": b"alpha"})
    job = Looker(volary, "-v", "corpora@s:/in:ro")
    server.buckets["corpora"]["b.txt"] = b"beta"
    with server.fault(silent()):
        client = subprocess.Popen([volary.program, "job", "pull-data", job.id, "--wait"], env=volary.env, stderr=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, text=True)
        volary.wait_for(lambda: catches_ctrl_c(client.pid), "the command to wait")
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=60)
        assert client.returncode == 130 and "The pull goes on." in said and f"volary job get {job.id}" in said
        volary("job", "stop", job.id, "--wait")
    server.end()


def test_a_job_that_ends_at_once_has_read_what_it_was_shown(volary, shelf):
    """Whether the supervisor could still look, or not: a receipt has all that the process can have seen."""
    for n in range(5):
        shelf.put("corpora/wiki/a.txt", b"old")
        job = volary("job", "run", "-v", "corpora@gra/wiki:/in:ro", "--", "sh", "-c",
                     "echo up; until test -e /in/new; do :; done").strip()
        volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
        shelf.put("corpora/wiki/new", b"%d" % n)
        volary("job", "pull-data", job)
        ended = volary.job_ended(job)
        assert ended["state"] == "DONE" and receipt_of(volary, job) == [("/in", 1), ("/in", 2)], ended["dataSync"]
        (shelf.path / "corpora/wiki/new").unlink()


def test_a_job_that_moves_what_it_attached_has_read_it_all_the_same(volary, shelf):
    job = volary("job", "run", "-v", "corpora@gra/wiki:/workspace/d/in:ro", "--", "sh", "-c",
                 "mv d e && mkdir -p d/in; echo up; until test -e e/in/new; do sleep 0.05; done").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    shelf.put("corpora/wiki/new", b"x")
    assert volary.run("job", "pull-data", job, "--wait").returncode == 1
    ended = volary.job_ended(job)
    assert ended["state"] == "DONE"
    assert (ended["dataSync"][-1]["state"], ended["dataSync"][-1]["reason"]) in \
        [("FAILED", "it is not what the process sees at '/workspace/d/in'"), ("FAILED", "the job ended first")]
    assert receipt_of(volary, job) == [("/workspace/d/in", 1), ("/workspace/d/in", 2)]


def test_a_pull_under_way_as_a_run_ends_brings_nothing_to_the_next_one(volary):
    server = lying_store(volary, {"a.txt": b"alpha"})
    job = volary("job", "run", "-v", "corpora@s:/in:ro", "-v", "standalone:/s", "--auto-restart=on-failure:1", "--", "sh", "-c",
                 "echo up; test $VOLARY_JOB_RUN = 2 && exec cat /in/a.txt; until test -e /workspace/go; do sleep 0.05; done; exit 3").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")
    server.buckets["corpora"]["b.txt"] = b"beta"
    with server.fault(silent()):
        volary("job", "pull-data", job)
        volary.wait_for(lambda: volary.json("job", "get", job)["dataSync"][-1]["transfer"], "the pull to begin")
        first = volary.json("job", "get", job)["dataSync"][-1]["transfer"]
        (volary.data / "jobs" / job / "work" / "go").touch()
        volary.wait_for(lambda: volary.json("transfer", "get", first)["state"] == "cancelled", "the transfer to be given up")
    assert volary.job_ended(job)["state"] == "DONE"
    assert receipt_of(volary, job) == [("/in", 1)]
    server.end()
