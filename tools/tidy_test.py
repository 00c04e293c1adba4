"""The tree keeps the rules of tools/tidy.py, and the rules find what breaks them."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import tidy  # noqa: E402


def test_the_tree_keeps_the_rules():
    problems = tidy.check_tree(ROOT)
    assert not problems, "\n".join(problems)


def test_a_forbidden_include_is_found(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text((ROOT / "CMakeLists.txt").read_text())
    for folder in tidy.layers(ROOT):
        (tmp_path / "src" / folder).mkdir(parents=True)
    (tmp_path / "src/store/x.cc").write_text('// store/x.cc: a test.\n#include "volume/ledger.h"\n')
    assert tidy.check_tree(tmp_path) == [
        "src/store/x.cc:2: error: store/ may not include volume/: see the layers in CMakeLists.txt"]


def test_long_lines_wrong_openings_and_names_are_found(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text((ROOT / "CMakeLists.txt").read_text())
    for folder in tidy.layers(ROOT):
        (tmp_path / "src" / folder).mkdir(parents=True)
    (tmp_path / "src/core/util.h").write_text("// something\n" + "x" * 121 + "\n#pragma once\n")
    problems = "\n".join(tidy.check_tree(tmp_path))
    assert "'util' is no noun of ours" in problems
    assert "open the file with its idea" in problems
    assert "121 columns: at most 120" in problems


def test_scripts_are_sound():
    for script in ["check", "quickstart", ".ci/run", "tools/packages"]:
        subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
