"""volary fetch: a file has its name when it is whole, or never; it goes on where it broke off; private addresses are refused."""
import hashlib
import os
import random
import signal
import subprocess
import uuid

import pytest

import s3
from hub import Hub
from web import GitServer, Nginx

BIG = random.Random(9).randbytes(6_000_000)
SHA = "sha256:" + hashlib.sha256(BIG).hexdigest()


@pytest.fixture
def nginx(tmp_path):
    one = Nginx(tmp_path / "nginx")
    yield one
    one.end()


@pytest.fixture
def fetch(volary, tmp_path):
    (tmp_path / "here").mkdir()

    def run(*words, code: int = 0, **options) -> str:
        result = volary.run("fetch", *words, "--allow-private", cwd=tmp_path / "here", **options)
        assert result.returncode == code, f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout if code == 0 else result.stderr

    run.directory = tmp_path / "here"
    run.files = lambda: {path.relative_to(run.directory).as_posix(): path.read_bytes()
                         for path in run.directory.rglob("*") if path.is_file()}
    return run


def test_a_file_of_a_web_server_is_fetched_whole(fetch, nginx, volary):
    nginx.put("d/a b.bin", BIG)
    nginx.put("d/empty", b"")
    url = nginx.url + "/d/a%20b.bin"
    fetch(url, "--checksum", SHA)
    assert fetch.files() == {"a b.bin": BIG}
    fetch(url, "-o", "sub/other", "-c", hashlib.md5(BIG).hexdigest())
    fetch(url + "?x=1", "-o", "sub/")
    fetch(nginx.url + "/d/empty")
    assert fetch.files() == {"a b.bin": BIG, "empty": b"", "sub/other": BIG, "sub/a b.bin": BIG}
    # What is there is left alone, unless it is known to be the same, or to be replaced.
    nginx.put("d/a b.bin", BIG[:-1])
    assert "is there already" in fetch(url, code=5)
    fetch(url, "-c", SHA)
    assert "is another file" in fetch(url, "-c", "sha256:" + "0" * 64, code=5)
    fetch(url, "--force")
    assert fetch.files()["a b.bin"] == BIG[:-1]
    assert subprocess.run([str(volary.program), "fetch", url, "-o", "-", "--allow-private"], env=volary.env, check=True,
                          capture_output=True).stdout == BIG[:-1]
    assert not volary.server_pids()  # It needs no server.


def test_what_is_wrong_never_gets_a_name(fetch, nginx):
    nginx.put("x", BIG)
    message = fetch(nginx.url + "/x", "-c", "sha256:" + "0" * 64, code=9)
    assert "hash to " + SHA in message
    assert "there is no 'nope'" in fetch(nginx.url + "/nope", code=4)
    assert "name a file" in fetch(nginx.url + "/", code=2)
    assert "is no URL that can be fetched" in fetch("ftp://host/x", code=2)
    assert "is no hash of a file" in fetch(nginx.url + "/x", "-c", "abc", code=2)
    assert fetch.files() == {}


