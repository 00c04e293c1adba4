"""Object stores that lie, break off, refuse and change under the reader's eyes: whatever they do, no version is wrong or
half there, a mirror deletes nothing, the message says which object and why, and when the store is honest again the same
command finishes. Every fault counts how often it fired.
"""
import pytest

import lying
from lying_world import LyingBucket


def content(name: str, version: int = 1) -> bytes:
    return f"{name} in version {version}\n".encode() * 20


FIRST = {name: content(name) for name in [f"{i:02}" for i in range(12)] + ["deep/er/x", "only in one"]}
SECOND = {**{name: content(name, 2) for name in FIRST if name != "only in one"}, "only in two": content("two"),
          "empty": b""}


class World(LyingBucket):
    def add_store(self) -> None:
        self.volary("secret", "create", "key", "--from-env",
                    env={"AWS_ACCESS_KEY_ID": "AKIAPUBLIC", "AWS_SECRET_ACCESS_KEY": "the-secret-that-must-not-travel"})
        self.volary("datastore", "add", "s3", "lie", "--endpoint", self.server.url, "--bucket", "bucket", "--secret", "key")

    def imports(self, name: str, *words):
        return self.volary.run("volume", "import", name, "--from", f"lie:{name}", "--strategy", "mirror", *words)

    def exports(self, name: str, *words):
        return self.volary.run("volume", "export", name, "--to", f"lie:out-{name}", "--strategy", "mirror", *words)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("lying"), FIRST, SECOND)
    yield one
    one.end()


@pytest.fixture
def volume(world, request):
    name = world.begun(request.node.name)
    world.server.requests.clear()
    world.server.changes.clear()
    return name


OBJECT = "*/05"
# What happens to one object, again and again, and what is said of it.
READING = {
    "truncated": (lying.truncated(100), ["05", "missing|closed|remaining"]),
    "reset": (lying.reset_at(100), ["05", "reset|failed|broke off"]),
    "longer than announced": (lying.other_length(-10), ["05", "bytes"]),
    "503": (lying.said(503, "SlowDown"), ["05", "SlowDown"]),
    "500": (lying.said(500, "InternalError"), ["05", "InternalError"]),
    "403": (lying.said(403, "AccessDenied"), ["05", "AccessDenied"]),
    "404": (lying.said(404, "NoSuchKey"), ["05", "NoSuchKey"]),
    "expired": (lying.said(400, "ExpiredToken", "The provided token has expired."), ["05", "ExpiredToken"]),
    "changed since it was listed": (lying.replaced_before(b"something else\n"), ["05", "PreconditionFailed|another"]),
    "changed, and If-Match not known": (lying.replaced_unnoticed(b"x" * len(SECOND["05"])), ["05", "another one by now"]),
    "changed in size": (lying.replaced_unnoticed(b"x"), ["05", "another one by now"]),
    "gzipped": (lying.gzipped(), ["05", "bytes|gzip"]),
    "an error in a 200": (lying.changed(body=lying.refusal(500, "InternalError").body), ["05", "bytes|InternalError"]),
    "redirected": (lying.redirected("http://127.0.0.1:9"), ["elsewhere|redirect"]),
}


@pytest.mark.parametrize("name", READING)
def test_an_object_that_does_not_come_as_it_was_listed_makes_no_version(world, volume, name):
    act, words = READING[name]
    with world.server.fault(act, key=OBJECT) as fault:
        result = world.imports(volume)
    assert fault.fired >= 1
    assert result.returncode in (3, 4, 5, 6, 8, 9) or "invalid" in result.stderr, (result.returncode, result.stderr)
    for word in words:
        assert any(one in result.stderr for one in word.split("|")), result.stderr
    assert world.is_first(volume)
    assert not world.server.changes
    world.fill(volume, SECOND)
    world.finishes(volume)


