"""The names that have broken other programs (test/data/names/hostile.txt), through every door by which files come in and go
out: each is stored and comes back byte for byte, or is refused by its name, and nothing has changed.
"""
import os
import pathlib
import urllib.parse

import pytest

from hub import Hub
from lying import LyingS3
from volary import PROGRAM, ROOT, Volary


def names(sign: str) -> list[bytes]:
    lines = (ROOT / "test/data/names/hostile.txt").read_text().splitlines()
    return [urllib.parse.unquote_to_bytes(line[2:]) for line in lines if line.startswith(sign + " ")]


GOOD, BAD = names("+"), names("-")
# Whether a file of the host can be called so, below a directory: no NUL, no long component, nothing that is not its own path.
FILES = {"good": [name for name in GOOD if max(map(len, name.split(b"/"))) <= 255],
         "bad": [name for name in BAD if b"\0" not in name and max(map(len, name.split(b"/"))) <= 255 and
                 os.path.normpath(b"d/" + name) == b"d/" + name]}


def test_there_are_enough_of_them():
    assert len(GOOD) + len(BAD) >= 400 and len(set(GOOD + BAD)) == len(GOOD) + len(BAD)
    assert len(FILES["good"]) == len(GOOD) and len(FILES["bad"]) >= 50


def content(name: bytes) -> bytes:
    return b"I am " + name


def shown(name: bytes) -> str:
    """As messages show it: on one line, whatever it is."""
    text = ""
    for char in name.decode(errors="surrogateescape"):
        code = ord(char)
        byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
        text += f"\\x{byte:02x}" if byte < 0x20 or byte == 0x7F or byte != code else char
    return text


