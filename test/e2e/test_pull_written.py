"""Jobs that run and are brought what is new where they write: theirs stays theirs, and a push sends nothing but that."""
import shutil

import pytest
from stores import DirectoryStore

WAITS = "echo up; until test -e /workspace/go; do sleep 0.02; done"


@pytest.fixture
def shelf(volary, tmp_path):
    store = DirectoryStore(tmp_path / "shelf")
    store.add(volary, "gra")
    for key, content in {"a.txt": b"alpha", "b.txt": b"beta", "own.txt": b"gamma", "sub/d.txt": b"delta"}.items():
        store.put("corpora/wiki/" + key, content)
    return store


class Writer:
    """A job that does what it is told."""

    def __init__(self, volary, *words):
        self.volary = volary
        self.id = volary("job", "run", *words, "--", "sh", "-c", WAITS).strip()
        volary.wait_for(lambda: "up" in volary("job", "logs", self.id) and self.get()["state"] == "RUNNING", "the job to run")

    def get(self) -> dict:
        return self.volary.json("job", "get", self.id)

    def does(self, script: str) -> str:
        return self.volary("job", "exec", self.id, "--", "sh", "-c", script)

    def sees(self, place="/io") -> dict:
        lines = self.does(f"cd {place}; find . -type f -exec sh -c 'echo \"$1 $(cat $1)\"' . {{}} \\; | sort").splitlines()
        return {path.removeprefix("./"): content for path, content in (line.split(" ", 1) for line in lines)}

    def pull(self, *words) -> dict:
        [pull] = self.volary.json("job", "pull-data", self.id, "--wait", *words)
        assert pull["state"] == "DONE", pull
        return pull

    def push(self) -> dict:
        [push] = self.volary.json("job", "push-data", self.id, "--wait")
        assert push["state"] == "DONE", push
        return push

    def end(self) -> dict:
        (self.volary.data / "jobs" / self.id / "work" / "go").touch()
        ended = self.volary.job_ended(self.id)
        assert ended["state"] == "DONE", ended["reason"]
        return ended


def change_source(shelf):
    shelf.put("corpora/wiki/a.txt", b"ALPHA")
    shelf.put("corpora/wiki/own.txt", b"GAMMA")
    shelf.put("corpora/wiki/new/e.txt", b"epsilon")
    (shelf.path / "corpora/wiki/b.txt").unlink()


def wiki(shelf) -> dict:
    return {key.removeprefix("corpora/wiki/"): content.decode() for key, content in shelf.objects().items()}


@pytest.mark.parametrize("cache", ["", ":cache"])
@pytest.mark.parametrize("access", ["rw", "rwd"])
def test_what_is_new_comes_and_what_the_job_wrote_stays(volary, shelf, access, cache):
    job = Writer(volary, "-v", f"corpora@gra/wiki:/io:{access}{cache}")
    job.does("echo mine >/io/own.txt; echo made >/io/made.txt; rm /io/sub/d.txt")
    change_source(shelf)
    pull = job.pull()
    assert pull["reason"] == "1 stayed as the job had changed it: 'own.txt'"
    assert (pull["direction"], pull["manual"], pull["path"]) == ("pull", True, "/io")
    mine = {"own.txt": "mine", "made.txt": "made"}
    assert job.sees() == {"a.txt": "ALPHA", "new/e.txt": "epsilon", **mine}
    assert job.does("stat -c %U:%a /io/a.txt /io/new; echo more >>/io/a.txt; cat /io/a.txt") \
        == job.does("stat -c %U:644 /io/made.txt; stat -c %U:755 /io; echo ALPHAmore")
    job.does("printf ALPHA >/io/a.txt")
    # What others change now is neither taken back nor sent back.
    shelf.put("corpora/wiki/new/e.txt", b"later")
    push = job.push()
    assert push["progress"]["deleted"] == (1 if access == "rwd" else 0)
    assert wiki(shelf) == {"a.txt": "ALPHA", "new/e.txt": "later", "own.txt": "mine\n", "made.txt": "made\n",
                           **({} if access == "rwd" else {"sub/d.txt": "delta"})}
    assert job.pull()["reason"] == ""
    assert job.sees() == {"a.txt": "ALPHA", "new/e.txt": "later", **mine}
    assert job.pull()["reason"] == "nothing is new there"
    shelf.put("corpora/wiki/made.txt", b"by another")  # Since the job pushed it, it has not changed it.
    job.pull()
    assert job.sees()["made.txt"] == "by another"
    shelf.put("corpora/wiki/last.txt", b"not seen")
    job.end()
    assert wiki(shelf) == {"a.txt": "ALPHA", "new/e.txt": "later", "own.txt": "mine\n", "made.txt": "by another",
                           "last.txt": "not seen", **({} if access == "rwd" else {"sub/d.txt": "delta"})}
    read = [one["version"] for one in volary.json("job", "receipt", job.id)["receipt"]["read"]]
    assert len(read) == 4 and read == sorted(set(read))  # What it began with, and three times what was new.
    lines = volary("explain", "job", job.id)
    assert lines.count(f"pull of 'corpora@gra/wiki' to /io while it ran, as somebody asked: done") == 4


