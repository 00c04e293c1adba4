"""Volumes whose files are ordinary objects in a bucket: filled from both sides, staged for whoever reads them."""
import os
import pathlib
import signal
import subprocess

import pytest
import s3
from stores import DirectoryStore, S3Store, SwiftStore
from test_uploads import through, write
from web import Proxy


@pytest.fixture(params=["directory", "s3", "swift"])
def bucket(request, tmp_path):
    if request.param == "directory":
        return DirectoryStore(tmp_path / "bucket")
    return SwiftStore() if request.param == "swift" else S3Store(s3.client_of_environment())


def files_of(volary, reference: str) -> dict:
    return {one["path"]: one["size"] for one in volary.json("volume", "files", reference) if one["kind"] == "file"}


def test_files_are_objects_under_their_own_names(volary, bucket, tmp_path):
    bucket.add(volary, "store")
    bucket.put("elsewhere", b"not part of it")
    volary("volume", "create", "wiki", "--storage", "obs", "--bucket", "store:team/wiki", "--quota", "1GiB")
    volume = volary.json("volume", "get", "wiki")
    assert (volume["storageType"], volume["datastore"], volume["directory"]) == ("obs", "store", "team/wiki")
    source = tmp_path / "source"
    large = os.urandom(9 << 20)
    for name, content in {"a.txt": b"alpha", "sub/dir/ä b.txt": b"beta", "large.bin": large, "empty": b""}.items():
        write(source / name, content)
    (source / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("a.txt")
    put = volary.run("volume", "put", source, "wiki:/in")
    assert put.returncode == 0, put.stderr
    assert "no bucket can hold it" in put.stderr
    assert bucket.objects("team/") == {
        "team/wiki/in/a.txt": b"alpha", "team/wiki/in/sub/dir/ä b.txt": b"beta", "team/wiki/in/large.bin": large,
        "team/wiki/in/empty": b"", "team/wiki/in/run.sh": b"#!/bin/sh\n"}
    # The same name is replaced, and nothing that is there is sent again.
    (source / "a.txt").write_bytes(b"ALPHA!")
    again = volary.json("volume", "put", source, "wiki:/in")
    assert (again["files"], again["bytes"], again["skipped"]) == (1, 6, 4)
    assert bucket.objects("team/wiki/in/a")["team/wiki/in/a.txt"] == b"ALPHA!"
    assert volary("volume", "cat", "wiki:/in/a.txt") == "ALPHA!"
    # What an upload has put there is known: staging it again moves nothing and makes no version.
    assert volary.json("volume", "stage", "wiki")["counts"]["transferredBytes"] == 0
    assert volary.json("volume", "get", "wiki")["head"] == again["version"]
    volary("volume", "download", "wiki:/in", tmp_path / "out")
    (source / "link").unlink()
    (source / "run.sh").chmod(0o644)
    assert volary("checksum", tmp_path / "out").split("Checksum: ")[1] == \
        volary("checksum", source).split("Checksum: ")[1]
    assert volary.json("volume", "verify", "wiki")["whole"]


def test_a_job_gets_what_the_bucket_holds_now(volary, bucket):
    bucket.add(volary, "store")
    volary("volume", "create", "wiki", "--storage", "obs", "--bucket", "store:wiki")

    def listing() -> str:
        ran = volary.run("job", "run", "-v", "wiki:/in:ro", "--wait", "--logs", "--",
                         "/bin/sh", "-c", "cd /in && find . -type f | sort && cat ./* 2>/dev/null; true")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    assert listing() == ""
    bucket.put("wiki/one", b"first\n")
    bucket.put("wiki/two", b"second\n")
    assert listing() == "./one\n./two\nfirst\nsecond\n"
    # Another tool replaces one, adds one and deletes one: only what is new is fetched.
    bucket.put("wiki/one", b"FIRST!\n")
    bucket.put("wiki/three", b"third\n")
    bucket.remove("wiki/two")
    assert listing() == "./one\n./three\nFIRST!\nthird\n"
    staged = volary.json("transfer", "ls")[0]
    assert (staged["counts"]["completed"], staged["counts"]["deleted"]) == (2, 1)
    assert staged["counts"]["transferredBytes"] == len(b"FIRST!\nthird\n")
    [job] = volary.json("job", "ls", "--all")[:1]
    assert job["attachments"][0]["version"] == volary.json("volume", "get", "wiki")["head"] == 2
    # A version stays what it was; a job that names one gets that one, and nothing is staged.
    transfers = len(volary.json("transfer", "ls"))
    ran = volary.run("job", "run", "-v", "wiki@1:/in:ro", "--wait", "--logs", "--", "/bin/cat", "/in/two")
    assert ran.stdout == "second\n", ran.stderr
    assert len(volary.json("transfer", "ls")) == transfers
    bucket.remove("wiki/one")
    bucket.remove("wiki/three")
    assert listing() == ""
    assert files_of(volary, "wiki@2") == {"one": 7, "three": 6}


def test_a_job_that_runs_is_shown_what_the_bucket_holds_now(volary, bucket):
    bucket.add(volary, "store")
    volary("volume", "create", "wiki", "--storage", "obs", "--bucket", "store:wiki")
    job = volary("job", "run", "-v", "wiki:/in:ro", "--", "sh", "-c",
                 "echo up; until test -e /in/two; do sleep 0.05; done; cat /in/one /in/two").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job) and volary.json("job", "get", job)["state"] == "RUNNING", "it to run")

    def pull():
        [one] = volary.json("job", "pull-data", job, "--wait")
        return one["state"], one["version"], one["reason"]

    assert pull() == ("DONE", 0, "nothing is new there")
    bucket.put("wiki/one", b"first\n")
    assert pull() == ("DONE", 1, "")
    bucket.put("wiki/one", b"FIRST!\n")
    bucket.put("wiki/two", b"second\n")
    assert pull() == ("DONE", 2, "")
    assert volary.job_ended(job)["state"] == "DONE"
    assert volary("job", "logs", job) == "up\nFIRST!\nsecond\n"


