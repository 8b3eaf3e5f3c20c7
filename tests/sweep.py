"""What is lost when a training, or the translation of a folder, is struck at each change of its files.

`python -m tests.sweep` (`make sweep`): minutes to an hour, so the suite itself strikes at fewer points. Every strike
hits a process of its own and is followed by the same command again; what counts is whether that ends as if nothing
had happened.
"""

import argparse
import errno
import json
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import monai.transforms  # noqa: F401 - loaded once, not by each child
import numpy as np
import torch

from medp2p.cli import main as medp2p
from medp2p.data.phantom import write_phantoms
from medp2p.errors import Medp2pError
from medp2p.io import write_volume
from medp2p.io.temporary import RecordingFile
from medp2p.many.shard import shard
from medp2p.training import task  # noqa: F401 - as monai
from medp2p.training.checkpoint import load_checkpoint
from medp2p.volume import Volume
from tests.faults import before_each_change, temporary_files
from tests.training.runs import SETTINGS, assert_same_weights, history
from tests.translation.conftest import description, save

SAME_BYTES = ("generator.safetensors", "model_card.md", "provenance.json", "validation/scores.csv")


@dataclass(frozen=True)
class Blow:
    """What happens to the process.

    Attributes:
        name: Of the blow.
        hit: Called at the change that it strikes, and, if it `stays`, at each later one.
        stays: Whether it goes on, as a full disk does.
        codes: What the struck process may end with; 0 where the work was done by then.
    """

    name: str
    hit: Callable[[str], None]
    stays: bool
    codes: tuple[int, ...]


def twice(number: signal.Signals) -> Callable[[str], None]:
    """A signal, and the same again at once."""

    def hit(_: str) -> None:
        os.kill(os.getpid(), number)
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), number)

    return hit


def refuse(what: str) -> None:
    """A disk that takes nothing new; removing always works."""
    if not what.startswith(("os.remove", "os.rmdir")):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


BLOWS = (
    Blow("kill", lambda _: os.kill(os.getpid(), signal.SIGKILL), False, (-signal.SIGKILL,)),
    Blow("SIGTERM twice", twice(signal.SIGTERM), False, (0, 143)),
    Blow("SIGINT twice", twice(signal.SIGINT), False, (0, 130)),
    Blow("SIGUSR1", lambda _: os.kill(os.getpid(), signal.SIGUSR1), False, (0, 143)),
    Blow("full disk", refuse, True, (0, 1)),
)


