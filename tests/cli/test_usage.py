"""Wrong usage: one line of usage, one line that names the argument, exit code 2."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from medp2p.cli.reference_flags import _KEYS, _OPTIONS, known_here
from tests.conftest import Answer

PAGE = Path(__file__).parents[2] / "docs/how-to/from-the-reference.md"

Command = Callable[..., Answer]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "error: VERB: it is missing. Fix: write one of train, translate, evaluate, "),
        ("trian", "error: VERB: no such verb (found trian). Fix: did you mean `train`?"),
        ("nonsense", "error: VERB: no such verb (found nonsense). Fix: choose one of "),
        ("-q train x", "error: -q: no such option before the verb. Fix: options come after the verb"),
        ("train", "error: CONFIG: it is missing"),
        ("train x --resum", "error: --resum: no such option. Fix: did you mean `--resume`?"),
        ("train x --dataroot d --name n", "error: --dataroot: a flag of the reference pix2pix. Fix: write the key"),
        ("train x --continue_train", "error: --continue_train: a flag of the reference pix2pix. Fix: write --resume"),
        ("train x --devices 0", "error: --devices: no such number (found '0', expected a whole number from 1 on)"),
        ("info --nonsense x", "error: --nonsense: no such option"),
        ("info a b", "error: b: one word too many"),
        ("config", "error: WHAT: it is missing. Fix: write one of new, show, schema; see `medp2p config --help`"),
        ("config new", "error: NAME: it is missing. Fix: write one of demo, facades, mr2ct, "),
        ("config sho", "error: WHAT: no such verb (found sho). Fix: did you mean `show`?"),
        ("phantom d --cases x", "error: --cases: no such number (found 'x'"),
        ("phantom d --seed -1", "error: --seed: no such number (found '-1'"),
        ("translate r -i", "error: -i/--input: expected one argument"),
        ("translate r -i a", "error: -o/--output: it is missing"),
        ("translate r -i a -o b --shard 0/3", "error: --shard: no part of the cases (found '0/3'"),
        ("translate r -i a -o b --precision bf", "error: --precision: no such value (found bf). Fix: did you mean"),
        ("evaluate -o x", "error: -p: it is missing"),
        ("evaluate -o x -p a", "error: -r: it is missing"),
        ("evaluate --run r -p x -o y", "error: -p: not together with --run"),
        ("evaluate --split test -p a -r b -o y", "error: --split: only together with --run"),
    ],
)  # fmt: skip
def test_it_is_refused(medp2p: Command, words: str, said: str) -> None:
    answer = medp2p(*words.split())
    usage, fault = answer.err.splitlines()
    assert (answer.code, answer.out) == (2, "")
    assert usage.startswith("Usage: medp2p")
    assert fault.startswith(said)
    assert ". Fix: " in fault


@pytest.mark.parametrize(
    ("words", "named"),
    [(["info", ""], "TARGET"), (["translate", "r", "-i", "", "-o", "o"], "-i"), (["prepare", "r", "-o", ""], "-o"),
     (["train", ""], "CONFIG"), (["evaluate", "-p", "a", "-r", "b", "-m", "", "-o", "o"], "-m")],
)  # fmt: skip
def test_an_empty_word_is_not_taken_for_the_current_folder(medp2p: Command, words: list[str], named: str) -> None:
    answer = medp2p(*words)
    assert answer.code == 2
    assert answer.errors == [
        f"error: {named}: an empty word. Fix: write a name; or is a variable of the shell not set?"
    ]


def test_flags_of_the_reference_are_called_as_the_page_on_moving_calls_them() -> None:
    lines = [line.split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    page: dict[str, list[str]] = {}
    for line in lines:
        for flag in re.findall(r"--\w+", line[1]):
            page.setdefault(flag, []).append(line[2])
    for flag in {*_KEYS, *_OPTIONS}:
        said = (known_here(f"--{flag}") or "").partition(", or --set")[0]
        names = [word.rpartition(".")[2] for word in re.findall(r"\w+\.\w+|--?\w+", said)]
        assert names
        assert any(all(name in row for name in names) for row in page[f"--{flag}"]), flag


def test_a_command_that_is_cut_short_is_not_guessed(medp2p: Command) -> None:
    assert medp2p("phantom", "d", "--case", "3").errors == [
        "error: --case: no such option. Fix: did you mean `--cases`?"
    ]


def test_several_inputs_need_their_channels(medp2p: Command, tmp_path: object) -> None:
    answer = medp2p("translate", tmp_path, "-i", "a.nii.gz", "-i", "b.nii.gz", "-o", "c.nii.gz")
    assert answer.errors[0].startswith("error: -i: several inputs without their channels")
    answer = medp2p("translate", tmp_path, "-i", "t1=a.nii.gz", "-i", "t1=b.nii.gz", "-o", "c.nii.gz")
    assert answer.errors[0].startswith("error: -i: a channel is given twice")
