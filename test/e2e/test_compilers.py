"""The program that g++ 12 built does the main job too."""
import pathlib

import pytest

from volary import ROOT, Volary

PROGRAM = ROOT / "build/gcc/volary"


@pytest.mark.skipif(not PROGRAM.exists(), reason="the preset gcc is not built; ./check builds it")
def test_what_gcc_built_does_the_main_job(tmp_path, directory_bucket):
    volary = Volary(PROGRAM, tmp_path / "data")
    try:
        for path in (ROOT / "examples/digits/data").rglob("*.csv"):
            directory_bucket.put("digits/" + path.relative_to(ROOT / "examples/digits/data").as_posix(), path.read_bytes())
        directory_bucket.add(volary, "store")
        volary("volume", "create", "digits")
        volary("volume", "create", "digits-model")
        volary("volume", "import", "digits", "--from", "store:digits")
        volary("job", "run", "-f", ROOT / "examples/digits/train/config.yaml", "--wait")
        assert volary.json("volume", "verify", "digits-model")["whole"]
    finally:
        volary.end()
