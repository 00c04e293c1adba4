"""Object stores for tests: a directory, and a bucket of a real S3 server; both filled and read behind the program's back."""
import pathlib
import uuid

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

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {key: self.client.get(self.bucket, key) for key in self.client.list(self.bucket, prefix)}

    def add(self, volary: Volary, name: str) -> None:
        volary("secret", "create", name + "-key", "--from-env",
               env={"AWS_ACCESS_KEY_ID": self.client.access_key, "AWS_SECRET_ACCESS_KEY": self.client.secret_key})
        volary("datastore", "add", "s3", name, "--endpoint", self.client.endpoint, "--bucket", self.bucket,
               "--secret", name + "-key")
