#!/usr/bin/env python3
"""Adds up JUnit reports and prints, as its last line, "N passed, N failed[, N skipped]"; exits 1 if any failed.

usage: summary.py REPORT.xml...
A report that is missing or holds no test counts as one failure: a suite that did not run proves nothing.
"""
import sys
import xml.etree.ElementTree as ET


def main() -> int:
    passed = failed = skipped = 0
    for path in sys.argv[1:]:
        try:
            cases = list(ET.parse(path).getroot().iter("testcase"))
        except (OSError, ET.ParseError) as error:
            print(f"{path}: {error}")
            cases = []
        if not cases:
            print(f"{path}: no test ran")
            failed += 1
        for case in cases:
            name = f"{case.get('classname', '')}.{case.get('name', '')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                print(f"failed: {name} ({path})")
            elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                skipped += 1
                print(f"skipped: {name}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
