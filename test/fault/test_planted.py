"""The tests of the tests: bugs that are compiled into test builds and sleep there (core/fault.h: planted) are woken one by
one. What is named for each must find it, and find nothing where it sleeps.

kill, told, cut, sync: the fault harness, at points spread over an act until one is found; told: a kill before what is
acknowledged.  plain: the act without any fault.
A program with a filter: that unit test.  e2e: that test.  lying: one of those with stores that lie.
"""
import errno
import os
import re
import subprocess
import sys

import pytest

import harness

SEED = int(os.environ.get("VOLARY_SEED", "1"))
POINTS_MAX = 60

PLANTED = [
    ("store.no_sync", "cut", "commit"),                 # A version is published without a sync of its bytes.
    ("store.sync_error_ignored", "sync", "commit"),     # A sync that failed counts as one.
    ("store.no_mark", "kill", "commit"),                # Nothing says what a crash may have torn.
    ("store.no_recovery", "kill", "commit"),            # What it says is not looked at.
    ("import.row_first", "cut", "import"),              # The version's row comes before its trees are durable.
    ("upload.row_first", "cut", "upload"),              # A file's row comes before its bytes are durable.
    ("upload.drops_parts", "told", "upload"),           # A start removes what open uploads have staged.
    ("remote.no_sync", "cut", "export"),                # An object of a directory gets its name before its bytes are durable.
    ("db.no_sync", "cut", "books"),                     # The database's log is not synced.
    ("ledger.head_stays", "plain", "commit"),           # A version is made, and the head does not move.
    ("ledger.any_epoch", "model_test", "Volumes.*"),    # Who has lost its lease may commit.
    ("ledger.no_quota", "model_test", "Volumes.*"),     # Bytes are counted and not held against the quota.
    ("upload.no_reservation", "volume_test", "an_upload.keeps_to_the_quota*"),  # The same of what is uploaded.
    ("upload.any_digest", "volume_test", "an_upload.refuses_bytes*"),  # Other bytes than the client sent are kept.
    ("transfer.lease_kept", "plain", "import"),         # An import that is done goes on holding its volume.
    ("harvest.drops_whiteouts", "plain", "harvest"),    # What a job deleted comes back.
    ("harvest.torn", "mount_test", "HarvestOfALiveDirectory.HasWhat*"),  # A file that is being written is read once.
    ("harvest.forgets_published", "e2e", "test_attach_data.py::test_a_file_that_never_holds_still_stays_as_it_was_pushed"),  # What is being written falls back to the job's beginning.
    ("harvest.follows_links", "plain", "harvest"),      # A job's link into the host is read as the file it leads to.
    ("sweep.forgets_transfers", "volume_test", "Sweep.keeps*"),  # What an import has fetched already is nobody's.
    ("sweep.ignores_age", "volume_test", "Sweep.spares*"),       # What is just being written is as good as old.
    ("sweep.one_mark", "volume_test", "Sweep.takes*"),           # What one mark does not reach goes at once.
    ("sweep.no_second_look", "volume_test", "Sweep.looks*"),     # What became a version's since the mark goes.
    ("sweep.no_third_look", "volume_test", "Sweep.looks*"),      # The same, out of quarantine for good.
    ("scrub.skips_trees", "store_test", "Scrub*"),      # Directories are not read.
    ("s3.any_order", "lying", "mirror: a page twice"),                 # Listings are taken in any order.
    ("s3.a_lost_token_is_the_end", "lying", "mirror: a token lost"),   # A listing that goes on, but not where, is whole.
    ("s3.refusals_are_empty", "lying", "mirror: an error in a 200"),   # That is a listing without objects.
    ("import.trusts_listings", "lying", "mirror: a page left out"),    # What is not listed is not there.
    ("hub.trusts_pages", "lying", "hub: a page left out"),             # The same of a hub.
    ("remote.any_etag", "lying", "object: changed, and If-Match not known"),  # Another one than was listed is as good.
    ("retry.begins_again", "lying", "once: truncated"),                # After half of the bytes all of them come.
    ("landing.follows_links", "cli_test", "LandingIn.FollowsNoLinkBelow"),     # A download goes through a link out of its directory.
    ("landing.any_part", "cli_test", "LandingIn.GoesOnWithTheSameContentOnly"),  # Another object's first half is gone on with.
    ("unpacking.any_target", "cli_test", "Archives.ThatWouldLeadOutLeaveNothing"),  # An archive's links lead anywhere.
    ("s3.completes_anything", "lying", "parts: completion refused in a 200"),  # That is the end of an upload.
    ("s3.any_bytes", "lying", "body: crc32c-far"),                     # What a store gives is what it keeps.
    ("send.unheld", "lying", "export: stores other bytes"),            # What a store says it took is there.
    ("queue.forgets_holders", "e2e", "test_queue.py::test_only_so_many_jobs_are_at_work_at_once"),  # Whoever waits begins.
    ("upload.deletes_anyway", "e2e", "test_buckets.py::test_nothing_is_deleted_when_not_all_arrived"),  # What failed is no reason.
]
LYING = {"body": "test_lying_bodies.py::test_bytes_that_are_not_those_of_the_checksum_make_no_version",
         "export": "test_export.py::test_a_store_that_lies_is_caught_and_the_others_arrive",
         "hub": "test_lying_hub.py::test_a_mirror_deletes_nothing_by_a_listing_that_is_not_whole",
         "mirror": "test_lying_stores.py::test_a_mirror_deletes_nothing_by_a_listing_that_is_not_whole",
         "object": "test_lying_stores.py::test_an_object_that_does_not_come_as_it_was_listed_makes_no_version",
         "once": "test_lying_stores.py::test_what_goes_wrong_once_is_asked_for_again",
         "parts": "test_lying_stores.py::test_an_upload_in_parts_that_fails_leaves_neither_an_object_nor_parts"}


