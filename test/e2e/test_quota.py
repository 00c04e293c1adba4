"""Quotas: never exceeded, however many ask at once; given back whatever dies; the refusal has the numbers. And projects, which have them."""
import concurrent.futures
import random

import pytest

MIB = 1 << 20


@pytest.fixture
def store(volary, tmp_path):
    """A datastore 'store' with a directory 'mib' of 1 MiB."""
    (tmp_path / "bucket/mib").mkdir(parents=True)
    (tmp_path / "bucket/mib/file").write_bytes(random.Random(1).randbytes(MIB))
    volary("datastore", "add", "directory", "store", tmp_path / "bucket")
    return tmp_path / "bucket"


def all_ended(volary):
    transfers = volary.json("transfer", "ls")
    return transfers if all(t["state"] in ("done", "failed", "cancelled") for t in transfers) else None


def test_many_imports_at_once_never_exceed_the_projects_quota(volary, store):
    assert volary.json("project", "get", "default")["volumes"] == 0
    volary("project", "update", "default", "--quota-fs", "10MiB")
    names = [f"v{i}" for i in range(64)]
    for name in names:
        volary("volume", "create", name, "--quota", "2MiB")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: volary("volume", "import", name, "--from", "store:mib", "--detach"), names))

    seen = []

    def ended():
        project = volary.json("project", "get", "default")
        seen.append(project["usedFsBytes"] + project["reservedFsBytes"])
        return all_ended(volary)

    transfers = volary.wait_for(ended, "the imports to end", 60)
    assert max(seen) <= 10 * MIB
    assert sum(t["state"] == "done" for t in transfers) == 10
    for failed in (t for t in transfers if t["state"] == "failed"):
        assert failed["error"].startswith("exhausted: the project has a quota of 10.0 MiB for fs volumes: ")
        assert "1.00 MiB more asked for" in failed["error"]
    project = volary.json("project", "get", "default")
    assert (project["usedFsBytes"], project["reservedFsBytes"], project["volumes"]) == (10 * MIB, 0, 64)


def test_what_just_fits_the_project_is_let_in(volary, store):
    volary("project", "update", "default", "--quota-fs", "1MiB")
    volary("volume", "create", "v", "--quota", "1MiB")
    assert volary("volume", "import", "v", "--from", "store:mib") == "v@1\n"


def test_nothing_stays_reserved_when_the_server_dies(volary, store):
    names = [f"v{i}" for i in range(12)]
    for name in names:
        volary("volume", "create", name, "--quota", "2MiB")
    for point in ("import.planned=kill@2", "import.published=kill@1", "ledger.committing=kill@1"):
        server = volary.start(env={"VOLARY_FAULT": point})
        for name in names[:4]:
            volary.run("volume", "import", name, "--from", "store:mib", "--into", point[:3], "--wait", "--detach")
        volary.kill()
        server.wait()
    volary.wait_for(lambda: all_ended(volary), "the imports to end", 60)
    for volume in volary.json("volume", "ls"):
        assert volume["reservedBytes"] == 0
        assert volume["usedBytes"] <= volume["quotaBytes"]


def test_a_snapshot_and_a_clone_keep_to_the_quota_too(volary, store):
    code, error = volary.refuses("volume", "create", "v", "--quota", "1000", "--from-dir", store / "mib")
    assert code == 7 and "volume 'v' has a quota of 1000 B (1000 bytes): 0 B used, 0 B reserved, 1.00 MiB more asked for" in error
    volary("volume", "update", "v", "--quota", "1MiB")
    volary("volume", "snapshot", "v", store / "mib")
    code, error = volary.refuses("volume", "clone", "v", "w", "--quota", "1000")
    assert code == 7 and "volume 'w' has a quota of 1000 B" in error
    assert volary.refuses("volume", "get", "w")[0] == 4  # Nothing of it stays.
    volary("project", "create", "small", "--quota-fs", "1.5MiB")
    volary("volume", "clone", "v", "small/w")
    code, error = volary.refuses("volume", "clone", "v", "small/x")
    assert code == 7 and "the project has a quota of 1.50 MiB for fs volumes: 1.00 MiB used or reserved, 1.00 MiB more asked for" in error


def test_a_restore_keeps_to_the_quota(volary, store, tmp_path):
    volary("volume", "create", "v", "--quota", "2MiB", "--from-dir", store / "mib")
    (tmp_path / "small").mkdir()
    (tmp_path / "small/a").write_text("1")
    volary("volume", "snapshot", "v", tmp_path / "small")
    volary("volume", "update", "v", "--quota", "1000")
    code, error = volary.refuses("volume", "restore", "v@1")
    assert code == 7 and "volume 'v' has a quota of 1000 B (1000 bytes): 1 B used" in error
    assert volary.json("volume", "get", "v")["head"] == 2


def test_projects_are_apart(volary, store):
    volary("project", "create", "team-a", "--quota-fs", "5MiB")
    volary("project", "create", "team-b")
    assert volary.refuses("project", "create", "team-a")[0] == 5
    assert volary("project", "create", "team-a", "--if-not-exists") == "team-a\n"
    volary("volume", "create", "v", "--project", "team-a")
    volary("volume", "create", "v", env={"VOLARY_PROJECT": "team-b"})
    assert volary.json("volume", "ls") == []
    assert [v["name"] for v in volary.json("volume", "ls", "--project", "team-a")] == ["v"]
    assert volary.refuses("volume", "get", "v")[0] == 4
    code, error = volary.refuses("volume", "ls", "--project", "team-c")
    assert code == 4 and "there is no project 'team-c' that 'admin' may use" in error
    assert [p["name"] for p in volary.json("project", "ls")] == ["default", "team-a", "team-b"]
    code, error = volary.refuses("project", "update", "team-a", "--quota-fs", "-1")
    assert code == 2


def test_a_token_of_one_project_works_there_only(volary, store, tmp_path):
    for name in ("team-a", "team-b"):
        volary("project", "create", name)
    volary("volume", "create", "mine", "--project", "team-a")
    volary("volume", "create", "theirs", "--project", "team-b")
    token = tmp_path / "token"
    token.write_text(volary.json("token", "create", "--name", "ci", "--role", "admin", "--project", "team-a")["token"])
    token.chmod(0o600)
    ci = {"VOLARY_SERVER": f"unix:{volary.data}/volary.sock", "VOLARY_TOKEN_FILE": str(token)}
    assert [v["name"] for v in volary.json("volume", "ls", env=ci)] == ["mine"]  # Its project is chosen by itself.
    assert [p["name"] for p in volary.json("project", "ls", env=ci)] == ["team-a"]
    for project in ("team-b", "default"):
        assert volary.refuses("volume", "ls", "--project", project, env=ci)[0] == 4
    assert volary.refuses("volume", "clone", "mine", "team-b/stolen", env=ci)[0] == 4
    assert volary.refuses("volume", "clone", "team-b/theirs", "stolen", env=ci)[0] == 4
    code, error = volary.refuses("project", "update", "team-a", "--quota-fs", "1PiB", env=ci)
    assert code == 3 and "lacks the permission project_write: its roles on all projects are none" in error
    assert volary.refuses("project", "create", "more", env=ci)[0] == 3


def test_a_quota_is_not_set_below_what_is_used(volary, store):
    volary("volume", "create", "v", "--from-dir", store / "mib")
    code, error = volary.refuses("project", "update", "default", "--quota-fs", "1000")
    assert code == 7 and "the fs volumes of project 'default' use 1.00 MiB and have 0 B reserved: a quota of 1000 B is too small" in error
