"""Says at the end of a run how many faults happened."""
import sys


def pytest_terminal_summary(terminalreporter):
    tally = getattr(sys.modules.get("harness"), "TALLY", {})
    for what, (happened, wanted) in tally.items():
        terminalreporter.write_line(f"{what}: {happened} of {wanted} faults happened")
