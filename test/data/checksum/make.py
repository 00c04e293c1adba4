#!/usr/bin/env python3
"""The test vectors of the OICM checksum (docs/checksum.md): directories and their digests.

usage: make.py DIRECTORY

Builds every tree below DIRECTORY, computes its digest and prints "<digest>  <tree>". The exit status is 1 if a
digest is not the expected one. It is written from the rules alone and hashes with `b3sum` (the Debian package of
that name), so it shares no code with what it judges.
"""
import os
import pathlib
import subprocess
import sys

EXPECTED = {
    "docex": "3e0b692497b760089999c285ea717ccac4c88e44341e7bed9327cf0fe1618e52",
    "empty": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "onlyempty": "c81dd7432fb4970c8eb90c3cd00283305056e14c90cecf454b207fd2cdf3f0bb",
    "onlyemptyfile": "f51204955b943362bbcb628e66d6f6e63dbe656a2b28c5f06fd25b99eaebb9d7",
    "links": "c39a794010897409bbe7f4430aee73c89a106f4fe46938d87e426b4e77dd2aea",
    "order": "d393260395a253a8d41fa6bc633e35fa642edbb630073ccc4052338c6a2a9b99",
    "hidden": "df7250cfbce537741d027f381364381c03efb78b43777b8d9d7f62d9c734a0c3",
    "fifo": "b08880c6dff21546cfc2a7ebacbab9698dbfbb3f90ccdad70532ba5056f169c6",
    "unicode": "5e01ae1acced16882420ad82ef95e51a4d7355c42143f65b4fd56b3d92fbf941",
    "big": "12063af9ddf23a1b033bab951ec3bdba2c4a97d65b21fe0b557db3219ea5c85b",
    "coll1": "7a8ed545337b50fd9235d0b9dead2c53a4527041a346ddbb03ad016faa09986d",
    "coll2": "7a8ed545337b50fd9235d0b9dead2c53a4527041a346ddbb03ad016faa09986d",
}


def blake3(data: bytes) -> str:
    return subprocess.run(["b3sum", "--no-names"], input=data, capture_output=True,
                          check=True).stdout.decode().strip()


def digest(directory: str) -> str:
    entries = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if os.path.islink(path):
            target = pathlib.PurePosixPath(os.readlink(path)).as_posix()
            entries.append(f"l:{name}:{target}")
        elif os.path.isdir(path):
            entries.append(f"d:{name}:{digest(path)}")
        elif os.path.isfile(path):
            entries.append(f"f:{name}:{blake3(pathlib.Path(path).read_bytes())}")
    entries.sort()
    return blake3("\0".join(entries).encode())


def build(root: pathlib.Path) -> None:
    def tree(name, files=(), dirs=(), links=()):
        base = root / name
        base.mkdir(parents=True, exist_ok=True)
        for d in dirs:
            (base / d).mkdir(parents=True, exist_ok=True)
        for path, text in dict(files).items():
            (base / path).parent.mkdir(parents=True, exist_ok=True)
            (base / path).write_bytes(text.encode())
        for path, target in dict(links).items():
            if not (base / path).is_symlink():
                os.symlink(target, base / path)

    tree("docex", {"file1.txt": "hello\n", "subdir/file2.txt": "world\n"}, (), {"link": "file1.txt"})
    tree("empty")
    tree("onlyempty", (), ["e"])
    tree("onlyemptyfile", {"x": ""})
    tree("links", (), ["dir"], {"l1": "./a//b/./c/", "l2": "../x/..", "l3": "//net/share",
                                "l4": "///abs", "l5": ".", "dangling": "nowhere", "todir": "dir/"})
    names = ["a", "a!", "a.txt", "a0", "a:", "a;", "aa", "A", "B", "_", "z"]
    tree("order", {n: n for n in names}, ["bdir"], {"c": "a"})
    tree("hidden", {".h": "x"})
    tree("fifo", {"f": "y"})
    if not (root / "fifo/p").exists():
        os.mkfifo(root / "fifo/p")
    tree("unicode", {"\u00e9": "1", "e\u0301": "2", "z": "3", "\U0001F600": "4", "\ufffd": "5"})
    tree("big", {"f": "q" * 3_000_000})
    tree("coll1", (), (), {"a": "b:c"})
    tree("coll2", (), (), {"a:b": "c"})


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[1])
    build(root)
    bad = 0
    for name, wanted in EXPECTED.items():
        found = digest(str(root / name))
        print(f"{found}  {name}")
        if found != wanted:
            bad += 1
            print(f"  expected {wanted}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
