"""Versions as people use them: compared, tagged, restored, cloned, deleted, kept by rule, read without mounting, made of directories."""
import json
import os
import subprocess

import pytest


def put(directory, path, text):
    file = directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def history(volary, tmp_path):
    """Volume 'v' with three versions: a change of everything that can change, then only the executable bit."""
    source = tmp_path / "source"
    put(source, "same", "same")
    put(source, "big", "x" * 5000)
    put(source, "a/old", "old content")
    put(source, "a/changed", "before")
    (source / "link").symlink_to("same")
    volary("volume", "create", "v", "--from-dir", source, "--message", "the first")
    (source / "big").rename(source / "large")
    (source / "a/old").unlink()
    put(source, "a/changed", "afterwards")
    put(source, "a/new", "new")
    volary("volume", "snapshot", "v", source)
    (source / "a/new").chmod(0o755)
    volary("volume", "snapshot", "v", source)
    return source


def test_a_directory_becomes_a_volume_and_its_later_states_versions(volary, history):
    versions = volary.json("volume", "versions", "v")
    assert [(v["number"], v["origin"], v["files"]) for v in versions] == [(3, "snapshot", 5), (2, "snapshot", 5), (1, "snapshot", 5)]
    assert versions[2]["message"] == "the first"
    computed = volary("checksum", history).splitlines()[-1].split()[-1]
    assert computed == versions[0]["checksum"]
    unchanged = volary.run("volume", "snapshot", "v", history)
    assert unchanged.stdout == "v@3\n"
    assert volary.json("volume", "get", "v")["head"] == 3


def test_what_no_version_can_hold_is_left_out_and_named(volary, tmp_path):
    source = tmp_path / "source"
    put(source, "a", "1")
    os.mkfifo(source / "pipe")
    done = volary.run("volume", "create", "v", "--from-dir", source)
    assert done.stdout == "v@1\n"
    assert f"left out, for it is neither file, directory nor link: {source}/pipe" in done.stderr
    transfer = volary.json("transfer", "ls")[0]
    assert transfer["kind"] == "snapshot" and transfer["leftOut"] == [f"{source}/pipe"]
    assert transfer["counts"]["total"] == transfer["counts"]["completed"] + transfer["counts"]["skipped"]


@pytest.mark.parametrize("point", ["transfer.accepted", "snapshot.planned", "snapshot.published", "ledger.committing", "snapshot.done"])
def test_a_snapshot_that_is_cut_off_goes_on_and_is_made_once(volary, tmp_path, point):
    source = tmp_path / "source"
    for i in range(30):
        put(source, f"d{i % 3}/{i}", str(i))
    fired = tmp_path / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    volary("volume", "create", "v")
    volary.run("volume", "snapshot", "v", source, "--detach")
    server.wait(timeout=60)
    assert fired.read_text().startswith(point)

    def ended():
        transfers = volary.json("transfer", "ls")
        return transfers if transfers and transfers[0]["state"] == "done" else None

    transfer = volary.wait_for(ended, "the snapshot to be done")[0]
    assert transfer["version"] == 1 and transfer["counts"]["completed"] == 30
    assert [v["number"] for v in volary.json("volume", "versions", "v")] == [1]
    assert volary.json("volume", "get", "v")["reservedBytes"] == 0
    assert volary.json("volume", "leases", "v") == []
    assert volary("checksum", source).split()[-1] == volary.json("volume", "get", "v")["checksum"]


def test_a_diff_tells_what_became_of_each_file(volary, history):
    assert volary("volume", "diff", "v@1", "v@2") == \
        "~ a/changed  10 B (+4 B)\n+ a/new  3 B\n- a/old  11 B\n> large  from big, 4.88 KiB\n"
    assert volary("volume", "diff", "v") == "~ a/new  3 B (+0 B)\n"
    assert volary("volume", "diff", "v@2") == volary("volume", "diff", "v")
    assert volary("volume", "diff", "v@1", "v@2", "--name-only") == "a/changed\na/new\na/old\nlarge\n"
    assert volary("volume", "diff", "v@1", "v@2", "--summary") == \
        "1 added, 1 removed, 1 changed, 1 renamed; 13 B more, 17 B less\n"
    assert volary("volume", "diff", "v@2", "v@2") == ""
    whole = volary.json("volume", "diff", "v@1", "v@2")
    assert whole["totals"] == {"added": 1, "removed": 1, "changed": 1, "renamed": 1, "bytesAdded": 13, "bytesRemoved": 17}
    assert [item["change"] for item in whole["items"]] == ["changed", "added", "removed", "renamed"]
    # The first version against nothing, and against another volume.
    assert len(volary.json("volume", "diff", "v", "v@1")["items"]) == 5
    volary("volume", "clone", "v@1", "other")
    assert volary("volume", "diff", "other", "v@1") == ""
    assert "1 renamed" in volary("volume", "diff", "v@1", "v@head", "--summary")


