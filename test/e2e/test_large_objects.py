"""Large objects come by parts, and what has come is not asked for again, whenever the server died."""
import os
import random
import re
import subprocess

import pytest

from lying import LyingS3, silent
from volary import PROGRAM, Volary

PART = 8 << 20
PARTS = 32
RECORD = 72  # Of a part, in the file beside the staged one.


def content(seed: int) -> bytes:
    """No two parts are the same, so that one in another's place is seen."""
    block = random.Random(seed).randbytes(PART)
    return b"".join(part.to_bytes(8, "little") + block[8:] for part in range(PARTS - 1)) + b"the end"


@pytest.fixture
def server():
    one = LyingS3()
    yield one
    one.end()


@pytest.fixture
def volary(tmp_path, server):
    one = Volary(PROGRAM, tmp_path / "data")
    server.buckets["bucket"] = {"large.bin": content(5), "small": b"small"}
    server.etags["bucket", "large.bin"] = "0123456789abcdef0123456789abcdef-32"
    one("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"})
    one("datastore", "add", "s3", "far", "--endpoint", server.url, "--bucket", "bucket", "--secret", "key")
    one("volume", "create", "v", "--quota", "1GiB")
    yield one
    one.end()


def asked_parts(server) -> set[int]:
    """The parts of the large object, as it is now, that were asked for since the last time, each by range. Of a server that
    was killed, some requests may be read later: it asked only for what it has not got either."""
    parts = set()
    for request in server.requests:
        if request.key == "large.bin" and request.method == "GET":
            first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["range"]).groups())
            assert first % PART == 0 and last - first < PART
            if request.headers["if-match"].strip('"') == server.etag("bucket", "large.bin"):
                parts.add(first // PART)
    server.requests.clear()
    return parts


def staged_parts(volary) -> set[int]:
    found = set()
    for file in (volary.data / "store/transfers").glob("*/*.parts"):
        records = file.read_bytes()
        found |= {at // RECORD for at in range(0, len(records), RECORD) if any(records[at:at + 4])}
    return found


def nothing_is_staged(volary) -> None:
    """Soon: what a transfer has staged goes when its end has been told."""
    volary.wait_for(lambda: not list((volary.data / "store/transfers").iterdir()), "what was staged to go")


def begin(volary) -> str:
    return volary("volume", "import", "v", "--from", "far:", "--detach").split()[-1]


def is_imported(volary, server, transfer: str) -> None:
    done = volary.wait_for(lambda: (found := volary.json("transfer", "get", transfer))["state"] in ("done", "failed") and found,
                           "the transfer to end", seconds=60)
    assert done["state"] == "done", done["error"]
    file, = [one for one in volary.json("volume", "files", "v") if one["path"] == "large.bin"]
    kept = volary.data / "store/objects" / file["digest"][:2] / file["digest"][2:]
    is_same = kept.read_bytes() == server.buckets["bucket"]["large.bin"]  # Apart: a difference would be shown for a minute.
    assert is_same, "the store's bytes are not those of the bucket"
    assert volary.json("volume", "verify", "v")["whole"]


def test_what_came_before_the_server_was_killed_is_not_asked_for_again(volary, server):
    with server.fault(silent(), key="large.bin", after=11) as fault:
        transfer = begin(volary)
        volary.wait_for(lambda: len(staged_parts(volary)) == 11 and fault.fired, "eleven parts to have come")
        volary.kill()
    assert fault.fired > 0
    had = staged_parts(volary)
    asked_parts(server)
    is_imported(volary, server, transfer)
    assert asked_parts(server) == set(range(PARTS)) - had
    nothing_is_staged(volary)


def test_an_object_that_was_replaced_meanwhile_is_not_mixed_with_what_came(volary, server):
    with server.fault(silent(), key="large.bin", after=11) as fault:
        transfer = begin(volary)
        volary.wait_for(lambda: len(staged_parts(volary)) == 11 and fault.fired, "eleven parts to have come")
        volary.kill()
    asked_parts(server)
    server.buckets["bucket"]["large.bin"] = content(6)
    server.etags["bucket", "large.bin"] = "another-32"
    is_imported(volary, server, transfer)
    assert asked_parts(server) == set(range(PARTS))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_disk_without_room_for_a_large_object_is_found_before_it_is_asked_for(volary, server):
    volary("server", "status")
    volary.end()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(volary.data / "store")], check=True)
    try:
        asked_parts(server)
        code, words = volary.refuses("volume", "import", "v", "--from", "far:")
        assert code == 7 and re.search(r"store' has 1\d(\.\d)? MiB free: expected 248 MiB, for the large objects", words), words
        assert asked_parts(server) == set()
    finally:
        volary.end()
        subprocess.run(["umount", "-l", str(volary.data / "store")], check=True)
    volary("volume", "import", "v", "--from", "far:")
    assert asked_parts(server) == set(range(PARTS))
    nothing_is_staged(volary)
