"""The images and link farms that mounts are made of: made once, listed, kept while used, removed when not."""
import os
import time

import pytest

from stores import DirectoryStore


@pytest.fixture
def volumes(volary, tmp_path):
    bucket = DirectoryStore(tmp_path / "bucket")
    bucket.add(volary, "store")
    for name in ("a", "b", "c"):
        bucket.put(f"{name}/file", name.encode())
        volary("volume", "create", name)
        volary("volume", "import", name, "--from", f"store:{name}")
    (tmp_path / "at").mkdir()
    return tmp_path / "at"


def show(volary, at, name):
    """Has the image of a volume made."""
    volary("volume", "shell", name, at, "--", "true")


def cached(volary):
    return [one["versions"] for one in volary.json("cache", "ls")]


def test_an_image_is_made_once_and_touched_by_each_use(volary, volumes):
    show(volary, volumes, "a")
    show(volary, volumes, "b")
    assert cached(volary) == [["b@1"], ["a@1"]]
    [_, first] = volary.json("cache", "ls")
    image = volary.data / "store/images" / first["name"]
    inode = image.stat().st_ino
    show(volary, volumes, "a")
    assert cached(volary) == [["a@1"], ["b@1"]]
    assert image.stat().st_ino == inode
    assert first["kind"] == ("image" if os.geteuid() == 0 else "link farm") and first["bytes"] > 0


def test_prune_removes_by_age_and_by_size_and_says_what_it_would(volary, volumes):
    for name in ("a", "b", "c"):
        show(volary, volumes, name)
    images = {one["versions"][0]: one for one in volary.json("cache", "ls")}
    old = time.time() - 4 * 86400
    os.utime(volary.data / "store/images" / images["b@1"]["name"], (old, old))
    plan = volary.json("cache", "prune", "--dry-run")
    assert [one["versions"] for one in plan["removed"]] == [["b@1"]] and len(cached(volary)) == 3
    assert volary.json("cache", "prune")["bytes"] == images["b@1"]["bytes"]
    assert cached(volary) == [["c@1"], ["a@1"]]
    pruned = volary.json("cache", "prune", "--to", images["c@1"]["bytes"])
    assert [one["versions"] for one in pruned["removed"]] == [["a@1"]]
    assert pruned["keptBytes"] == images["c@1"]["bytes"]
    assert "freed " in volary.run("cache", "prune", "--older-than", "0s").stderr
    assert cached(volary) == []
    show(volary, volumes, "a")
    assert cached(volary) == [["a@1"]]


def test_what_is_in_use_stays(volary, volumes):
    show(volary, volumes, "a")
    volary("job", "run", "-n", "long", "-v", "b:/in", "--", "sleep", "1000")
    volary.wait_for(lambda: volary.json("job", "get", "long")["state"] == "RUNNING", "the job to run")
    job = volary.json("job", "get", "long")["id"]
    users = {one["versions"][0]: one["users"] for one in volary.json("cache", "ls")}
    assert users == {"a@1": [], "b@1": [f"job {job}"]}
    volary("cache", "prune", "--older-than", "0s", "--to", "0")
    assert cached(volary) == [["b@1"]]
    volary("job", "stop", "long")
    volary.job_ended("long")
    volary("cache", "prune", "--older-than", "0s")
    assert cached(volary) == []


def test_what_an_older_program_or_another_owner_made_is_removed(volary, volumes):
    show(volary, volumes, "a")
    images = volary.data / "store/images"
    (images / ("0" * 64 + "-7-7.erofs")).touch()
    (images / "whatever").mkdir()
    (images / ("1" * 64 + ".farm/d")).mkdir(parents=True)
    kinds = sorted(one["kind"] for one in volary.json("cache", "ls"))
    assert kinds.count("former") == 3
    volary("cache", "prune")
    assert cached(volary) == [["a@1"]]
