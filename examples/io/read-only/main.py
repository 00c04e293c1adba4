"""Tries to write into an input volume and prints the kernel's answer; fails if it was possible."""
import errno
import sys

try:
    with open("/data-volumes/input_dataset/io-test.txt", "w", encoding="ascii") as file:
        file.write("this must not be\n")
except OSError as error:
    print(f"{errno.errorcode[error.errno]}: {error.strerror}")
    print("Read-only OK" if error.errno == errno.EROFS else "Refused, but not because the volume is read-only")
    sys.exit(0 if error.errno == errno.EROFS else 1)
print("Writing into an input volume was possible")
sys.exit(1)
