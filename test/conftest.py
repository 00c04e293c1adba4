"""What every test with the real program uses: the command line with a server of its own, and real object stores."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import s3  # noqa: E402
from stores import DirectoryStore, S3Store  # noqa: E402
from volary import PROGRAM, Volary  # noqa: E402


@pytest.fixture
def volary(tmp_path):
    """The command line with a data directory of its own; its server ends with the test."""
    one = Volary(PROGRAM, tmp_path / "data")
    yield one
    one.end()


@pytest.fixture(params=["directory", "s3"])
def bucket(request, tmp_path):
    if request.param == "directory":
        return DirectoryStore(tmp_path / "bucket")
    return S3Store(s3.client_of_environment())


@pytest.fixture
def directory_bucket(tmp_path):
    return DirectoryStore(tmp_path / "bucket")
