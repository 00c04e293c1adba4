"""Exports arrive whole or say what did not: real clients read them, a killed one goes on where it was, a store that lies is
caught, and a file that the store does not take keeps no other from it.
"""
import hashlib
import json
import os
import shutil
import subprocess
import urllib.error
import xml.etree.ElementTree as ET

import pytest

import lying
import s3
from stores import S3Store
from web import Proxy

MIB = 1 << 20
NAMES = ["plain.bin", "with space", "plus+and%percent", "%41", "ünïcode/名前.txt", "quote'\"&<>", "a=b&c=d?e#f", "tilde~(1)",
         "dir/sub/deep", "trailing.", "back\\slash", "+", "100%", "semi;colon,comma", "emoji-🙂"]


def fill(volary, tmp_path, files: dict[str, bytes], volume: str = "corpus") -> None:
    source = tmp_path / ("source-" + volume)
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    volary("datastore", "add", "directory", "local-" + volume, source)
    volary("volume", "create", volume)
    volary("volume", "import", volume, "--from", "local-" + volume + ":")


# --- Real clients

@pytest.fixture(scope="module")
def bucket():
    return S3Store(s3.client_of_environment())


@pytest.fixture
def exported(volary, tmp_path, bucket):
    """A bucket with odd names and an object in parts, and what they should hold."""
    files = {name: f"{name} has these bytes\n".encode() * (i + 1) for i, name in enumerate(NAMES)}
    files |= {"empty": b"", "large.bin": os.urandom(20 * MIB + 12345)}
    fill(volary, tmp_path, files)
    bucket.add(volary, "store")
    result = volary.run("volume", "export", "corpus", "--to", "store:out")
    assert result.returncode == 0, result.stderr
    assert f"verified: all {len(files)} by etag" in result.stderr
    return files


def environment(client: s3.Client, tmp_path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "AWS_ACCESS_KEY_ID": client.access_key,
            "AWS_SECRET_ACCESS_KEY": client.secret_key, "AWS_DEFAULT_REGION": "us-east-1",
            "RCLONE_CONFIG_RGW_TYPE": "s3", "RCLONE_CONFIG_RGW_PROVIDER": "Ceph", "RCLONE_CONFIG_RGW_ENV_AUTH": "true",
            "RCLONE_CONFIG_RGW_ENDPOINT": client.endpoint}


def read_directory(path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


BOTO = """
import boto3, json, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1])
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=sys.argv[2], Prefix="out/"):
    for one in page["Contents"]:
        body = s3.get_object(Bucket=sys.argv[2], Key=one["Key"])["Body"].read()
        assert len(body) == one["Size"]
        print(json.dumps([one["Key"][4:], body.hex()]))
"""


def test_real_clients_read_what_was_exported(exported, bucket, tmp_path):
    env = environment(bucket.client, tmp_path)
    endpoint, source = ["--endpoint-url", bucket.client.endpoint], f"s3://{bucket.bucket}/out"
    tried = []
    if shutil.which("rclone"):
        subprocess.run(["rclone", "copy", f"RGW:{bucket.bucket}/out", tmp_path / "rclone"], env=env, check=True)
        assert read_directory(tmp_path / "rclone") == exported
        checked = subprocess.run(["rclone", "check", tmp_path / "rclone", f"RGW:{bucket.bucket}/out"], env=env,
                                 capture_output=True, text=True)
        assert checked.returncode == 0 and "0 differences" in checked.stderr, checked.stderr
        tried.append("rclone")
    if os.path.exists("/usr/bin/aws"):
        subprocess.run(["/usr/bin/aws", *endpoint, "s3", "cp", "--quiet", "--recursive", source, tmp_path / "aws"],
                       env=env, check=True)
        assert read_directory(tmp_path / "aws") == exported
        tried.append("aws")
    if subprocess.run(["/usr/bin/python3", "-c", "import boto3"], capture_output=True).returncode == 0:
        out = subprocess.run(["/usr/bin/python3", "-c", BOTO, bucket.client.endpoint, bucket.bucket], env=env,
                             check=True, capture_output=True, text=True).stdout
        found = {name: bytes.fromhex(body) for name, body in map(json.loads, out.splitlines())}
        assert found == exported
        tried.append("boto3")
    if not tried:
        pytest.skip("none of rclone, awscli and python3-boto3 is installed")


def test_what_another_tool_put_there_is_not_sent_again(volary, tmp_path, bucket):
    files = {f"f{i}": os.urandom(1000 + i) for i in range(20)}
    fill(volary, tmp_path, files)
    bucket.add(volary, "store")
    for name, content in list(files.items())[:15]:
        bucket.put("same/" + name, content)
    volary("volume", "export", "corpus", "--to", "store:same")
    [export] = [one for one in volary.json("transfer", "ls") if one["kind"] == "export_"]
    assert export["counts"]["completed"] == 20
    assert export["counts"]["transferredBytes"] == sum(map(len, list(files.values())[15:]))
    assert bucket.objects("same/") == {"same/" + name: content for name, content in files.items()}


# --- A server that is killed

@pytest.fixture
def counted(bucket):
    proxy = Proxy(bucket.client.endpoint)
    yield proxy
    proxy.close()


def uploads(bucket) -> list[tuple[str, str]]:
    """Uploads in parts that were begun and not ended."""
    answer = ET.fromstring(bucket.client.request("GET", f"/{bucket.bucket}", {"uploads": ""}))
    return [(one.findtext(s3.XML + "Key"), one.findtext(s3.XML + "UploadId")) for one in answer.iter(s3.XML + "Upload")]


def parts(bucket, key: str, upload: str) -> dict[int, int]:
    answer = ET.fromstring(bucket.client.request("GET", f"/{bucket.bucket}/{key}", {"uploadId": upload}))
    return {int(one.findtext(s3.XML + "PartNumber")): int(one.findtext(s3.XML + "Size"))
            for one in answer.iter(s3.XML + "Part")}


def add_counted(volary, bucket, proxy) -> None:
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": bucket.client.access_key,
                                                          "AWS_SECRET_ACCESS_KEY": bucket.client.secret_key})
    volary("datastore", "add", "s3", "store", "--endpoint", proxy.url, "--bucket", bucket.bucket, "--secret", "key")


