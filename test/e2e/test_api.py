"""The HTTP API as a program sees it: authentication, problem documents, the description, events."""
import json
import subprocess

import pytest

from volary import Volary


class Api:
    def __init__(self, volary: Volary):
        self.volary = volary
        volary("volume", "ls")  # Starts the server.
        self.token = (volary.data / "admin.token").read_text().strip()

    def __call__(self, method, path, body=None, token=None, headers=()):
        command = ["curl", "-s", "-i", "--unix-socket", str(self.volary.data / "volary.sock"), "-X", method,
                   "http://volary" + path]
        if token != "":
            command += ["-H", "Authorization: Bearer " + (token or self.token)]
        for header in headers:
            command += ["-H", header]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary", body if isinstance(body, str) else json.dumps(body)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        head, _, text = answer.partition("\n\n" if "\r\n\r\n" not in answer else "\r\n\r\n")
        status = int(head.split()[1])
        fields = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in head.splitlines()[1:]}
        return status, fields, json.loads(text) if text and "json" in fields.get("content-type", "") else text


@pytest.fixture
def api(volary):
    return Api(volary)


def test_nothing_is_answered_without_a_token(api):
    for method, path in [("GET", "/api/v1/volumes"), ("POST", "/api/v1/jobs"), ("GET", "/api/v1/audit"),
                         ("DELETE", "/api/v1/volumes/x"), ("GET", "/api/v1/doctor")]:
        for token in ("", "volary_0000000000000000_" + "0" * 48, "nonsense"):
            status, fields, problem = api(method, path, token=token)
            assert status == 401 and fields["www-authenticate"].startswith("Bearer")
            assert problem["code"] == "denied"
    assert api("GET", "/healthz", token="")[0] == 200


def test_the_description_has_every_path_and_is_openapi_3_1(api):
    status, _, description = api("GET", "/openapi.json")
    assert status == 200 and description["openapi"].startswith("3.1")
    for path in ("/api/v1/volumes/{volume}/imports", "/api/v1/jobs/{job}/events", "/api/v1/audit"):
        assert path in description["paths"]
    names = [operation["operationId"] for path in description["paths"].values() for operation in path.values()
             if isinstance(operation, dict) and "operationId" in operation]
    assert len(names) == len(set(names)) > 30


def test_errors_are_problem_documents(api):
    status, fields, problem = api("GET", "/api/v1/volumes/none")
    assert status == 404 and fields["content-type"].startswith("application/problem+json")
    assert problem["code"] == "not_found" and problem["detail"] == "there is no volume 'none' in this project"
    assert problem["status"] == 404 and problem["requestId"]
    status, _, problem = api("POST", "/api/v1/volumes", {"name": "x", "colour": "red"})
    assert status == 400 and "'body.colour' is not known" in problem["detail"]
    status, _, problem = api("POST", "/api/v1/volumes", "{")
    assert status == 400 and problem["code"] == "invalid"
    assert api("PATCH", "/api/v1/volumes")[0] == 405
    assert api("GET", "/api/v1/nothing")[0] == 404


def test_a_viewer_reads_and_may_do_nothing_else(api):
    made = api.volary.json("token", "create", "--name", "watcher", "--role", "viewer")
    token = made["token"]
    assert api("GET", "/api/v1/volumes", token=token)[0] == 200
    for method, path, body in [("POST", "/api/v1/volumes", {"name": "x"}), ("POST", "/api/v1/jobs", {"command": ["x"]}),
                               ("GET", "/api/v1/audit", None), ("GET", "/api/v1/tokens", None),
                               ("POST", "/api/v1/secrets", {"name": "x", "values": {"a": "b"}})]:
        status, _, problem = api(method, path, body, token=token)
        assert status == 403 and problem["code"] == "denied"
    api.volary("token", "revoke", "watcher")
    assert api("GET", "/api/v1/volumes", token=token)[0] == 401


def test_every_change_and_refusal_is_in_the_audit(api):
    api("POST", "/api/v1/volumes", {"name": "seen"})
    api("POST", "/api/v1/volumes", {"name": "seen"})
    api("DELETE", "/api/v1/volumes/seen", token="wrong")
    records = api("GET", "/api/v1/audit")[2]["items"]
    outcomes = [(one["action"], one["outcome"], one["subject"]) for one in records]
    assert ("POST /api/v1/volumes", "ok", "admin") in outcomes
    assert ("POST /api/v1/volumes", "exists", "admin") in outcomes
    assert ("DELETE /api/v1/volumes/{volume}", "denied", "") in outcomes
    assert api("GET", "/api/v1/audit/verification")[0] == 200


def test_a_secret_is_never_shown_again(api):
    value = "s3cr3t-0123456789"
    api("POST", "/api/v1/secrets", {"name": "key", "values": {"access_key": "AK", "secret_key": value}})
    shown = [api("GET", path)[2] for path in ("/api/v1/secrets", "/api/v1/audit", "/api/v1/server")]
    assert value not in json.dumps(shown)
    api.volary.end()
    for file in api.volary.data.rglob("*"):
        if file.is_file():
            assert value.encode() not in file.read_bytes(), file


def test_lists_come_by_pages(api):
    for i in range(7):
        api("POST", "/api/v1/volumes", {"name": f"v{i}"})
    names, cursor = [], ""
    while cursor is not None:
        _, _, page = api("GET", "/api/v1/volumes?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        names += [one["name"] for one in page["items"]]
        cursor = page.get("nextCursor")
    assert names == [f"v{i}" for i in range(7)]


def test_events_end_with_the_job(api):
    _, _, job = api("POST", "/api/v1/jobs", {"command": ["true"]})
    _, fields, text = api("GET", f"/api/v1/jobs/{job['id']}/events")
    assert fields["content-type"].startswith("text/event-stream")
    states = [json.loads(line[6:])["state"] for line in text.splitlines() if line.startswith("data: ")]
    assert states[-1] == "DONE"
