"""Files into volumes and out again: whole directories, large files, streams; cut off anywhere; refused with reasons."""
import json
import os
import pathlib
import random
import signal
import subprocess

import pytest

from volary import write_large
from web import Proxy

MIB = 1 << 20


def write(path: pathlib.Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tree_of(directory: pathlib.Path) -> dict:
    """What a volume keeps of a directory."""
    tree = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink():
            tree[name] = "-> " + os.readlink(path)
        elif path.is_dir():
            tree[name] = "directory"
        else:
            tree[name] = (path.read_bytes(), os.access(path, os.X_OK) if os.geteuid() else bool(path.stat().st_mode & 0o100))
    return tree


@pytest.fixture
def source(tmp_path):
    """A few of everything that a volume can hold."""
    generator = random.Random(7)
    root = tmp_path / "source"
    for number in range(300):
        write(root / f"small/{number % 7}/{number:03}.txt", generator.randbytes(generator.randrange(0, 6000)))
    write(root / "large.bin", generator.randbytes(20 * MIB + 3))
    write(root / "medium.bin", generator.randbytes(5 * MIB))
    write(root / "run.sh", b"#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("small/0/000.txt")
    (root / "empty/below").mkdir(parents=True)
    write(root / "ä name with spaces", b"umlaut")
    return root


@pytest.fixture
def proxy(volary):
    volary("volume", "ls")
    one = Proxy(volary.data / "volary.sock")
    yield one
    one.close()


def through(volary, proxy, *words) -> list[str]:
    return [str(volary.program), "--server", proxy.url, "--token-file", str(volary.data / "admin.token"),
            *map(str, words)]


def kill_in_flight(client: subprocess.Popen) -> None:
    assert client.poll() is None
    client.kill()
    assert client.wait() == -signal.SIGKILL


def test_a_directory_goes_in_and_comes_out_the_same(volary, source, tmp_path):
    volary("volume", "create", "wiki", "--quota", "1GiB")
    plan = volary.run("volume", "put", source, "wiki:/in", "--dry-run", "-o", "json")
    assert {one["act"] for one in json.loads(plan.stdout)} == {"new_"}
    result = volary.json("volume", "put", source, "wiki:/in", "-m", "all of it")
    assert (result["version"], result["skipped"]) == (1, 0)
    [version] = volary.json("volume", "versions", "wiki")
    assert (version["message"], version["origin"], version["originId"]) == ("all of it", "upload", result["upload"])
    out = tmp_path / "out"
    volary("volume", "download", "wiki@1:/in", out)
    assert tree_of(out) == tree_of(source)
    assert volary("checksum", out).split("Checksum: ")[1] == volary("checksum", source).split("Checksum: ")[1]
    again = volary.run("volume", "put", source, "wiki:/in")
    assert "0 files (0 B) sent" in again.stderr and "no version was made" in again.stderr
    (source / "small/0/000.txt").write_bytes(b"changed")
    result = volary.json("volume", "put", source, "wiki:/in")
    assert (result["files"], result["version"]) == (1, 2)
    assert volary("volume", "cat", "wiki:/in/small/0/000.txt") == "changed"


def test_files_and_streams_go_where_they_are_told(volary, tmp_path):
    write(tmp_path / "a.txt", b"alpha")
    volary("volume", "create", "wiki")
    volary("volume", "put", tmp_path / "a.txt", "wiki")
    volary("volume", "put", tmp_path / "a.txt", "wiki:/dir/")
    volary("volume", "put", tmp_path / "a.txt", "wiki:/dir/b.txt")
    volary("volume", "put", tmp_path / "a.txt", "wiki:/dir")  # A directory by now: the file keeps its name in it.
    volary("volume", "put", "-", "wiki:/stream", stdin="from standard input")
    volary("volume", "put", "-", "wiki:/nothing", stdin="")
    files = {one["path"]: one["size"] for one in volary.json("volume", "files", "wiki") if one["kind"] == "file"}
    assert files == {"a.txt": 5, "dir/a.txt": 5, "dir/b.txt": 5, "stream": 19, "nothing": 0}
    volary("volume", "download", "wiki:/dir/b.txt", tmp_path / "got")
    assert (tmp_path / "got/b.txt").read_bytes() == b"alpha"
    code, text = volary.refuses("volume", "put", "-", "wiki", stdin="x")
    assert code == 2 and "standard input has no name" in text


def test_a_range_of_a_file_is_printed(volary, tmp_path):
    write(tmp_path / "a.txt", b"0123456789")
    volary("volume", "create", "wiki")
    volary("volume", "put", tmp_path / "a.txt", "wiki")
    for wanted, found in [("2-4", "234"), ("7-", "789"), ("-3", "789"), ("8-100", "89"), ("0-0", "0")]:
        assert volary("volume", "cat", "wiki:/a.txt", f"--range={wanted}") == found
    code, text = volary.refuses("volume", "cat", "wiki:/a.txt", "--range", "10-")
    assert code == 2 and "beyond the end of the file (bytes */10)" in text
    for wrong in ("4-2", "-", "x-1", "5"):
        code, text = volary.refuses("volume", "cat", "wiki:/a.txt", f"--range={wrong}")
        assert code == 2 and f"'{wrong}' is no range of bytes" in text
    code, text = volary.refuses("volume", "cat", "wiki:/a.txt", "wiki:/a.txt", "--range", "0-1")
    assert code == 2 and "--range is of one file" in text


def test_a_large_stream_is_not_held_in_memory(volary, tmp_path):
    write_large(tmp_path / "content", 300)
    volary("volume", "create", "wiki")
    with open(tmp_path / "content", "rb") as stream:
        assert volary.memory_peak("volume", "put", "-", "wiki:/stream", stdin=stream) < 150 * MIB
    with open(tmp_path / "stream", "wb") as stream:
        assert volary.memory_peak("volume", "cat", "wiki:/stream", stdout=stream) < 150 * MIB
    assert subprocess.run(["cmp", tmp_path / "content", tmp_path / "stream"]).returncode == 0
    assert volary.server_memory_peak() < 200 * MIB


def test_a_killed_client_sends_nothing_again(volary, proxy, source, tmp_path):
    total = sum(path.stat().st_size for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    volary("volume", "create", "wiki")
    proxy.pause_at = total // 2
    client = subprocess.Popen(through(volary, proxy, "volume", "put", source, "wiki", "--workers", "1"), env=volary.env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert proxy.paused.wait(60)
    kill_in_flight(client)
    [upload] = volary.json("upload", "ls")
    assert (upload["state"], upload["volume"]) == ("open", "wiki")
    code, text = volary.refuses("volume", "put", "-", "wiki:/x", stdin="x")
    assert code == 6 and upload["id"] in text
    proxy.pause_at = None
    proxy.may_go_on.set()
    done = subprocess.run(through(volary, proxy, "volume", "put", source, "wiki", "-o", "json"), env=volary.env,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"going on with upload {upload['id']}" in done.stderr
    assert json.loads(done.stdout)["version"] == 1
    assert proxy.sent < total + 9 * MIB, "more than one part was sent twice"
    out = tmp_path / "out"
    volary("volume", "download", "wiki", out)
    assert tree_of(out) == tree_of(source)
    assert volary.json("upload", "ls") == []
    assert not list((volary.data / "store/uploads").iterdir())


def test_a_killed_server_is_waited_for_and_nothing_is_sent_again(volary, proxy, source, tmp_path):
    total = sum(path.stat().st_size for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    volary("volume", "create", "wiki")
    proxy.pause_at = total // 2
    client = subprocess.Popen(through(volary, proxy, "volume", "put", source, "wiki", "--workers", "1"), env=volary.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert proxy.paused.wait(60)
    volary.kill()
    assert client.poll() is None
    volary.start()
    proxy.may_go_on.set()
    out, err = client.communicate(timeout=60)
    assert client.returncode == 0, err
    assert out == "wiki@1\n"
    assert proxy.sent < total + 9 * MIB, "more than one request was sent twice"
    assert volary.json("volume", "verify", "wiki")["whole"]
    volary("volume", "download", "wiki", tmp_path / "out")
    assert tree_of(tmp_path / "out") == tree_of(source)


def test_ctrl_c_says_how_to_go_on(volary, proxy, source):
    volary("volume", "create", "wiki")
    proxy.pause_at = 4 * MIB
    client = subprocess.Popen(through(volary, proxy, "volume", "put", source, "wiki:/a"), env=volary.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert proxy.paused.wait(60) and client.poll() is None
    client.send_signal(signal.SIGINT)
    proxy.may_go_on.set()
    _, err = client.communicate(timeout=60)
    assert client.returncode == 130
    words = err.split("To go on:  volary ")[1].split()
    assert words[:3] == ["volume", "put", "--resume"]
    assert volary(*words) == "wiki@1\n"


def test_an_upload_can_be_ended(volary, proxy, source):
    volary("volume", "create", "wiki")
    proxy.pause_at = 4 * MIB
    client = subprocess.Popen(through(volary, proxy, "volume", "put", source, "wiki"), env=volary.env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert proxy.paused.wait(60)
    kill_in_flight(client)
    [upload] = volary.json("upload", "ls")
    assert upload["reservedBytes"] > 0
    volary("upload", "abort", upload["id"])
    assert volary.json("upload", "get", upload["id"])["state"] == "aborted"
    assert volary.json("volume", "get", "wiki")["reservedBytes"] == 0
    assert not list((volary.data / "store/uploads").iterdir())


def test_what_cannot_be_is_refused_before_a_byte_moves(volary, source, tmp_path):
    volary("volume", "create", "wiki", "--quota", "10MiB")
    code, text = volary.refuses("volume", "put", source, "wiki")
    assert code == 7 and "has a quota of 10.0 MiB" in text and "more asked for" in text
    assert volary.json("upload", "ls") == []
    volary("volume", "update", "wiki", "--quota", "1GiB")
    for target, words in [("wiki:/../up", "'..'"), ("wiki:/a//b", "empty"), ("wiki:x", "names no place"),
                          ("wiki@1:/x", "names a version")]:
        code, text = volary.refuses("volume", "put", source, target)
        assert code == 2 and words in text, text
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "line\nfeed").write_bytes(b"x")
    code, text = volary.refuses("volume", "put", bad, "wiki")
    assert code == 2 and "line\\x0afeed" in text, text
    volary("volume", "put", source / "run.sh", "wiki:/dir/file")
    code, text = volary.refuses("volume", "put", source / "run.sh", "wiki:/dir/file/below")
    assert code == 2 and "'dir/file' is a file in version 1" in text, text
    assert volary.refuses("volume", "put", tmp_path / "absent", "wiki")[0] == 4
    assert volary.refuses("volume", "put", source, "absent")[0] == 4


def test_a_download_goes_on_and_replaces_nothing_unasked(volary, source, tmp_path):
    volary("volume", "create", "wiki")
    volary("volume", "put", source, "wiki")
    out = tmp_path / "out"
    volary("volume", "download", "wiki:/large.bin", out)
    large = (out / "large.bin").read_bytes()
    (out / "large.bin").unlink()
    entry = next(one for one in volary.json("volume", "files", "wiki") if one["path"] == "large.bin")
    # As if it had been cut off after 12 MiB.
    (out / partial_name(volary, entry)).write_bytes(large[:12 * MIB])
    result = volary.json("volume", "download", "wiki:/large.bin", out)
    assert result["resumedBytes"] == 12 * MIB
    assert (out / "large.bin").read_bytes() == large
    (out / "large.bin").write_bytes(b"mine")
    code, text = volary.refuses("volume", "download", "wiki", out)
    assert code == 5 and "large.bin" in text and "--force" in text
    assert not (out / "small").exists()
    kept = volary.json("volume", "download", "wiki", out, "--no-overwrite")
    assert kept["skipped"] == 1 and (out / "large.bin").read_bytes() == b"mine"
    volary("volume", "download", "wiki", out, "--force")
    assert tree_of(out) == tree_of(source)
    assert volary.json("volume", "download", "wiki", out)["files"] == 0


def partial_name(volary, entry) -> str:
    """What the file is called in its directory until it is whole."""
    probe = volary.data.parent / "probe"
    probe.mkdir(exist_ok=True)
    (probe / "x").write_text(f"{entry['path']}\0{entry['digest']}")
    volary("volume", "create", "probe")
    volary("volume", "put", probe / "x", "probe")
    return ".volary-part-" + volary.json("volume", "files", "probe")[0]["digest"][:24]


def test_a_download_never_writes_through_a_link(volary, tmp_path):
    write(tmp_path / "source/dir/file", b"x")
    volary("volume", "create", "wiki")
    volary("volume", "put", tmp_path / "source", "wiki")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dir").symlink_to(tmp_path / "elsewhere")
    code, _ = volary.refuses("volume", "download", "wiki", tmp_path / "out", "--force")
    assert code == 5
    assert not list((tmp_path / "elsewhere").iterdir())
