"""A program, and a store that lies to it: what all tests of such stores begin with, and what must hold whatever the store did."""
import hashlib
import os

from lying import LyingS3
from volary import PROGRAM, Volary


class LyingWorld:
    """One store, one program, whose secrets nobody may see; each scenario has a place there and a volume of its own. `fill` and
    `imports` are the store's."""

    def __init__(self, tmp_path, first: dict[str, bytes], second: dict[str, bytes]):
        self.first, self.second = first, second
        self.volary = Volary(PROGRAM, tmp_path / "data")
        self.volary.env["VOLARY_PLANTED"] = os.environ.get("VOLARY_PLANTED", "")  # test/fault/test_planted.py plants some.
        self.add_store()
        self.volary("volume", "create", "honest")
        self.checksums = []
        for files in (first, second):
            self.fill("honest", files)
            assert self.imports("honest").returncode == 0
            self.checksums.append(self.head("honest")["checksum"])

    def begun(self, test: str) -> str:
        """A volume with the first version; the second one lies in the store."""
        name = "v" + hashlib.sha256(test.encode()).hexdigest()[:12]
        self.fill(name, self.first)
        self.volary("volume", "create", name)
        result = self.imports(name)
        assert result.returncode == 0, result.stderr
        self.fill(name, self.second)
        return name

    def head(self, volume: str) -> dict:
        return self.volary.json("volume", "versions", volume)[0]

    def is_first(self, name: str) -> bool:
        """Nothing of what failed is visible, and nothing of it is held or promised."""
        head, volume = self.head(name), self.volary.json("volume", "get", name)
        return ((head["number"], head["checksum"]) == (1, self.checksums[0]) and volume["reservedBytes"] == 0 and
                self.volary.json("volume", "leases", name) == [] and self.volary.json("volume", "verify", name)["whole"])

    def is_second(self, name: str) -> bool:
        head = self.head(name)
        return ((head["number"], head["checksum"]) == (2, self.checksums[1]) and
                self.volary.json("volume", "verify", name)["whole"])

    def finishes(self, name: str) -> None:
        result = self.imports(name)
        assert result.returncode == 0, result.stderr
        assert self.is_second(name)

    def resumes(self, name: str) -> None:
        """The transfer that failed last, as it is."""
        [failed, *_] = [one for one in self.volary.json("transfer", "ls") if one["state"] == "failed"]
        self.volary("transfer", "resume", failed["id"])
        assert self.is_second(name)

    def end(self) -> None:
        self.volary.end()


class LyingBucket(LyingWorld):
    """The store is a bucket of S3."""

    def __init__(self, tmp_path, first: dict[str, bytes], second: dict[str, bytes]):
        self.server = LyingS3()
        self.bucket = self.server.buckets.setdefault("bucket", {})
        super().__init__(tmp_path, first, second)

    def fill(self, name: str, files: dict[str, bytes]) -> None:
        for key in [key for key in self.bucket if key.startswith(name + "/")]:
            del self.bucket[key]
        for path, file in files.items():
            self.bucket[f"{name}/{path}"] = file

    def end(self) -> None:
        super().end()
        self.server.end()
