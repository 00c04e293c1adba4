#!/usr/bin/env python3
"""Makes data/ from the file that scikit-learn ships: one CSV file a digit, for training and for testing.

    pip download scikit-learn --no-deps -d wheel
    unzip -j wheel/scikit_learn-*.whl 'sklearn/datasets/data/digits.csv.gz'
    python3 make_data.py digits.csv.gz data

The split is by position, so it is the same for everybody: of each digit, every fifth image is for testing.
"""
import gzip
import hashlib
import pathlib
import sys

SOURCE_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
TEST_EVERY = 5


def main(source, target):
    packed = pathlib.Path(source).read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{source} has the SHA-256 {found}, expected {SOURCE_SHA256}: it is another file")
    files = {}
    seen = [0] * 10
    for line in gzip.decompress(packed).decode("ascii").splitlines():
        pixels, label = line.rsplit(",", 1)
        digit = int(float(label))
        seen[digit] += 1
        part = "test" if seen[digit] % TEST_EVERY == 0 else "train"
        files.setdefault((part, digit), []).append(pixels)
    labels = ["file,label,images"]
    for (part, digit), rows in sorted(files.items()):
        path = pathlib.Path(target) / part / f"digit-{digit}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(row + "\n" for row in rows), encoding="ascii")
        labels.append(f"{part}/digit-{digit}.csv,{digit},{len(rows)}")
    (pathlib.Path(target) / "labels.csv").write_text("\n".join(labels) + "\n", encoding="ascii")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_data.py digits.csv.gz DIRECTORY")
    main(sys.argv[1], sys.argv[2])
