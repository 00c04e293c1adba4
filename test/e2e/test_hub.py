"""Import from a Hugging Face hub: pinned to a commit, every byte held against the hub's hash, the token seen by nobody else."""
import random
import subprocess
import sys

import pytest

from hub import Hub
from volary import ROOT

CLIENT = "huggingface_hub==2.4.0"

FILES = {
    "config.json": b'{"layers": 2}\n',
    "tokenizer/vocab.txt": b"a\nb\n",
    "tokenizer/merges.txt": b"",
    "model-00001.safetensors": random.Random(1).randbytes(300_000),
    "model-00002.safetensors": random.Random(2).randbytes(1_001),
    "names with spaces/ünï %41.txt": b"odd",
}


@pytest.fixture
def hub():
    one = Hub()
    yield one
    one.end()


def paths(volary, volume: str) -> list[str]:
    return volary("volume", "files", volume).split("\n")[:-1]


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_repository_becomes_a_version(volary, hub, tmp_path, kind):
    hub.put(f"{kind}s/org/thing", FILES)
    volary("datastore", "add", "hf", "hub", "org/thing", "--type", kind, "--endpoint", hub.url)
    assert "org/thing@main" in volary("datastore", "ls")
    volary("volume", "create", "v", "--type", "model")
    volary("volume", "import", "v", "--from", "hub:")
    volary("datastore", "add", "directory", "out", tmp_path)
    volary("volume", "export", "v", "--to", "out:got")
    got = {path.relative_to(tmp_path / "got").as_posix(): path.read_bytes()
           for path in (tmp_path / "got").rglob("*") if path.is_file()}
    assert got == FILES

    # Again: nothing has changed, so nothing travels but the listing. Then one file does.
    hub.seen.clear()
    volary("volume", "import", "v", "--from", "hub:")
    assert not [path for _, path, _ in hub.seen if "resolve" in path]
    hub.put(f"{kind}s/org/thing", {**FILES, "config.json": b'{"layers": 3}\n'})
    hub.seen.clear()
    volary("volume", "import", "v", "--from", "hub:")
    assert [path.rpartition("/")[2] for _, path, _ in hub.seen if "resolve" in path] == ["config.json"]
    assert volary.json("volume", "get", "v")["head"] == 2


def test_part_of_a_repository_lands_where_told(volary, hub):
    hub.put("models/org/thing", FILES)
    volary("datastore", "add", "hf", "hub", "org/thing", "--endpoint", hub.url)
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "hub:tokenizer", "--into", "tok")
    assert [path for path in paths(volary, "v") if path.endswith(".txt")] == ["tok/merges.txt", "tok/vocab.txt"]


def test_the_token_is_shown_to_the_hub_and_to_nobody_else(volary, hub):
    hub.put("models/org/secret", FILES, token="hf_correct")
    volary("secret", "create", "hub-token", "--from-env", "HF_TOKEN", env={"HF_TOKEN": "hf_correct"})
    volary("datastore", "add", "hf", "private", "org/secret", "--endpoint", hub.url, "--secret", "hub-token")
    volary("datastore", "add", "hf", "open", "org/secret", "--endpoint", hub.url)
    volary("volume", "create", "v")
    code, words = volary.refuses("volume", "import", "v", "--from", "open:")
    assert code == 4 and "there is no model 'org/secret'" in words and "wants a token" in words
    volary("volume", "import", "v", "--from", "private:")
    assert all(token == "Bearer hf_correct" for server, _, token in hub.seen if server == "hub" and token)
    assert [server for server, _, _ in hub.seen].count("storage") == 2
    assert not any(token for server, _, token in hub.seen if server == "storage")
    for file in volary.data.rglob("*"):
        assert not file.is_file() or b"hf_correct" not in file.read_bytes(), file


