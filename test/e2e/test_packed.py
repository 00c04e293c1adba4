"""Versions of many small files: packed after they were attached again, and mounted packed by people and jobs."""
import os
import pathlib
import signal
import subprocess

import pytest
from stores import DirectoryStore
from test_mounts import nothing_is_left, our_mounts, start_with_fault

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="images are mounted by root alone")

FILES = 1200


@pytest.fixture
def places(volary, tmp_path):
    """Three empty directories, beside a volume 'v' of small files."""
    bucket = DirectoryStore(tmp_path / "bucket")
    for i in range(FILES):
        bucket.put(f"small/{i % 7}/{i:04}", f"file {i}\n".encode() * (i % 600))
    bucket.add(volary, "store")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "store:small")
    places = [tmp_path / name for name in ("one", "two", "three")]
    for place in places:
        place.mkdir()
    yield places
    for path in reversed(our_mounts(volary)):
        subprocess.run(["umount", "-l", path], check=False)


def kinds(volary):
    return sorted(one["kind"] for one in volary.json("cache", "ls"))


def have_packed(volary, place):
    """Mounted twice, one after the other; then the server packs it."""
    for _ in range(2):
        volary("volume", "mount", "v", place)
        assert kind_of_mount(place) == "overlay"
        volary("volume", "unmount", place)
    volary.wait_for(lambda: kinds(volary) == ["image", "packed image"], "the version to be packed")


def kind_of_mount(place) -> str:
    [kind] = [line.split(" - ")[1].split()[0] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
              if line.split()[4] == str(place)]
    return kind


def is_right(place) -> bool:
    found = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    return found == {f"{i % 7}/{i:04}": f"file {i}\n".encode() * (i % 600) for i in range(FILES)}


def test_a_packed_version_stands_at_a_path_through_a_restart_until_it_is_unmounted(volary, places):
    have_packed(volary, places[0])
    volary("volume", "mount", "v", places[1])
    assert kind_of_mount(places[1]) == "erofs" and is_right(places[1])
    with pytest.raises(OSError, match="Read-only"):
        (places[1] / "new").write_text("x")
    volary("volume", "mount", "v", places[2])
    volary("cache", "prune", "--older-than", "0s")
    assert kinds(volary) == ["image", "packed image"]  # A lease needs them.
    volary.end()
    volary.start()
    assert [one["state"] for one in volary.json("volume", "mounts")] == ["mounted"] * 2
    volary("volume", "unmount", places[1])
    assert is_right(places[2]) and not our_mounts(volary) == []
    volary("volume", "unmount", places[2])
    nothing_is_left(volary)
    volary("cache", "prune", "--older-than", "0s")
    assert kinds(volary) == []


def test_what_is_written_to_lies_over_the_plain_image(volary, places):
    have_packed(volary, places[0])
    volary("volume", "mount", "v", places[1], "--rw")
    assert kind_of_mount(places[1]) == "overlay"
    (places[1] / "3" / "new").write_text("new")
    (places[1] / "0" / "0000").unlink()
    volary("volume", "unmount", places[1])
    assert volary("volume", "cat", "v@2:/3/new") == "new"
    volary("volume", "mount", "v", places[1])  # Of another version.
    assert kind_of_mount(places[1]) == "overlay" and not (places[1] / "0" / "0000").exists()
    volary("volume", "unmount", places[1])


def test_jobs_read_packed_versions(volary, places):
    look = "grep ' /in ' /proc/self/mountinfo | sed 's/.* - //' | cut -d' ' -f1; find /in -type f | wc -l; cat /in/*/0599"
    for _ in range(2):
        volary("job", "run", "--wait", "-v", "v:/in:ro", "--", "sh", "-c", look)
    volary.wait_for(lambda: "packed image" in kinds(volary), "the version to be packed")
    job = volary("job", "run", "--wait", "-v", "v:/in:ro", "--", "sh", "-c", look).strip().splitlines()[0]
    log = volary("job", "logs", job)
    assert log.startswith(f"erofs\n{FILES}\nfile 599\n") and log.count("file 599") == 599


def test_a_running_job_is_shown_a_new_version_over_a_packed_one(volary, places):
    have_packed(volary, places[0])
    job = volary("job", "run", "-v", "v:/in:ro", "--", "sh", "-c",
                 "echo up; until test -e /in/new; do sleep 0.05; done; ls /in/0 | wc -l").strip()
    volary.wait_for(lambda: "up" in volary("job", "logs", job), "the job to run")
    volary("volume", "mount", "v", places[1], "--rw")
    (places[1] / "new").write_text("new")
    (places[1] / "0" / "0000").unlink()
    volary("volume", "unmount", places[1])
    volary("job", "pull-data", job, "--wait")
    volary("job", "wait", job)
    assert volary("job", "logs", job).split() == ["up", str(len(range(0, FILES, 7)) - 1)]


def test_a_server_killed_while_it_packs(volary, places):
    server, fired = start_with_fault(volary, "mount.packed.rename")
    volary("volume", "mount", "v", places[0])
    volary.run("volume", "mount", "v", places[1])
    volary.wait_for(fired.exists, "the fail point to be passed")
    assert server.wait(timeout=30) == -signal.SIGKILL
    volary.start()
    assert kinds(volary) == ["image"] and list((volary.data / "store/tmp").iterdir()) == []
    volary("volume", "mount", "v", places[2])  # Again.
    volary.wait_for(lambda: kinds(volary) == ["image", "packed image"], "the version to be packed")
    assert is_right(places[0]) and is_right(places[2])
    for one in volary.json("volume", "mounts"):
        volary("volume", "unmount", one["path"])
    nothing_is_left(volary)


def test_a_damaged_packed_image_is_dropped_by_a_scrub(volary, places):
    have_packed(volary, places[0])
    [image] = (volary.data / "store/images").glob("*.packed.erofs")
    bytes_ = bytearray(image.read_bytes())
    bytes_[bytes_.index(b"file 1199\n" * 300)] ^= 1
    os.chmod(image, 0o600)
    image.write_bytes(bytes_)
    volary("store", "scrub")
    assert kinds(volary) == ["image"]


def test_one_job_alone_does_not_have_its_version_packed(volary, places):
    (places[2] / "more").mkdir()
    for i in range(1000):
        (places[2] / "more" / f"{i}").write_text(f"{i}")
    volary("volume", "create", "other", "--from-dir", places[2])
    volary("job", "run", "--wait", "-v", "v:/in:ro", "--", "ls", "/in")
    for _ in range(2):
        volary("volume", "mount", "other", places[0])
        volary("volume", "unmount", places[0])
    packed = lambda: [one["versions"] for one in volary.json("cache", "ls") if one["kind"] == "packed image"]  # noqa: E731
    volary.wait_for(packed, "the other version to be packed")  # One after the other.
    assert packed() == [["other@1"]]
