"""Buckets and their objects from the command line, against a directory, a real Ceph and a real Swift: up, back down, packed,
copied, deleted; what others named or packed with bad intent; and what is left when either side dies half way."""
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import tarfile
import urllib.error
import uuid
import xml.etree.ElementTree as ET

import pytest

import lying
import s3
from volary import ROOT, write_large

BIG = 288 << 20  # More than a server may hold in memory.

FILES = {"a.txt": b"one\n", "deep/er/b.bin": bytes(range(256)) * 40, "empty": b"", "with space & +plus%41.txt": b"odd",
         "ünï/ç": b"utf-8", "deep/c": b"c" * 70_000}


class Account:
    """A datastore 'gra' of all the buckets that a store has, and what really lies in them."""

    def __init__(self, volary, kind: str, root: pathlib.Path):
        self.kind, self.root, self.volary = kind, root, volary
        self.made: list[str] = []
        if kind == "directory":
            root.mkdir()
            volary("datastore", "add", "directory", "gra", root)
            return
        self.client = s3.client_of_environment() if kind == "ceph" else self.swift()
        if kind == "swift":  # By its own protocol; what really lies there is seen through its other door.
            volary("datastore", "add", "swift", "gra", "--from-env",
                   env={"ST_AUTH": os.environ["VOLARY_TEST_SWIFT_AUTH"], "ST_USER": self.client.access_key,
                        "ST_KEY": self.client.secret_key})
            return
        volary("secret", "create", "gra-key", "--from-env", env={"AWS_ACCESS_KEY_ID": self.client.access_key,
                                                                 "AWS_SECRET_ACCESS_KEY": self.client.secret_key})
        volary("datastore", "add", "s3", "gra", "--endpoint", self.client.endpoint, "--secret", "gra-key")

    @staticmethod
    def swift() -> s3.Client:
        try:
            return s3.Client(os.environ["VOLARY_TEST_SWIFT_S3_ENDPOINT"], os.environ["VOLARY_TEST_SWIFT_USER"],
                             os.environ["VOLARY_TEST_SWIFT_KEY"])
        except KeyError as missing:
            pytest.skip(f"{missing} is not set: start test/servers/start-swift.sh")

    def bucket(self) -> str:
        name = "e2e-" + uuid.uuid4().hex[:12]
        self.made.append(name)
        assert self.volary("bucket", "create", "GRA", name) == name + "\n"
        return name

    def objects(self, bucket: str) -> dict[str, bytes]:
        if self.kind == "directory":
            return {path.relative_to(self.root / bucket).as_posix(): path.read_bytes()
                    for path in (self.root / bucket).rglob("*") if path.is_file()}
        return {key: self.client.get(bucket, key) for key in self.client.list(bucket)}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        if self.kind != "directory":
            return self.client.put(bucket, key, content)
        path = self.root / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def end(self) -> None:
        for name in self.made:
            self.volary.run("bucket", "rm", "gra", name, "--yes")


@pytest.fixture(params=["directory", "ceph"])
def account(request, volary, tmp_path):
    one = Account(volary, request.param, tmp_path / "account")
    yield one
    one.end()


@pytest.fixture
def ceph(volary, tmp_path):
    one = Account(volary, "ceph", tmp_path / "account")
    yield one
    one.end()


@pytest.fixture
def here(tmp_path):
    directory = tmp_path / "here"
    directory.mkdir()
    return directory