def test_what_cannot_be_is_refused_with_the_reason(volary, bucket, tmp_path):
    bucket.add(volary, "store")
    bucket.put("wiki/one", b"0123456789")
    for words, text in [((), "expected the datastore"), (("--bucket", "none:x"), "no datastore 'none'"),
                        (("--bucket", "store:../x"), "'..'")]:
        code, said = volary.refuses("volume", "create", "wiki", "--storage", "obs", *words)
        assert text in said, said
    code, said = volary.refuses("volume", "create", "wiki", "--bucket", "store:x")
    assert code == 2 and "storage type 'obs'" in said
    volary("volume", "create", "wiki", "--storage", "obs", "--bucket", "store:wiki", "--quota", "15")
    code, said = volary.refuses("volume", "create", "other", "--storage", "obs", "--bucket", "store:wiki/below")
    assert code == 6 and "volume 'wiki'" in said
    code, said = volary.refuses("datastore", "rm", "store")
    assert code == 6 and "volume 'wiki'" in said
    volary("volume", "stage", "wiki")
    kept = "volume 'wiki' is kept in a bucket (store:wiki) and cannot be "
    code, said = volary.refuses("job", "run", "-v", "wiki:/out:rw", "--", "/bin/true")
    assert code == 2 and kept + "attached for writing" in said, said
    code, said = volary.refuses("volume", "import", "wiki", "--from", "store:elsewhere")
    assert code == 2 and kept + "imported into" in said, said
    bucket.put("wiki/one", b"another")
    volary("volume", "stage", "wiki")
    code, said = volary.refuses("volume", "restore", "wiki@1")
    assert code == 2 and kept + "restored" in said, said
    # Its quota holds for what is sent, and for what others have put into the bucket.
    write(tmp_path / "big", b"x" * 16)
    code, said = volary.refuses("volume", "put", tmp_path / "big", "wiki:/big")
    assert code == 7 and "quota of 15 B" in said
    assert set(bucket.objects("wiki/")) == {"wiki/one"}
    bucket.put("wiki/two", b"y" * 16)
    code, said = volary.refuses("volume", "stage", "wiki")
    assert code == 7 and "quota of 15 B" in said
    assert files_of(volary, "wiki") == {"one": 7}
    code, said = volary.refuses("job", "run", "-v", "wiki:/in:ro", "--wait", "--", "/bin/true")
    assert "could not be staged from its bucket" in said and "quota of 15 B" in said, said
    # A clone is a volume like others; the volume's end leaves the objects where they are.
    volary("volume", "clone", "wiki", "mine")
    assert volary.json("volume", "get", "mine")["storageType"] == "fs"
    volary("volume", "rm", "wiki", "-y")
    assert set(bucket.objects("wiki/")) == {"wiki/one", "wiki/two"}


def open_uploads(volary) -> list:
    volary.start()
    return volary.json("upload", "ls")


@pytest.mark.parametrize("bucket, point, when, stored", [("directory", "upload.object_put", 100, 64),
                                                         ("directory", "upload.objects_noted", 2, 128),
                                                         ("directory", "upload.published", 1, 200),
                                                         ("s3", "upload.object_put", 100, 64),
                                                         ("swift", "upload.object_put", 100, 64)], indirect=["bucket"])
def test_a_server_that_dies_while_objects_are_put_goes_on(volary, bucket, tmp_path, point, when, stored):
    bucket.add(volary, "store")
    volary("volume", "create", "wiki", "--storage", "obs", "--bucket", "store:wiki")
    content = {f"{number:03}": os.urandom(500) for number in range(200)}
    for name, one in content.items():
        write(tmp_path / "source" / name, one)
    volary.end()
    fired = tmp_path / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill@{when}", "VOLARY_FAULT_LOG": str(fired)})
    proxy = Proxy(volary.data / "volary.sock")
    try:
        client = subprocess.Popen(through(volary, proxy, "volume", "put", tmp_path / "source", "wiki"), env=volary.env,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert server.wait(timeout=60) == -signal.SIGKILL
        assert fired.read_text() == f"{point} kill {when}\n"
        [upload] = open_uploads(volary)
        assert stored <= upload["stored"] <= len(content)  # The client may have gone on already.
        out, err = client.communicate(timeout=60)
    finally:
        proxy.close()
    assert client.returncode == 0, err
    assert out == "wiki@1\n"
    assert {key.removeprefix("wiki/"): one for key, one in bucket.objects().items()
            if not pathlib.Path(key).name.startswith(".volary-")} == content
    assert volary.json("volume", "stage", "wiki")["counts"]["transferredBytes"] == 0
