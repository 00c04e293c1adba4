"""What happens in a project: as a list, as a stream, and to receivers elsewhere, each event once it happened, in order."""
import json
import select
import subprocess

import pytest

from receiver import Receiver

LIFE = ["queued", "initializing", "pending", "running", "finalizing", "done"]


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.end()


def types(volary, *words) -> list[str]:
    return [one["type"] for one in volary.json("events", *words)]


def test_a_jobs_life_an_import_and_a_volume_are_listed_in_order(volary, directory_bucket):
    directory_bucket.put("a", b"1")
    directory_bucket.add(volary, "store")
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "store:")
    volary.job_ended(volary("job", "run", "-v", "v:/data", "--", "cat", "/data/a").strip())
    assert types(volary) == ["volume.created", "transfer.queued", "transfer.planning", "transfer.running", "version.published",
                             "transfer.done", *(f"job.{state}" for state in LIFE)]
    assert types(volary, "--type", "transfer.*", "--after", "3") == ["transfer.running", "transfer.done"]
    done = volary.json("events", "--type", "transfer.done")[0]["body"]["transfer"]
    assert (done["volume"], done["datastore"], done["version"], done["counts"]["completed"]) == ("v", "store", 1, 1)
    made = volary.json("events", "--type", "version.published")[0]["body"]["version"]
    assert (made["volume"], made["version"], made["files"], made["bytes"]) == ("v", 1, 1, 1)
    job = volary.json("events", "--type", "job.done")[0]
    assert job["body"]["job"]["exitCode"] == 0 and job["subject"] == volary.json("job", "ls", "-a")[0]["id"]
    code, said = volary.refuses("events", "--type", "jobs.*")
    assert code == 2 and "'jobs.*' matches no event: expected one such as job.done" in said


def test_a_stream_goes_on_where_a_client_lost_it(volary):
    volary("volume", "create", "a")
    number = volary.json("events")[-1]["number"]
    volary("volume", "create", "b")
    volary("volume", "create", "c")

    def stream(*headers):
        words = [word for header in headers for word in ("-H", header)]
        curl = subprocess.Popen(["curl", "-sN", "--unix-socket", volary.data / "volary.sock", *words,
                                 "-H", f"Authorization: Bearer {(volary.data / 'admin.token').read_text().strip()}",
                                 f"http://volary/api/v1/events/stream?after={number}"], stdout=subprocess.PIPE, text=True)
        try:
            seen = []
            while len(seen) < 1 + (not headers):
                line = curl.stdout.readline()
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))
            return seen
        finally:
            curl.kill()
            curl.wait()

    both = stream()
    assert [one["body"]["volume"]["volume"] for one in both] == ["b", "c"]
    (last,) = stream(f"Last-Event-ID: {both[0]['number']}")
    assert last == both[1]


def test_following_shows_what_happens_from_now_on(volary):
    volary("volume", "create", "before")
    follower = subprocess.Popen([volary.program, "events", "--follow", "--type", "volume.*", "-o", "json"], env=volary.env,
                                stdout=subprocess.PIPE, text=True)
    try:
        # It is told of what comes after it has asked: something comes until it was told of one.
        names = (f"v{number}" for number in range(1000))
        volary.wait_for(lambda: volary("volume", "create", next(names)) and has_line(follower.stdout), "an event")
        assert json.loads(follower.stdout.readline())["body"]["volume"]["volume"].startswith("v")
    finally:
        follower.kill()
        follower.wait()


def test_a_stream_ends_when_its_token_is_revoked(volary):
    token = volary.json("token", "create", "--name", "watcher", "--role", "viewer")["token"]
    curl = subprocess.Popen(["curl", "-sN", "--unix-socket", volary.data / "volary.sock", "-H", f"Authorization: Bearer {token}",
                             "http://volary/api/v1/events/stream?after=0"], stdout=subprocess.PIPE, text=True)
    try:
        volary("volume", "create", "seen")
        while not curl.stdout.readline().startswith("data: "):
            assert curl.poll() is None
        volary("token", "revoke", "watcher")
        assert "data: " not in curl.communicate(timeout=60)[0]
        assert curl.returncode == 18, "the end is told from a stream that is complete"
    finally:
        curl.kill()


def has_line(stream) -> bool:
    return bool(select.select([stream], [], [], 0.1)[0])


def add(volary, receiver, *words) -> str:
    """The key."""
    return volary("webhook", "add", "hook", receiver.url, *words).strip()


