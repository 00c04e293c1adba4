#!/usr/bin/env python3
"""Holds the tree against the rules that CONTRIBUTING.md names; prints path:line: error: what to do.

usage: tidy.py [ROOT]
The allowed includes are read from the volary_folder() lines of CMakeLists.txt, so layers are written once.
"""
import pathlib
import re
import sys

LINE_COLUMNS_MAX = 120
SOURCE_LINES_MAX = 500
HEADER_LINES_MAX = 250
FUNCTION_LINES_MAX = 60
FORBIDDEN_WORDS = {"manager", "helper", "helpers", "util", "utils", "common", "base", "impl", "misc", "info", "data"}
# core/error.h: try stands in during(), the HTTP dispatcher, the command line's main and the steps of background work;
# the others carry an exception over a C callback, a coroutine or a thread to where it belongs.
CATCH_ALLOWED = {
    "src/core/error.h", "src/core/workers.h", "src/core/timetable.cc", "src/core/json.cc", "src/api/router.cc", "src/cli/cli.cc", "src/cli/parser.cc",
    "src/cli/client.cc", "src/cli/tally.cc", "src/job/reconciler.cc", "src/job/supervisor.cc", "src/volume/perform_transfer.cc", "src/volume/transfers.cc",
    "src/mount/probe.cc", "src/net/curl_client.cc", "src/core/error_of.h", "src/cli/oic.cc",
    "src/cli/yaml.cc", "src/net/http_session.cc", "src/view/mounts.cc", "src/view/mount_life.cc", "src/view/shell.cc",
    "src/engine/containment.cc", "src/engine/errand.cc",
}


def layers(root: pathlib.Path) -> dict[str, set[str]]:
    allowed = {}
    for match in re.finditer(r"^volary_folder\((\w+)\s+USES\s*([\w ]*?)\s*(?:LIBS [^)]*)?\)",
                             (root / "CMakeLists.txt").read_text(), re.M):
        allowed[match[1]] = set(match[2].split()) | {match[1]}
    return allowed


def function_lengths(lines: list[str]):
    """Yields (first line, length) of each function body that starts at the left margin or inside one namespace or class."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and re.match(r"^( {2})?[A-Za-z_~].*\{$", line) and "(" in line and \
                not re.match(r"^\s*(namespace|class|struct|enum|union|extern|constexpr|static constexpr)\b", line):
            start, indent = number, len(line) - len(line.lstrip())
        elif start is not None and line.startswith(" " * indent + "}") :
            yield start, number - start + 1
            start = None


def check_source(path: pathlib.Path, relative: str, allowed: dict[str, set[str]], complain) -> None:
    lines = path.read_text().splitlines()
    folder = relative.split("/")[1] if relative.count("/") > 1 else "main"
    is_test = path.stem.endswith("_test")
    opening = f"// {'/'.join(relative.split('/')[1:])}: "
    if not lines or not lines[0].startswith(opening):
        complain(relative, 1, f"open the file with its idea: '{opening}…'")
    limit = HEADER_LINES_MAX if path.suffix == ".h" else SOURCE_LINES_MAX
    if len(lines) > limit:
        complain(relative, limit, f"{len(lines)} lines: split by operation, at most {limit}")
    if path.suffix == ".h" and "#pragma once" not in lines:
        complain(relative, 1, "write #pragma once")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            complain(relative, number, f"{len(line)} columns: at most {LINE_COLUMNS_MAX}")
        if "\t" in line or line != line.rstrip():
            complain(relative, number, "no tabs and no spaces at the end")
        include = re.match(r'#include "(\w+)/', line)
        if include and folder in allowed and not is_test and include[1] not in allowed[folder]:
            complain(relative, number, f"{folder}/ may not include {include[1]}/: see the layers in CMakeLists.txt")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            complain(relative, number, "do it, or write it into an issue")
        if re.search(r"\bcatch\s*\(", line) and not is_test and relative not in CATCH_ALLOWED:
            complain(relative, number, "let the Error pass: core/error.h says where one is caught")
        if re.search(r"^(class|struct)\s+\w*(Manager|Helper|Util|Impl|Info|Data)\b", line):
            complain(relative, number, "name the thing, not that it does something")
    for start, length in function_lengths(lines):
        if length > FUNCTION_LINES_MAX and not is_test:
            complain(relative, start, f"a function of {length} lines: at most {FUNCTION_LINES_MAX}")


def check_tree(root: pathlib.Path) -> list[str]:
    problems = []

    def complain(relative, number, what):
        problems.append(f"{relative}:{number}: error: {what}")

    allowed = layers(root)
    if len(allowed) < 14:
        complain("CMakeLists.txt", 1, f"only {len(allowed)} volary_folder lines were understood")
    for path in sorted((root / "src").rglob("*")):
        relative = path.relative_to(root).as_posix()
        words = set(re.split(r"[._]", path.name))
        if words & FORBIDDEN_WORDS:
            complain(relative, 1, f"'{(words & FORBIDDEN_WORDS).pop()}' is no noun of ours: name the thing")
        if path.suffix in (".cc", ".h"):
            check_source(path, relative, allowed, complain)
    for folder in sorted(path.name for path in (root / "src").iterdir() if path.is_dir()):
        if folder not in allowed:
            complain(f"src/{folder}", 1, "the folder has no volary_folder line in CMakeLists.txt")
    return problems


def main() -> int:
    problems = check_tree(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