def test_what_changes_goes_elsewhere(volary, shelf):
    job = Writer(volary, "-v", "corpora@gra/wiki:/io:rwd", "--push-to", "/io=results@gra/out")
    job.does("echo mine >/io/own.txt; echo made >/io/made.txt")
    change_source(shelf)
    assert job.pull()["reason"] == "1 stayed as the job had changed it: 'own.txt'"
    assert job.sees() == {"a.txt": "ALPHA", "new/e.txt": "epsilon", "sub/d.txt": "delta", "own.txt": "mine", "made.txt": "made"}
    shelf.put("corpora/wiki/a.txt", b"again")
    assert job.pull()["reason"] == ""
    assert job.sees()["a.txt"] == "again"
    assert job.pull()["reason"] == "nothing is new there"
    job.end()
    assert {key: content for key, content in shelf.objects().items() if key.startswith("results/")} \
        == {"results/out/own.txt": b"mine\n", "results/out/made.txt": b"made\n"}


def test_a_place_that_was_not_there(volary, shelf):
    job = Writer(volary, "-v", "corpora@gra/results:/io:rw")
    assert job.pull()["reason"] == "nothing is new there"
    shelf.put("corpora/results/a.txt", b"by another")
    job.does("echo mine >/io/b.txt")
    assert job.pull()["reason"] == ""
    assert job.sees() == {"a.txt": "by another", "b.txt": "mine"}
    job.end()
    assert {key: content for key, content in shelf.objects().items() if "results" in key} \
        == {"corpora/results/a.txt": b"by another", "corpora/results/b.txt": b"mine\n"}


def test_a_place_that_has_gone_takes_nothing_from_the_job(volary, shelf):
    job = Writer(volary, "-v", "corpora@gra/wiki:/io:rwd")
    before = job.sees()
    shutil.rmtree(shelf.path / "corpora/wiki")
    assert volary.run("job", "pull-data", job.id, "--wait").returncode != 0
    pull = job.get()["dataSync"][-1]
    assert pull["state"] == "FAILED" and "corpora/wiki" in pull["reason"]
    assert job.sees() == before
    job.end()


def test_what_a_place_cannot_hold_is_not_taken_from_the_job(volary, shelf):
    for access in ("rw", "rwd"):
        job = Writer(volary, "-v", f"corpora@gra/wiki:/io:{access}")
        job.does("cd /io; ln -s a.txt latest; mkdir -p empty/er; printf x >run.sh; chmod 755 run.sh; mkdir -p to; ln -s . to/here")
        job.push()
        listed = job.does("cd /io; find . -not -name . -printf '%p %M %l\n' | sort")
        assert job.pull()["reason"] == "nothing is new there"
        shelf.put(f"corpora/wiki/to/{access}", b"new")
        assert job.pull()["reason"] == ""
        assert job.does(f"cd /io; cat to/{access}; rm to/{access}; find . -not -name . -printf '%p %M %l\n' | sort") == "new" + listed
        shelf.put("corpora/wiki/run.sh", b"by another")  # The job has not changed it since, so it pushes none of it.
        job.end()
        assert wiki(shelf)["run.sh"] == "by another"
        (shelf.path / "corpora/wiki/run.sh").unlink()


def test_what_a_job_removed_stays_where_no_removals_are_pushed(volary, shelf):
    shelf.put("corpora/wiki/c.txt", b"gone and back")
    for n in range(3):
        shelf.put(f"corpora/wiki/inbox/{n}", b"old")
    for place in ([], ["--push-to", "/io=results@gra/out"]):
        job = Writer(volary, "-v", "corpora@gra/wiki:/io:rw", *place)
        job.does("rm /io/inbox/0; echo first >/io/own.txt")
        job.push()
        for n in range(5):
            shelf.put(f"corpora/wiki/inbox/{n}", b"new")
        (shelf.path / "corpora/wiki/c.txt").unlink()
        assert job.pull()["reason"] == "1 stayed as the job had changed it: 'inbox/0'"
        assert job.does("ls /io/inbox").split() == ["1", "2", "3", "4"]
        job.does("cd /io; rm -r inbox own.txt; test ! -e c.txt; echo made >made.txt")
        push = job.push()
        assert push["progress"]["completed"] == 1 and push["progress"]["deleted"] == 0
        shelf.put("corpora/wiki/c.txt", b"again")
        shelf.put("corpora/wiki/inbox/4", b"newer")
        job.pull()
        assert job.sees()["c.txt"] == "again"
        assert job.does("ls /io").split() == ["a.txt", "b.txt", "c.txt", "made.txt", "sub"]
        job.end()
        theirs = {f"inbox/{n}": "new" for n in range(4)} | {"inbox/4": "newer", "c.txt": "again"}
        ours = {"own.txt": "first\n", "made.txt": "made\n"}
        if place:
            assert {key: content.decode() for key, content in shelf.objects().items() if key.startswith("results")} \
                == {"results/out/" + key: content for key, content in ours.items()}
        else:
            assert wiki(shelf) == {"a.txt": "alpha", "b.txt": "beta", "sub/d.txt": "delta", **theirs, **ours}
            for key in ("own.txt", "made.txt", "inbox/3", "inbox/4"):
                (shelf.path / "corpora/wiki" / key).unlink()
            shelf.put("corpora/wiki/own.txt", b"gamma")
            for n in range(3):
                shelf.put(f"corpora/wiki/inbox/{n}", b"old")