def killed_export(volary, tmp_path, bucket, proxy, files, fault: str, to: str) -> None:
    """An export under way when the server dies at the fail point."""
    fill(volary, tmp_path, files)
    add_counted(volary, bucket, proxy)
    volary.end()
    log = tmp_path / "faults.log"
    server = volary.start({"VOLARY_FAULT": fault, "VOLARY_FAULT_LOG": str(log)})
    volary("volume", "export", "corpus", "--to", "store:" + to, "--detach")
    server.wait(60)
    assert log.read_text().startswith(fault.partition("=")[0]), "the fail point was never passed"
    volary.wait_for(lambda: proxy.answering == 0, "the store to have dealt with all that was sent", 60)


def ended_export(volary) -> dict:
    def ended():
        [one] = [one for one in volary.json("transfer", "ls") if one["kind"] == "export_"]
        return one if one["state"] in ("done", "failed", "cancelled") else None
    return volary.wait_for(ended, "the export to end", 60)


@pytest.mark.parametrize("at", ["remote.upload_begun=kill", "send.upload_noted=kill@2", "remote.part_arrived=kill@2",
                                "remote.before_complete=kill", "send.copied=kill"])
def test_a_killed_export_goes_on_and_sends_nothing_again_that_had_arrived(volary, tmp_path, bucket, counted, at):
    large, to = os.urandom(60 * MIB + 7), "killed-" + at.partition("=")[0]
    killed_export(volary, tmp_path, bucket, counted, {"large": large, "small": b"x" * 500}, at, to)
    begun = uploads(bucket)
    assert len(begun) <= 1
    there = sum(sum(parts(bucket, *one).values()) for one in begun)
    try:
        there += len(bucket.client.get(bucket.bucket, to + "/large"))
    except urllib.error.HTTPError:
        pass
    if "part_arrived" in at:
        assert there >= 2 * 16 * MIB, "too little had arrived for this to show anything"
    counted.sent = 0
    done = ended_export(volary)  # The command starts the server, which goes on by itself.
    assert done["state"] == "done" and done["counts"]["completed"] + done["counts"]["skipped"] == 2, done
    assert len(large) - there <= counted.sent <= len(large) - there + 200_000
    assert bucket.objects(to + "/") == {to + "/large": large, to + "/small": b"x" * 500}
    assert uploads(bucket) == []


def test_a_cancelled_export_leaves_no_parts(volary, tmp_path, bucket, counted):
    fill(volary, tmp_path, {"large": os.urandom(60 * MIB)})
    add_counted(volary, bucket, counted)
    counted.pause_at = 20 * MIB
    transfer = volary("volume", "export", "corpus", "--to", "store:cancelled", "--detach").strip()
    assert counted.paused.wait(60), "the upload is not under way"
    assert len(uploads(bucket)) == 1
    volary("transfer", "cancel", transfer)
    counted.may_go_on.set()
    assert ended_export(volary)["state"] == "cancelled"
    volary.wait_for(lambda: not uploads(bucket), "the parts to go")


def test_an_export_that_is_cancelled_after_a_crash_leaves_no_parts(volary, tmp_path, bucket, counted):
    killed_export(volary, tmp_path, bucket, counted, {"large": os.urandom(60 * MIB)}, "remote.part_arrived=kill@2",
                  "crashed")
    assert len(uploads(bucket)) == 1
    counted.sent, counted.pause_at = 0, 0
    [export] = [one for one in volary.json("transfer", "ls") if one["kind"] == "export_"]
    volary("transfer", "cancel", export["id"])
    counted.may_go_on.set()
    assert ended_export(volary)["state"] == "cancelled"
    volary.wait_for(lambda: not uploads(bucket), "the parts to go")


# --- A store that lies

