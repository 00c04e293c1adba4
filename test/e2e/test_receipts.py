"""What can be proven of a job without its server: what it read and made, by whom and when."""
import json
import subprocess

import pytest


@pytest.fixture
def proven(volary, directory_bucket, tmp_path):
    """A job that read digits@1 and made model@1, its receipt, and the server's key; then the server is gone."""
    directory_bucket.put("in/a", b"1")
    directory_bucket.add(volary, "store")
    volary("volume", "create", "digits")
    volary("volume", "create", "model")
    volary("volume", "import", "digits", "--from", "store:in")
    assert volary.run("job", "run", "--wait", "--name", "train", "-v", "digits:/in", "-v", "model:/out:rw", "--", "sh", "-c",
                      "cp /in/a /out/m").returncode == 0
    (tmp_path / "receipt.json").write_text(volary("job", "receipt", "train"))
    (tmp_path / "server.key").write_text(volary("server", "key"))
    return volary


def test_a_receipt_is_verified_without_a_server_and_against_the_files(proven, tmp_path):
    file, key = tmp_path / "receipt.json", tmp_path / "server.key"
    proven("volume", "download", "model", tmp_path / "out")
    assert proven("job", "receipt", "train") == file.read_text(), "the same bytes each time"
    assert proven.data.joinpath("receipt.key").stat().st_mode & 0o777 == 0o600
    proven.end()
    words = proven("verify-receipt", file, "--key", key)
    assert not proven.server_pids(), "no server was started for it"
    receipt = json.loads(file.read_text())["receipt"]
    [read], [written] = receipt["read"], receipt["written"]
    assert (read["volume"], read["version"], read["path"]) == ("digits", 1, "/in")
    assert (written["volume"], written["version"], written["access"]) == ("model", 1, "rw")
    assert f"checksum {written['checksum']}" in words
    assert receipt["command"] == ["sh", "-c", "cp /in/a /out/m"] and receipt["user"] == "admin" and receipt["exitCode"] == 0
    proven("checksum", tmp_path / "out", "-c", written["checksum"])
    assert "whole" in proven.run("verify-receipt", file).stderr
    assert proven.run("verify-receipt", "-", "--key", key.read_text().strip(), stdin=file.read_text()).returncode == 0


def test_a_receipt_that_was_changed_or_is_of_another_key_proves_nothing(proven, tmp_path):
    file, key = tmp_path / "receipt.json", tmp_path / "server.key"
    forged = tmp_path / "forged.json"
    forged.write_text(file.read_text().replace('"version":1', '"version":2', 1))
    assert proven.refuses("verify-receipt", forged, "--key", key) == (
        1, f"volary: '{forged}' proves nothing: its signature does not belong to what it says: it was changed\n")
    subprocess.run(["python3", "-m", "json.tool", str(file), str(forged)], check=True)
    assert proven.refuses("verify-receipt", forged)[0] == 1
    code, words = proven.refuses("verify-receipt", file, "--key", "0" * 64)
    assert code == 1 and "signed by another key" in words
    assert proven.refuses("verify-receipt", file, "--key", file)[0] == 2
    assert proven.refuses("verify-receipt", tmp_path / "none")[0] == 4


def test_receipts_are_of_ended_jobs_that_one_may_see_and_outlive_the_versions(proven, tmp_path):
    proven("job", "run", "--wait", "-v", "model:/out:rw", "--", "sh", "-c", "echo 2 >/out/m")
    running = proven("job", "run", "--", "sleep", "60").strip()
    assert proven.refuses("job", "receipt", running)[0] == 6
    proven("job", "stop", running, "--wait")
    assert json.loads(proven("job", "receipt", running))["receipt"]["state"] == "INTERRUPTED"
    proven("volume", "delete-version", "model@1", "-y")
    assert proven("job", "receipt", "train") == (tmp_path / "receipt.json").read_text()
    proven("project", "create", "vision")
    assert proven.refuses("job", "receipt", running, "--project", "vision")[0] == 4
    proven("job", "rm", "train")
    assert proven.refuses("job", "receipt", "train")[0] == 4
