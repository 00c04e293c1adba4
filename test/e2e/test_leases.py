"""Who holds a volume: one writer, named to the others; waiting in line; what is in use stays; what the dead left behind goes."""
import os
import pathlib
import signal

import pytest


@pytest.fixture
def volume(volary, tmp_path):
    """A volume 'v' with one version, and a datastore 'store' with a directory 'more' to import."""
    bucket = tmp_path / "bucket"
    (bucket / "more").mkdir(parents=True)
    (bucket / "more/file").write_text("more")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/first").write_text("1")
    volary("datastore", "add", "directory", "store", bucket)
    volary("volume", "create", "v", "--from-dir", tmp_path / "source")
    return bucket


def writer(volary, *words):
    """A job that writes 'v' until it is stopped."""
    job = volary("job", "run", "-v", "v:/out:rw", *words, "--", "sh", "-c", "echo $VOLARY_JOB_ID >>/out/jobs; sleep 60").strip()
    return job


def running(volary, job):
    volary.wait_for(lambda: volary.json("job", "get", job)["state"] == "RUNNING", f"{job} to run")
    return job


def ended(volary, transfer):
    def look():
        now = volary.json("transfer", "get", transfer)
        return now if now["state"] in ("done", "failed", "cancelled") else None

    return volary.wait_for(look, f"{transfer} to end")


def leases(volary):
    return [(lease["kind"], lease["holder"]) for lease in volary.json("volume", "leases", "v")]


def test_the_second_writer_is_told_who_the_first_is(volary, volume):
    job = running(volary, writer(volary))
    for words in (["volume", "import", "v", "--from", "store:more"], ["volume", "restore", "v@1"],
                  ["job", "run", "-v", "v:/out:rw", "--", "true"], ["volume", "snapshot", "v", volume]):
        code, error = volary.refuses(*words)
        if words[1] != "restore":  # Which has nothing to restore.
            assert code == 6 and f"volume 'v' is being written by job {job} since" in error
    volary("job", "stop", job)
    assert volary.job_ended(job)["state"] == "INTERRUPTED"
    assert leases(volary) == []
    assert volary("volume", "import", "v", "--from", "store:more") == "v@3\n"


def test_writers_wait_in_line_and_nobody_passes_them(volary, volume):
    job = running(volary, writer(volary, "-n", "first"))
    one = volary("volume", "import", "v", "--from", "store:more", "--wait", "--detach").strip()
    two = writer(volary, "--queue")
    three = volary("volume", "import", "v", "--from", "store:more", "--into", "deep", "--wait", "--timeout", "1h", "--detach").strip()
    assert leases(volary) == [("writer", f"job {job}"), ("waiting", f"transfer {one}"), ("waiting", f"job {two}"),
                              ("waiting", f"transfer {three}")]
    waiting = volary.json("transfer", "get", one)
    assert waiting["state"] == "queued" and waiting["waitsFor"].startswith(f"volume 'v' is being written by job {job} since")
    assert volary.json("job", "get", two)["reason"].startswith(f"waits: volume 'v' is being written by job {job} since")
    assert "first" in volary("volume", "get", "v")
    volary("job", "stop", job)
    assert ended(volary, one)["version"] == 3
    running(volary, two)
    code, error = volary.refuses("volume", "import", "v", "--from", "store:more")
    assert code == 6 and f"is being written by job {two}" in error
    assert volary.json("transfer", "get", three)["state"] == "queued"
    volary("job", "stop", two)
    assert ended(volary, three)["version"] == 5
    versions = [v["origin"] for v in volary.json("volume", "versions", "v")]
    assert versions == ["import", "job", "import", "job", "snapshot"]
    # The job that waited wrote on top of what the import before it had made.
    assert volary.json("job", "get", two)["attachments"][0]["version"] == 3
    assert volary("volume", "cat", "v@4:/file", "v@4:/jobs") == f"more{job}\n{two}\n"
    assert leases(volary) == []


