"""What every end-to-end test uses: the real program with a server of its own, and real object stores."""
import os
import pathlib
import shutil
import subprocess
import sys
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test"))
from volary import Volary  # noqa: E402
import s3  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("VOLARY_PROGRAM", ROOT / "build/dev/volary"))


@pytest.fixture
def volary(tmp_path):
    """The command line with a data directory of its own; its server ends with the test."""
    one = Volary(PROGRAM, tmp_path / "data")
    yield one
    one.end()


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

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {path.relative_to(self.path).as_posix(): path.read_bytes()
                for path in sorted(self.path.rglob("*"))
                if path.is_file() and path.relative_to(self.path).as_posix().startswith(prefix)}

    def add(self, volary: Volary, name: str) -> None:
        volary("datastore", "add", "directory", name, self.path)


class S3Store:
    """A fresh bucket of the test's S3 server."""

    kind = "s3"

    def __init__(self, client: "s3.Client"):
        self.client = client
        self.bucket = "e2e-" + uuid.uuid4().hex[:12]
        client.create_bucket(self.bucket)

    def put(self, key: str, content: bytes) -> None:
        self.client.put(self.bucket, key, content)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {key: self.client.get(self.bucket, key) for key in self.client.list(self.bucket, prefix)}

    def add(self, volary: Volary, name: str) -> None:
        volary("secret", "create", name + "-key", "--from-env",
               env={"AWS_ACCESS_KEY_ID": self.client.access_key, "AWS_SECRET_ACCESS_KEY": self.client.secret_key})
        volary("datastore", "add", "s3", name, "--endpoint", self.client.endpoint, "--bucket", self.bucket,
               "--secret", name + "-key")


@pytest.fixture(params=["directory", "s3"])
def bucket(request, tmp_path):
    if request.param == "directory":
        return DirectoryStore(tmp_path / "bucket")
    return S3Store(s3.client_of_environment())


@pytest.fixture
def directory_bucket(tmp_path):
    return DirectoryStore(tmp_path / "bucket")