def test_a_job_that_wrote_nothing_is_not_told_to_have_made_what_it_was_brought(volary, shelf):
    job = Writer(volary, "-v", "corpora@gra/wiki:/io:rwd")
    change_source(shelf)
    job.pull()
    ended = job.end()
    receipt = volary.json("job", "receipt", job.id)["receipt"]
    assert (len(receipt["read"]), receipt["written"]) == (2, [])
    assert "what it wrote became" not in volary("explain", "job", job.id)


def test_nothing_is_written_where_a_job_leads_it_by_a_link(volary, shelf, tmp_path):
    (tmp_path / "outside").mkdir()
    job = Writer(volary, "-v", "corpora@gra/wiki:/io:rw")
    job.does(f"rm -r /io/sub; ln -s {tmp_path}/outside /io/sub; rm /io/a.txt; ln -s {tmp_path}/outside/a.txt /io/a.txt")
    shelf.put("corpora/wiki/sub/d.txt", b"DELTA")
    shelf.put("corpora/wiki/sub/e.txt", b"epsilon")
    shelf.put("corpora/wiki/a.txt", b"ALPHA")
    assert job.pull()["reason"].startswith("3 stayed as the job had changed them: '")
    assert not list((tmp_path / "outside").iterdir())
    assert job.does("readlink /io/sub /io/a.txt").split() == [f"{tmp_path}/outside", f"{tmp_path}/outside/a.txt"]
    (volary.data / "jobs" / job.id / "work" / "go").touch()
    volary.job_ended(job.id)


def test_several_attachments_at_once(volary, shelf):
    shelf.put("corpora/out/x", b"1")
    volary("volume", "create", "data")
    volary("volume", "import", "data", "--from", "gra:corpora/wiki")
    job = Writer(volary, "-v", "corpora@gra/wiki:/in", "-v", "corpora@gra/out:/out:rwd", "-v", "data:/data", "-v", "data:/w:rw")
    shelf.put("corpora/out/x", b"2")
    shelf.put("corpora/wiki/new.txt", b"new")
    pulls = volary.json("job", "pull-data", job.id, "--wait")
    assert [(one["path"], one["state"], one["reason"]) for one in pulls] == \
        [("/in", "DONE", ""), ("/out", "DONE", ""), ("/data", "DONE", "it is the newest version already")]
    assert job.sees("/out") == {"x": "2"} and "new.txt" in job.sees("/in")
    code, said = volary.refuses("job", "pull-data", job.id, "--volume", "/w")
    assert code == 2 and "cannot be pulled: the job is the only one that writes to it" in said
    job.end()


def test_a_push_and_a_pull_asked_for_together_come_one_after_the_other(volary, shelf):
    job = Writer(volary, "-v", "corpora@gra/wiki:/io:rwd")
    for n in range(5):
        job.does(f"echo {n} >/io/mine{n}; rm -f /io/mine{n - 2}")
        shelf.put(f"corpora/wiki/theirs{n}", b"%d" % n)
        for act in ("push-data", "pull-data", "push-data", "pull-data"):
            volary("job", act, job.id)
        volary.wait_for(lambda: all(one["state"] == "DONE" for one in job.get()["dataSync"]), "all to end")
        assert {path for path in job.sees() if path.startswith("theirs")} == {f"theirs{i}" for i in range(n + 1)}
    job.end()
    names = {"a.txt", "b.txt", "own.txt", "sub/d.txt", "mine3", "mine4", *(f"theirs{n}" for n in range(5))}
    assert set(wiki(shelf)) == names


def test_a_job_that_is_to_end_is_not_kept_by_it(volary, shelf):
    for n in range(3000):
        shelf.put(f"corpora/wiki/many/{n}", b"x")
    job = Writer(volary, "-v", "corpora@gra/wiki:/io:rw")
    for n in range(3000):
        shelf.put(f"corpora/wiki/many/{n}", b"%d" % n)
    volary("job", "pull-data", job.id)
    volary("job", "stop", job.id, "--wait")
    ended = volary.job_ended(job.id)
    assert ended["state"] == "INTERRUPTED"
    assert ended["dataSync"][1]["state"] in ("DONE", "FAILED")
    assert {key: content for key, content in wiki(shelf).items() if not key.startswith("many/")} == \
        {"a.txt": "alpha", "b.txt": "beta", "own.txt": "gamma", "sub/d.txt": "delta"}
    assert all(content == key.removeprefix("many/") for key, content in wiki(shelf).items() if key.startswith("many/"))
    assert not [path for path in wiki(shelf) if ".volary" in path]
