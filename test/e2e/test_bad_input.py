"""Bad input: one clear sentence that names the thing, what was expected and what was found; an exit code; nothing half done."""
import os
import pathlib
import subprocess

import pytest

import s3


@pytest.fixture
def store(volary, directory_bucket):
    directory_bucket.put("d/a.txt", b"12345")
    directory_bucket.add(volary, "store")
    volary("volume", "create", "v", "--quota", "1MiB")
    return volary


def one_sentence(words: str) -> str:
    """The message itself: the lines after it say what was being done."""
    lines = words.strip().splitlines()
    messages = [line for line in lines if line.startswith("volary: ")]
    assert len(messages) == 1, words
    return messages[0]


def unchanged(volary) -> None:
    assert volary.json("volume", "get", "v")["head"] == 0
    assert volary.json("volume", "get", "v")["reservedBytes"] == 0
    assert volary.json("volume", "leases", "v") == []


@pytest.mark.parametrize("text, word, line", [
    ("name: x\ncolour: red\ncommand: [a]\n", "colour", 2),
    ("name: x\nname: y\n", "name", 2),
    ("replicas: none\n", "replicas", 1),
    ("shared_volume: {size: 10}\n", "shared_volume", 1),
    ("resources:\n  gpu:\n    accelerator: H100\n", "gpu", 3),
    ("input_model_data_volume: digits\n", "input_model_data_volume", 1),
    ("command: [a\n", "", 2),
])
def test_a_config_file_is_refused_with_its_line(store, tmp_path, text, word, line):
    config = tmp_path / "config.yaml"
    config.write_text(text)
    code, words = store.refuses("job", "run", "-f", config)
    assert code == 2
    assert f"config.yaml:{line}" in words and word in words
    assert store.json("job", "ls", "--all") == []


@pytest.mark.parametrize("volume, word", [
    ("v", "v"), ("v:data", "data"), ("v:/data:rx", "rx"), ("v@:/data", "v@"), ("v:/data/../etc", ".."), ("v:/", "/"),
    ("V w:/data", "V w"), ("v:/usr/x:ro", "/usr"), ("missing:/data", "missing"), ("v:/a:rw:extra", "extra"),
])
def test_a_volume_string_is_refused_quoting_the_word(store, volume, word):
    code, words = store.refuses("job", "run", "-v", volume, "--", "true")
    assert code in (2, 4) and word in one_sentence(words)
    assert store.json("job", "ls", "--all") == []


@pytest.mark.parametrize("key, word", [
    ("x/con\x01trol", "control"), ("x/bad\udcff", "UTF-8"),
])
def test_a_key_that_cannot_name_a_file_ends_the_import_with_its_name(store, directory_bucket, key, word):
    path = os.fsencode(directory_bucket.path) + b"/d/" + os.fsencode(key)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"x")
    code, words = store.refuses("volume", "import", "v", "--from", "store:d")
    assert code == 2 and word in words and "x/" in words
    unchanged(store)


@pytest.mark.parametrize("keys, word", [
    (["d/a", "d/a/b"], "both a file and the directory"), (["d/../x"], "'..'"), (["d//x"], "empty component"),
    (["d/x/"], "ends with '/'"),
])
def test_odd_keys_of_a_real_s3_server_are_refused(store, keys, word):
    client = s3.client_of_environment()
    bucket = "odd-" + os.urandom(6).hex()
    client.create_bucket(bucket)
    for key in keys:
        client.put(bucket, key, b"x")
    store("secret", "create", "key", "--from-env",
          env={"AWS_ACCESS_KEY_ID": client.access_key, "AWS_SECRET_ACCESS_KEY": client.secret_key})
    store("datastore", "add", "s3", "odd", "--endpoint", client.endpoint, "--bucket", bucket, "--secret", "key")
    code, words = store.refuses("volume", "import", "v", "--from", "odd:d")
    assert code == 2 and word in words
    unchanged(store)


def test_a_missing_bucket_and_wrong_credentials_are_named(store):
    client = s3.client_of_environment()
    store("secret", "create", "good", "--from-env",
          env={"AWS_ACCESS_KEY_ID": client.access_key, "AWS_SECRET_ACCESS_KEY": client.secret_key})
    store("secret", "create", "bad", "--from-env",
          env={"AWS_ACCESS_KEY_ID": client.access_key, "AWS_SECRET_ACCESS_KEY": "not-the-secret-0123456789"})
    store("datastore", "add", "s3", "gone", "--endpoint", client.endpoint, "--bucket", "no-such-bucket", "--secret", "good")
    store("datastore", "add", "s3", "locked", "--endpoint", client.endpoint, "--bucket", "no-such-bucket", "--secret", "bad")
    code, words = store.refuses("volume", "import", "v", "--from", "gone:d")
    assert code == 4 and "no-such-bucket" in words
    code, words = store.refuses("volume", "import", "v", "--from", "locked:d")
    assert code == 3 and "SignatureDoesNotMatch" in words
    assert "not-the-secret" not in words
    unchanged(store)


