"""Datastores of every kind against real servers: nginx, git's http-backend, Swift; what a check says, and where keys come from."""
import hashlib
import os
import random
import subprocess
import uuid

import pytest

import s3
from hub import Hub
from web import GitServer, Nginx

BIG = random.Random(7).randbytes(3_000_000)


@pytest.fixture
def nginx(tmp_path):
    one = Nginx(tmp_path / "nginx")
    yield one
    one.end()


@pytest.fixture
def git(tmp_path):
    one = GitServer(tmp_path / "git", token="t0ken")
    yield one
    one.end()


def content(volary, volume: str, path: str) -> bytes:
    return subprocess.run([str(volary.program), "volume", "cat", f"{volume}:/{path}"], env=volary.env, check=True,
                          capture_output=True).stdout


def files(volary, volume: str) -> list[str]:
    return [file["path"] for file in volary.json("volume", "files", volume) if file["kind"] == "file"]


def checked(volary, name: str, *words) -> dict[str, str]:
    return {act["act"]: act["works"] for act in volary.json("datastore", "check", name, *words)["acts"]}


def nowhere_in(volary, secret: bytes) -> bool:
    return not any(secret in file.read_bytes() for file in volary.data.rglob("*") if file.is_file())


def test_a_file_of_a_web_server_becomes_a_version(volary, nginx):
    nginx.put("d/a b.bin", BIG)
    nginx.put("closed/x.bin", b"for ann only")
    volary("datastore", "add", "http", "web", nginx.url + "/")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "web:d/a b.bin", "--into", "got")
    assert content(volary, "v", "got/a b.bin") == BIG
    before = len(nginx.requests())
    volary("volume", "import", "v", "--from", "web:d/a b.bin", "--into", "got")
    assert [line.split()[0] for line in nginx.requests()[before:]] == ['"HEAD']
    nginx.put("d/a b.bin", BIG + b"more")
    volary("volume", "import", "v", "--from", "web:d/a b.bin", "--into", "got")
    assert content(volary, "v", "got/a b.bin") == BIG + b"more"

    for words, expected in [(("web:d",), "403"), (("web:nope",), "there is no 'nope' in web directory"), (("web:",), "has no listing"),
                            (("web:d/a b.bin", "--strategy", "mirror"), "is one file"), (("web:closed/x.bin",), "401")]:
        _, said = volary.refuses("volume", "import", "v", "--from", *words)
        assert expected in said, said
    _, said = volary.refuses("volume", "export", "v", "--to", "web:d")
    assert "can only be read" in said
    assert volary.json("volume", "get", "v")["head"] == 2

    volary("datastore", "add", "http", "closed", nginx.url + "/closed/", "--secret-from-stdin", stdin="user=ann\npassword=secret word\n")
    volary("volume", "import", "v", "--from", "closed:x.bin")
    assert content(volary, "v", "x.bin") == b"for ann only"
    assert nowhere_in(volary, b"secret word")
    volary("datastore", "add", "http", "one", nginx.url + "/d/a%20b.bin")
    volary("volume", "create", "w")
    volary("volume", "import", "w", "--from", "one:")
    assert files(volary, "w") == ["a b.bin"]
    assert checked(volary, "web") == {"reach": "yes", "list": "no", "read": "unknown", "write": "no", "delete": "no"}
    assert checked(volary, "one") == {"list": "yes", "read": "yes", "write": "no", "delete": "no"}


def test_a_git_repository_is_imported_at_its_revision(volary, git):
    first = git.repository("code", {"a.txt": b"1", "src/main.c": b"int main;", "big.bin": BIG}, tag="v1")
    url = git.url + "/code.git"
    volary("datastore", "add", "git", "tagged", url, "--revision", "v1", "--secret-from-stdin", stdin="user=ann\ntoken=t0ken\n")
    volary("datastore", "add", "git", "newest", url, "--secret", "tagged")
    volary("datastore", "add", "git", "anybody", url)
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "tagged:")
    assert files(volary, "v") == ["a.txt", "big.bin", "src/main.c"]
    assert content(volary, "v", "big.bin") == BIG
    git.repository("code", {"a.txt": b"2", "big.bin": BIG})
    volary("volume", "import", "v", "--from", "tagged:", "--strategy", "mirror")
    assert volary.json("volume", "get", "v")["head"] == 1
    volary("volume", "import", "v", "--from", "newest:", "--strategy", "mirror")
    assert content(volary, "v", "a.txt") == b"2" and files(volary, "v") == ["a.txt", "big.bin"]
    git.asked.clear()
    volary("volume", "import", "v", "--from", "newest:", "--strategy", "mirror")
    assert all(path.endswith(("/info/refs", "/git-upload-pack")) for path in git.asked) and len(git.asked) <= 4
    volary("datastore", "add", "git", "fixed", url, "--revision", first, "--secret", "tagged")
    volary("volume", "import", "v", "--from", "fixed:src", "--into", "old")
    assert content(volary, "v", "old/main.c") == b"int main;"
    code, said = volary.refuses("volume", "import", "v", "--from", "anybody:")
    assert code in (3, 4) and "anybody" in said, said
    assert checked(volary, "tagged") == {"list": "yes", "read": "yes", "write": "no", "delete": "no"}
    assert nowhere_in(volary, b"t0ken")
    _, said = volary.refuses("datastore", "add", "git", "bad", f"http://ann:t0ken@{git.url[7:]}/code.git")
    assert "t0ken" not in said
    volary("datastore", "rm", "anybody")
    assert [store["name"] for store in volary.json("datastore", "ls")] == ["fixed", "newest", "tagged"]


