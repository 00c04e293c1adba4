"""The OICM checksum: of a directory by the command line, of the same files through a volume."""
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from volary import ROOT

spec = importlib.util.spec_from_file_location("checksum_trees", ROOT / "test/data/checksum/make.py")
trees = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trees)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("trees")
    trees.build(path)
    return path


@pytest.mark.parametrize("name", trees.EXPECTED)
def test_every_tree_has_its_digest(volary, built, name):
    assert trees.EXPECTED[name] in volary("checksum", built / name)


def test_a_wrong_checksum_fails_unless_the_published_tool_is_asked_for(volary, built):
    right, wrong = trees.EXPECTED["docex"], trees.EXPECTED["empty"]
    assert volary.run("checksum", built / "docex", "-c", right).returncode == 0
    code, words = volary.refuses("checksum", built / "docex", "-c", wrong)
    assert code == 1 and wrong in words and right in words
    assert volary.run("checksum", built / "docex", "-c", wrong, "--oic").returncode == 0


@pytest.mark.parametrize("name", ["docex", "order", "hidden", "unicode", "big", "onlyemptyfile"])
def test_an_imported_volume_has_the_same_checksum(volary, built, name):
    """Trees of plain files; what object stores cannot hold (links, empty directories) comes by a job below."""
    volary("datastore", "add", "directory", "trees", built / name)
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "trees:")
    plain = volary("checksum", built / name).split("Checksum: ")[1].split()[0]
    version = volary.json("volume", "versions", "v")[0]
    if not any(path.is_symlink() or (path.is_dir() and not any(path.iterdir())) for path in (built / name).rglob("*")):
        assert version["checksum"] == plain == trees.EXPECTED[name]


@pytest.mark.parametrize("name", ["docex", "links", "order", "onlyempty", "fifo", "coll1", "coll2"])
def test_what_a_job_leaves_has_the_same_checksum(volary, built, name):
    """The tree is made inside a job, links, empty directories, FIFO and all."""
    volary("volume", "create", "v")
    # The tree as a program: every directory, file, link and FIFO of it.
    lines = ["import os"]
    for path in sorted((built / name).rglob("*")):
        inside = "/out/" + path.relative_to(built / name).as_posix()
        if path.is_symlink():
            lines.append(f"os.symlink({os.readlink(path)!r}, {inside!r})")
        elif path.is_dir():
            lines.append(f"os.mkdir({inside!r})")
        elif path.is_file():
            lines.append(f"open({inside!r}, 'wb').write({path.read_bytes()!r})")
        else:
            lines.append(f"os.mkfifo({inside!r})")
    volary("job", "run", "--wait", "-v", "v:/out:rw", "--", "python3", "-c", "\n".join(lines))
    [version] = volary.json("volume", "versions", "v")
    assert version["checksum"] == trees.EXPECTED[name]
    assert volary.json("volume", "verify", "v")["whole"]