def write(directory: pathlib.Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read(directory: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def keys(answer: dict, act: str) -> list[str]:
    return sorted(one["key"] for one in answer["results"] if one["act"] == act)


# --- buckets


def test_buckets_are_made_shown_counted_and_removed(volary, account, here):
    one, other = account.bucket(), account.bucket()
    code, message = volary.refuses("bucket", "create", "gra", one)
    assert code == 5 and one in message
    write(here, {"x": b"12345", "y": b"678"})
    volary("bucket", "object", "upload", f"{one}@gra", "x", "y", cwd=here)
    assert set(volary("bucket", "ls", "gra", "-o", "name").split()) >= {one, other}
    assert volary("bucket", "ls", "gra", "-p", one, "-f", "objects,size,name").splitlines()[1].split() == ["2", "8", "B", one]
    shown = volary.json("bucket", "get", "GRA", one)
    assert (shown["name"], shown["objects"], shown["bytes"]) == (one, 2, 8)
    assert volary.refuses("bucket", "get", "gra", "absent-" + one)[0] == 4
    assert f"{one}@gra" in volary("__complete", "bucket", "object", "ls", "")

    code, message = volary.refuses("bucket", "rm", "gra", one)
    assert code == 2 and "with 2 objects (8 B)" in message and "--yes" in message
    assert len(account.objects(one)) == 2
    volary("bucket", "delete", "gra", one, "--yes")
    assert volary.refuses("bucket", "object", "ls", f"{one}@gra")[0] == 4
    volary("bucket", "rm", "gra", "--prefix", other, "-y")
    assert other not in volary("bucket", "ls", "gra", "-o", "name").split()


# --- up and down


@pytest.mark.parametrize("words", [lambda b: ("bucket", "object", "@"), lambda b: ("data", " ")], ids=["today", "older"])
def test_files_go_up_and_come_back(volary, account, here, words):
    bucket = account.bucket()

    def say(verb, *rest, **options):
        *path, spelling = words(bucket)
        place = [f"{bucket}@GRA"] if spelling == "@" else ["GRA", bucket]
        return volary(*path, verb, *place, *rest, **options)

    write(here / "set", {**FILES, "left.tmp": b"no", "skip/me": b"no", ".ovhaiignore": b"*.tmp\n/skip/\n"})
    say("upload", "set", "-a", "raw/", "-r", "set/", cwd=here)
    assert account.objects(bucket) == {"raw/" + name: content for name, content in FILES.items()}
    listed = say("ls", "-p", "raw/deep", "-o", "name").splitlines()
    assert listed == ["raw/deep/c", "raw/deep/er/b.bin"]
    header, *rows = say("list").splitlines()
    assert header.split() == ["DATE", "BYTES", "NAME", "DESCRIPTION", "ETAG"] and len(rows) == len(FILES)

    say("download", "-o", "back/", "--create", "-r", "raw/", cwd=here)
    assert read(here / "back") == FILES
    (here / "back/a.txt").write_bytes(b"mine")
    say("download", "raw/a.txt", "-o", "back/", "-r", "raw/", "--no-overwrite", cwd=here)
    assert (here / "back/a.txt").read_bytes() == b"mine"
    say("upload", "back/a.txt", "-r", "back", "-a", "raw/", "--no-overwrite", cwd=here)
    assert account.objects(bucket)["raw/a.txt"] == FILES["a.txt"]
    say("upload", str(here / "back/a.txt"))  # The name is the path as it is given.
    assert account.objects(bucket)[str(here / "back/a.txt").lstrip("/")] == b"mine"

    say("rm", "raw/a.txt", "-y")
    say("delete", "--prefix", "raw/deep", "--yes")
    assert sorted(key for key in account.objects(bucket) if key.startswith("raw/")) == sorted(
        "raw/" + name for name in FILES if name != "a.txt" and not name.startswith("deep"))


def test_an_upload_deletes_only_what_it_says_and_keeps_it_in_the_trash(volary, account, here):
    bucket = account.bucket()
    upload = ("bucket", "object", "upload", f"{bucket}@gra", "set")
    write(here / "set", {"a": b"a", "b": b"b", "c": b"c", "ignored/x": b"x"})
    volary(*upload, cwd=here)
    write(here, {"set/.ovhaiignore": b"ignored\n"})
    account.put(bucket, "other/d", b"d")
    (here / "set/c").unlink()
    answer = volary.json(*upload, "--delete", "--trash", f"{bucket}/set/bin", "--dry-run", cwd=here)
    assert answer["dryRun"] and keys(answer, "trashed") == ["set/c"] and keys(answer, "uploaded") == ["set/a", "set/b"]
    before = {"set/a": b"a", "set/b": b"b", "set/c": b"c", "set/ignored/x": b"x", "other/d": b"d"}
    assert account.objects(bucket) == before

    # Twice: what is in the trash already is not moved into it again. What is ignored is here, and stays there.
    for _ in range(2):
        volary(*upload, "--delete", "--trash", f"{bucket}/set/bin", cwd=here)
        assert account.objects(bucket) == {**{k: v for k, v in before.items() if k != "set/c"}, "set/bin/set/c": b"c"}

    for name in ("a", "b", "ignored/x"):
        (here / "set" / name).unlink()
    write(here / "set", {"e": b"e"})
    code, message = volary.refuses(*upload, "--delete", cwd=here)
    assert code == 2 and "more than half" in message and "--yes" in message
    assert account.objects(bucket)["set/a"] == b"a"
    volary(*upload, "--delete", "--yes", cwd=here)
    assert account.objects(bucket) == {"set/e": b"e", "other/d": b"d"} | (
        {"set/ignored/x": b"x"} if (here / "set/ignored").is_dir() else {})


def test_nothing_is_deleted_when_not_all_arrived(volary, ceph, here):
    bucket = ceph.bucket()
    write(here / "set", {"a": b"a", "b": b"b", "c": b"c"})
    volary("data", "upload", "gra", bucket, "set", cwd=here)
    (here / "set/c").unlink()
    write(here / "set", {("n" * 200 + "/") * 6 + "too-long": b"x"})  # S3 takes names of at most 1024 bytes.
    code, message = volary.refuses("data", "upload", "gra", bucket, "set", "--delete", cwd=here)
    assert code == 2 and "too-long" in message and "nothing was deleted" in message and "1 of 3 objects failed" in message
    assert ceph.objects(bucket) == {"set/a": b"a", "set/b": b"b", "set/c": b"c"}


def test_a_download_makes_the_directory_what_the_bucket_is(volary, account, here):
    bucket = account.bucket()
    for name in ("a", "sub/b", "sub/c"):
        account.put(bucket, name, name.encode())
    write(here / "set", {"old/x": b"x", "sub/d": b"d", "a": b"older"})
    download = ("bucket", "object", "download", f"{bucket}@gra", "-o", "set/", "--delete")
    assert volary.refuses("bucket", "object", "download", f"{bucket}@gra", "-o", "set", cwd=here)[1].count(
        "add_prefix should ends with a '/'") == 1
    volary(*download, "--trash", "bin", "--dry-run", cwd=here)
    assert read(here / "set") == {"old/x": b"x", "sub/d": b"d", "a": b"older"}
    code, message = volary.refuses(*download, "--trash", "bin", "-p", "sub/", cwd=here)
    assert code == 2 and "moves 1 of the 1 files that are there to the trash" in message
    volary(*download, "--trash", "bin", "-p", "sub/", "--yes", cwd=here)
    assert read(here / "set") == {"old/x": b"x", "a": b"older", "sub/b": b"sub/b", "sub/c": b"sub/c"}
    assert read(here / "bin") == {"sub/d": b"d"}
    volary(*download, cwd=here)
    assert read(here / "set") == {"a": b"a", "sub/b": b"sub/b", "sub/c": b"sub/c"} and not (here / "set/old").exists()
    write(here / "set", {f"extra{i}": b"" for i in range(9)})
    assert "more than half" in volary.refuses(*download, cwd=here)[1] and len(read(here / "set")) == 12


def test_names_of_objects_do_not_lead_out(volary, ceph, here, tmp_path):
    bucket = ceph.bucket()
    hostile = ["../evil", "a/../../evil", "/evil", "a//b", "a/./b", "..", "link/evil", ".volary-part-" + "0" * 24]
    for key in [*hostile, "fine", "dir/", "file", "file/below"]:
        ceph.client.put(bucket, key, b"" if key.endswith("/") else key.encode())
    assert set(ceph.client.list(bucket)) >= {*hostile, "fine"}  # The store has them as they are.
    (tmp_path / "outside").mkdir()
    (here / "in").mkdir()
    (here / "in/link").symlink_to(tmp_path / "outside")
    result = volary.run("bucket", "object", "download", f"{bucket}@gra", "-o", "in/", "-j", "-w", "1", cwd=here)
    failed = [one["key"] for one in json.loads(result.stdout)["results"] if one["act"] == "failed"]
    assert sorted(failed) == sorted([*hostile, "file/below"]) and result.returncode in (2, 6)
    assert read(here / "in") == {"fine": b"fine", "file": b"file"} and (here / "in/dir").is_dir()
    assert not read(tmp_path / "outside") and not list(tmp_path.rglob("evil")) and not pathlib.Path("/evil").exists()


# --- archives


def test_directories_go_up_as_one_archive_and_come_back(volary, account, here):
    bucket = account.bucket()
    write(here / "set", FILES)
    (here / "set/a.txt").chmod(0o755)
    volary("bucket", "object", "upload", f"{bucket}@gra", "set", "-r", "set/", "--tar", "packed/all.tar", cwd=here)
    (packed,) = account.objects(bucket).items()
    assert packed[0] == "packed/all.tar"
    with tarfile.open(fileobj=io.BytesIO(packed[1])) as archive:
        assert {one.name: archive.extractfile(one).read() for one in archive} == FILES
    volary("bucket", "object", "download", f"{bucket}@gra", "packed/all.tar", "--untar", "-o", "back/", "--create", cwd=here)
    assert read(here / "back") == FILES and os.access(here / "back/a.txt", os.X_OK)


def hostile_archives():
    def archive(*members):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as one:
            for name, kind, target in [("first", tarfile.REGTYPE, ""), *members]:
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
                one.addfile(member, io.BytesIO(b"evil") if member.size else None)
        return out.getvalue()

    file, link, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    whole = archive(("a", file, ""))
    return {"parent": archive(("../evil", file, "")), "absolute": archive(("/evil", file, "")),
            "through": archive(("l", link, "."), ("l/evil", file, "")), "out": archive(("l", link, "../../x")),
            "etc": archive(("l", link, "/etc/passwd")), "hard": archive(("h", hard, "../secret")),
            "twice": archive(("a", file, ""), ("a", file, "")), "device": archive(("null", tarfile.CHRTYPE, "")),
            "cut": whole[:1800], "no archive": b"hello" * 300}


@pytest.mark.parametrize("what", list(hostile_archives()))
def test_archives_with_bad_intent_leave_nothing(volary, tmp_path, here, what):
    account = Account(volary, "directory", tmp_path / "account")
    bucket = account.bucket()
    account.put(bucket, "x.tar", hostile_archives()[what])
    write(here, {"secret": b"secret", "in/kept": b"kept"})
    code, message = volary.refuses("bucket", "object", "download", f"{bucket}@gra", "x.tar", "--untar", "-o", "in/", cwd=here)
    assert code in (2, 6, 9) and "x.tar" in message
    assert [path.name for path in (here / "in").iterdir()] == ["kept"] and sorted(read(here)) == ["in/kept", "secret"]
    assert not (tmp_path / "evil").exists() and not pathlib.Path("/evil").exists()


# --- copies


def test_objects_are_copied_and_moved(volary, account):
    bucket, archive = account.bucket(), account.bucket()
    at = f"{bucket}@gra"
    for name in ("t/a", "t/b", "u"):
        account.put(bucket, name, name.encode())
    volary("bucket", "object", "copy", at, "u", "v/")
    volary("bucket", "object", "cp", at, "t/", "-p", "-c", archive)
    assert account.objects(bucket)["v/u"] == b"u" and account.objects(archive) == {"t/a": b"t/a", "t/b": b"t/b"}
    volary("data", "mv", "gra", bucket, "t/", "moved/", "-p")
    assert sorted(account.objects(bucket)) == ["moved/a", "moved/b", "u", "v/u"]
    code, message = volary.refuses("bucket", "object", "move", at, "u", "v/u")
    assert code == 2 and "replaces 1 object" in message
    volary("bucket", "object", "move", at, "u", "v/u", "--yes")
    assert sorted(account.objects(bucket)) == ["moved/a", "moved/b", "v/u"]

    account.put(bucket, "m", b"first")
    account.put(bucket, "mm", b"second")
    code, message = volary.refuses("bucket", "object", "move", at, "m", "mm", "-p", "--yes")
    assert code == 2 and "two steps" in message
    assert account.objects(bucket)["m"] == b"first" and account.objects(bucket)["mm"] == b"second"
    assert volary.refuses("bucket", "object", "copy", at, "absent", "x")[0] == 4
    assert volary.refuses("bucket", "object", "copy", at, "m", "m")[0] == 2
    assert volary.json("bucket", "object", "get", at, "mm")["size"] == 6


def test_one_object_that_fails_does_not_stop_the_others(volary, account):
    bucket = account.bucket()
    account.put(bucket, "a", b"a")
    code, message = volary.refuses("bucket", "object", "rm", f"{bucket}@gra", "absent", "a", "-y")
    assert code == 4 and "1 of 2 objects failed" in message and not account.objects(bucket)
    assert volary.refuses("bucket", "object", "rm", f"{bucket}@gra", "-y")[0] == 2  # Neither names, nor --prefix, nor --all.
    for workers in ("0", "65", "x"):
        assert volary.refuses("bucket", "object", "ls", "no-container")[0] == 2
        assert "--workers" in volary.refuses("bucket", "object", "rm", f"{bucket}@gra", "a", "-y", "-w", workers)[1]


def test_a_range_may_reach_beyond_the_end_and_a_head_asks_the_store_for_no_bytes(volary):
    server = lying.LyingS3()
    server.buckets["bucket"] = {"ten": b"0123456789"}
    volary("datastore", "add", "s3", "store", "--endpoint", server.url, "--bucket", "bucket")
    url = "http://volary/api/v1/datastores/store/buckets/bucket/objects/content?key=ten"
    token = (volary.data / "admin.token").read_text().strip()

    def ask(*words) -> str:
        return subprocess.run(["curl", "-sS", "-i", "--unix-socket", str(volary.data / "volary.sock"), *words,
                               "-H", "Authorization: Bearer " + token, url], capture_output=True, text=True,
                              check=True).stdout.lower()

    etag = ["-H", f'If-Match: "{server.etag("bucket", "ten")}"']
    for range_, status, body in [("bytes=0-1048575", "206", "0123456789"), ("bytes=4-1048575", "206", "456789"),
                                 ("bytes=2-3", "206", "23"), ("bytes=10-12", "416", "")]:
        for words in ([], etag):
            answer = ask(*words, "-H", "Range: " + range_)
            assert answer.startswith(f"http/1.1 {status}") and answer.split("\n\n")[1] == body, (range_, words, answer)
    assert ask("-H", 'If-Match: "another"', "-H", "Range: bytes=0-1048575").startswith("http/1.1 409")
    server.requests.clear()
    for words in ([], etag):
        head = ask(*words, "-I")
        assert head.startswith("http/1.1 200") and "\ncontent-length: 10\n" in head
    volary.end()  # Nothing is under way any more.
    assert [request.method for request in server.requests] == ["HEAD", "HEAD"]
    server.end()


# --- large objects, and deaths half way


def in_flight(volary, *words, cwd) -> subprocess.Popen:
    return subprocess.Popen([str(volary.program), *map(str, words)], env=volary.env, cwd=cwd, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_large_objects_take_little_memory_and_survive_deaths(volary, ceph, here):
    bucket = ceph.bucket()
    write_large(here / "big", BIG >> 20)
    upload = ("bucket", "object", "upload", f"{bucket}@gra", "big")

    # An upload that dies leaves nothing, neither an object nor parts of one.
    sending = in_flight(volary, *upload, cwd=here)
    parts = lambda: ET.fromstring(ceph.client.request("GET", f"/{bucket}", {"uploads": ""})).findall(s3.XML + "Upload")
    volary.wait_for(lambda: parts() or sending.poll() is not None, "the upload in parts to begin")
    assert sending.poll() is None
    sending.kill()
    sending.wait()
    volary.wait_for(lambda: not parts(), "the parts to be gone")
    assert not ceph.client.list(bucket)
    assert volary.memory_peak(*upload, cwd=here) < 256 << 20

    # A download that dies is gone on with: what is marked in its first half is still there in the end.
    download = ("bucket", "object", "download", f"{bucket}@gra", "-o", "got/", "--create")
    receiving = in_flight(volary, *download, cwd=here)
    part = volary.wait_for(lambda: [path for path in here.glob("got/.volary-part-*") if path.stat().st_size > 1 << 20] or
                           receiving.poll() is not None, "a part of the download")
    assert receiving.poll() is None
    receiving.send_signal(signal.SIGKILL)
    receiving.wait()
    assert not (here / "got/big").exists() and part[0].stat().st_size < BIG
    with open(part[0], "r+b") as file:
        file.write(b"marked!!")
    assert volary.memory_peak(*download, cwd=here) < 256 << 20
    with open(here / "got/big", "r+b") as file:
        assert file.read(8) == b"marked!!"
        file.seek(0)
        file.write((0).to_bytes(8, "little"))
    assert subprocess.run(["cmp", here / "big", here / "got/big"]).returncode == 0
    assert [path.name for path in (here / "got").iterdir()] == ["big"]

    assert volary.server_memory_peak() < 256 << 20


# --- the page


@pytest.mark.parametrize("account", ["directory", "ceph", "swift"], indirect=True)
def test_the_page_on_buckets_is_true(volary, account, here):
    """Each command of docs/buckets.md, in order, in one directory; what stands in place of names is put in."""
    write(here, {"train/a.txt": b"a", "train/b.txt": b"b", "train/debug.log": b"x"})
    names = {"corpora": account.bucket(), "attic": account.bucket()}
    page = (ROOT / "docs/buckets.md").read_text()
    commands = re.findall(r"^\$ (volary .*)$", page, re.M)
    assert len(commands) > 15
    for command in commands:
        words = command.split("#")[0].strip()
        for name, bucket in names.items():
            words = re.sub(rf"\b{name}\b", bucket, words)
        if words.startswith(("volary datastore", "volary secret")) or "bucket create" in words:
            continue  # They are what the test began with.
        result = subprocess.run(["bash", "-c", words], cwd=here, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                                env={**volary.env, "PATH": f"{volary.program.parent}:/usr/bin:/bin"})
        assert result.returncode == 0, f"{words}\n{result.stdout}{result.stderr}"
