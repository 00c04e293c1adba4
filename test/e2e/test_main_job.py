"""The main job, end to end: data in, a model trained on it, the model out; with a directory and with a real S3 server."""
import json
import pathlib


from volary import ROOT

DATA = ROOT / "examples/digits/data"
STATES = ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]


def test_digits_from_store_to_model_and_back(volary, bucket):
    files = {path.relative_to(DATA).as_posix(): path.read_bytes() for path in DATA.rglob("*") if path.is_file()}
    for name, content in files.items():
        bucket.put("sets/digits/" + name, content)
    bucket.put("elsewhere", b"not part of it")
    bucket.add(volary, "store")

    volary("volume", "create", "digits", "--type", "dataset", "--quota", "1GiB", "--tag", "images")
    done = volary.run("volume", "import", "digits", "--from", "store:sets/digits")
    assert done.returncode == 0, done.stderr
    [version] = volary.json("volume", "versions", "digits")
    assert version["number"] == 1 and version["files"] == len(files)
    assert version["bytes"] == sum(map(len, files.values()))
    checksum = volary("checksum", DATA).split("Checksum: ")[1].split()[0]
    assert version["checksum"] == checksum
    listed = volary.json("volume", "files", "digits")
    assert {one["path"]: one["size"] for one in listed if one["kind"] == "file"} == \
        {name: len(content) for name, content in files.items()}
    assert volary.json("volume", "verify", "digits")["whole"]
    assert "digits" in volary("volume", "ls") and "images" in volary("volume", "get", "digits")

    volary("volume", "create", "digits-model", "--type", "model")
    ran = volary.run("job", "run", "-f", ROOT / "examples/digits/train/config.yaml", "--wait", "--logs")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "test accuracy 0.9" in ran.stdout
    [job] = volary.json("job", "ls", "--all")
    assert [event["state"] for event in job["history"]] == STATES
    assert all(event["date"].endswith("Z") for event in job["history"])
    assert job["exitCode"] == 0
    assert "epoch 1:" in volary("job", "logs", job["id"])
    assert {one["path"]: (one["access"], one["version"], one["result"]) for one in job["attachments"]} == {
        "/data-volumes/input_dataset": ("ro", 1, 0), "/data-volumes/output_model": ("rw", 0, 1)}
    [model] = volary.json("volume", "versions", "digits-model")
    assert (model["number"], model["origin"], model["originId"]) == (1, "job", job["id"])

    volary("volume", "export", "digits-model", "--to", "store:models/digits")
    exported = bucket.objects("models/digits/")
    assert set(exported) == {"models/digits/model.json", "models/digits/metrics.json"}
    assert json.loads(exported["models/digits/metrics.json"])["testAccuracy"] > 0.9
    volary("volume", "export", "digits-model", "--to", "store:models/digits")
    again = volary.json("transfer", "ls")[0]
    assert (again["counts"]["completed"], again["counts"]["skipped"]) == (0, 2)

    volary("volume", "import", "digits", "--from", "store:sets/digits")
    assert len(volary.json("volume", "versions", "digits")) == 1


def test_the_io_scripts_run_as_jobs(volary, directory_bucket):
    for path in DATA.rglob("*.csv"):
        directory_bucket.put("digits/" + path.relative_to(DATA).as_posix(), path.read_bytes())
    directory_bucket.put("model/model.json", b"{}")
    directory_bucket.add(volary, "store")
    for name in ("digits", "digits-model", "checkpoints"):
        volary("volume", "create", name)
    volary("volume", "import", "digits", "--from", "store:digits")
    volary("volume", "import", "digits-model", "--from", "store:model")

    reader = volary("job", "run", "-f", ROOT / "examples/io/reader/config.yaml", "--wait", "--logs")
    assert "model.json (2 bytes)" in reader and "train/digit-0.csv" in reader and "21 files" in reader
    writer = volary("job", "run", "-f", ROOT / "examples/io/writer/config.yaml", "--wait", "--logs")
    for word in ("Write OK", "Read OK", "Delete OK"):
        assert writer.count(word) == 2
    # It wrote and deleted: nothing changed, so there is no new version.
    assert volary.json("volume", "get", "checkpoints")["head"] == 0
    refused = volary("job", "run", "-f", ROOT / "examples/io/read-only/config.yaml", "--wait", "--logs")
    assert "EROFS: Read-only file system" in refused


def test_the_plan_is_shown_and_nothing_done(volary, directory_bucket):
    directory_bucket.put("d/a.txt", b"1")
    directory_bucket.add(volary, "store")
    volary("volume", "create", "v")
    shown = volary("volume", "import", "v", "--from", "store:d", "--plan")
    assert "a.txt" in shown and "copy" in shown
    volary("volume", "import", "v", "--from", "store:d", "--dry-run")
    assert volary.json("volume", "get", "v")["head"] == 0


def test_progress_without_a_terminal_is_lines(volary, directory_bucket):
    for i in range(50):
        directory_bucket.put(f"d/{i}", b"x" * 1000)
    directory_bucket.add(volary, "store")
    volary("volume", "create", "v")
    shown = volary.run("volume", "import", "v", "--from", "store:d").stderr
    assert "\r" not in shown and "\x1b" not in shown and "50" in shown


def test_verification_counts_equal_files_as_often_as_they_are(volary, directory_bucket):
    for name in ("a", "b", "c/d"):
        directory_bucket.put("d/" + name, b"the same bytes")
    directory_bucket.add(volary, "store")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "store:d")
    verified = volary.json("volume", "verify", "v")
    assert (verified["whole"], verified["files"], verified["bytes"]) == (True, 3, 42)