def test_a_receiver_gets_each_event_in_order_signed_as_a_cloud_event(volary, receiver):
    volary("volume", "create", "before")
    key = add(volary, receiver, "--type", "volume.*", "--type", "job.*")
    for name in ("a", "b"):
        volary("volume", "create", name)
    volary("job", "run", "--", "true")
    volary.wait_for(lambda: len(receiver.events()) >= 8, "eight events")
    assert [one["type"] for one in receiver.events()] == ["volary.volume.created"] * 2 + [f"volary.job.{state}" for state in LIFE]
    receiver.verify(key)
    first = receiver.events()[0]
    listed = volary.json("events", "--type", "volume.created")[1]
    assert first == {"specversion": "1.0", "id": str(listed["number"]), "source": "urn:volary:prj-default",
                     "type": "volary.volume.created", "subject": listed["subject"], "time": listed["date"],
                     "datacontenttype": "application/json", "data": {"volume": "a", "user": "admin"}}
    assert receiver.requests[0][0]["content-type"].startswith("application/cloudevents+json")
    hook = volary.wait_for(lambda: (one := volary.json("webhook", "get", "hook"))["delivered"] == 8 and one, "what was taken")
    assert hook["active"] and hook["failures"] == 0 and hook["lastError"] == ""
    secret = json.dumps(hook) + volary("webhook", "ls", "-o", "json") + volary("secret", "ls", "-o", "json")
    assert key not in secret and key.removeprefix("whsec_") not in secret


@pytest.mark.parametrize("status, words", [(500, "answers with 500"), (302, "answers with 302")])
def test_what_a_receiver_does_not_take_comes_again_before_all_else(volary, receiver, status, words):
    key = add(volary, receiver)
    receiver.answers = [status]
    volary("volume", "create", "a")
    failing = volary.wait_for(lambda: (one := volary.json("webhook", "get", "hook"))["failures"] and one, "a failure")
    assert words in failing["lastError"] and failing["retryAt"] and failing["delivered"] == 0
    volary("volume", "create", "b")
    volary("webhook", "ping", "hook")  # Whoever mends a receiver need not wait.
    volary.wait_for(lambda: volary.json("webhook", "get", "hook")["delivered"] == 2, "both events")
    assert [one["type"] for one in receiver.events()] == ["volary.volume.created", "volary.webhook.ping", *["volary.volume.created"] * 2]
    ids = receiver.ids()
    assert ids[0] == ids[2] != ids[3]
    receiver.verify(key)


def test_a_receiver_that_is_gone_is_told_nothing_until_it_answers_a_ping(volary, receiver):
    add(volary, receiver)
    receiver.answers = [410]
    volary("volume", "create", "a")
    volary.wait_for(lambda: not volary.json("webhook", "get", "hook")["active"], "its end")
    receiver.answers = [503]
    _, said = volary.refuses("webhook", "ping", "hook")
    assert "webhook 'hook' was not taken: its receiver answers with 503: expected 2xx" in said
    assert not volary.json("webhook", "get", "hook")["active"]
    volary("webhook", "ping", "hook")
    volary.wait_for(lambda: volary.json("webhook", "get", "hook")["delivered"] == 1, "the event")
    assert receiver.ids()[0] == receiver.ids()[-1]


def test_a_server_killed_after_a_delivery_makes_it_again_and_loses_none(volary, receiver):
    key = add(volary, receiver)
    volary.end()
    fired = volary.data.parent / "fired"
    server = volary.start(env={"VOLARY_FAULT": "webhook.posted=kill", "VOLARY_FAULT_LOG": str(fired)})
    volary.run("volume", "create", "a")  # It may die before it has answered.
    server.wait(timeout=30)
    assert fired.exists() and len(receiver.events()) == 1
    volary.start()
    volary("volume", "create", "b")
    volary.wait_for(lambda: volary.json("webhook", "get", "hook")["delivered"] == 2, "both events")
    assert [one["data"]["volume"] for one in receiver.events()] == ["a", "a", "b"]
    assert receiver.ids()[0] == receiver.ids()[1]
    receiver.verify(key)


def test_who_may_only_read_sees_events_and_makes_no_webhook(volary, receiver):
    token = volary("token", "create", "--name", "reader", "--role", "viewer").strip()
    volary("volume", "create", "a")
    reader = {"VOLARY_SERVER": f"unix:{volary.data}/volary.sock", "VOLARY_TOKEN": token}
    assert "volume.created" in volary("events", env=reader)
    _, said = volary.refuses("webhook", "add", "hook", receiver.url, env=reader)
    assert "denied: " in said
    assert volary.json("webhook", "ls") == []