def test_swift_is_written_to_and_read_from(volary, tmp_path):
    if "VOLARY_TEST_SWIFT_AUTH" not in os.environ:
        pytest.skip("no VOLARY_TEST_SWIFT_AUTH: test/servers/start-swift.sh --install starts a server")
    env = {"ST_AUTH": os.environ["VOLARY_TEST_SWIFT_AUTH"], "ST_USER": os.environ["VOLARY_TEST_SWIFT_USER"],
           "ST_KEY": os.environ["VOLARY_TEST_SWIFT_KEY"]}
    container = "e2e-" + uuid.uuid4().hex[:12]
    volary("datastore", "add", "swift", "all", "--from-env", env=env)
    volary("bucket", "create", "all", container)
    volary("datastore", "add", "swift", "gra", "--auth-url", env["ST_AUTH"], "--container", container, "--secret", "all")
    assert checked(volary, "gra") == {"list": "yes", "read": "unknown", "write": "yes", "delete": "yes"}
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/big").write_bytes(BIG)
    (tmp_path / "in/sub/ü 1").write_bytes(b"one")
    volary("datastore", "add", "dir", "here", tmp_path / "in")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "here:")
    volary("volume", "export", "v", "--to", "gra:copy")
    volary("volume", "create", "w")
    volary("volume", "import", "w", "--from", f"all:{container}/copy")
    assert files(volary, "w") == ["big", "sub/ü 1"]
    assert volary.json("volume", "versions", "v")[0]["checksum"] == volary.json("volume", "versions", "w")[0]["checksum"]
    assert checked(volary, "gra") == {"list": "yes", "read": "yes", "write": "yes", "delete": "yes"}
    for key in ("copy/big", "copy/sub/ü 1"):
        volary("bucket", "object", "rm", f"{container}@all", key, "-y")
    volary("bucket", "rm", "all", container, "-y")


def test_a_check_of_s3_leaves_nothing_and_says_what_is_wrong(volary):
    client = s3.client_of_environment()
    bucket = "e2e-" + uuid.uuid4().hex[:12]
    client.create_bucket(bucket)
    keys = {"AWS_ACCESS_KEY_ID": client.access_key, "AWS_SECRET_ACCESS_KEY": client.secret_key, "AWS_ENDPOINT_URL": client.endpoint}
    volary("datastore", "add", "s3", "mine", "--bucket", bucket, "--from-env", env=keys)
    assert checked(volary, "mine") == {"list": "yes", "read": "unknown", "write": "yes", "delete": "yes"}
    assert list(client.list(bucket, "")) == []
    volary("datastore", "add", "s3", "bad", "--bucket", bucket, "--from-env", env={**keys, "AWS_SECRET_ACCESS_KEY": "wrong"})
    code, said = volary.refuses("datastore", "check", "bad")
    assert code == 8
    result = volary.run("datastore", "check", "bad").stdout
    assert "SignatureDoesNotMatch" in result and "wrong" not in result
    assert nowhere_in(volary, client.secret_key.encode())


@pytest.mark.parametrize("words, expected", [
    (["s3", "x", "https://h", "region", "AKIA", "secret"], "keys are never given as words"),
    (["s3", "x", "--from-env"], "'AWS_ACCESS_KEY_ID' is set, but not 'AWS_SECRET_ACCESS_KEY'"),
    (["swift", "x", "--from-env"], "none of the variables 'OS_USERNAME'"),
    (["http", "x", "ftp://host/"], "'ftp://host/' is no URL"),
    (["git", "x", "ext::sh -c id"], "is no"),
    (["git", "x", "ssh://git@host/x.git"], "ssh"),
    (["http", "x", "http://169.254.169.254/latest/"], "169.254.169.254"),
    (["hf", "x", "org/name", "--ask-secret"], "there is no terminal to ask on"),
])
def test_what_cannot_be_a_datastore_is_refused(volary, words, expected):
    result = volary.run("datastore", "add", *words, env={"AWS_ACCESS_KEY_ID": "AKIA"})
    assert result.returncode != 0 and expected in result.stderr, result.stderr
    assert volary.json("datastore", "ls") == [] and volary.json("secret", "ls") == []


def test_the_hub_takes_its_token_and_place_from_the_environment(volary):
    hub = Hub()
    try:
        hub.put("models/org/thing", {"a": b"1", "large": BIG}, token="hf_right")
        volary("datastore", "add", "hf", "hub", "org/thing", "--from-env", env={"HF_TOKEN": "hf_right", "HF_ENDPOINT": hub.url})
        assert checked(volary, "hub") == {"list": "yes", "read": "yes", "write": "no", "delete": "no"}
        volary("volume", "create", "v")
        volary("volume", "import", "v", "--from", "hub:large")
        assert hashlib.sha256(content(volary, "v", "large")).digest() == hashlib.sha256(BIG).digest()
        assert nowhere_in(volary, b"hf_right")
    finally:
        hub.end()
