"""The README's transcript, run literally: each "$ " line in one shell, its output (both streams) compared with what stands below it.
"…" in the README stands for any text: within a line, or alone on a line for any lines."""
import re
import subprocess

from volary import PROGRAM, ROOT



def transcript():
    """(command, expected lines) of every console block, in order."""
    steps = []
    for block in re.findall(r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def as_pattern(lines):
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*".join(re.escape(part) for part in line.split("…")) + "\n")
    return re.compile("".join(parts) + r"\Z")


def test_the_transcript_is_what_happens(tmp_path):
    steps = transcript()
    assert len(steps) > 10
    # The program under test stands in for the release build that a reader has.
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "volary").symlink_to(PROGRAM)
    mark = "-- end of step --"
    script = "".join(f"{command}\necho '{mark}'\n" for command, _ in steps)
    script = script.replace("$PWD/build/release", str(programs))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash"], input=script, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)
    outputs = done.stdout.split(mark + "\n")
    assert len(outputs) == len(steps) + 1, done.stdout
    for (command, expected), output in zip(steps, outputs):
        assert as_pattern(expected).fullmatch(output), \
            f"$ {command}\n--- the README says\n" + "\n".join(expected) + f"\n--- it printed\n{output}"


def test_the_pattern_of_a_transcript_can_fail():
    assert as_pattern(["a…c"]).fullmatch("abbc\n")
    assert not as_pattern(["a…c"]).fullmatch("abb\n")
    assert not as_pattern([]).fullmatch("something\n")
    assert as_pattern(["x", "…", "y"]).fullmatch("x\n1\n2\ny\n")
