"""Versions at paths of the machine, for people: mounted, written to, unmounted; in shells; through crashes."""
import os
import pathlib
import signal
import subprocess

import pytest

from stores import DirectoryStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting where others see it needs root")


def our_mounts(volary) -> list[str]:
    """Where something of this test's is mounted, staging directories too."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(str(volary.data.parent) + "/")]


@pytest.fixture
def place(volary, tmp_path):
    """An empty directory, with a volume 'v' whose first version has a bit of everything."""
    bucket = DirectoryStore(tmp_path / "bucket")
    for name, content in {"readme": b"hello\n", "bin/run": b"#!/bin/sh\n", "data/deep/one": b"1" * 100_000,
                          "data/deep/two": b"two", "empty": b""}.items():
        bucket.put("m/" + name, content)
    bucket.add(volary, "store")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "store:m")
    place = tmp_path / "place"
    place.mkdir()
    yield place
    for path in reversed(our_mounts(volary)):
        subprocess.run(["umount", "-l", path], check=False)


def files(volary, reference="v"):
    return {one["path"]: one["size"] for one in volary.json("volume", "files", reference) if one["kind"] == "file"}


def numbers(volary):
    return sorted(one["number"] for one in volary.json("volume", "versions", "v"))


def leases(volary):
    return [(one["kind"], one["version"], one["holder"].split()[0]) for one in volary.json("volume", "leases", "v")]


def nothing_is_left(volary):
    assert volary.json("volume", "mounts") == []
    assert leases(volary) == []
    assert our_mounts(volary) == []
    assert list((volary.data / "mounts").iterdir()) == []


def test_a_version_stands_at_a_path_until_it_is_unmounted(volary, place):
    assert volary("volume", "mount", "v@1", place).strip() == str(place)
    assert (place / "readme").read_text() == "hello\n"
    assert (place / "data/deep/one").stat().st_size == 100_000
    with pytest.raises(OSError, match="Read-only"):
        (place / "x").write_text("x")
    [mount] = volary.json("volume", "mounts")
    assert (mount["volume"], mount["version"], mount["path"], mount["access"], mount["kind"], mount["state"]) == \
        ("v", 1, str(place), "ro", "path", "mounted")
    assert leases(volary) == [("reader", 1, "mount")]
    assert our_mounts(volary) == [str(place)]  # The image was mounted on the way only.
    assert "in use by mount " + mount["id"] in volary.refuses("volume", "rm", "v", "--yes")[1]
    volary("volume", "unmount", place)
    assert list(place.iterdir()) == []
    nothing_is_left(volary)


def test_what_was_written_becomes_the_next_version(volary, place):
    volary("volume", "mount", "v", place, "--rw")
    assert leases(volary) == [("writer", 1, "mount")]
    code, words = volary.refuses("volume", "mount", "v", place.parent / "bucket", "--rw")
    assert "is not empty" in words
    (place / "new").write_text("new")
    (place / "readme").unlink()
    (place / "data").rename(place / "moved")
    os.mkfifo(place / "pipe")
    ended = volary.run("volume", "unmount", place, "-m", "tidied up")
    assert ended.returncode == 0 and "made v@2" in ended.stderr and "left out: pipe 'pipe'" in ended.stderr
    assert files(volary) == {"new": 3, "bin/run": 10, "empty": 0, "moved/deep/one": 100_000, "moved/deep/two": 3}
    version = volary.json("volume", "versions", "v@2")
    assert (version["origin"], version["message"], version["author"]) == ("mount", "tidied up", "admin")
    assert volary.json("volume", "verify", "v")["whole"]
    nothing_is_left(volary)


def test_nothing_changed_makes_no_version_and_discard_keeps_none(volary, place):
    volary("volume", "mount", "v", place, "--rw")
    assert volary.json("volume", "unmount", place)["result"] == 0
    volary("volume", "mount", "v", place, "--rw")
    (place / "new").write_text("new")
    volary("volume", "unmount", place, "--discard")
    assert numbers(volary) == [1]
    nothing_is_left(volary)


def test_an_empty_volume_can_be_written(volary, place):
    volary("volume", "create", "w")
    assert "no version" in volary.refuses("volume", "mount", "w", place)[1]
    volary("volume", "mount", "w", place, "--rw")
    (place / "first").write_text("1")
    volary("volume", "unmount", place)
    assert files(volary, "w") == {"first": 1}


def test_unmounting_is_refused_while_something_is_open_there(volary, place):
    volary("volume", "mount", "v", place, "--rw")
    with open(place / "readme", "a") as opened:
        opened.write("more")
        code, words = volary.refuses("volume", "unmount", place)
        assert code == 6 and f"'{place}' is in use by" in words and f"({os.getpid()})" in words
        assert volary.json("volume", "mounts")[0]["state"] == "mounted"
    volary("volume", "unmount", place)
    assert files(volary)["readme"] == 10


def test_a_name_that_no_version_can_hold_leaves_it_mounted(volary, place):
    volary("volume", "mount", "v", place, "--rw")
    bad = place / "a\nb"
    bad.write_text("x")
    assert "'a\\x0ab'" in volary.refuses("volume", "unmount", place)[1].replace("\\n", "\\x0a")
    assert bad.read_text() == "x" and volary.json("volume", "mounts")[0]["state"] == "mounted"
    bad.rename(place / "good")
    volary("volume", "unmount", place)
    assert files(volary)["good"] == 1


def test_more_than_the_quota_leaves_it_mounted(volary, place):
    volary("volume", "update", "v", "--quota", "150KiB")
    volary("volume", "mount", "v", place, "--rw")
    (place / "big").write_bytes(b"x" * 100_000)
    assert "quota" in volary.refuses("volume", "unmount", place)[1]
    (place / "big").unlink()
    volary("volume", "unmount", place)
    assert numbers(volary) == [1]


def test_paths_that_cannot_be(volary, place, tmp_path):
    (tmp_path / "link").symlink_to(place)
    (tmp_path / "through").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    (volary.data / "inside").mkdir()
    for path, words in [(tmp_path / "link", "is no directory"), (tmp_path / "through/place", "symbolic link"),
                        (tmp_path / "file", "is no directory"), (tmp_path / "absent", "No such file"),
                        (tmp_path / "bucket", "is not empty"), (volary.data / "inside", "lies in the server's own"),
                        ("/", "is no place")]:
        assert words in volary.refuses("volume", "mount", "v", path)[1], path
    volary("volume", "mount", "v", place)
    assert "is not empty" in volary.refuses("volume", "mount", "v", place)[1]
    assert numbers(volary) == [1] and len(leases(volary)) == 1


def test_over_tcp_only_below_the_directories_that_were_opened(volary, place, tmp_path):
    volary.end()
    opened = tmp_path / "opened"
    (opened / "a").mkdir(parents=True)
    server = subprocess.Popen([str(volary.program), "server", "--data-dir", str(volary.data), "--listen", "127.0.0.1:0",
                               "--mount-below", str(opened)], env=volary.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    volary.wait_for(volary.answers, "the server to answer")
    port = next(line.split()[3].split(":")[1] for line in subprocess.run(
        ["ss", "-ltnpH"], capture_output=True, text=True).stdout.splitlines() if f"pid={server.pid}," in line)
    far = ["--server", f"http://127.0.0.1:{port}", "--token-file", volary.data / "admin.token"]
    code, words = volary.refuses("volume", "mount", "v", place, *far)
    assert code == 3 and "is no place that this server mounts at for others" in words
    assert "is no place" in volary.refuses("volume", "mount", "v", opened, *far)[1]
    (opened / "out").symlink_to(place.parent)
    assert "symbolic link" in volary.refuses("volume", "mount", "v", opened / "out/place", *far)[1]
    volary("volume", "mount", "v", opened / "a", *far)
    assert (opened / "a/readme").read_text() == "hello\n"
    volary("volume", "unmount", opened / "a", *far)
    nothing_is_left(volary)


def test_a_shell_shows_a_version_to_one_command(volary, place):
    assert volary("volume", "shell", "v", place, "--", "cat", place / "readme") == "hello\n"
    assert list(place.iterdir()) == []
    assert volary.run("volume", "shell", "v", place, "--", "sh", "-c", f"exit 7; touch {place}/x").returncode == 7
    done = volary.run("volume", "shell", "v", place, "--rw", "-m", "in a shell", "--", "sh", "-c",
                      f"cd {place} && echo more >>readme && rm -r bin && mv data moved")
    assert done.returncode == 0 and "made v@2" in done.stderr, done.stderr
    assert files(volary) == {"readme": 11, "empty": 0, "moved/deep/one": 100_000, "moved/deep/two": 3}
    nothing_is_left(volary)


def test_a_shell_whose_child_lives_on_keeps_its_version(volary, place):
    done = volary.run("volume", "shell", "v", place, "--rw", "--", "sh", "-c",
                      f"cd {place}; (sleep 1.5; echo late >late) >/dev/null 2>&1 &")
    assert done.returncode == 6 and "expected them to have ended" in done.stderr
    [mount] = volary.json("volume", "mounts")
    volary.wait_for(lambda: volary.run("volume", "unmount", mount["id"]).returncode == 0, "the child to end")
    assert files(volary)["late"] == 5


def test_mounts_outlive_the_server(volary, place):
    other = place.parent / "other"
    other.mkdir()
    volary("volume", "mount", "v", place, "--rw")
    volary("volume", "mount", "v", other)
    (place / "new").write_text("before")
    volary.kill()
    (place / "new2").write_text("while it is dead")
    assert [one["state"] for one in volary.json("volume", "mounts")] == ["mounted", "mounted"]
    volary("volume", "unmount", place)
    volary("volume", "unmount", other)
    assert {"new", "new2"} <= set(files(volary))
    nothing_is_left(volary)


def test_what_others_unmounted_is_forgotten_or_left(volary, place):
    other = place.parent / "other"
    other.mkdir()
    volary("volume", "mount", "v", place, "--rw")
    volary("volume", "mount", "v", other)
    (place / "new").write_text("kept")
    volary.end()
    for path in (place, other):
        subprocess.run(["umount", path], check=True)
    [left] = volary.json("volume", "mounts")
    assert left["state"] == "left" and "not mounted any more" in left["note"]
    assert "is being written by mount" in volary.refuses("volume", "shell", "v", other, "--rw", "--", "true")[1]
    volary("volume", "unmount", left["id"])
    assert files(volary)["new"] == 4
    nothing_is_left(volary)


MOUNTING = ["view.asked", "mount.image.rename", "view.prepared", "mount.host.image", "view.mounted", "view.state"]
UNMOUNTING = ["view.unmounting", "view.unmounted", "mount.harvest.file", "view.harvested", "store.synced",
              "view.published", "ledger.committing", "view.committed", "view.forgotten"]


def start_with_fault(volary, point):
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": f"{point}=kill", "VOLARY_FAULT_LOG": str(fired)})
    return server, fired


@pytest.mark.parametrize("access", ["ro", "rw"])
@pytest.mark.parametrize("point", MOUNTING)
def test_a_server_killed_while_mounting(volary, place, point, access):
    server, fired = start_with_fault(volary, point)
    volary.run("volume", "mount", "v", place, *(["--rw"] if access == "rw" else []))
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    assert server.wait(timeout=30) == -signal.SIGKILL
    volary.start()
    mounts = volary.json("volume", "mounts")
    if point in ("view.mounted", "view.state"):
        assert [one["state"] for one in mounts] == ["mounted"]
        assert (place / "readme").read_text() == "hello\n" and our_mounts(volary) == [str(place)]
        volary("volume", "unmount", place)
    nothing_is_left(volary)
    assert numbers(volary) == [1]
    volary("volume", "mount", "v", place)
    volary("volume", "unmount", place)


@pytest.mark.parametrize("point", UNMOUNTING)
def test_a_server_killed_while_unmounting(volary, place, point):
    volary("volume", "mount", "v", place, "--rw")
    (place / "new").write_text("new")
    server, fired = start_with_fault(volary, point)
    volary.run("volume", "unmount", place, "-m", "mine")
    volary.wait_for(fired.exists, f"the fail point {point} to be passed")
    assert server.wait(timeout=30) == -signal.SIGKILL
    volary.start()
    nothing_is_left(volary)
    assert numbers(volary) == [1, 2]
    assert volary.json("volume", "versions", "v@2")["message"] == "mine"
    assert files(volary)["new"] == 3
    assert volary.json("volume", "verify", "v")["whole"]
