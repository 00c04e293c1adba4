"""Lists everything in both input volumes, with sizes."""
import os

for name in ("input_model", "input_dataset"):
    root = os.path.join("/data-volumes", name)
    print(f"{root}:")
    count = 0
    for directory, subdirectories, files in os.walk(root):
        subdirectories.sort()
        for file in sorted(files):
            path = os.path.join(directory, file)
            print(f"  {os.path.relpath(path, root)} ({os.path.getsize(path)} bytes)")
            count += 1
    print(f"  {count} files")
