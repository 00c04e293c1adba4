"""Every reader of bytes that others send, fed with what libFuzzer makes of a few good examples, under sanitizers.

./check gives each a few seconds from a fixed seed, ./check --thorough five minutes. What crashed is kept in
build/reports/fuzz; put it into test/fuzz/corpus when it is repaired, so that it is tried first from then on.
"""
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VOLARY_FUZZ_BUILD", ROOT / "build/asan"))
SECONDS = 300 if os.environ.get("VOLARY_THOROUGH") == "1" else 10
SEED = int(os.environ.get("VOLARY_SEED", "1"))
TARGETS = sorted(path.name.removesuffix("_fuzz.cc") for path in (ROOT / "test/fuzz").glob("*_fuzz.cc"))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """All targets at once, each on a copy of its examples."""
    kept = ROOT / "build/reports/fuzz"
    kept.mkdir(parents=True, exist_ok=True)
    started = {}
    for name in TARGETS:
        at = tmp_path_factory.mktemp(name)
        shutil.copytree(ROOT / "test/fuzz/corpus" / name, at / "corpus")
        log = open(at / "log", "wb")
        started[name] = (at / "log", subprocess.Popen(
            [BUILD / f"fuzz_{name}", f"-seed={SEED}", f"-max_total_time={SECONDS}", "-timeout=10", "-max_len=4096",
             "-print_final_stats=1", f"-artifact_prefix={kept}/{name}-", at / "corpus"], stdout=log, stderr=log))
    yield started
    for _, process in started.values():
        process.kill()


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_make_it_crash_or_lie(running, name):
    log, process = running[name]
    code = process.wait(timeout=SECONDS + 120)
    said = log.read_text(errors="replace")
    assert code == 0, said[-4000:]
    runs = int(said.rsplit("stat::number_of_executed_units:", 1)[1].split()[0])
    print(f"{name}: {runs} inputs")
    assert runs > 1000, said[-2000:]