@pytest.fixture
def liar(volary, tmp_path):
    server = lying.LyingS3(page=1000)
    server.buckets["b"] = {}
    files = {f"d/f{i:02}": f"file {i}\n".encode() * 50 for i in range(40)}
    fill(volary, tmp_path, files)
    volary("secret", "create", "key", "--from-env", env={"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    volary("datastore", "add", "s3", "liar", "--endpoint", server.url, "--bucket", "b", "--secret", "key")
    server.files = files
    yield server
    server.end()


def vanished(server, request, answer):
    server.buckets[request.bucket].pop(request.key)
    return answer


def cut_short(server, request, answer):
    server.etags[request.bucket, request.key] = hashlib.md5(request.body).hexdigest()
    server.buckets[request.bucket][request.key] = request.body[:-1]
    return answer


def other_bytes_no_md5(server, request, answer):
    server.buckets[request.bucket][request.key] = b"#" + request.body[1:]
    return answer


LIES = {"stores nothing": (vanished, "took it and does not have it"),
        "stores less": (cut_short, "has 349 bytes of it: expected 350"),
        "stores other bytes": (lying.stored_otherwise(), "gives back other bytes than were sent"),
        "changes them later": (other_bytes_no_md5, "has another object there than it took")}


@pytest.mark.parametrize("lie", LIES)
def test_a_store_that_lies_is_caught_and_the_others_arrive(volary, liar, lie):
    act, words = LIES[lie]
    with liar.fault(act, kind="put", key="*/f07") as fault:
        code, message = volary.refuses("volume", "export", "corpus", "--to", "liar:out", "--strategy", "mirror")
    assert fault.fired == 1 and code == 9
    assert "1 of 40 files did not arrive: 'd/f07'" in message and words in message
    failed = ended_export(volary)
    assert failed["counts"]["completed"] == 39 and failed["counts"]["failed"] == 1
    volary("volume", "export", "corpus", "--to", "liar:out")
    assert liar.buckets["b"] == {"out/" + name: content for name, content in liar.files.items()}


def test_a_store_without_md5s_is_read_back_in_a_sample(volary, liar):
    def own_etag(server, request):
        server.etags[request.bucket, request.key] = "opaque-" + request.key.replace("/", "-")

    with liar.fault(lying.at("before", own_etag), kind="put") as fault:
        # The honest server forgets an ETag of its own when an object is put, so it is given again with each answer.
        def again(server, request, answer):
            own_etag(server, request)
            return lying.with_headers(answer, {"ETag": f'"{server.etag(request.bucket, request.key)}"'})

        with liar.fault(again, kind="put"):
            result = volary.run("volume", "export", "corpus", "--to", "liar:out")
    assert result.returncode == 0 and fault.fired == 40
    assert "verified: all 40 by size, 20 of them read back" in result.stderr
    assert sum(one.kind == "object" and one.method == "GET" for one in liar.requests) == 20


def test_a_file_that_is_refused_keeps_no_other_from_it_and_nothing_is_deleted(volary, liar):
    liar.buckets["b"] |= {"out/stray": b"stays", "out/d/f00": b"other", "out/d/f01": b"other"}
    with liar.fault(lying.said(403, "AccessDenied", "not yours"), kind="put", key="*/f1?") as fault:
        code, message = volary.refuses("volume", "export", "corpus", "--to", "liar:out", "--strategy", "mirror")
    assert fault.fired == 10 and code == 3
    assert "10 of 40 files did not arrive: 'd/f10': s3 bucket 'b'" in message and "(and 9 more); nothing was deleted" in message
    assert "out/stray" in liar.buckets["b"] and len(liar.buckets["b"]) == 31
    failed = volary.json("transfer", "get", ended_export(volary)["id"])
    assert [one["path"] for one in failed["failures"]] == [f"d/f{i}" for i in range(10, 20)]
    assert all("403 AccessDenied: not yours" in one["reason"] for one in failed["failures"])


def test_wrong_credentials_end_it_at_once(volary, liar):
    with liar.fault(lying.said(403, "InvalidAccessKeyId"), kind="put") as fault:
        code, message = volary.refuses("volume", "export", "corpus", "--to", "liar:out")
    assert code == 3 and "InvalidAccessKeyId" in message and "did not arrive" not in message
    assert fault.fired < 40


# --- Other kinds of datastores

def test_what_is_exported_into_a_directory_is_read_back(volary, tmp_path):
    files = {name: name.encode() * 100 for name in ["a", "d/b", "ü/名前"]} | {"large": os.urandom(9 * MIB)}
    fill(volary, tmp_path, files)
    (tmp_path / "target").mkdir()
    volary("datastore", "add", "directory", "there", tmp_path / "target")
    result = volary.run("volume", "export", "corpus", "--to", "there:out")
    assert result.returncode == 0 and "verified: all 4 by size, 4 of them read back" in result.stderr
    assert read_directory(tmp_path / "target" / "out") == files
    export = ended_export(volary)
    assert export["verified"] == "all 4 by size, 4 of them read back"
    assert volary.json("transfer", "get", export["id"])["verified"] == export["verified"]