# What passes: it is asked for again, and nobody notices.
PASSING = {
    "truncated": lying.truncated(100), "reset": lying.reset_at(100), "503": lying.said(503, "SlowDown"),
    "500": lying.said(500, "InternalError"), "shorter than announced": lying.other_length(10),
    "slow drip": lying.dripping(50),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_goes_wrong_once_is_asked_for_again(world, volume, name):
    with world.server.fault(PASSING[name], key=OBJECT, times=1) as fault:
        world.finishes(volume)
    assert fault.fired == 1
    asked = [request for request in world.server.requests if request.key.endswith("/05") and request.method == "GET"]
    assert len(asked) <= 2
    if name in ("truncated", "reset"):  # What came already does not come again.
        assert [request.headers.get("range") for request in asked] == [None, "bytes=100-319"]


LISTING = {
    "403 in the middle": (lying.said(403, "AccessDenied"), 1, ["AccessDenied"]),
    "500 in the middle": (lying.said(500, "InternalError"), 1, ["InternalError"]),
    "503 from the beginning": (lying.said(503, "SlowDown"), 0, ["SlowDown"]),
    "reset in the middle": (lying.reset_at(50), 1, ["reset|failed"]),
    "truncated": (lying.truncated(200), 1, ["closed|bytes|ended"]),
    "a page twice": (lying.first_page_again(), 1, ["not in order|twice"]),
    "one token for ever": (lying.same_token_again(), 0, ["circle|not in order"]),
    "a token lost": (lying.token_lost(), 1, ["says that it goes on, but not where"]),
    "backwards": (lying.backwards(), 0, ["not in order"]),
    "empty": (lying.empty(), 0, ["nothing below"]),
    "another's key": (lying.with_key("honest/05"), 0, ["does not begin so|not in order"]),
    "an error in a 200": (lying.changed(body=lying.refusal(500, "InternalError").body), 1, ["InternalError"]),
    "HTML": (lying.changed(body=b"<html><body>Log in</body></html>"), 1, ["expected a listing of objects, found <html>"]),
    "a page left out": (lying.page_skipped(), 1, ["leaves out"]),
    "ended early": (lying.ended_early(), 1, ["leaves out"]),
}


@pytest.mark.parametrize("name", LISTING)
def test_a_mirror_deletes_nothing_by_a_listing_that_is_not_whole(world, volume, name):
    act, after, words = LISTING[name]
    with world.server.fault(act, kind="listing", key=volume + "/*", after=after) as fault:
        result = world.imports(volume)
    assert fault.fired >= 1 and result.returncode != 0
    for word in ["lie|bucket|nothing", *words]:
        assert any(one in result.stderr for one in word.split("|")), result.stderr
    assert world.is_first(volume)
    world.finishes(volume)


# --- Exports

def target(world, name: str) -> dict[str, bytes]:
    return {key.removeprefix(f"out-{name}/"): file for key, file in world.bucket.items() if key.startswith(f"out-{name}/")}


@pytest.fixture
def exported(world, volume):
    """The first version lies in the target as it is; the second one is to go there."""
    result = world.exports(volume)
    assert result.returncode == 0, result.stderr
    assert target(world, volume) == FIRST
    world.finishes(volume)
    world.server.requests.clear()
    world.server.changes.clear()
    return volume


def is_neither_half_nor_deleted(world, name: str) -> None:
    """Each object is as it was or as it should be, and those that the new version lacks are there still."""
    now = target(world, name)
    assert set(FIRST) <= set(now)
    for path, file in now.items():
        assert file in (FIRST.get(path), SECOND.get(path)), path
    assert not world.server.uploads


def export_finishes(world, name: str) -> None:
    result = world.exports(name)
    assert result.returncode == 0, result.stderr
    assert target(world, name) == SECOND


WRITING = {
    "503": (lying.said(503, "SlowDown"), ["05", "SlowDown"]),
    "500": (lying.said(500, "InternalError"), ["05", "InternalError"]),
    "403": (lying.said(403, "AccessDenied"), ["05", "AccessDenied"]),
    "expired": (lying.said(400, "ExpiredToken", "The provided token has expired."), ["05", "ExpiredToken"]),
    "the bucket is full": (lying.said(507, "QuotaExceeded"), ["05", "QuotaExceeded"]),
    "redirected": (lying.redirected("http://127.0.0.1:9"), ["elsewhere|redirect"]),
    "broken off": (lying.broken_off(), ["05", "failed"]),
    "done, and the answer lost": (lying.answer_lost(), ["05", "failed"]),
}


@pytest.mark.parametrize("name", WRITING)
def test_an_export_that_cannot_write_an_object_says_which_and_deletes_nothing(world, exported, name):
    act, words = WRITING[name]
    with world.server.fault(act, kind="put", key=OBJECT) as fault:
        result = world.exports(exported)
    assert fault.fired >= 1 and result.returncode != 0
    for word in words:
        assert any(one in result.stderr for one in word.split("|")), result.stderr
    is_neither_half_nor_deleted(world, exported)
    assert not [change for change in world.server.changes if change[0] == "removal"]
    export_finishes(world, exported)


@pytest.mark.parametrize("name", ["503", "500", "broken off", "done, and the answer lost"])
def test_a_write_that_goes_wrong_once_is_done_again(world, exported, name):
    with world.server.fault(WRITING[name][0], kind="put", key=OBJECT, times=1) as fault:
        export_finishes(world, exported)
    assert fault.fired == 1


@pytest.mark.parametrize("name", LISTING)
def test_an_export_with_a_listing_that_is_not_whole_deletes_nothing_that_it_should_not(world, exported, name):
    act, after, words = LISTING[name]
    with world.server.fault(act, kind="listing", key=f"out-{exported}/*", after=after) as fault:
        result = world.exports(exported)
    assert fault.fired >= 1
    if name in ("empty", "a page left out", "ended early"):  # Nobody can know: what is not listed is written, and stays.
        assert result.returncode == 0, result.stderr
        assert all(target(world, exported)[path] == file for path, file in SECOND.items())
    else:
        assert result.returncode != 0 and any(one in result.stderr for one in words[0].split("|")), result.stderr
        assert not world.server.changes and target(world, exported) == FIRST
    assert {key for act, key in world.server.changes if act == "removal"} <= {f"out-{exported}/only in one"}
    export_finishes(world, exported)


def test_a_removal_that_is_refused_is_named_and_made_up_for(world, exported):
    with world.server.fault(lying.said(403, "AccessDenied"), kind="removal") as fault:
        result = world.exports(exported)
    assert fault.fired >= 1 and result.returncode == 3
    assert "only in one" in result.stderr and "AccessDenied" in result.stderr
    assert target(world, exported) == {**SECOND, "only in one": FIRST["only in one"]}
    export_finishes(world, exported)


# --- Exports in parts

BIG = 20 << 20


@pytest.fixture(scope="module")
def big(world):
    """A volume with a file that goes in parts."""
    world.fill("big", {"large": bytes(range(256)) * (BIG >> 8)})
    world.volary("volume", "create", "big")
    world.volary("volume", "import", "big", "--from", "lie:big")
    return "big"


PARTS = {
    "a part refused": ("part", lying.said(403, "AccessDenied"), ["AccessDenied"]),
    "no part taken": ("part", lying.said(503, "SlowDown"), ["SlowDown"]),
    "completion refused in a 200": ("complete", lying.at("instead", lambda *_: lying.refusal(200, "InternalError")),
                                    ["InternalError"]),
    "completion forbidden": ("complete", lying.said(403, "AccessDenied"), ["AccessDenied"]),
    "begun with an error in a 200": ("begin", lying.at("instead", lambda *_: lying.refusal(200, "AccessDenied")),
                                     ["AccessDenied"]),
}


@pytest.mark.parametrize("name", PARTS)
def test_an_upload_in_parts_that_fails_leaves_neither_an_object_nor_parts(world, big, name):
    kind, act, words = PARTS[name]
    world.fill("out-big", {})
    world.server.changes.clear()
    with world.server.fault(act, kind=kind, key="out-big/*") as fault:
        result = world.exports("big")
    assert fault.fired >= 1 and result.returncode != 0
    assert "large" in result.stderr and words[0] in result.stderr
    assert target(world, "big") == {} and not world.server.uploads


ACTS = {"503": lying.said(503, "SlowDown"), "broken off": lying.broken_off(), "answer lost": lying.answer_lost()}


@pytest.mark.parametrize("kind", ["begin", "part", "complete"])
@pytest.mark.parametrize("act", ACTS)
def test_a_step_of_an_upload_in_parts_that_goes_wrong_once_is_done_again(world, big, kind, act):
    world.fill("out-big", {})
    world.server.changes.clear()
    with world.server.fault(ACTS[act], kind=kind, key="out-big/*", times=1) as fault:
        result = world.exports("big")
    assert result.returncode == 0 and fault.fired == 1, result.stderr
    assert target(world, "big")["large"] == world.bucket["big/large"]
    assert world.server.changes == [("put", "out-big/large")]
    # An upload whose beginning nobody learned of, only the server knows.
    assert len(world.server.uploads) == (act == "answer lost" and kind == "begin")
    world.server.uploads.clear()