def in_a_process(words: list[str], watched: Path, strike: Callable[[int, str], None]) -> tuple[int, str]:
    """Exit code (minus the number of the signal that killed it) and stderr of a command with its changes watched."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(said.fileno(), 2)
            os._exit(_watched(words, watched, strike))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return code, said.read().decode("utf-8", "replace")


def _watched(words: list[str], watched: Path, strike: Callable[[int, str], None]) -> int:
    """In the child: each open for writing, rename, removal and new folder below a folder, and half of each write."""
    count = 0

    def one_more(_: int, what: str) -> None:
        nonlocal count
        count += 1
        strike(count, what)

    def write(self: RecordingFile, content: bytes) -> int:
        view = memoryview(content).cast("B")
        if len(view) < 2:
            return original(self, view)
        done = original(self, view[: len(view) // 2])
        one_more(0, "write")
        return done

    original, RecordingFile.write = RecordingFile.write, write  # type: ignore[method-assign]
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    try:
        with ExitStack() as stack:
            stack.enter_context(before_each_change(watched, one_more))
            return medp2p(words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    finally:
        sys.stderr.flush()


@dataclass
class Row:
    """One line of the table: what was struck how, at how many points, and what that cost."""

    work: str
    blow: str
    points: int = 0
    codes: Counter[int] | None = None
    wrong: int = 0

    def __str__(self) -> str:
        codes = ", ".join(f"{code}: {count}" for code, count in sorted((self.codes or Counter()).items()))
        return f"| {self.work} | {self.blow} | {self.points} | {codes} | {self.wrong} |"


def sweep(work: "Training | Translation", blow: Blow, every: int, part: str | None = None) -> Row:
    """Strike at each n-th change, or at one part of these, and go on."""
    seen: list[str] = []
    place = work.fresh()
    log = place.parent / "changes.txt"
    in_a_process(work.words(place), work.watched(place), lambda _, what: _append(log, what))
    seen = log.read_text().splitlines()
    log.unlink()
    row = Row(work.name, blow.name, codes=Counter())
    for number in shard(tuple(range(1, len(seen) + 1, every)), part):
        place = work.fresh()

        def strike(count: int, what: str, number: int = number) -> None:
            if count == number or (blow.stays and count > number):
                blow.hit(what)

        code, said = in_a_process(work.words(place), work.watched(place), strike)
        faults = [] if code in blow.codes else [f"ended with {code}"]
        faults += ["traceback"] if "Traceback" in said else []
        faults += work.faults_of(place, killed=code < 0)
        row.points += 1
        row.codes[code] += 1  # type: ignore[index]
        if faults:
            row.wrong += 1
            print(f"{work.name}, {blow.name} at {number} ({seen[number - 1]}): {'; '.join(faults)}\n{said}", flush=True)
    return row


def _append(log: Path, what: str) -> None:
    with log.open("a") as file:
        file.write(what + "\n")


class Training:
    """Three epochs on four heads, gone on with and compared with a training that nothing struck."""

    name = "training, 3 epochs"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_phantoms(folder / "cohort", cases=4, shape=(32, 36, 12))
        files = {name: f"{name}.nii.gz" for name in ("mr", "ct", "regions", "body")}
        data = {"sources": ["mr"], "target": "ct", "folder": "cohort", "files": files,
                "split": {"validation": 0.25, "test": 0.25}}  # fmt: skip
        settings = SETTINGS | {"data": data, "preparation": {"spacing_mm": None, "size": [32, 32]}}
        settings["regions"] = {**SETTINGS["regions"], "names": "cohort/labels.yaml"}  # type: ignore[dict-item]
        (folder / "run.yaml").write_text(json.dumps(settings))
        self.straight = folder / "straight"
        code, said = in_a_process(self.words(self.straight), self.straight, lambda *_: None)
        if code:
            raise SystemExit(said)

    def fresh(self) -> Path:
        shutil.rmtree(self.folder / "struck", ignore_errors=True)
        return self.folder / "struck"

    def watched(self, place: Path) -> Path:
        return place

    def words(self, place: Path, *more: str) -> list[str]:
        return ["train", str(self.folder / "run.yaml"), "--run", str(place), "--device", "cpu", "-q", *more]

    def faults_of(self, place: Path, *, killed: bool) -> list[str]:
        """What is wrong with what a blow left, and with the run that goes on from it."""
        faults = [] if killed else [f"left {name}" for name in temporary_files(place)]
        if (place / "last.pt").exists():
            try:
                load_checkpoint(place / "last.pt")
            except Medp2pError as error:
                faults.append(str(error))
        code, said = in_a_process(self.words(place, "--resume"), place, lambda *_: None)
        if code:
            return [*faults, f"going on ended with {code}: {said}"]
        faults += [f"left {name}" for name in temporary_files(place)]
        with suppress(FileNotFoundError):
            faults += [
                name for name in SAME_BYTES if (place / name).read_bytes() != (self.straight / name).read_bytes()
            ]
        try:
            assert_same_weights(place, self.straight)
        except AssertionError:
            faults.append("other weights")
        names = [{path.relative_to(run) for path in run.rglob("*")} for run in (place, self.straight)]
        faults += [] if names[0] == names[1] else [f"other files: {names[0] ^ names[1]}"]
        return faults + ([] if history(place) == history(self.straight) else ["another history"])


class Translation:
    """A folder of five volumes, gone on with; what was finished must not be touched."""

    name = "translation, 5 volumes"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = save(folder, description())
        (folder / "in").mkdir()
        draw = np.random.default_rng(0)
        for number, end in enumerate((".nii.gz", ".nii", ".mha", ".mhd", ".nhdr")):
            voxels = draw.integers(0, 900, (12, 14, 3)).astype(np.int16)
            write_volume(Volume(voxels, np.diag([2.0, 2.0, 4.0, 1.0])), folder / "in" / f"v{number}{end}")
        in_a_process(self.words(folder / "good"), folder / "good", lambda *_: None)
        self.good = self._contents(folder / "good")

    def fresh(self) -> Path:
        shutil.rmtree(self.folder / "struck", ignore_errors=True)
        return self.folder / "struck"

    def watched(self, place: Path) -> Path:
        return place

    def words(self, place: Path) -> list[str]:
        given = ["-i", str(self.folder / "in"), "-o", str(place)]
        return ["translate", str(self.model), *given, "--device", "cpu", "-q"]

    @staticmethod
    def _contents(folder: Path) -> dict[str, tuple[bytes, int]]:
        return {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.rglob("*") if path.is_file()}

    def faults_of(self, place: Path, *, killed: bool) -> list[str]:
        """What is half under a final name, what a second start touches or leaves, and what differs in the end."""
        left = self._contents(place) if place.exists() else {}
        whole = {name: both for name, both in left.items() if both[0] == self.good.get(name, (b"",))[0]}
        faults = [] if killed else [f"left {name}" for name in temporary_files(place)]
        faults += [f"half {name}" for name in left if name not in whole and not name.endswith((".tmp", ".json"))]
        code, said = in_a_process(self.words(place), place, lambda *_: None)
        if code:
            return [*faults, f"going on ended with {code}: {said}"]
        now = self._contents(place)
        images = [name for name in whole if not name.endswith(".json") and f"{name.split('.')[0]}.json" in whole]
        finished = [name for name in images if not name.endswith((".mhd", ".zraw", ".nhdr", ".raw.gz"))]
        faults += [f"made {name} again" for name in finished if now[name][1] != whole[name][1]]
        faults += [f"left {name}" for name in temporary_files(place)]
        same = {name: both[0] for name, both in now.items()} == {name: both[0] for name, both in self.good.items()}
        return faults + ([] if same else ["other outputs"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--every", type=int, default=1, metavar="N", help="strike at each N-th change only")
    parser.add_argument("--blow", choices=[blow.name for blow in BLOWS], action="append", help="only this")
    parser.add_argument("--work", choices=["training", "translation"], action="append", help="only this")
    parser.add_argument("--shard", metavar="I/N", help="part I of N of the changes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in (("translation", Translation), ("training", Training)):
            if name in (options.work or (name,)):
                (Path(folder) / name).mkdir()
                work = kind(Path(folder) / name)
                for blow in BLOWS:
                    if blow.name in (options.blow or (blow.name,)):
                        rows.append(sweep(work, blow, options.every, options.shard))
                        print(rows[-1], flush=True)
    print("\n| work | blow | points | ended with | wrong |\n|---|---|---|---|---|", *rows, sep="\n")
    raise SystemExit(any(row.wrong for row in rows))


if __name__ == "__main__":
    main()