def test_a_server_that_is_not_there_is_unavailable(store):
    store("datastore", "add", "s3", "down", "--endpoint", "http://127.0.0.1:9", "--bucket", "b")
    code, words = store.refuses("volume", "import", "v", "--from", "down:d")
    assert code == 8 and "127.0.0.1:9" in words
    unchanged(store)


def test_a_quota_too_small_gives_the_numbers(store, directory_bucket):
    directory_bucket.put("big/file", b"x" * (2 << 20))
    code, words = store.refuses("volume", "import", "v", "--from", "store:big")
    assert code == 7 and "1.00 MiB" in words and "2.00 MiB" in words
    unchanged(store)


def test_a_job_that_outgrows_the_quota_keeps_what_it_made(store):
    result = store.run("job", "run", "-n", "fat", "--wait", "-v", "v:/out:rw", "--", "sh", "-c",
                       "head -c 2000000 /dev/zero >/out/fat")
    assert result.returncode == 70
    job = store.json("job", "get", "fat")
    assert job["state"] == "ERROR" and "quota" in job["reason"]
    kept = list((store.data / "jobs" / job["id"]).rglob("fat"))
    assert len(kept) == 1 and kept[0].stat().st_size == 2000000
    assert store.json("volume", "leases", "v") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_is_named_and_leaves_everything_as_it_was(volary, directory_bucket, tmp_path):
    volary.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(volary.data)], check=True)
    try:
        directory_bucket.put("small/file", b"12345")
        directory_bucket.put("big/file", b"x" * (20 << 20))
        directory_bucket.add(volary, "store")
        volary("volume", "create", "v")
        volary("volume", "import", "v", "--from", "store:small")
        code, words = volary.refuses("volume", "import", "v", "--from", "store:big")
        assert code == 7 and "No space left on device" in words
        assert volary.json("volume", "get", "v")["head"] == 1
        assert volary.json("volume", "verify", "v")["whole"]
        volary("volume", "import", "v", "--from", "store:small", "--into", "again")
        # Not a byte left: what is there can still be read, what cannot be done says why, and nobody dies of it.
        filler = volary.data / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        [server] = volary.server_pids()
        assert volary.json("volume", "verify", "v")["whole"]
        code, words = volary.refuses("volume", "import", "v", "--from", "store:small", "--into", "third")
        assert code in (7, 8) and "full" in words or "space" in words
        # A server that is stopped now starts again, from the room that it kept back, and what makes room still works.
        volary.end()
        assert volary.json("volume", "verify", "v")["whole"]
        assert not (volary.data / "reserve").exists()
        [server] = volary.server_pids()
        volary("volume", "create", "other")
        volary("volume", "rm", "other", "-y")
        filler.unlink()
        volary("volume", "import", "v", "--from", "store:small", "--into", "third")
        assert volary.server_pids() == [server]
        volary.end()
        assert not list((volary.data / "store/tmp").rglob("*file*"))
    finally:
        volary.end()
        subprocess.run(["umount", "-l", str(volary.data)], check=True)


@pytest.mark.parametrize("words, expected", [
    (["volume", "create", "Bad Name"], "'Bad Name' is no name for a volume"),
    (["volume", "create", "x", "--quota", "lots"], "'lots' is not"),
    (["volume", "create", "x", "--type", "film"], "film"),
    (["volume", "create", "v"], "exists already"),
    (["volume", "get", "nothing"], "there is no volume 'nothing'"),
    (["volume", "files", "v"], "has no version yet"),
    (["volume", "import", "v", "--from", "store"], "store"),
    (["volume", "import", "v", "--from", "nowhere:d"], "there is no datastore 'nowhere'"),
    (["volume", "import", "v", "--from", "store:none"], "there is nothing below 'none'"),
    (["volume", "import", "v", "--from", "store:../d"], "'..'"),
    (["datastore", "add", "directory", "x", "relative/path"], "relative/path"),
    (["datastore", "add", "directory", "x", "/no/such/place"], "/no/such/place"),
    (["datastore", "add", "s3", "x", "--endpoint", "ftp://h", "--bucket", "b"], "ftp://h"),
    (["job", "get", "job-none"], "there is no job 'job-none'"),
    (["transfer", "get", "xfer-none"], "there is no transfer 'xfer-none'"),
    (["volumes"], "volumes"),
    (["checksum", "/no/such/dir"], "/no/such/dir"),
])
def test_everything_else_is_one_sentence(store, words, expected):
    code, found = store.refuses(*words)
    assert code not in (0, 70) and code < 10
    assert expected in found
    assert "terminate" not in found and "Traceback" not in found