def test_a_diff_comes_in_parts(volary, tmp_path):
    source = tmp_path / "source"
    for i in range(50):
        put(source, f"d{i % 5}/{i:03}", str(i))
    volary("volume", "create", "v", "--from-dir", source)
    token = (volary.data / "admin.token").read_text().strip()

    def ask(query):
        done = subprocess.run(["curl", "-s", "--unix-socket", str(volary.data / "volary.sock"), "-H", f"Authorization: Bearer {token}",
                               f"http://volary/api/v1/volumes/v/difference?{query}"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    seen, query = [], "limit=7"
    while True:
        part = ask(query)
        assert part["totals"]["added"] == 50
        seen += [item["path"] for item in part["items"]]
        if "nextCursor" not in part:
            break
        query = "limit=7&cursor=" + part["nextCursor"]
    assert len(seen) == 50 and seen == sorted(seen)
    assert ask("limit=0")["items"] == []
    assert ask("cursor=x")["detail"] == "'x' is no cursor of a difference: expected the 'nextCursor' of the part before"


def test_every_way_to_name_a_version_leads_to_it(volary, history):
    checksum = volary.json("volume", "versions", "v@1")["checksum"]
    volary("volume", "tag", "v@1", "gold")
    for name in ("v@1", "v@v1", "v@gold", f"v@{checksum[:6]}", f"v@{checksum}"):
        assert volary.json("volume", "versions", name)["number"] == 1, name
        assert volary("volume", "cat", f"{name}:/a/old") == "old content"
        assert "a/old" in volary("volume", "files", name)
        assert "big" in volary("volume", "tree", name)
        assert volary.json("volume", "diff", name, name)["to"]["number"] == 1
        job = volary("job", "run", "-v", f"{name}:/in", "--wait", "--", "test", "-e", "/in/a/old").split()[0]
        assert volary.json("job", "get", job)["attachments"][0]["version"] == 1
    assert volary.json("volume", "versions", "v@head")["number"] == 3
    for wrong in ("v@9", "v@silver", "v@000000"):
        assert volary.refuses("volume", "cat", f"{wrong}:/a/new")[0] == 4


def test_an_export_takes_the_version_that_is_named(volary, history, tmp_path):
    (tmp_path / "bucket").mkdir()
    volary("datastore", "add", "directory", "store", tmp_path / "bucket")
    volary("volume", "tag", "v@1", "gold")
    volary("volume", "export", "v@gold", "--to", "store:out")
    assert (tmp_path / "bucket/out/a/changed").read_text() == "before"


def test_tags_name_versions_and_are_never_taken_for_something_else(volary, history):
    volary("volume", "tag", "v@1", "gold")
    volary("volume", "tag", "v@1", "paper-2026")
    assert volary.json("volume", "versions", "v")[2]["tags"] == ["gold", "paper-2026"]
    volary("volume", "tag", "v@2", "gold")
    assert [v["tags"] for v in volary.json("volume", "versions", "v")] == [[], ["gold"], ["paper-2026"]]
    for wrong in ("12", "v3", "head", "deadbeef", "123456"):
        code, error = volary.refuses("volume", "tag", "v@1", wrong)
        assert code == 2 and "is no version tag" in error
    code, error = volary.refuses("volume", "tag", "v@1", "gold", "--remove")
    assert code == 4 and "version 1 of volume 'v' does not have the tag 'gold'" in error
    assert volary("volume", "tag", "v", "gold", "--remove") == "gold\n"
    assert volary.refuses("volume", "cat", "v@gold:/same")[0] == 4


def test_restore_makes_an_old_version_the_newest(volary, history):
    assert volary("volume", "restore", "v@1", "--message", "the dump was broken") == "v@4\n"
    newest = volary.json("volume", "versions", "v")[0]
    assert (newest["number"], newest["origin"], newest["originId"], newest["message"]) == (4, "restore", "v@1", "the dump was broken")
    assert volary("volume", "diff", "v@1", "v@4") == ""
    code, error = volary.refuses("volume", "restore", "v@1")
    assert code == 2 and "holds what the newest, version 4, holds" in error
    # The same one again, later: nothing keeps two versions from having one origin.
    volary("volume", "restore", "v@2")
    assert volary("volume", "restore", "v@1") == "v@6\n"
    assert volary.json("volume", "get", "v")["usedBytes"] == newest["bytes"]


def test_a_clone_copies_no_bytes_and_goes_its_own_way(volary, history):
    def stored():
        return sum(1 for _ in (volary.data / "store/objects").rglob("*"))

    before = stored()
    assert volary("volume", "clone", "v@2", "mine") == "mine@1\n"
    assert stored() == before
    first = volary.json("volume", "versions", "mine")[0]
    assert (first["origin"], first["originId"], first["message"]) == ("clone", "v@2", "clone of v@2")
    assert first["checksum"] == volary.json("volume", "versions", "v@2")["checksum"]
    volary("volume", "rm", "v", "-y")
    assert volary("volume", "cat", "mine:/a/new") == "new"
    assert volary.refuses("volume", "clone", "mine", "mine")[0] == 5


def test_versions_go_by_hand_but_never_the_newest_or_a_tagged_one(volary, history):
    volary("volume", "tag", "v@1", "gold")
    code, error = volary.refuses("volume", "delete-version", "v@3", "-y")
    assert code == 6 and "version 3 of volume 'v' is the newest: expected an older one" in error
    code, error = volary.refuses("volume", "delete-version", "v@2", "v@1", "-y")
    assert code == 6 and "version 1 of volume 'v' has the tag 'gold'" in error
    assert len(volary.json("volume", "versions", "v")) == 3  # All or none.
    volary("volume", "delete-version", "v@2", "--dry-run")
    assert len(volary.json("volume", "versions", "v")) == 3
    assert volary.refuses("volume", "delete-version", "v@2")[0] == 2  # Nobody can be asked.
    volary("volume", "delete-version", "v@2", "v@gold", "--tagged", "-y")
    assert [v["number"] for v in volary.json("volume", "versions", "v")] == [3]
    assert volary.refuses("volume", "cat", "v@2:/same")[0] == 4
    (history / "more").write_text("1")
    volary("volume", "snapshot", "v", history)
    assert [v["number"] for v in volary.json("volume", "versions", "v")] == [4, 3]


def test_a_version_that_a_job_reads_stays(volary, history):
    job = volary("job", "run", "-v", "v@1:/in", "--", "sleep", "60").strip()
    code, error = volary.refuses("volume", "delete-version", "v@1", "-y")
    assert code == 6 and f"version 1 of volume 'v' is in use by job {job}" in error
    volary("volume", "update", "v", "--keep-versions", "1")
    pruned = volary.json("volume", "prune", "v")
    assert [v["number"] for v in pruned["versions"]] == [2] and pruned["held"] == 1
    volary("job", "stop", job)
    volary.job_ended(job)
    assert [v["number"] for v in volary.json("volume", "prune", "v")["versions"]] == [1]


def test_a_rule_says_which_versions_stay(volary, history):
    for i in range(5):
        put(history, "count", str(i))
        volary("volume", "snapshot", "v", history)
    volary("volume", "tag", "v@2", "gold")
    pruned = volary.run("volume", "prune", "v")
    assert "keeps all versions" in pruned.stderr
    volary("volume", "update", "v", "--keep-versions", "3")
    assert volary.json("volume", "get", "v")["retention"] == {"keepVersions": 3}
    volary("volume", "update", "v", "--keep-days", "1")  # All are younger: the rule of days keeps them.
    assert volary.json("volume", "prune", "v")["versions"] == []
    volary("volume", "update", "v", "--keep-days", "0")
    assert [v["number"] for v in volary.json("volume", "prune", "v", "--dry-run")["versions"]] == [1, 3, 4, 5]
    volary("volume", "prune", "--all")
    assert [v["number"] for v in volary.json("volume", "versions", "v")] == [8, 7, 6, 2]
    volary("volume", "update", "v", "--no-keep-tagged")
    volary("volume", "prune", "v")
    assert [v["number"] for v in volary.json("volume", "versions", "v")] == [8, 7, 6]
    volary("volume", "verify", "v")


def test_files_are_read_without_mounting(volary, history, tmp_path):
    assert volary("volume", "cat", "v:/a/new", "v@1:/a/changed") == "newbefore"
    assert volary("volume", "cat", "v:/large", "-O", tmp_path / "out") == ""
    assert (tmp_path / "out").read_text() == "x" * 5000
    for path, code, words in (("none", 4, "has no file 'none'"), ("a", 2, "'a' is a directory"), ("link", 2, "'link' is a symbolic link to 'same'")):
        refused, error = volary.refuses("volume", "cat", f"v:/{path}", "-O", tmp_path / "not")
        assert refused == code and words in error
    assert not (tmp_path / "not").exists()
    assert volary("volume", "tree", "v") == ("v\n├── a/\n│   ├── changed  10 B\n│   └── new  3 B\n├── large  4.88 KiB\n├── link -> same\n"
                                             "└── same  4 B\n")
    assert [(d["path"], d["size"], d["files"]) for d in volary.json("volume", "du", "v")] == [("a", 13, 2), (".", 5017, 5)]


def test_ranges_of_a_file_are_read_over_http(volary, history):
    token = (volary.data / "admin.token").read_text().strip()

    def ask(*headers):
        words = [word for header in headers for word in ("-H", header)]
        done = subprocess.run(["curl", "-s", "-i", "--unix-socket", str(volary.data / "volary.sock"), "-H", f"Authorization: Bearer {token}",
                               *words, "http://volary/api/v1/volumes/v/content?path=a/changed"], capture_output=True, text=True, check=True)
        head, body = done.stdout.replace("\r", "").split("\n\n", 1)
        return int(head.split()[1]), head.lower(), body

    status, head, body = ask()
    assert (status, body) == (200, "afterwards") and "content-length: 10" in head
    assert ask("Range: bytes=2-4")[::2] == (206, "ter")
    assert "content-range: bytes 2-4/10" in ask("Range: bytes=2-4")[1]
    assert ask("Range: bytes=7-")[::2] == (206, "rds")
    assert ask("Range: bytes=-2")[::2] == (206, "ds")
    assert ask("Range: bytes=5-99")[::2] == (206, "wards")
    assert ask("Range: bytes=10-")[0] == 416
    assert ask("Range: nonsense")[::2] == (200, "afterwards")
    tag = next(line.split(": ")[1] for line in head.splitlines() if line.startswith("etag"))
    assert ask(f"If-None-Match: {tag}")[0] == 304
    assert ask("Range: bytes=0-1", 'If-Range: "other"')[0] == 200


def test_a_damaged_file_never_arrives_whole(volary, history, tmp_path):
    digest = next(f["digest"] for f in volary.json("volume", "files", "v") if f["path"] == "large")
    blob = volary.data / "store/objects" / digest[:2] / digest[2:]
    blob.chmod(0o644)
    blob.write_text("y" * 5000)
    assert volary.run("volume", "cat", "v:/large", "-O", tmp_path / "out").returncode != 0
    assert not (tmp_path / "out").exists()


def test_many_files_are_listed_page_by_page_in_the_order_of_paths(volary, tmp_path):
    source = tmp_path / "source"
    for i in range(2500):
        put(source, f"d{i % 7}/e{i % 3}/{i}", "")
    put(source, "d1-b", "")
    volary("volume", "create", "v", "--from-dir", source)
    listed = volary("volume", "files", "v").splitlines()
    assert listed == sorted(listed) and len(listed) == 2501 + 7 + 21
    assert volary("volume", "files", "v", "--depth", "1").split() == ["d0", "d1", "d1-b", "d2", "d3", "d4", "d5", "d6"]
    assert len(volary("volume", "files", "v", "--directory", "d3", "--depth", "1").split()) == 3


def test_only_what_the_administrator_allows_is_read_for_others(volary, tmp_path):
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    put(allowed, "in/a", "1")
    put(other, "b", "2")
    (allowed / "out").symlink_to(other)
    server = subprocess.Popen([str(volary.program), "server", "--data-dir", str(volary.data), "--listen", "127.0.0.1:0", "--snapshot-from",
                               str(allowed)], env=volary.env, stderr=subprocess.DEVNULL)
    try:
        volary.wait_for(volary.answers, "the server to answer")
        ports = [line.split()[3].rsplit(":", 1)[1] for line in
                 subprocess.run(["ss", "-ltnp"], capture_output=True, text=True).stdout.splitlines() if f"pid={server.pid}," in line]
        if not ports:
            pytest.skip("ss does not tell the port")
        far = {"VOLARY_SERVER": f"http://127.0.0.1:{ports[0]}", "VOLARY_TOKEN_FILE": str(volary.data / "admin.token")}
        volary("volume", "create", "v", "--from-dir", allowed / "in", env=far)
        for path in (other, allowed / "out", allowed / "in/../../other", tmp_path, volary.data):
            code, error = volary.refuses("volume", "snapshot", "v", path, env=far)
            assert code == 3 and "volary server --snapshot-from DIR" in error, path
        assert volary.refuses("volume", "snapshot", "v", "relative", env=far)[0] == 2
        volary("volume", "snapshot", "v", other)  # The server's own user, over its socket.
        assert volary.refuses("volume", "snapshot", "v", volary.data)[0] == 2
    finally:
        server.terminate()
        server.wait()
