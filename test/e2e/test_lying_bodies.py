"""Stores that give other bytes than they keep, as many as they should be: what their checksums say of it, or their etags where
nothing else protects the bytes on the way, is held against what comes. Every fault counts how often it fired.
"""
import hashlib
import random

import pytest

import lying
from lying_world import LyingBucket

FIRST = {f"{i:02}": f"{i} in version 1\n".encode() * 20 for i in range(6)} | {"only in one": b"one"}
SECOND = {f"{i:02}": f"{i} in version 2\n".encode() * 20 for i in range(6)} | {"only in two": b"two", "empty": b""}
OBJECT = "*/05"
LARGE = 70 << 20  # Comes by ranges.


class World(LyingBucket):
    """The store is behind a proxy, and so not on this machine."""

    def add_store(self) -> None:
        for name, words in {"far": ["--endpoint", "http://store.example", "--proxy", self.server.url],
                            "near": ["--endpoint", self.server.url]}.items():
            self.volary("datastore", "add", "s3", name, "--bucket", "bucket", *words)

    def imports(self, name: str, store: str = "far"):
        return self.volary.run("volume", "import", name, "--from", f"{store}:{name}", "--strategy", "mirror")

    def read(self, path: str) -> list[str]:
        """The ranges that were asked for."""
        return [one.headers.get("range", "") for one in self.server.requests
                if one.kind == "object" and one.method == "GET" and one.key.endswith(path)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("bodies"), FIRST, SECOND)
    yield one
    one.end()


@pytest.fixture
def volume(world, request):
    world.server.checksums = []
    name = world.begun(request.node.name)
    world.server.requests.clear()
    return name


@pytest.mark.parametrize("store", ["far", "near"])
@pytest.mark.parametrize("kind", lying.KEPT)
def test_bytes_that_are_not_those_of_the_checksum_make_no_version(world, volume, kind, store):
    world.server.checksums = [kind]
    with world.server.fault(lying.flipped(77), key=OBJECT) as fault:
        result = world.imports(volume, store)
    assert fault.fired == 2 and result.returncode == 9  # They may have changed on the way, so it is read once more.
    assert "gave '" + volume + "/05' with the checksum " + kind in result.stderr and "which it keeps for it" in result.stderr
    assert world.is_first(volume) and not world.server.changes
    world.resumes(volume)


@pytest.mark.parametrize("kind", [*lying.KEPT, "etag"])
def test_what_was_corrupted_once_is_read_again(world, volume, kind):
    world.server.checksums = [] if kind == "etag" else [kind]
    with world.server.fault(lying.flipped(77), key=OBJECT, times=1) as fault:
        world.finishes(volume)
    assert fault.fired == 1
    assert len(world.read("/05")) == (3 if kind == "etag" else 2)  # To know whether the etag is an MD5 takes one more.


def test_bytes_that_are_not_those_of_the_etag_make_no_version(world, volume):
    with world.server.fault(lying.flipped_anew(), key=OBJECT) as fault:
        result = world.imports(volume)
    assert fault.fired == 4 and result.returncode == 9
    assert "gave '" + volume + "/05' with the md5 " in result.stderr and "its etag" in result.stderr
    assert world.is_first(volume) and not world.server.changes
    world.resumes(volume)


def test_what_broke_off_and_goes_on_with_other_bytes_is_found(world, volume):
    world.server.checksums = ["crc64nvme"]
    with world.server.fault(lying.truncated(100), key=OBJECT, times=1) as broken:
        with world.server.fault(lying.flipped(7), key=OBJECT, after=1, times=1) as fault:
            world.finishes(volume)
    assert (broken.fired, fault.fired) == (1, 1)
    assert world.read("/05") == ["", "bytes=100-299", ""]


def test_all_of_it_instead_of_the_range_is_not_taken_for_the_range(world, volume):
    """Where it would be joined to what came before, and where it is a part of a large object."""
    with world.server.fault(lying.truncated(100), key=OBJECT, times=1):
        with world.server.fault(lying.whole_for_a_range(), key=OBJECT, after=1, times=1) as fault:
            world.finishes(volume)
    assert fault.fired == 1 and world.read("/05") == ["", "bytes=100-299", ""]
    more = {**SECOND, "large": random.Random(1).randbytes(LARGE)}
    world.fill(volume, more)
    with world.server.fault(lying.whole_for_a_range(), key="*/large") as fault:
        result = world.imports(volume)
    assert fault.fired >= 1 and result.returncode == 9
    assert "bytes of '" + volume + "/large' from" in result.stderr and "answers 200" in result.stderr, result.stderr
    assert world.is_second(volume)
    [failed, *_] = [one for one in world.volary.json("transfer", "ls") if one["state"] == "failed"]
    world.volary("transfer", "resume", failed["id"])
    assert world.volary.json("volume", "get", volume)["usedBytes"] == sum(map(len, more.values()))


# --- Etags that are no MD5

def no_md5(server, request) -> None:
    """The same for the same bytes, and of the form of an MD5."""
    server.etags[request.bucket, request.key] = hashlib.md5(b"another way" + request.body).hexdigest()


def test_etags_that_only_look_like_md5s_are_found_out_and_everything_works(world, tmp_path):
    for path, file in SECOND.items():
        world.bucket[f"odd/{path}"] = file
        world.server.etags["bucket", f"odd/{path}"] = hashlib.md5(b"another way" + file).hexdigest()
    world.volary("volume", "create", "odd")
    world.server.requests.clear()
    result = world.imports("odd")
    assert result.returncode == 0, result.stderr
    assert world.head("odd")["checksum"] == world.checksums[1]
    assert len(world.read("")) <= 2 * len(SECOND)
    world.server.requests.clear()
    again = world.imports("odd")
    assert again.returncode == 0 and not world.read("") and world.head("odd")["number"] == 1
    # What is written is proven by other means, and what is not there as it was sent is found all the same.
    with world.server.fault(lying.answering_with_another_etag(no_md5), kind="put") as fault:
        result = world.volary.run("volume", "export", "odd", "--to", "far:out-odd")
    assert result.returncode == 0 and fault.fired == len(SECOND), result.stderr
    assert "read back" in result.stderr
    assert {path: world.bucket[f"out-odd/{path}"] for path in SECOND} == SECOND
    with world.server.fault(lying.answering_with_another_etag(no_md5), kind="put"):
        with world.server.fault(lying.stored_otherwise(), kind="put", key=OBJECT) as fault:
            result = world.volary.run("volume", "export", "odd", "--to", "far:worse-odd")
    assert fault.fired == 1 and result.returncode == 9
    assert "'05'" in result.stderr and "gives back other bytes than were sent" in result.stderr, result.stderr