def test_a_fetch_that_is_killed_goes_on(fetch, nginx, volary):
    nginx.put("slow/x", BIG)
    process = subprocess.Popen([str(volary.program), "fetch", nginx.url + "/slow/x", "--allow-private"], cwd=fetch.directory,
                               env=volary.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    volary.wait_for(lambda: sum(map(len, fetch.files().values())) > 1_000_000, "a megabyte")
    process.send_signal(signal.SIGKILL)
    process.wait()
    (part, came), = fetch.files().items()
    assert part.startswith(".volary-part-") and 1_000_000 < len(came) < len(BIG)
    fetch(nginx.url + "/slow/x")
    assert fetch.files() == {"x": BIG}
    status, size = nginx.requests()[-1].split('"')[2].split()
    assert status == "206" and int(size) == len(BIG) - len(came)
    # Of a file that has become another one nothing is kept.
    os.rename(fetch.directory / "x", fetch.directory / part)
    nginx.put("slow/x", BIG[::-1])
    fetch(nginx.url + "/slow/x")
    assert fetch.files()["x"] == BIG[::-1]


def test_private_addresses_are_refused_unless_allowed(volary, nginx, tmp_path):
    nginx.put("x", b"1")
    for url in (nginx.url + "/x", nginx.url.replace("127.0.0.1", "localhost") + "/x", "http://[::1]:1/x", "http://169.254.169.254/x",
                "http://10.0.0.1/x", "http://127.0.0.1:1/x.git", "hf://org/name/x"):
        code, said = volary.refuses("fetch", url, "--from-env", "-o", tmp_path / "got", env={"HF_ENDPOINT": nginx.url})
        assert code == 3 and "--allow-private" in said, said
    assert nginx.requests() == [] and not (tmp_path / "got").exists()


def test_a_hubs_files_are_fetched_one_or_all(fetch):
    hub = Hub()
    try:
        files = {"README.md": b"hello", "data/large.bin": BIG, "data/empty": b""}
        hub.put("datasets/org/thing", files, token="hf_right")
        env = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_right"}
        assert "wants a token" in fetch("hf://datasets/org/thing/README.md", "--endpoint", hub.url, code=4)
        fetch("hf://datasets/org/thing/README.md", "--from-env", env=env)
        fetch("hf://datasets/org/thing@main", "--from-env", "-o", "all", env=env)
        fetch("hf://datasets/org/thing/data/", "--endpoint", hub.url, "--secret-from-stdin", stdin="token=hf_right\n")
        assert fetch.files() == {"README.md": b"hello", **{"all/" + path: content for path, content in files.items()},
                                 **{path: content for path, content in files.items() if "/" in path}}
        # Again: what is there is hashed, and not asked for. What is damaged is found.
        hub.seen.clear()
        fetch("hf://datasets/org/thing@main", "--from-env", "-o", "all", env=env)
        assert not [path for _, path, _ in hub.seen if "resolve" in path]
        (fetch.directory / "all/README.md").write_bytes(b"hullo")
        assert "is another file" in fetch("hf://datasets/org/thing@main", "--from-env", "-o", "all", env=env, code=5)
        hub.corrupt = {"README.md"}
        assert "hash to" in fetch("hf://datasets/org/thing/README.md", "--from-env", "--force", env=env, code=9)
        assert fetch.files()["README.md"] == b"hello"
    finally:
        hub.end()


def test_a_git_repositorys_files_are_fetched_one_or_all(fetch, tmp_path):
    git = GitServer(tmp_path / "git", token="t0ken")
    try:
        files = {"a.txt": b"1", "src/main.c": b"int main;"}
        git.repository("code", files, tag="v1")
        git.repository("code", {"a.txt": b"2"})
        url, secret = git.url + "/code.git", {"stdin": "user=ann\ntoken=t0ken\n"}
        fetch(url + "@v1//src/main.c", "--secret-from-stdin", **secret)
        fetch(url, "--revision", "v1", "--secret-from-stdin", **secret)
        fetch("file://" + str(git.root) + "/code.git//a.txt", "-o", "new.txt")
        assert fetch.files() == {"main.c": b"int main;", "new.txt": b"2", **{"code/" + path: content for path, content in files.items()}}
        assert "code.git" in fetch(url, "-o", "nothing", code=3)
    finally:
        git.end()


def test_objects_of_s3_are_fetched_by_the_environment(fetch):
    client = s3.client_of_environment()
    bucket = "e2e-" + uuid.uuid4().hex[:12]
    client.create_bucket(bucket)
    client.put(bucket, "d/x ü.bin", BIG)
    env = {"AWS_ACCESS_KEY_ID": client.access_key, "AWS_SECRET_ACCESS_KEY": client.secret_key}
    fetch(f"s3://{bucket}/d/x ü.bin", "--from-env", env={**env, "AWS_ENDPOINT_URL": client.endpoint})
    fetch(f"gs://{bucket}/d/x ü.bin", "-o", "g", "--endpoint", client.endpoint, "--region", "us-east-1", "--from-env", env=env)
    assert fetch.files() == {"x ü.bin": BIG, "g": BIG}
    assert "AccessDenied" in fetch(f"s3://{bucket}/d/x", "--endpoint", client.endpoint, code=3)
    assert "names no object" in fetch(f"s3://{bucket}/d/", code=2)


def test_a_library_that_is_missing_is_named_and_all_else_works(volary, tmp_path, nginx):
    """libcurl is loaded when it is needed, and with it libcrypto: here they are no libraries."""
    nginx.put("x", BIG)
    for library in ("libcurl.so.4", "libcrypto.so.3"):
        directory = tmp_path / library.split(".")[0]
        directory.mkdir()
        (directory / library).write_text("no library")
        env = {**volary.env, "LD_LIBRARY_PATH": str(directory)}
        asked = [str(volary.program), "fetch", nginx.url + "/x", "-o", str(tmp_path / "x"), "-c", SHA, "--allow-private"]
        failed = subprocess.run(asked, env=env, capture_output=True, text=True)
        assert failed.returncode == 8, failed
        assert "unavailable: the library libcurl.so.4 cannot be loaded: " in failed.stderr
        assert f"{library}: file too short; expected the package libcurl4 to be installed" in failed.stderr
        assert not (tmp_path / "x").exists()
        assert subprocess.run([str(volary.program), "volume", "ls"], env=env, capture_output=True).returncode == 0
