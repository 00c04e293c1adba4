"""Very many files take the server no more memory than many: what transfers hold does not go with their number."""
import os

MIB = 1 << 20
DIRECTORIES = 150  # Of a thousand files each. Held all at once, these took 145 MiB.
BOUND = 128 * MIB


def fill(path) -> None:
    """Names alone: each directory's files are one file, so that they cost a disk next to nothing."""
    for number in range(DIRECTORIES):
        directory = path / f"d{number:03}"
        directory.mkdir(parents=True)
        (directory / "f000").write_text(str(number))
        for name in range(1, 1000):
            os.link(directory / "f000", directory / f"f{name:03}")


def test_an_imports_memory_does_not_go_with_the_number_of_its_files(volary, tmp_path):
    fill(tmp_path / "many")
    volary("datastore", "add", "directory", "many", str(tmp_path / "many"))
    volary("volume", "create", "v")
    volary("volume", "import", "v", "--from", "many:")
    assert volary.json("volume", "get", "v")["files"] == DIRECTORIES * 1000
    assert volary.server_memory_peak() < BOUND, f"{volary.server_memory_peak() / MIB:.0f} MiB"
