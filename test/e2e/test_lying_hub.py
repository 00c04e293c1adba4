"""A hub that lies, breaks off, refuses and changes: whatever it does, no version is wrong or half there, a mirror deletes
nothing, the message says which file and why, and when the hub is honest again the same command finishes. Every fault counts
how often it fired.
"""
import random
import re

import pytest

import lying
from hub import Hub
from lying_world import LyingWorld

FIRST = {f"{i:02}.txt": f"{i} in version 1\n".encode() * 20 for i in range(8)} | {
    "weights.safetensors": random.Random(1).randbytes(30_000), "only in one": b"one"}
SECOND = {f"{i:02}.txt": f"{i} in version 2\n".encode() * 20 for i in range(8)} | {
    "weights.safetensors": random.Random(2).randbytes(30_000), "only in two": b"two", "empty": b""}


class World(LyingWorld):
    def __init__(self, tmp_path):
        self.hub = Hub()
        super().__init__(tmp_path, FIRST, SECOND)

    def add_store(self) -> None:
        self.volary("secret", "create", "token", "--from-env", "HF_TOKEN", env={"HF_TOKEN": "hf_that-must-not-travel"})

    def fill(self, name: str, files: dict[str, bytes]) -> None:
        known = f"models/org/{name}" in self.hub.repositories
        self.hub.put(f"models/org/{name}", files)
        if not known:
            self.volary("datastore", "add", "hf", name, f"org/{name}", "--endpoint", self.hub.url, "--secret", "token")

    def imports(self, name: str):
        return self.volary.run("volume", "import", name, "--from", f"{name}:", "--strategy", "mirror")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("hub"))
    yield one
    one.end()
    one.hub.end()


@pytest.fixture
def volume(world, request):
    name = world.begun(request.node.name)
    world.hub.seen.clear()
    return name


def said(status: int, code: str = ""):
    headers = {"X-Error-Code": code, "X-Error-Message": f"{code} said by the lying hub"}
    return lying.at("instead", lambda *_: lying.Answer(status, headers))


def redirected(url: str):
    return lying.at("instead", lambda *_: lying.Answer(302, {"Location": url}))


READING = {
    "truncated": (lying.truncated(0), "broke off|missing|closed|failed"),
    "corrupted": (lying.flipped(77), "hash to"),
    "reset": (lying.reset_at(0), "reset|broke off|failed"),
    "longer than announced": (lying.other_length(-10), "bytes"),
    "shorter than announced, always": (lying.other_length(10), "bytes|broke off"),
    "503": (said(503, "Unavailable"), "503"),
    "429": (said(429, "TooMany"), "429"),
    "403": (said(403, "Forbidden"), "403"),
    "gated": (said(403, "GatedRepo"), "gated"),
    "404": (said(404, "EntryNotFound"), "there is no"),
    "another file of its size": (lying.changed(body=b"x" * 30_000), "hash to|bytes"),
    "HTML": (lying.changed(body=b"<html>Log in</html>"), "bytes|hash to"),
    "redirected to where clouds keep credentials": (redirected("http://169.254.169.254/latest"), "169.254.169.254"),
    "redirected to a file": (redirected("file:///etc/passwd"), "redirect"),
    "redirected in a circle": (lying.at("instead", lambda server, asked: lying.Answer(
        302, {"Location": f"{server.url}/{asked.key}" if asked.bucket == "hub" else f"{server.storage_url}/{asked.key}"})),
        "redirects"),
}


def path_of(volume: str, file: str) -> str:
    """Where its bytes come from: the hub, or for a large one the store it redirects to."""
    return f"models/org/{volume}//{file}" if file == "weights.safetensors" else f"org/{volume}/resolve/*/{file}"


@pytest.mark.parametrize("file", ["05.txt", "weights.safetensors"])
@pytest.mark.parametrize("name", READING)
def test_a_file_that_does_not_come_as_it_was_listed_makes_no_version(world, volume, name, file):
    act, words = READING[name]
    with world.hub.fault(act, key=path_of(volume, file)) as fault:
        result = world.imports(volume)
    assert fault.fired >= 1
    assert result.returncode != 0 and file in result.stderr, result.stderr
    assert re.search(words, result.stderr), result.stderr
    assert "hf_that" not in result.stderr
    assert world.is_first(volume)
    world.finishes(volume)