def test_a_gated_repository_says_what_to_do(volary, hub):
    hub.put("models/org/thing", FILES)
    hub.gated = {"models/org/thing"}
    volary("datastore", "add", "hf", "hub", "org/thing", "--endpoint", hub.url)
    volary("volume", "create", "v")
    code, words = volary.refuses("volume", "import", "v", "--from", "hub:")
    assert code == 3 and "is gated: ask for access on its page first (Access to org/thing is restricted" in words
    acts = {act["act"]: act for act in volary.json("datastore", "check", "hub")["acts"]}
    assert acts["list"]["works"] == "yes" and acts["read"]["works"] == "no" and "gated" in acts["read"]["reason"]
    assert volary.json("volume", "get", "v")["head"] == 0
    hub.gated = set()
    volary("volume", "import", "v", "--from", "hub:")
    assert volary.json("transfer", "ls")[0]["revision"] == hub.repositories["models/org/thing"].commit


def test_bytes_that_are_not_the_hubs_never_become_a_version(volary, hub):
    hub.put("models/org/thing", FILES)
    volary("volume", "create", "v")
    for name, path in [("small", "config.json"), ("large", "model-00001.safetensors")]:
        hub.corrupt = {path}
        volary("datastore", "add", "hf", name, "org/thing", "--endpoint", hub.url)  # What came well is not asked of it again.
        _, words = volary.refuses("volume", "import", "v", "--from", name + ":")
        assert f"the bytes of '{path}' hash to" in words
        assert volary.json("volume", "get", "v")["head"] == 0
    hub.corrupt = set()
    hub.cut = {"model-00001.safetensors": 123_456, "config.json": 3}
    volary("datastore", "add", "hf", "hub", "org/thing", "--endpoint", hub.url)
    volary("volume", "import", "v", "--from", "hub:")
    assert volary.json("volume", "verify", "v")["whole"]
    assert not hub.cut


@pytest.mark.parametrize("words, expected", [
    (["org/thing/more"], "'org/thing/more' is no repository of a hub: expected ORGANISATION/NAME"),
    (["../etc"], "'../etc' is no repository"),
    (["org/thing", "--endpoint", "ftp://hub"], "'ftp://hub' is no endpoint"),
    (["org/thing", "--secret", "nope"], "there is no secret 'nope'"),
    (["org/thing", "--revision", ""], "the revision is empty"),
])
def test_what_cannot_be_a_hub_is_refused(volary, words, expected):
    _, said = volary.refuses("datastore", "add", "hf", "hub", *words)
    assert expected in said
    assert volary.json("datastore", "ls") == []


def test_a_revision_that_is_not_there_and_an_export_are_refused(volary, hub):
    hub.put("models/org/thing", FILES)
    volary("datastore", "add", "hf", "hub", "org/thing", "--endpoint", hub.url)
    volary("datastore", "add", "hf", "old", "org/thing", "--endpoint", hub.url, "--revision", "v9")
    volary("volume", "create", "v")
    _, words = volary.refuses("volume", "import", "v", "--from", "old:")
    assert "there is no revision 'v9' of model 'org/thing'" in words
    volary("volume", "import", "v", "--from", "hub:")
    _, words = volary.refuses("volume", "export", "v", "--to", "hub:copy")
    assert "can only be read" in words


def test_the_hubs_own_client_downloads_from_the_hub_of_these_tests(hub, tmp_path):
    """So that what the other tests show holds of the real one."""
    hub.put("models/org/thing", FILES)
    packages = ROOT / "build/pypi"
    if not (packages / "huggingface_hub").exists() and subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--target", packages, CLIENT], capture_output=True).returncode:
        pytest.skip(f"{CLIENT} cannot be installed here")
    script = ("import sys, huggingface_hub as h\n"
              "h.snapshot_download('org/thing', local_dir=sys.argv[1], token=False)\n")
    subprocess.run([sys.executable, "-c", script, tmp_path / "got"], check=True, capture_output=True,
                   env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1",
                        "PYTHONPATH": str(packages)})
    got = {path.relative_to(tmp_path / "got").as_posix(): path.read_bytes()
           for path in (tmp_path / "got").rglob("*") if path.is_file() and ".cache" not in path.parts}
    assert got == FILES