def find(kind: str, act: str, planted: str, points: list[int] | None) -> tuple[int, list[str]] | None:
    """The first of the points at which something is wrong, and what."""
    with harness.Disk("ext4") if kind == "cut" else open(os.devnull) as disk:
        with harness.Bench(disk.at if kind == "cut" else None, planted) as bench:
            if points is None:
                calls = {"cut": "ack", "kill": "all", "told": "ack", "sync": "sync"}[kind]
                count = bench.points(act, calls)
                points = [at for _, at in harness.spread({act: count}, min(count, POINTS_MAX), SEED)]
            for at in points:
                if kind == "cut":
                    outcome = disk.cut(bench, act, at, "--class", "ack")
                elif kind in ("kill", "told"):
                    outcome = bench.kill(act, at, "ack" if kind == "told" else "all")
                else:
                    outcome = bench.fail(act, at, errno.EIO, "sync")
                assert outcome.fired == 1, outcome
                if outcome.call == "syncfs" and [line for line in outcome.then if line.startswith("version")]:
                    outcome.wrong.append(f"acknowledged after a failed sync: {outcome.then}")
                if outcome.wrong:
                    return at, outcome.wrong
    return None


def test_every_bug_that_sleeps_is_woken():
    asleep = {name for source in (harness.ROOT / "src").rglob("*.cc")
              for name in re.findall(r'planted\("([a-z_0-9.]+)"\)', source.read_text())}
    assert {bug for bug, _, _ in PLANTED} == asleep


def run_unit_tests(program: str, tests: str, planted: str) -> subprocess.CompletedProcess:
    return subprocess.run([harness.BUILD / program, f"--gtest_filter={tests}"], capture_output=True, text=True,
                          timeout=600, env={**os.environ, "VOLARY_PLANTED": planted})


@pytest.mark.parametrize("bug, kind, where", PLANTED, ids=[bug for bug, _, _ in PLANTED])
def test_a_planted_bug_is_found(bug, kind, where):
    if kind == "cut" and os.geteuid() != 0:
        pytest.skip("mounting a file system of its own needs root")
    if kind == "plain":
        with harness.Bench(planted=bug) as bench:
            outcome = bench.perform_only(where)
            assert outcome.exit != 0 or outcome.wrong, "it was not found"
        with harness.Bench() as bench:
            outcome = bench.perform_only(where)
            assert outcome.exit == 0 and not outcome.wrong, outcome.wrong
    elif kind in ("lying", "e2e"):
        if kind == "lying":
            test, case = where.split(": ")
            where = f"{LYING[test]}[{case}]"
        found = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{harness.ROOT}/test/e2e/{where}"],
                               capture_output=True, text=True, timeout=600, env={**os.environ, "VOLARY_PLANTED": bug})
        if found.returncode == 0 and "1 skipped" in found.stdout:
            pytest.skip("it needs a server that is not there")
        assert found.returncode == 1 and "1 failed" in found.stdout, f"it was not found:\n{found.stdout[-2000:]}"
    elif kind.endswith("_test"):
        found = run_unit_tests(kind, where, bug)
        assert found.returncode != 0 and "[  FAILED  ]" in found.stdout, f"it was not found:\n{found.stdout[-2000:]}"
        if kind != "model_test":  # That one is a test of its own already.
            assert run_unit_tests(kind, where, "").returncode == 0
    else:
        found = find(kind, where, bug, None)
        assert found, "it was not found"
        at, wrong = found
        print(f"{bug}: at {at}: {wrong[0]}")
        assert find(kind, where, "", [at]) is None, "the same is found without it"
