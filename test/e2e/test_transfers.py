"""Transfers as people work with them: planned, looked at, agreed to, carried out, cut off, taken up again; and every clumsy
way of doing that. Against a directory and against a real S3 server.
"""
import json
import subprocess

import pytest

import lying
import s3
from stores import S3Store


def fill(bucket, files: dict[str, str], below: str = "in") -> None:
    for path, text in files.items():
        bucket.put(f"{below}/{path}", text.encode())


def remove(bucket, key: str) -> None:
    if bucket.kind == "directory":
        (bucket.path / key).unlink()
    else:
        bucket.client.request("DELETE", f"/{bucket.bucket}/{key}")


def contents(volary, volume: str) -> dict[str, str]:
    files = volary.json("volume", "files", volume)
    return {file["path"]: volary("volume", "cat", f"{volume}:/{file['path']}") for file in files
            if file["kind"] == "file"}


def newest(volary) -> dict:
    return volary.json("transfer", "get", volary.json("transfer", "ls", "--limit", "1")[0]["id"])


def add_up(counts: dict) -> bool:
    return counts["total"] == counts["processed"] == counts["completed"] + counts["skipped"] + counts["failed"]


FILES = {"a": "1", "b": "22", "d/c": "333", "d/e/f": ""}


@pytest.fixture
def world(volary, bucket):
    """A bucket named `store` with FILES below in/, and two empty volumes."""
    fill(bucket, FILES)
    bucket.add(volary, "store")
    for name in ("v", "w"):
        volary("volume", "create", name)
    return volary


def test_a_plan_in_a_file_is_carried_out_once(world, bucket, tmp_path):
    volary, file = world, tmp_path / "plan.json"
    shown = volary.run("volume", "import", "v", "--from", "store:in", "--plan", file)
    assert shown.returncode == 0 and "would copy 4 (6 B), skip 0, delete 0 (0 B)" in shown.stderr
    assert f"volary volume import --apply {file}" in shown.stderr
    assert volary.json("volume", "get", "v")["head"] == 0
    plan = json.loads(file.read_text())
    assert [item["path"] for item in plan["items"]] == sorted(FILES) and plan["plan"]["copyBytes"] == 6
    assert volary("volume", "import", "--apply", file) == "v@1\n"
    assert contents(volary, "v") == FILES
    # A second time the volume has another version: it is said which, and nothing more happens.
    code, words = volary.refuses("volume", "import", "--apply", file)
    assert "volume 'v' is at version 1 now, and was at version 0 when it was made; make a new one" in words and code == 6
    assert len(volary.json("transfer", "ls")) == 1

    # The same the other way. What the plan changes nothing about can be applied for ever.
    out = tmp_path / "out.json"
    volary("volume", "export", "v", "--to", "store:out", "--plan", out)
    assert bucket.objects("out/") == {}
    assert volary("volume", "export", "v", "--to", "store:out", "--apply", out) == "store:out\n"
    assert {key[4:]: value.decode() for key, value in bucket.objects("out/").items()} == FILES
    code, words = volary.refuses("volume", "export", "--apply", out)
    assert "store has other objects now: 'a' is new, 'b' is new, 'd/c' is new, 'd/e/f' is new; make a new one" in words
    volary("volume", "export", "v", "--to", "store:out", "--plan", out)
    for _ in range(2):
        volary("volume", "export", "--apply", out)
        assert newest(volary)["counts"]["skipped"] == 4


def test_a_plan_is_refused_by_what_changed_since(world, bucket, tmp_path):
    volary, file = world, tmp_path / "plan.json"
    volary("volume", "import", "v", "--from", "store:in", "--plan", file)
    bucket.put("in/a", b"other")
    bucket.put("in/new", b"")
    remove(bucket, "in/d/c")
    code, words = volary.refuses("volume", "import", "--apply", file)
    assert "store has other objects now: 'a' has changed, 'new' is new, 'd/c' is gone; make a new one" in words and code == 6
    # What filters leave out may change as it likes.
    volary("volume", "import", "v", "--from", "store:in", "--exclude", "/a", "--plan", file)
    bucket.put("in/a", b"again another")
    volary("volume", "import", "--apply", file)
    assert contents(volary, "v") == {"b": "22", "d/e/f": "", "new": ""}
    # A change between the look and the beginning is found too: the server holds both sides against the plan itself.
    request = {"datastore": "store", "sourceDirectory": "in",
               "expected": {**json.loads(file.read_text())["plan"]["sides"], "version": 1,
                            "tree": volary.json("volume", "versions", "v")[0]["tree"]}}
    answer = api(volary, "POST", "/api/v1/volumes/v/imports", request)
    volary.run("transfer", "watch", answer["id"])
    failed = volary.json("transfer", "get", answer["id"])
    assert failed["state"] == "failed" and "the plan does not hold any more: store:in has other objects now" in failed["error"]


