"""Help of every verb: an example, every option, and no verb that does not exist."""

import re
from collections.abc import Callable

import pytest

from medp2p.cli.verbs import VERBS, build_parser
from tests.conftest import Answer

OPTIONS = {
    "train": "--run --resume --set --device --devices --nodes --overwrite --profile",
    "translate": "-i -o --overwrite --device --precision --runtime --batch-size --half --series --keep-identity "
    "--workers --shard --cluster",
    "evaluate": "-p -r -m --reference-half --names -b --weighted --protocol -o --run --split --viewer --json "
    "--overwrite --device --precision --workers --shard --cluster",
    "check": "--json",
    "compare": "-o --json --overwrite",
    "config new": "",
    "config show": "--set",
    "config schema": "",
    "info": "--json",
    "phantom": "--cases --seed --awkward --kind --overwrite",
    "import": "-o --set --overwrite",
    "export": "-o --overwrite",
    "prepare": "-o --set --overwrite --workers --shard --cluster",
    "node": "--run --port --send",
}
COMMON = "-h --help -q --quiet -v --verbose --debug"
Command = Callable[..., Answer]


@pytest.mark.parametrize("verb", OPTIONS)
def test_every_verb_has_its_options_and_an_example(medp2p: Command, verb: str) -> None:
    answer = medp2p(*verb.split(), "--help")
    assert answer.code == 0
    assert set(f"{OPTIONS[verb]} {COMMON}".split()) <= set(re.findall(r"-[-\w]+", answer.out))
    assert f"\n  medp2p {verb}" in answer.out.partition("Examples:")[2]


def test_the_list_of_verbs_is_complete(medp2p: Command) -> None:
    listed = re.findall(r"^    (\w+) ", medp2p("--help").out, re.MULTILINE)
    assert sorted(listed) == sorted({verb.split()[0] for verb in OPTIONS})
    assert len(VERBS) > 0


def test_lines_of_help_fit_on_a_page() -> None:
    assert max(map(len, build_parser().format_help().splitlines())) <= 120


def test_the_version_is_printed(medp2p: Command) -> None:
    assert re.fullmatch(r"medp2p \d+\.\d+\.\d+\n", medp2p("--version").out)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_printed(medp2p: Command, shell: str) -> None:
    answer = medp2p("--print-completion", shell)
    assert (answer.code, "translate" in answer.out) == (0, True)
