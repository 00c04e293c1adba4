"""Exports into Swift: proven by its etags, and large objects go in segments, of which a killed export leaves none for ever."""
import pytest
from stores import SwiftStore

LARGE = (1 << 30) + 5  # From 1 GiB on, objects are kept in segments.


@pytest.fixture
def swift():
    return SwiftStore()


def fill(volary, tmp_path, files: dict[str, bytes], large: int = 0) -> None:
    for name, content in files.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(content)
    if large:
        with open(tmp_path / "source/large", "wb") as file:
            file.truncate(large)
    volary("datastore", "add", "directory", "local", tmp_path / "source")
    volary("volume", "create", "corpus")
    volary("volume", "import", "corpus", "--from", "local:")


def export(volary) -> dict:
    [one] = [one for one in volary.json("transfer", "ls") if one["kind"] == "export_"]
    return one


def test_what_is_exported_is_proven_by_its_etags_and_not_sent_again(volary, tmp_path, swift):
    files = {name: name.encode() * 100 for name in ["a", "d/b", "ü/名前"]}
    fill(volary, tmp_path, files)
    swift.add(volary, "swift")
    swift.put("out/a", files["a"])  # By another tool.
    result = volary.run("volume", "export", "corpus", "--to", "swift:out")
    assert result.returncode == 0 and "verified: all 3 by etag" in result.stderr, result.stderr
    assert swift.objects("out/") == {"out/" + name: content for name, content in files.items()}
    assert export(volary)["counts"]["transferredBytes"] == len(files["d/b"]) + len(files["ü/名前"])


def test_a_killed_export_in_segments_goes_on_and_one_that_is_cancelled_leaves_none(volary, tmp_path, swift):
    fill(volary, tmp_path, {"small": b"small"}, LARGE)
    swift.add(volary, "swift")
    volary.end()
    fired = tmp_path / "fired"
    server = volary.start({"VOLARY_FAULT": "remote.part_arrived=kill@3", "VOLARY_FAULT_LOG": str(fired)})
    transfer = volary("volume", "export", "corpus", "--to", "swift:out", "--detach").strip()
    server.wait(60)
    assert fired.read_text().startswith("remote.part_arrived kill 3")
    left = swift.segments()
    assert 3 <= len(left) < 64 and set(swift.objects("out/")) <= {"out/small"}
    # The next command starts the server, which goes on by itself, and adds to what is there.
    volary("transfer", "ls")
    volary.wait_for(lambda: len(swift.segments()) > len(left) and set(left) <= set(swift.segments()), "it to go on", 60)
    volary("transfer", "cancel", transfer)
    volary.wait_for(lambda: export(volary)["state"] == "cancelled", "the export to end", 60)
    volary.wait_for(lambda: not swift.segments(), "the segments to go", 60)
    assert set(swift.objects("out/")) <= {"out/small"}