def write_below(directory: pathlib.Path, wanted: list[bytes]) -> None:
    for name in wanted:
        file = os.path.join(os.fsencode(directory), name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as out:
            out.write(content(name))


def read_below(directory: pathlib.Path) -> dict[bytes, bytes]:
    top = os.fsencode(directory)
    found = {}
    for at, _, files in os.walk(top):
        for file in files:
            path = os.path.join(at, file)
            with open(path, "rb") as bytes_of:
                found[os.path.relpath(path, top)] = bytes_of.read()
    return found


EVERYTHING = {name: content(name) for name in GOOD}


class World:
    def __init__(self, tmp_path: pathlib.Path):
        self.path = tmp_path
        self.volary = Volary(PROGRAM, tmp_path / "data")
        self.server, self.hub = LyingS3(page=50), Hub(page=50)
        self.bucket = self.server.buckets.setdefault("bucket", {})
        self.canary = tmp_path / "canary"
        self.canary.write_text("alive")
        (tmp_path / "files").mkdir()
        self.volary("datastore", "add", "s3", "s3", "--endpoint", self.server.url, "--bucket", "bucket")
        self.volary("datastore", "add", "directory", "files", tmp_path / "files")
        self.bucket.update({"good/" + os.fsdecode(name): file for name, file in EVERYTHING.items()})
        write_below(tmp_path / "files/good", GOOD)
        self.volary("volume", "create", "v")
        self.volary("volume", "import", "v", "--from", "s3:good")
        self.checksum = self.volary.json("volume", "versions", "v")[0]["checksum"]

    def one_version(self, volume: str) -> str:
        [version] = self.volary.json("volume", "versions", volume)
        assert version["files"] == len(GOOD) and self.volary.json("volume", "verify", volume)["whole"]
        return version["checksum"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("names"))
    yield one
    assert one.canary.read_text() == "alive"
    one.volary.end()
    one.server.end()
    one.hub.end()


def test_good_names_come_in_from_a_bucket_and_are_listed_as_they_are(world):
    assert world.one_version("v") == world.checksum
    listed = world.volary.json("volume", "files", "v")
    assert {one["path"].encode() for one in listed if one["kind"] == "file"} == set(GOOD)


def test_good_names_come_in_from_a_directory_by_import_and_by_snapshot(world):
    world.volary("volume", "create", "imported")
    world.volary("volume", "import", "imported", "--from", "files:good")
    world.volary("volume", "create", "snapped", "--from-dir", world.path / "files/good")
    assert world.one_version("imported") == world.one_version("snapped") == world.checksum


def test_good_names_come_in_from_a_hub(world):
    world.hub.put("models/org/good", {name.decode(): content(name) for name in GOOD})
    world.volary("datastore", "add", "hf", "good", "org/good", "--endpoint", world.hub.url)
    world.volary("volume", "create", "hub")
    world.volary("volume", "import", "hub", "--from", "good:")
    assert world.one_version("hub") == world.checksum


def test_good_names_go_out_into_a_bucket_and_a_directory(world):
    world.volary("volume", "export", "v", "--to", "s3:out")
    got = {os.fsencode(key.removeprefix("out/")): file for key, file in world.bucket.items() if key.startswith("out/")}
    assert got == EVERYTHING
    world.volary("volume", "export", "v", "--to", "files:out")
    assert read_below(world.path / "files/out") == EVERYTHING
    # Once more: everything is known to be there.
    assert "0 copied" in world.volary.run("volume", "export", "v", "--to", "s3:out", "--strategy", "mirror").stderr


def test_good_names_are_read_by_them(world):
    result = world.volary.run("volume", "cat", *("v:/" + os.fsdecode(name) for name in GOOD))
    assert (result.returncode, result.stdout.encode()) == (0, b"".join(map(content, GOOD))), result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_good_names_stand_in_a_mount_and_come_back_from_what_was_written_there(world):
    place = world.path / "mounted"
    place.mkdir()
    world.volary("volume", "mount", "v", place)
    try:
        assert read_below(place) == EVERYTHING
    finally:
        world.volary("volume", "unmount", place)
    world.volary("volume", "create", "written")
    world.volary("volume", "mount", "written", place, "--rw")
    write_below(place, GOOD)
    world.volary("volume", "unmount", place)
    assert world.one_version("written") == world.checksum


# --- What is refused

def refused(world, name: bytes, *words) -> None:
    code, said = world.volary.refuses(*words)
    first = shown(name).split("/")[0] if "UTF-8" in said or "control" in said else shown(name)
    assert code == 2 and first[:60] in said and "/proc/self" not in said, (name, said)
    assert not [char for char in said if ord(char) < 32 and char != "\n"], said


@pytest.fixture(scope="module")
def small(world):
    """A volume with one file, which nothing may change."""
    world.bucket["small/x"] = b"x"
    world.volary("volume", "create", "small")
    world.volary("volume", "import", "small", "--from", "s3:small")
    before = world.volary.json("volume", "get", "small")
    yield "small"
    assert world.volary.json("volume", "get", "small") == before
    assert world.volary.json("volume", "leases", "small") == []
    assert world.volary("volume", "files", "small") == "x\n"
    world.volary("store", "check")


def test_bad_names_of_a_bucket_are_refused_one_by_one(world, small):
    for name in BAD:
        world.bucket["bad/" + os.fsdecode(name)] = b"bad"
        world.bucket["bad/good"] = b"good"
        refused(world, name, "volume", "import", small, "--from", "s3:bad", "--strategy", "mirror")
        for key in [key for key in world.bucket if key.startswith("bad/")]:
            del world.bucket[key]


@pytest.mark.parametrize("door", ["import", "snapshot"])
def test_bad_names_of_files_are_refused_one_by_one(world, small, door):
    for name in FILES["bad"]:
        directory = world.path / "files/bad"
        write_below(directory, [name, b"good"])
        refused(world, name, *(["volume", "import", small, "--from", "files:bad"] if door == "import" else
                               ["volume", "snapshot", small, directory]))
        remove_below(directory)


def remove_below(directory: pathlib.Path) -> None:
    for at, directories, files in os.walk(os.fsencode(directory), topdown=False):
        for file in files:
            os.unlink(os.path.join(at, file))
        for one in directories:
            os.rmdir(os.path.join(at, one))


def test_bad_names_of_a_hub_are_refused_one_by_one(world, small):
    world.volary("datastore", "add", "hf", "hub", "org/thing", "--endpoint", world.hub.url)
    for name in BAD:
        try:
            path = name.decode()  # JSON holds nothing else.
        except UnicodeDecodeError:
            continue
        world.hub.put("models/org/thing", {path: b"bad", "good": b"good"})
        refused(world, name, "volume", "import", small, "--from", "hub:")


@pytest.mark.parametrize("keys", [["a", "a/b"], ["x/a/b", "x/a/b/c/d"], ["é", "é/é"]])
def test_a_name_that_is_a_file_and_a_directory_is_refused(world, small, keys):
    world.bucket.update({f"both/{key}": b"x" for key in keys})
    code, said = world.volary.refuses("volume", "import", small, "--from", "s3:both")
    assert code == 2 and keys[0] in said and "both a file and the directory" in said
    for key in keys:
        del world.bucket[f"both/{key}"]
