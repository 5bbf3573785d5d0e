"""What was run, at the end."""

from _pytest.terminal import TerminalReporter

from tests.fuzz.oracle import RUNS


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for line in RUNS:
        terminalreporter.write_line(line)
