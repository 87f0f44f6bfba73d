"""The scripted backend as a command."""

import signal
import subprocess
import urllib.request

from conformance.scenarios import SCENARIOS
from tests.commands import COMMAND, PATIENCE, command, environment


def test_the_scenarios_are_listed_with_what_must_become_of_them() -> None:
    lines = command("backend", "--list").out.splitlines()

    assert len(lines) == len(SCENARIOS)
    for line, scenario in zip(lines, SCENARIOS.values(), strict=True):
        assert line.startswith(f"{scenario.name} ")
        assert line.endswith(f"{scenario.does} [{scenario.fate.name.lower()}]")


def test_the_command_plays_what_is_asked_and_says_what_it_received() -> None:
    with subprocess.Popen(
        [*COMMAND, "backend", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            address = next(word for word in first.split() if word.startswith("http://")).rstrip(";")
            body = b'{"stream": true, "messages": [{"role": "user", "content": "[scenario:frames-crlf:1f]"}]}'
            with urllib.request.urlopen(f"{address}/chat/completions", data=body, timeout=PATIENCE) as answer:
                assert b"data: [DONE]\r\n" in answer.read()
            assert process.stdout.readline().startswith("frames-crlf streamed, ")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()

    assert process.returncode == 0
    assert said == ""


def test_a_port_that_is_taken_is_one_message() -> None:
    done = command("backend", "--host", "192.0.2.1")

    assert done.code == 2
    assert "cannot be listened on" in done.err
