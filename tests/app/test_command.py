"""`nephoscope serve` on the command line, and the API examples of docs/app.md."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs/app.md"
MAIN = "from nephoscope.cli.commands import main; main()"


@contextmanager
def serving(*options: str, until: str = "ready") -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the command; yields the process and its output up to the line that contains `until`."""
    command = [sys.executable, "-c", MAIN, "serve", "--engine", "torch", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        output = []
        for line in process.stderr:
            output.append(line)
            if until in line:
                break
        try:
            yield process, output
        finally:
            # A process that is still importing libraries may lose SIGINT and run on.
            process.send_signal(signal.SIGINT if until == "ready" else signal.SIGKILL)
            process.wait(60)


def test_the_address_is_printed_once_the_server_is_ready() -> None:
    with serving() as (process, output):
        assert output[0] == "nephoscope: opening the model\n"
        address = re.fullmatch(r"nephoscope: ready: (http://127\.0\.0\.1:\d+)\n", output[-1])
        assert address, output
        assert httpx2.get(f"{address[1]}/api/health").json()["status"] == "ok"
        page = httpx2.get(address[1]).text
        assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) >= {"/static/app.js", "/static/app.css"}
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert process.returncode in (0, -signal.SIGINT, 130)


def test_a_public_address_gives_a_warning_and_has_a_token() -> None:
    with serving("--host", "0.0.0.0") as (_, output):
        assert output[0].startswith("nephoscope: warning: other machines can reach 0.0.0.0, without encryption")
        address = re.fullmatch(r"nephoscope: ready: (http://0\.0\.0\.0:\d+)/\?token=([\w-]{32})\n", output[-1])
        assert address, output
        health = f"{address[1]}/api/health".replace("0.0.0.0", "127.0.0.1")
        assert httpx2.get(health).status_code == 401
        assert httpx2.get(health, headers={"authorization": f"Bearer {address[2]}"}).status_code == 200


def test_without_the_extra_the_error_says_how_to_install_it() -> None:
    code = f"import sys; sys.modules['fastapi'] = None; {MAIN}"
    done = subprocess.run([sys.executable, "-c", code, "serve"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "fastapi is not installed; run `python -m pip install 'nephoscope[app]'`" in done.stderr


@pytest.fixture
def examples(picture: Path, tmp_path: Path) -> Path:
    """A folder with the image that the examples read."""
    shutil.copy(picture, tmp_path / "picture.jpg")
    return tmp_path


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", [block for block in blocks("bash") if block.startswith("curl")])
def test_documented_commands_run(server: str, examples: Path, command: str) -> None:
    command = command.replace("http://127.0.0.1:8000", server)
    done = subprocess.run(["bash", "-c", command], cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"Sugar"' in done.stdout


@pytest.mark.parametrize("program", blocks("python"))
def test_documented_programs_run(server: str, examples: Path, program: str) -> None:
    code = program.replace("http://127.0.0.1:8000", server)
    done = subprocess.run([sys.executable, "-c", code], cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+): presence [01]\.\d\d, \d+ pixels$", done.stdout, re.MULTILINE) == [
        "Fish",
        "Flower",
        "Gravel",
        "Sugar",
    ]