def api(volary, method: str, path: str, body=None) -> dict:
    token = (volary.data / "admin.token").read_text().strip()
    words = ["curl", "-sS", "--fail-with-body", "--unix-socket", str(volary.data / "volary.sock"), "-X", method,
             "-H", "Authorization: Bearer " + token, "http://volary" + path]
    if body is not None:
        words += ["-H", "content-type: application/json", "-d", json.dumps(body)]
    answer = subprocess.run(words, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return json.loads(answer.stdout)


def test_clumsy_plans_are_refused_and_say_why(volary, directory_bucket, tmp_path):
    fill(directory_bucket, FILES)
    directory_bucket.add(volary, "store")
    for name in ("v", "w"):
        volary("volume", "create", name)
    file = tmp_path / "plan.json"
    volary("volume", "import", "v", "--from", "store:in", "--plan", file)
    plan = file.read_text()
    broken = tmp_path / "broken.json"

    def refused(*words) -> str:
        return volary.refuses("volume", *words)[1]

    assert f"is a plan for volume 'v': expected that, or no name, and found 'w'" in refused("import", "w", "--apply", file)
    assert "is a plan for store:in: expected that, or nothing, and found 'store:else'" in refused(
        "import", "--from", "store:else", "--apply", file)
    assert "is the plan of an import: expected 'volary volume import --apply" in refused("export", "--apply", file)
    assert "expected no --strategy with it" in refused("import", "--apply", file, "--strategy", "mirror")
    assert "expected no --plan with it" in refused("import", "--apply", file, "--plan")
    assert "expected no --exclude with it" in refused("import", "--apply", file, "--exclude", "x")
    assert "NAME is missing, for 'v' is the file of --plan" in refused("import", "--plan", "v", "--from", "store:in")
    assert "NAME is missing" in refused("import", "--from", "store:in")
    assert "--from is missing" in refused("import", "v")
    assert "No such file" in refused("import", "--apply", tmp_path / "none")
    assert "No such file" in refused("import", "v", "--from", "store:in", "--plan", tmp_path / "none/plan.json")
    for text, words in {
        "": "is not JSON", "not a plan": "is not JSON", plan[:len(plan) // 2]: "is not JSON",
        "{}": "is no plan: expected a file that --plan FILE wrote", "[1]": "is no plan", "null": "is no plan",
        plan.replace("volary-plan-1", "volary-plan-2"): 'with "format": "volary-plan-1"',
        plan.replace('"path":"a"', '"path":"z"'): "was changed since it was made",
        plan.replace('"skipConflicts":false', '"skipConflicts":true'): "was changed since it was made",
        plan.replace('"volume":"v"', '"volume":"w"'): "was changed since it was made",
        plan.replace('{"format"', '{"more":1,"format"'): "more",
    }.items():
        broken.write_text(text)
        assert words in refused("import", "--apply", broken), text[:80]
    assert volary.json("transfer", "ls") == [] and not (tmp_path / "none").exists()
    # Another layout is no other plan.
    broken.write_text(json.dumps(json.loads(plan), indent=2))
    volary("volume", "import", "--apply", broken)
    assert contents(volary, "v") == FILES


def test_conflicts_are_named_and_keep_a_transfer_from_beginning(volary, tmp_path):
    bucket = S3Store(s3.client_of_environment())
    fill(bucket, {"x": "file", "x/y": "below it", "Case": "1", "case": "2", "good": "3", "n" * 300: "4"})
    bucket.add(volary, "store")
    volary("volume", "create", "v")
    plan = volary.json("volume", "import", "v", "--from", "store:in", "--plan")
    assert plan["conflicts"] == 2 and plan["caseOnly"] == 1 and plan["copies"] == 4
    kinds = {one["path"]: one["kind"] for one in plan["conflictItems"]}
    assert kinds == {"x": "file_and_directory", "n" * 300: "name", "case": "case_only"}
    shown = volary.run("volume", "import", "v", "--from", "store:in", "--plan").stderr
    assert "cannot be copied: x: it is both a file and the directory of 'x/y'" in shown
    assert "beware: case: differs from 'Case' only in the case of letters" in shown
    code, words = volary.refuses("volume", "import", "v", "--from", "store:in")
    assert "; nor can 1 more; the plan shows all; --skip-conflicts or --exclude leaves them out" in words
    failed = newest(volary)
    assert failed["state"] == "failed" and {one["path"] for one in failed["failures"]} == {"x", "n" * 300}
    assert volary.json("volume", "get", "v")["head"] == 0

    done = volary.run("volume", "import", "v", "--from", "store:in", "--skip-conflicts")
    assert done.returncode == 0 and "left out: x: it is both a file and the directory of 'x/y'" in done.stderr
    assert contents(volary, "v") == {"x/y": "below it", "Case": "1", "case": "2", "good": "3"}
    transfer = newest(volary)
    assert add_up(transfer["counts"]) and transfer["counts"]["total"] == 6 and transfer["counts"]["skipped"] == 2
    rows = volary.json("transfer", "failures", transfer["id"])
    assert {row["path"]: row["outcome"] for row in rows} == {"x": "skipped", "n" * 300: "skipped"}
    assert "it is both a file and the directory" in volary("transfer", "failures", transfer["id"])


def test_a_mirror_deletes_only_inside_its_target_and_most_only_when_confirmed(world, bucket, tmp_path):
    volary = world
    volary("volume", "import", "v", "--from", "store:in")
    fill(bucket, {"a": "x", "old/1": "o", "old/2": "o", "old/3": "o", "old/4": "o"}, below="out")
    fill(bucket, {"beside": "stays"}, below="out-of-scope")
    export = ("volume", "export", "v", "--to", "store:out", "--strategy", "mirror")
    plan = volary.run(*export, "--plan")
    assert "would copy 4 (6 B), skip 0, delete 4 (4 B)" in plan.stderr and "it will want --yes" in plan.stderr
    before = bucket.objects()
    code, words = volary.refuses(*export)
    assert "would delete 4 of the 5 files in store:out, more than half: expected a confirmation, by --yes" in words
    file = tmp_path / "plan.json"
    volary(*export, "--plan", file)
    assert "Nobody can be asked here: give --yes" in volary.refuses("volume", "export", "--apply", file)[1]
    assert bucket.objects() == before
    volary("volume", "export", "--apply", file, "--yes")
    assert {key[4:]: value.decode() for key, value in bucket.objects("out/").items()} == FILES
    assert bucket.objects("out-of-scope/") == {"out-of-scope/beside": b"stays"}
    counts = newest(volary)["counts"]
    assert add_up(counts) and (counts["completed"], counts["deleted"], counts["transferredBytes"]) == (4, 4, 6)
    # An empty source is no order to delete everything.
    code, words = volary.refuses("volume", "import", "v", "--from", "store:nothing", "--strategy", "mirror", "--yes")
    assert "there is nothing below 'nothing'" in words and contents(volary, "v") == FILES


def test_a_trash_keeps_what_is_replaced_and_deleted(world, bucket):
    volary = world
    volary("volume", "import", "v", "--from", "store:in")
    fill(bucket, {"a": "mine", "b": "22", "mine only": "!"}, below="out")
    export = ("volume", "export", "v", "--to", "store:out", "--strategy", "mirror", "--trash")
    assert "the trash 'out/kept' lies inside the target 'out'" in volary.refuses(*export, "out/kept")[1]
    volary(*export, "kept")
    id = newest(volary)["id"]
    kept = bucket.objects("kept/")
    assert kept.pop(f"kept/{id}/a") == b"mine" and kept.pop(f"kept/{id}/mine only") == b"!"
    assert set(kept) <= {f"kept/{id}/b"}  # Whose bytes the store may not have said.
    assert {key[4:]: value.decode() for key, value in bucket.objects("out/").items()} == FILES
    volary(*export, "out/kept", "--exclude", "/kept/")
    assert {key[4:]: value.decode() for key, value in bucket.objects("out/").items()} == FILES

    # Into a volume: the new version has it.
    fill(bucket, {"a": "changed"})
    remove(bucket, "in/b")
    volary("volume", "import", "v", "--from", "store:in", "--strategy", "mirror", "--trash", ".old", "--exclude", "/.old/")
    id = newest(volary)["id"]
    assert contents(volary, "v") == {"a": "changed", "d/c": "333", "d/e/f": "", f".old/{id}/a": "1", f".old/{id}/b": "22"}
    assert volary.json("volume", "verify", "v")["whole"] is True
    volary("volume", "import", "v", "--from", "store:in", "--strategy", "mirror", "--exclude", "/.old/")
    assert f".old/{id}/b" in contents(volary, "v")


def test_filters_bound_what_a_transfer_does(world, bucket):
    volary = world
    volary("volume", "import", "v", "--from", "store:in", "--include", "/d/", "--exclude", "f")
    assert contents(volary, "v") == {"d/c": "333"}
    volary("volume", "import", "v", "--from", "store:in")
    remove(bucket, "in/a")
    remove(bucket, "in/b")
    volary("volume", "import", "v", "--from", "store:in", "--strategy", "mirror", "--exclude", "/a")
    assert contents(volary, "v") == {"a": "1", "d/c": "333", "d/e/f": ""}
    assert "that the filters take" in volary.refuses("volume", "import", "v", "--from", "store:in", "--include", "*.none")[1]
    assert "[" in volary.refuses("volume", "import", "v", "--from", "store:in", "--include", "[a")[1]


def test_what_failed_is_resumed_or_tried_again(world, bucket):
    volary = world
    volary("volume", "import", "w", "--from", "store:in")
    done = newest(volary)
    for verb in ("resume", "retry"):
        assert "is done: expected one that failed or was cancelled" in volary.refuses("transfer", verb, done["id"])[1]
        assert "there is no transfer 'xfer-none'" in volary.refuses("transfer", verb, "xfer-none")[1]
    fill(bucket, {"d": "now a file"}, below="clash")
    if bucket.kind == "s3":
        fill(bucket, {"d/e": "and a directory"}, below="clash")
    else:
        bucket.put("clash/bad\nname", b"")
    volary.refuses("volume", "import", "v", "--from", "store:clash", "-m", "mended")
    failed = newest(volary)
    assert failed["state"] == "failed" and len(failed["failures"]) == 1
    remove(bucket, "clash/d/e" if bucket.kind == "s3" else "clash/bad\nname")
    assert volary("transfer", "retry", failed["id"]) == "v@1\n"
    again = newest(volary)
    assert again["retryOf"] == failed["id"] and again["id"] != failed["id"] and again["state"] == "done"
    assert volary.json("volume", "versions", "v")[0]["message"] == "mended"
    # The first one is still the failed one, and can itself go on.
    assert volary.json("transfer", "get", failed["id"])["state"] == "failed"
    volary("transfer", "resume", failed["id"])
    resumed = volary.json("transfer", "get", failed["id"])
    assert resumed["state"] == "done" and resumed["counts"]["skipped"] == 1 and resumed["failures"] == []
    assert add_up(resumed["counts"])


def test_transfers_are_listed_by_state_and_number(world):
    volary = world
    for name in ("v", "w"):
        volary("volume", "import", name, "--from", "store:in")
    volary.refuses("volume", "import", "v", "--from", "store:none")
    assert [one["state"] for one in volary.json("transfer", "list")] == ["failed", "done", "done"]
    assert [one["volume"] for one in volary.json("transfer", "list", "--state", "done", "--limit", "1")] == ["w"]
    assert [one["state"] for one in volary.json("transfer", "ls", "--state", "failed", "--volume", "v")] == ["failed"]
    assert "expected one of queued" in volary.refuses("transfer", "ls", "--state", "lost")[1]
    wide = volary("transfer", "ls", "-o", "wide")
    for title in ("PROCESSED", "TRANSFERRED", "RATE", "RETRY OF", "TRASH"):
        assert title in wide


# --- Files that fail one by one, from a store that lies

MANY = {f"{i:02}": f"file {i}\n" * 50 for i in range(12)}


@pytest.fixture
def lie(volary):
    """A server whose bucket has MANY below in/, as datastore `lie`, and the volume v."""
    server = lying.LyingS3()
    server.buckets["bucket"] = {"in/" + path: text.encode() for path, text in MANY.items()}
    volary("datastore", "add", "s3", "lie", "--endpoint", server.url, "--bucket", "bucket")
    volary("volume", "create", "v")
    yield server
    server.end()


def fetched(server) -> list[str]:
    return sorted(request.key for request in server.requests if request.kind == "object" and request.method == "GET")


@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_each_file_that_fails_is_named_and_only_those_are_fetched_again(volary, lie, verb):
    with lie.fault(lying.said(403, "AccessDenied"), key="in/0[35]") as denied, \
            lie.fault(lying.truncated(7), key="in/07") as cut:
        code, words = volary.refuses("volume", "import", "v", "--from", "lie:in")
    assert denied.fired == 2 and cut.fired >= 1
    assert code == 3 and "3 of 12 files did not arrive: '03': " in words and "(and 2 more)" in words
    for path in ("03", "05", "07"):
        assert f"failed: {path}: " in words
    failed = newest(volary)
    counts = failed["counts"]
    assert failed["state"] == "failed" and add_up(counts)
    assert (counts["total"], counts["completed"], counts["skipped"], counts["failed"]) == (12, 9, 0, 3)
    assert counts["bytesDone"] == sum(len(text) for path, text in MANY.items() if path not in ("03", "05", "07"))
    rows = volary.json("transfer", "failures", failed["id"])
    assert [row["path"] for row in rows] == ["03", "05", "07"] == [row["path"] for row in failed["failures"]]
    assert rows[0]["reason"].startswith("denied: ") and "AccessDenied" in rows[0]["reason"]
    assert "in/07" in rows[2]["reason"] and {row["outcome"] for row in rows} == {"failed"}
    assert "failed: 07: " in volary.run("transfer", "get", failed["id"]).stderr
    assert volary.json("volume", "get", "v")["head"] == 0  # No partial version.

    lie.requests.clear()
    assert volary("transfer", verb, failed["id"]) == "v@1\n"
    assert fetched(lie) == ["in/03", "in/05", "in/07"]
    assert contents(volary, "v") == MANY
    done = newest(volary)
    assert (done["id"] == failed["id"]) == (verb == "resume") and done["failures"] == [] and add_up(done["counts"])
    assert done["counts"]["completed"] == 12
    assert done["counts"]["transferredBytes"] == sum(len(MANY[path]) for path in ("03", "05", "07"))


def test_a_store_that_refuses_everything_is_not_asked_for_each_file(volary, lie):
    lie.buckets["bucket"] = {f"in/{i:03}": b"x" for i in range(300)}
    with lie.fault(lying.said(403, "AccessDenied"), key="in/*") as fault:
        code, words = volary.refuses("volume", "import", "v", "--from", "lie:in")
    assert code == 3 and "AccessDenied" in words and 1 <= fault.fired < 200
    assert add_up(newest(volary)["counts"]) and newest(volary)["counts"]["failed"] == 300


def test_a_transfer_under_way_is_watched_cancelled_and_goes_on(volary, lie):
    with lie.fault(lying.silent(), key="in/05") as fault:
        id = volary("volume", "import", "v", "--from", "lie:in", "--detach").strip()
        volary.wait_for(lambda: fault.fired, "the object to be asked for")
        under_way = volary.json("transfer", "get", id)
        assert under_way["state"] == "running" and under_way["counts"]["total"] == 12
        assert "is running: expected one that failed or was cancelled" in volary.refuses("transfer", "resume", id)[1]
        assert "is being written by transfer" in volary.refuses("volume", "import", "v", "--from", "lie:in")[1]
        volary("transfer", "cancel", id)
        ended = volary.run("transfer", "watch", id)
    assert ended.returncode == 130 and f"to take it up again:  volary transfer resume {id}" in ended.stderr
    cancelled = volary.json("transfer", "get", id)
    assert cancelled["state"] == "cancelled" and add_up(cancelled["counts"]) and cancelled["failures"] == []
    assert volary.json("volume", "get", "v")["head"] == 0
    assert volary("transfer", "resume", id) == "v@1\n"
    assert contents(volary, "v") == MANY
