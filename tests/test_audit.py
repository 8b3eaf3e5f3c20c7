"""What a whole training, translation and scoring does to the world, as Python's audit hooks see it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.runs import SETTINGS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs bash for the third descriptor")

WATCHED = """
import os, sys
words = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn", "subprocess.Popen",
    "pickle.find_class", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname",
    "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect", "webbrowser.open",
}
def hook(event, arguments):
    probe = event == "socket.bind" and arguments[1] == ("::1", 0)  # urllib3's look for IPv6, when MONAI is imported
    if event in words and not probe:
        os.write(3, f"{event} {arguments!r}\\n".encode())
sys.addaudithook(hook)
from medp2p.cli import main
for line in sys.stdin.read().splitlines():
    code = main(line.split("\\t"))
    if code:
        sys.exit(code)
"""


@pytest.fixture(scope="module")
def audited(heads: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], str]:
    """The end of a process that trains, resumes, translates, scores and checks, and what its audit hook saw."""
    folder = tmp_path_factory.mktemp("audited")
    data = {"sources": ["mr"], "target": "ct", "folder": str(heads), "split": {"validation": 0.25, "test": 0.25}}
    settings = SETTINGS | {"data": data, "regions": {}, "training": SETTINGS["training"] | {"decay_epochs": 0}}
    (folder / "run.yaml").write_text(json.dumps(settings | {"training": settings["training"] | {"epochs": 1}}))
    run, scan = str(folder / "run"), str(heads / "head_001" / "mr.nii.gz")
    cpu = ["--device", "cpu"]
    commands = [
        ["train", str(folder / "run.yaml"), "--run", run, *cpu],
        ["train", str(folder / "run.yaml"), "--run", run, *cpu, "--resume"],
        ["translate", run, "-i", scan, "-o", str(folder / "ct.nii.gz"), *cpu],
        ["evaluate", "-p", str(folder / "ct.nii.gz"), "-r", scan.replace("mr.nii", "ct.nii"), "-o", str(folder / "e")],
        ["evaluate", "--run", run, "-o", str(folder / "scores"), *cpu],
        ["check", run],
        ["info", run],
    ]
    seen = folder / "seen.txt"
    ended = subprocess.run(
        ["bash", "-c", 'exec "$0" -c "$1" 3> "$2"', sys.executable, WATCHED, str(seen)],
        input="\n".join("\t".join(words) for words in commands),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return ended, seen.read_text()


def test_no_connection_no_other_program_and_no_pickled_class(audited) -> None:
    ended, seen = audited
    assert ended.returncode == 0, ended.stderr
    assert seen == ""


def test_the_hook_sees_what_it_looks_for() -> None:
    code = WATCHED.partition("from medp2p")[0] + "import pickle, pathlib; pickle.loads(pickle.dumps(pathlib.Path()))"
    words = ["bash", "-c", 'exec "$0" -c "$1" 3>&1', sys.executable, code]
    assert "pickle.find_class" in subprocess.run(words, capture_output=True, text=True, check=False).stdout
