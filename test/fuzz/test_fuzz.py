"""Every reader of bytes that others send, fed with what libFuzzer makes of a few good examples, under sanitizers.

./check makes a fixed number of inputs from a fixed seed, without randomized addresses, which libFuzzer's choices follow too:
the same program gets the same inputs on every machine and in every run. ./check --thorough takes five minutes and
VOLARY_SEED. What crashed is kept in build/reports/fuzz; put it into test/fuzz/corpus when it is repaired, so that it is tried
first from then on.
"""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VOLARY_FUZZ_BUILD", ROOT / "build/asan"))
THOROUGH = os.environ.get("VOLARY_THOROUGH") == "1"
SEED = os.environ.get("VOLARY_SEED", "1") if THOROUGH else "1"
SECONDS = 300
# About three seconds of one core each.
RUNS = {"backup": 40_000, "erofs": 600, "job_config": 25_000, "json": 50_000, "listing": 30_000, "text": 7_000,
        "tree": 60_000}
TARGETS = sorted(path.name.removesuffix("_fuzz.cc") for path in (ROOT / "test/fuzz").glob("*_fuzz.cc"))


def fixed_addresses() -> list[str]:
    """The words before a command that give it the same addresses in every run; none where a container forbids that."""
    words = ["setarch", "-R"]
    return words if subprocess.run([*words, "true"], capture_output=True).returncode == 0 else []


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """All targets at once."""
    kept = ROOT / "build/reports/fuzz"
    kept.mkdir(parents=True, exist_ok=True)
    still = fixed_addresses()
    started = {}
    for name in TARGETS:
        log = tmp_path_factory.mktemp(name) / "log"
        examples = sorted(map(str, (ROOT / "test/fuzz/corpus" / name).iterdir()))
        runs = RUNS[name] if still else len(examples) + 1  # Else the examples only: nothing that a second run would not find.
        limit = f"-max_total_time={SECONDS}" if THOROUGH else f"-runs={runs}"
        with open(log, "wb") as out:
            started[name] = (log, runs, subprocess.Popen(
                [*still, BUILD / f"fuzz_{name}", f"-seed={SEED}", limit, "-timeout=60", "-max_len=4096",
                 "-print_final_stats=1", f"-artifact_prefix={kept}/{name}-", "-seed_inputs=" + ",".join(examples)],
                stdout=out, stderr=out))
    yield started
    for _, _, process in started.values():
        process.kill()


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_make_it_crash_or_lie(running, name):
    log, runs, process = running[name]
    code = process.wait(timeout=SECONDS + 300)
    said = log.read_text(errors="replace")
    assert code == 0, said[-4000:]
    done = int(said.rsplit("stat::number_of_executed_units:", 1)[1].split()[0])
    print(f"{name}: {done} inputs")
    assert done >= runs, said[-2000:]
