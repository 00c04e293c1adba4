"""The store's upkeep by the real program: what nothing refers to goes, what is damaged is found and fetched again, and nothing else is touched."""
import json
import os
import pathlib
import random
import shutil

import pytest

OLD = 1_700_000_000  # Long ago: a sweep goes by when an object was last used.
AT_ONCE = ("--apply", "--min-age", "0", "--between-marks", "0", "--quarantine-age", "0")


@pytest.fixture(autouse=True)
def the_same_every_time():
    random.seed(int(os.environ.get("VOLARY_SEED", "1")))


def objects(volary, below="objects") -> dict[str, pathlib.Path]:
    root = volary.data / "store" / below
    return {path.parent.name + path.name: path for path in root.glob("??/*")} if root.exists() else {}


def make_old(volary) -> None:
    for below in ("objects", "trees"):
        for path in objects(volary, below).values():
            os.utime(path, (OLD, OLD))


def flip_bit(path: pathlib.Path, at: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    at = random.randrange(len(content) * 8) if at is None else at
    content[at // 8] ^= 1 << (at % 8)
    mode = path.stat().st_mode
    path.chmod(0o644)
    with open(path, "r+b") as file:  # In place: the file is the same one.
        file.write(content)
    path.chmod(mode)


def import_files(volary, bucket, files: dict[str, bytes], volume="v") -> None:
    for key, content in files.items():
        bucket.put(key, content)
    volary("volume", "create", volume)
    volary("volume", "import", volume, "--from", "store:")


def sweep(volary, *more) -> dict:
    return json.loads(volary("store", "sweep", *AT_ONCE, *more, "-o", "json"))


@pytest.fixture
def filled(volary, directory_bucket):
    directory_bucket.add(volary, "store")
    import_files(volary, directory_bucket, {f"dir{i % 3}/{i}": f"content {i}\n".encode() * (i + 1) for i in range(40)})
    return volary


def test_a_sweep_leaves_exactly_what_versions_refer_to(filled, directory_bucket):
    live = set(objects(filled)) | set(objects(filled, "trees"))
    directory_bucket.put("gone/1", b"only in a volume that goes")
    directory_bucket.put("gone/2", b"this too")
    filled("volume", "create", "w")
    filled("volume", "import", "w", "--from", "store:gone")
    filled("volume", "rm", "w", "--yes")
    make_old(filled)

    plan = filled.json("store", "sweep", "--min-age", "0", "--between-marks", "0", "--quarantine-age", "0")
    assert not plan["applied"] and plan["candidates"]["objects"] == 3  # Two files and their directory.
    assert len(objects(filled)) == 42

    first = sweep(filled)
    assert first["candidates"]["objects"] == 3 and first["quarantined"]["objects"] == 0
    second = sweep(filled)
    assert second["quarantined"]["objects"] == 3 and second["unlinked"]["objects"] == 0
    assert set(objects(filled)) | set(objects(filled, "trees")) == live
    assert len(objects(filled, "quarantine/objects")) == 2
    third = sweep(filled)
    assert third["unlinked"]["objects"] == 3
    assert objects(filled, "quarantine/objects") == {} and objects(filled, "quarantine/trees") == {}
    assert filled.json("volume", "verify", "v")["whole"]
    assert sweep(filled)["candidates"]["objects"] == 0

    # Their datastore has them still: what the import believes of them was forgotten, so they are fetched again.
    filled("volume", "create", "w")
    filled("volume", "import", "w", "--from", "store:gone")
    assert filled.json("volume", "verify", "w")["whole"]


def test_a_sweep_takes_nothing_that_was_used_a_short_while_ago(filled):
    filled("volume", "rm", "v", "--yes")
    report = filled.json("store", "sweep", "--apply")
    assert report["live"]["objects"] == 0 and report["tooYoung"]["objects"] == 44 and report["candidates"]["objects"] == 0
    make_old(filled)
    for _ in range(3):  # Four hours between the marks have not passed, nor has the clock been believed for a day.
        report = filled.json("store", "sweep", "--apply")
    assert report["quarantined"]["objects"] == 0 and len(objects(filled)) == 40


def test_an_import_brings_back_into_use_what_a_sweep_has_quarantined(filled, directory_bucket):
    filled("volume", "rm", "v", "--yes")
    make_old(filled)
    sweep(filled)
    assert sweep(filled)["quarantined"]["objects"] == 44
    filled("volume", "create", "v")
    filled("volume", "import", "v", "--from", "store:")
    assert filled.json("volume", "verify", "v")["whole"]
    sweep(filled)
    assert filled.json("volume", "verify", "v")["whole"]
    assert filled.json("store", "check")["clean"]


def test_a_sweep_refuses_while_something_is_missing(filled):
    next(iter(objects(filled).values())).unlink()
    code, message = filled.refuses("store", "sweep", "--apply")
    assert code == 6 and "missing" in message and "volary store repair" in message
    code, message = filled.refuses("store", "check")
    assert code == 9 and "used by v@1: dir" in message
    code, message = filled.refuses("store", "sweep", "--apply")
    assert code == 6 and "no sweep: the last check found 1 objects missing or damaged" in message
    filled("store", "repair")
    filled("store", "check")
    filled("store", "sweep", "--apply")


def test_a_sweep_refuses_by_a_database_that_is_older_than_the_store(filled, directory_bucket, tmp_path):
    filled.end()
    shutil.copy(filled.data / "volary.db", tmp_path / "yesterday.db")
    directory_bucket.put("new", b"of today")
    filled("volume", "import", "v", "--from", "store:")
    new = set(objects(filled))
    filled.end()
    for path in filled.data.glob("volary.db*"):
        path.unlink()
    shutil.copy(tmp_path / "yesterday.db", filled.data / "volary.db")
    make_old(filled)

    for _ in range(4):
        code, message = filled.refuses("store", "sweep", *AT_ONCE)
        assert code == 6 and "the database is older than the store" in message and "--accept-restored" in message
    assert set(objects(filled)) == new
    code, message = filled.refuses("store", "check")
    assert code == 6 and "older than the store" in message
    filled("store", "check", "--accept-restored")
    sweep(filled)
    assert sweep(filled)["quarantined"]["objects"] == 2  # The file and the directory of the version that it does not know.


def test_a_scrub_finds_every_flipped_bit_and_repair_fetches_the_objects_again(volary, directory_bucket):
    directory_bucket.add(volary, "store")
    import_files(volary, directory_bucket, {f"d/{i}": random.randbytes(random.randrange(1, 9000)) for i in range(150)})
    damaged = random.sample(sorted(objects(volary).items()), 100)
    for _, path in damaged:
        flip_bit(path)
    code, message = volary.refuses("store", "scrub", "--rate", "0", "-o", "json")
    assert code == 9 and "100 objects are damaged" in message
    listed = volary.json("store", "damage")
    assert {one["digest"] for one in listed} == {digest for digest, _ in damaged}
    assert all(one["uses"] and one["uses"][0].startswith("v@1: d/") for one in listed)

    report = volary.json("store", "repair")
    assert report["repaired"] == 100 and report["unrepaired"] == 0
    assert {one["source"].split(":")[0] for one in report["objects"]} == {"store"}
    assert volary.json("volume", "verify", "v")["whole"]
    assert volary.json("store", "damage") == []
    assert volary.json("store", "scrub", "--rate", "0")["damaged"] == 0


def test_what_cannot_be_repaired_is_taken_out_of_the_store_and_said_with_its_uses(filled, directory_bucket):
    shutil.rmtree(directory_bucket.path / "dir0")
    [(digest, path)] = [(digest, path) for digest, path in objects(filled).items() if path.read_bytes() == b"content 0\n"]
    flip_bit(path)
    filled.refuses("store", "scrub")
    result = filled.run("store", "repair", "-o", "json")
    report = json.loads(result.stdout)
    assert result.returncode == 9 and report["unrepaired"] == 1
    assert report["objects"][0]["digest"] == digest and report["objects"][0]["uses"] == ["v@1: dir0/0"]
    assert not path.exists() and (filled.data / "store/quarantine/objects" / digest[:2] / digest[2:]).exists()
    make_old(filled)

    other = pathlib.Path(directory_bucket.path.parent / "other")
    (other / "objects" / digest[:2]).mkdir(parents=True)
    (other / "objects" / digest[:2] / digest[2:]).write_bytes(b"content 0\n")
    assert filled.json("store", "repair", "--from-store", other)["repaired"] == 1
    assert filled.json("volume", "verify", "v")["whole"]


def test_repair_gets_trees_from_a_backup(filled, tmp_path):
    filled("backup", "create", tmp_path / "backup")
    for path in objects(filled, "trees").values():
        flip_bit(path)
    code, _ = filled.refuses("store", "check")
    assert code == 9
    assert filled.json("store", "repair", "--from-store", tmp_path / "backup")["repaired"] == 4
    assert filled.json("volume", "verify", "v")["whole"]
    assert filled.json("store", "check")["clean"]


def test_a_stopped_scrub_goes_on_where_it_was(volary, directory_bucket):
    directory_bucket.add(volary, "store")
    import_files(volary, directory_bucket, {f"{i}": random.randbytes(200_000) for i in range(40)})
    run = volary("store", "scrub", "--rate", "2MiB", "--detach").strip()
    volary.wait_for(lambda: volary.json("store", "stats").get("running", {}).get("counts", {}).get("objectsDone", 0) > 5,
                    "some objects to be read")
    code, message = volary.refuses("store", "check")
    assert code == 6 and run in message and "volary store stop" in message
    volary("store", "stop")
    assert volary.run("store", "watch", run).returncode == 130
    stopped = next(one for one in volary.json("store", "stats")["last"] if one["kind"] == "scrub")
    assert stopped["state"] == "stopped" and not stopped["scrub"]["complete"] and stopped["scrub"]["objects"]["objects"] < 40
    report = volary.json("store", "scrub", "--rate", "0", "--resume")
    assert report["complete"] and report["objects"]["objects"] == 40


def test_a_scrub_drops_damaged_images(filled):
    filled("job", "run", "--wait", "-v", "v:/data:ro", "--", "true")
    images = list((filled.data / "store/images").glob("*.erofs"))
    if not images:
        pytest.skip("this machine mounts without images")
    assert filled.json("store", "scrub")["imagesDropped"] == 0
    flip_bit(images[0], 8 * 5000)
    assert filled.json("store", "scrub")["imagesDropped"] == 1
    assert not images[0].exists()
    filled("job", "run", "--wait", "-v", "v:/data:ro", "--", "grep", "-q", "content 0", "/data/dir0/0")
    assert images[0].exists()


def test_the_server_looks_after_its_store_by_itself(filled):
    filled.end()
    import subprocess
    server = subprocess.Popen([str(filled.program), "server", "--data-dir", str(filled.data), "--sweep-every", "1s",
                               "--check-every", "1s", "--scrub-every", "2s"], env=filled.env, stdin=subprocess.DEVNULL,
                              stderr=open(filled.data.parent / "server.log", "ab"))
    filled.wait_for(filled.answers, "the server")
    kinds = {"sweep", "check", "scrub"}

    def all_done():
        last = {one["kind"]: one for one in filled.json("store", "stats")["last"]}
        return kinds <= set(last) and all(last[kind]["startedBy"] == "schedule" for kind in kinds)

    filled.wait_for(all_done, "a sweep, a check and a scrub")
    assert filled.json("volume", "verify", "v")["whole"]
    log = (filled.data.parent / "server.log").read_text()
    assert "store sweep: done" in log and "store scrub: done" in log
    server.terminate()
    assert server.wait(30) == 0


def is_idle(volary) -> bool:
    result = volary.run("store", "stats", "-o", "json")
    return result.returncode == 0 and not json.loads(result.stdout).get("running")


@pytest.mark.parametrize("point", ["sweep.marked", "sweep.recheck", "sweep.quarantined", "store.quarantined", "sweep.unlinked",
                                   "upkeep.epoch", "db.commit.before", "db.commit.after"])
@pytest.mark.parametrize("when", [1, 3, 9])
def test_a_sweep_killed_at(filled, directory_bucket, point, when):
    directory_bucket.put("gone/1", b"only in a volume that goes")
    filled("volume", "create", "w")
    filled("volume", "import", "w", "--from", "store:gone")
    filled("volume", "rm", "w", "--yes")
    make_old(filled)
    filled.end()
    fired = filled.data.parent / "fired"
    server = filled.start(env={"VOLARY_FAULT": f"{point}=kill@{when}", "VOLARY_FAULT_LOG": str(fired)})
    for _ in range(3):
        if server.poll() is None:
            filled.run("store", "sweep", *AT_ONCE, "--detach")
            filled.wait_for(lambda: server.poll() is not None or is_idle(filled), "the kill or the end")
    if not fired.exists():
        assert when > 1, f"{point} was never passed"
    filled.end()
    for _ in range(4):
        sweep(filled)
    assert len(objects(filled)) == 40 and len(objects(filled, "trees")) == 4
    assert objects(filled, "quarantine/objects") == {} and objects(filled, "quarantine/trees") == {}
    assert filled.json("volume", "verify", "v")["whole"]
    assert filled.json("store", "check")["clean"]


def test_a_viewer_may_look_and_not_touch(filled):
    token = filled.json("token", "create", "--name", "watcher", "--role", "editor")["token"]
    env = {"VOLARY_SERVER": f"unix:{filled.data}/volary.sock", "VOLARY_TOKEN": token}
    for words in (("store", "stats"), ("store", "sweep", "--apply"), ("backup", "create", "/tmp/x")):
        code, message = filled.refuses(*words, env=env)
        assert code == 3, message


def test_a_disk_that_cannot_be_read_is_damage_and_no_end_of_the_server(filled):
    make_old(filled)  # What is being written may be read again.
    filled.end()
    server = filled.start(env={"VOLARY_FAULT": "scrub.read=EIO@20", "VOLARY_FAULT_LOG": str(filled.data.parent / "fired")})
    code, message = filled.refuses("store", "scrub")
    assert (filled.data.parent / "fired").exists()
    assert code == 9 and server.poll() is None
    [damage] = filled.json("store", "damage")
    assert "cannot be read: Input/output error" in damage["what"]
    assert filled.json("store", "repair")["repaired"] == 1  # It could be read by then.
    assert filled.json("store", "damage") == []


@pytest.mark.parametrize("point", ["repair.set_aside", "store.created", "repair.repaired", "file.syncfs"])
def test_a_repair_killed_at(filled, point):
    for path in list(objects(filled).values())[:5]:
        flip_bit(path)
    filled.refuses("store", "scrub")
    filled.end()
    fired = filled.data.parent / "fired"
    server = filled.start(env={"VOLARY_FAULT": f"{point}=kill@2", "VOLARY_FAULT_LOG": str(fired)})
    filled.run("store", "repair", "--detach")
    assert server.wait(60) != 0 and fired.exists()
    filled("store", "repair")
    assert filled.json("volume", "verify", "v")["whole"]
    assert filled.json("store", "check")["clean"] and filled.json("store", "damage") == []


def test_the_doctor_says_how_the_store_is(filled):
    def finding():
        return next(one for one in filled.json("doctor") if one["subject"] == "store")

    assert finding()["good"] and "no damage is known" in finding()["reason"]
    flip_bit(next(iter(objects(filled).values())))
    filled.refuses("store", "scrub")
    assert not finding()["good"] and "1 objects are damaged" in finding()["reason"]