def test_waiting_ends_by_cancel_by_time_and_with_its_server(volary, volume):
    job = running(volary, writer(volary))
    cancelled = volary("volume", "import", "v", "--from", "store:more", "--wait", "--detach").strip()
    volary("transfer", "cancel", cancelled)
    assert volary.json("transfer", "get", cancelled)["state"] == "cancelled"
    stopped = writer(volary, "--queue")
    volary("job", "stop", stopped)
    assert volary.job_ended(stopped)["state"] == "INTERRUPTED"
    done = volary.run("volume", "import", "v", "--from", "store:more", "--wait", "--timeout", "1s")
    assert done.returncode == 6 and "in vain: volume 'v' is being written by job" in done.stderr
    late = volary("job", "run", "-v", "v:/out:rw", "--queue", "--queue-timeout", "1s", "--", "true").strip()
    given_up = volary.job_ended(late)
    assert given_up["state"] == "INTERRUPTED" and "in vain: volume 'v' is being written by" in given_up["reason"]
    assert leases(volary) == [("writer", f"job {job}")]
    patient = volary("volume", "import", "v", "--from", "store:more", "--wait", "--detach").strip()
    volary.kill()  # The job runs on, the line is kept.
    assert leases(volary) == [("writer", f"job {job}"), ("waiting", f"transfer {patient}")]
    volary("job", "stop", job)
    assert ended(volary, patient)["state"] == "done"


def test_a_job_that_writes_two_volumes_gets_both_at_once(volary, volume):
    volary("volume", "create", "w")
    job = running(volary, writer(volary))
    both = volary("job", "run", "-v", "v:/v:rw", "-v", "w:/w:rw", "--queue", "--", "sh", "-c", "echo 1 >/v/both; echo 1 >/w/both").strip()
    code, error = volary.refuses("volume", "import", "w", "--from", "store:more")
    assert code == 6 and f"volume 'w' is being waited for by job {both} since" in error
    volary("job", "stop", job)
    assert volary.job_ended(both)["state"] == "DONE"
    assert volary("volume", "cat", "v:/both", "w:/both") == "1\n1\n"
    assert volary.refuses("job", "run", "-v", "v@1:/v:rw", "--queue", "--", "true")[0] == 2


def test_a_volume_in_use_is_not_deleted(volary, volume):
    job = volary("job", "run", "-n", "reader", "-v", "v:/in", "--", "sleep", "60").strip()
    code, error = volary.refuses("volume", "rm", "v", "-y")
    assert code == 6 and f"volume 'v' is in use by job {job} (reader): expected nobody to hold it" in error
    waiting = volary("job", "run", "-v", "v:/out:rw", "--", "sleep", "60").strip()
    transfer = volary("volume", "import", "v", "--from", "store:more", "--wait", "--detach").strip()
    error = volary.refuses("volume", "rm", "v", "-y")[1]
    assert f"job {job} (reader)" in error and f"job {waiting}" in error and f"transfer {transfer} (import from store:more)" in error
    volary("transfer", "cancel", transfer)
    for one in (job, waiting):
        volary("job", "stop", one)
        volary.job_ended(one)
    volary("volume", "rm", "v", "-y")
    assert volary.refuses("volume", "get", "v")[0] == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts for people need root")
def test_a_volume_that_is_mounted_is_not_deleted(volary, volume, tmp_path):
    target = tmp_path / "mounted"
    target.mkdir()
    volary("volume", "mount", "v@1", target)
    try:
        code, error = volary.refuses("volume", "rm", "v", "-y")
        assert code == 6 and f"({target}): expected nobody to hold it" in error
        volary("volume", "import", "v", "--from", "store:more")
        assert "is in use by mount" in volary.refuses("volume", "delete-version", "v@1", "-y")[1]
    finally:
        volary("volume", "unmount", target)
    volary("volume", "rm", "v", "-y")


def processes_of(volary):
    """The supervisors of this data directory's jobs and all below them."""
    children, found = {}, []
    for proc in pathlib.Path("/proc").iterdir():
        if not proc.name.isdigit():
            continue
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
            parent = int((proc / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(proc.name))
        if words[1:2] == [b"supervise"] and str(volary.data).encode() in words[2]:
            found.append(int(proc.name))
    for pid in found:
        found += children.get(pid, [])
    return found


def test_a_lease_stays_while_its_holder_lives_and_ends_with_it_whatever_else_dies(volary, volume):
    job = running(volary, writer(volary))
    volary.kill()
    assert leases(volary) == [("writer", f"job {job}")]  # The next server finds the process alive.
    assert volary.json("job", "get", job)["state"] == "RUNNING"
    volary.kill()
    for pid in processes_of(volary):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert volary.job_ended(job)["state"] == "ERROR"
    assert leases(volary) == []
    assert volary("volume", "import", "v", "--from", "store:more") == "v@2\n"
