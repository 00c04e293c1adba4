"""Writes, reads and deletes a file in both output volumes."""
import os

for name in ("output_checkpoints", "output_model"):
    path = os.path.join("/data-volumes", name, "io-test.txt")
    print(f"{path}:")
    with open(path, "w", encoding="ascii") as file:
        file.write("written by a job\n")
    print("  Write OK")
    with open(path, encoding="ascii") as file:
        assert file.read() == "written by a job\n", "the file does not hold what was written"
    print("  Read OK")
    os.remove(path)
    assert not os.path.exists(path), "the file is still there"
    print("  Delete OK")
