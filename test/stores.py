"""Object stores for tests: a directory, and a bucket of a real S3 server; both filled and read behind the program's back."""
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

import s3
from volary import Volary


class DirectoryStore:
    """A directory as object store."""

    kind = "directory"

    def __init__(self, path: pathlib.Path):
        self.path = path
        path.mkdir()

    def put(self, key: str, content: bytes) -> None:
        file = self.path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def remove(self, key: str) -> None:
        (self.path / key).unlink()

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {path.relative_to(self.path).as_posix(): path.read_bytes()
                for path in sorted(self.path.rglob("*"))
                if path.is_file() and path.relative_to(self.path).as_posix().startswith(prefix)}

    def add(self, volary: Volary, name: str) -> None:
        volary("datastore", "add", "directory", name, self.path)


class S3Store:
    """A fresh bucket of the test's S3 server."""

    kind = "s3"

    def __init__(self, client: s3.Client):
        self.client = client
        self.bucket = "e2e-" + uuid.uuid4().hex[:12]
        client.create_bucket(self.bucket)

    def put(self, key: str, content: bytes) -> None:
        self.client.put(self.bucket, key, content)

    def remove(self, key: str) -> None:
        self.client.request("DELETE", f"/{self.bucket}/{key}")

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {key: self.client.get(self.bucket, key) for key in self.client.list(self.bucket, prefix)}

    def add(self, volary: Volary, name: str) -> None:
        volary("secret", "create", name + "-key", "--from-env",
               env={"AWS_ACCESS_KEY_ID": self.client.access_key, "AWS_SECRET_ACCESS_KEY": self.client.secret_key})
        volary("datastore", "add", "s3", name, "--endpoint", self.client.endpoint, "--bucket", self.bucket,
               "--secret", name + "-key")


class SwiftStore:
    """A fresh container of the test's Swift server."""

    kind = "swift"

    def __init__(self):
        if "VOLARY_TEST_SWIFT_AUTH" not in os.environ:
            pytest.skip("VOLARY_TEST_SWIFT_AUTH is not set: start test/servers/start-swift.sh")
        self.auth, self.user, self.key = (os.environ[f"VOLARY_TEST_SWIFT_{name}"] for name in ("AUTH", "USER", "KEY"))
        login = urllib.request.Request(self.auth, headers={"X-Auth-User": self.user, "X-Auth-Key": self.key})
        with urllib.request.urlopen(login, timeout=60) as answer:
            self.url, self.token = answer.headers["X-Storage-Url"], answer.headers["X-Auth-Token"]
        self.bucket = "e2e-" + uuid.uuid4().hex[:12]
        self.request("PUT", f"/{self.bucket}")

    def request(self, method: str, path: str, query: str = "", body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + urllib.parse.quote(path) + query, data=body, method=method,
                                         headers={"X-Auth-Token": self.token, "Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def put(self, key: str, content: bytes) -> None:
        self.request("PUT", f"/{self.bucket}/{key}", body=content)

    def remove(self, key: str) -> None:
        self.request("DELETE", f"/{self.bucket}/{key}")

    def names(self, container: str, prefix: str = "") -> list[str]:
        """None of a container that is not there."""
        query = "?" + urllib.parse.urlencode({"format": "json", "prefix": prefix, "limit": 10_000})
        try:
            return [one["name"] for one in json.loads(self.request("GET", f"/{container}", query) or "[]")]
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return []

    def segments(self) -> list[str]:
        return self.names(self.bucket + "_segments")

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {key: self.request("GET", f"/{self.bucket}/{key}") for key in self.names(self.bucket, prefix)}

    def add(self, volary: Volary, name: str) -> None:
        volary("datastore", "add", "swift", name, "--container", self.bucket, "--from-env",
               env={"ST_AUTH": self.auth, "ST_USER": self.user, "ST_KEY": self.key})