PASSING = {"truncated": lying.truncated(100), "corrupted": lying.flipped(77), "reset": lying.reset_at(100), "503": said(503), "429": said(429),
           "slow drip": lying.dripping(50)}


@pytest.mark.parametrize("name", PASSING)
def test_what_goes_wrong_once_is_asked_for_again(world, volume, name):
    with world.hub.fault(PASSING[name], key=path_of(volume, "05.txt"), times=1) as fault:
        world.finishes(volume)
    assert fault.fired == 1


def link(change):
    """The address of the next page, changed."""
    def act(server, asked, answer):
        headers = {name: value for name, value in answer.headers.items() if name != "Link"}
        url = change(server, asked, answer.headers.get("Link", ""))
        return lying.with_headers(lying.Answer(answer.status, headers, answer.body), {"Link": url} if url else {})
    return act


def skipping(server, _asked, url: str) -> str:
    return re.sub(r"cursor=(\d+)", lambda found: f"cursor={int(found[1]) + server.page}", url)


LISTING = {
    "403 in the middle": (said(403, "Forbidden"), 1, "403"),
    "500 in the middle": (said(500), 1, "500"),
    "503 from the beginning": (said(503), 0, "503"),
    "reset in the middle": (lying.reset_at(50), 1, "reset|failed"),
    "truncated": (lying.truncated(100), 1, "closed|bytes|ended"),
    "a page twice": (link(lambda _s, _a, url: re.sub(r"cursor=\d+", "cursor=0", url)), 1, "twice"),
    "one page for ever": (link(lambda server, asked, _u: f'<{server.url}/{asked.key}?recursive=true>; rel="next"'), 0,
                          "twice|does not end"),
    "a page left out": (link(skipping), 0, "leaves out"),
    "ended early": (link(lambda *_: ""), 1, "leaves out"),
    "empty": (lying.changed(body=b"[]"), 0, "leaves out|nothing"),
    "on at another host": (link(lambda *_: '<http://127.0.0.1:9/api/>; rel="next"'), 0, "another host"),
    "HTML": (lying.changed(body=b"<html>Log in</html>"), 1, "listing"),
    "no list": (lying.changed(body=b'{"error": "x"}'), 1, "listing"),
    "without hashes": (lying.changed(body=b'[{"type": "file", "path": "a", "size": 3}]'), 1, "without a size and a hash"),
    "with a name that leads out": (lying.changed(body=b'[{"type": "file", "path": "../a", "size": 0, "oid": "%s"}]' %
                                                 (b"0" * 40)), 1, "leaves out|\\.\\./a"),
}


@pytest.mark.parametrize("name", LISTING)
def test_a_mirror_deletes_nothing_by_a_listing_that_is_not_whole(world, volume, name):
    act, after, words = LISTING[name]
    with world.hub.fault(act, kind="listing", key=f"*/{volume}/*", after=after) as fault:
        result = world.imports(volume)
    assert fault.fired >= 1 and result.returncode != 0, result.stderr
    assert volume in result.stderr and re.search(words, result.stderr), result.stderr
    assert world.is_first(volume)
    world.finishes(volume)


def test_what_is_changed_between_the_listing_and_the_reading_is_still_the_commit_that_was_listed(world, volume):
    """A hub's commits stay; one that does not have it any more makes no version."""
    def act(server, _asked, answer):
        server.put(f"models/org/{volume}", {**SECOND, "05.txt": b"changed meanwhile"})
        return answer
    with world.hub.fault(act, kind="listing", key=f"*/{volume}/*", times=1) as fault:
        result = world.imports(volume)
    assert fault.fired == 1 and result.returncode != 0 and "there is no revision" in result.stderr, result.stderr
    assert world.is_first(volume)
    world.fill(volume, SECOND)
    world.finishes(volume)
