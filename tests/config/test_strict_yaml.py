"""YAML is read as written, or refused with its line."""

import contextlib
import os
import re
import string
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.config.strict_yaml import read_strict_yaml, read_yaml_value, scan_yaml
from medp2p.errors import ConfigError, FileError, Medp2pError

MERGE_BOMB = "a: &a {x: 1}\n" + "\n".join(f"b{i}: &b{i} {{<<: [*a, *a]}}" for i in range(9))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 0.0002), ("1e5", 100000.0), ("-3", -3), ("+5", 5), ("0.5", 0.5), ("0", 0), ("0.0", 0.0),
        ("true", True), ("yes", "yes"), ("no", "no"), ("on", "on"), ("12:30:00", "12:30:00"), ("NA", "NA"),
        ("None", "None"), ("'007'", "007"),
        ("'2024-01-01'", "2024-01-01"), ("null", None), ("~", None), ("[1, two]", [1, "two"]), ("[1,two]", [1, "two"]),
        ("1BA001", "1BA001"), ("a=b", "a=b"), ('"\\ud83d\\ude00"', "😀"),
    ],
)  # fmt: skip
def test_a_value_is_what_it_looks_like(text: str, value: object) -> None:
    found = scan_yaml(f"key: {text}", "run.yaml")[0].content
    assert repr(found) == repr({"key": value})


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("a: 1\na: 2", 2, "already"),
        ("1: a\n'1': b", 2, "already"),
        ("1: a\n1.0: b", 2, "already"),
        ("a: 1\nb: 007", 2, "leading zeros"),
        ("a: -08", 1, "leading zeros"),
        ("a: 1_000", 1, "underscores"),
        ("a: 1\nb: 2024-01-01", 2, "date"),
        ("a: 2024-01-01T10:00:00Z", 1, "date"),
        ("a: " + "9" * 5000, 1, "too long"),
        ("? [a, b]\n: 1", 1, "no text"),
        ("true: 1", 1, "no text"),
        ("a:\n  <<: {b: 1}", 2, "merge"),
        ("a: 1\nb: !!str 2", 2, "tag"),
        ("a: !!python/object/apply:os.system [ls]", 1, "tag"),
        ("a: &x 1\nb: *x", 1, "anchor"),
        ("a: *x", 1, "alias"),
        ('a: "b\\ud800"', 1, "half a letter"),
        ("%YAML 1.1\n---\na: 1", 2, "directive"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: 1\n\tb: 2", 2, "no YAML"),
        ("a: [1, 2\n", 2, "no YAML"),
        (MERGE_BOMB, 1, "anchor"),
        ("a: " + "[" * 3000, 1, "nesting"),
        ("[" + "1," * 400_000 + "1]", 1, "entries"),
    ],
)  # fmt: skip
def test_what_others_read_differently_is_refused_with_its_line(text: str, line: int, cause: str) -> None:
    start = time.process_time()
    try:
        faults = scan_yaml(text, "run.yaml")[1]
    except ConfigError as error:
        faults = list(error.faults)
    assert re.search(f"{cause}.*Fix: ", faults[0].message)
    assert (faults[0].path, faults[0].line) == ("run.yaml", line)
    assert time.process_time() - start < 5


def test_all_faults_of_a_text_come_at_once() -> None:
    faults = scan_yaml("a: 007\nb: 1\nb: 2\nc: 2024-01-01", "run.yaml")[1]
    assert [(fault.key, fault.line) for fault in faults] == [("a", 1), ("b", 3), ("c", 4)]


def test_every_key_and_list_entry_has_its_line() -> None:
    document, _ = scan_yaml("# first\na:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "run.yaml")
    assert document.lines["a", "b"] == 3
    assert document.lines["a", "c", "1", "d"] == 6
    assert document.line_of(["a", "missing", "key"]) == 2


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_strict_yaml(path).content == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "nothing in it"), (b"# only a comment\n", "nothing in it"), (b"\x1f\x8b\x08\x00\xff\xfe", "UTF-8"),
        ("größe: 1".encode("latin-1"), "UTF-8"), (b"a: 1\n\x00", "no YAML"), (b"#" * 1_000_001, "too large"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_configuration_is_refused_by_its_path(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=cause) as caught:
        read_strict_yaml(path)
    assert caught.value.faults[0].path == str(path)


def test_what_is_no_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, cause in ((tmp_path / "pipe", "a pipe"), (tmp_path, "a folder"), (tmp_path / "none", "no such file")):
        with pytest.raises(FileError, match=cause):
            read_strict_yaml(path)
    with pytest.raises(FileError, match="a device"):
        read_strict_yaml("/dev/zero")


@pytest.mark.parametrize("text", ["[1, 2.5]", "[ 1 , 2.5 ]", "[1,2.5]"])
def test_a_value_of_an_option_follows_the_rules_of_the_file(text: str) -> None:
    assert read_yaml_value(text, "--set a") == [1, 2.5]


def test_a_refused_value_of_an_option_names_no_line() -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml_value("[1", "--set a.b")
    assert (caught.value.faults[0].path, caught.value.faults[0].line) == ("--set a.b", None)


@given(st.text(alphabet=string.printable, max_size=80))
def test_any_text_is_read_or_refused_by_us(text: str) -> None:
    with contextlib.suppress(Medp2pError):
        scan_yaml(text, "run.yaml")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("a:\n\tb: 1", "blanks instead of tabs"),
        ("a:\n  b: 1\n c: 2", "begin in one column"),
        ("epochs:2\nb: 1", "a blank after a colon"),
    ],
)
def test_common_slips_are_told_with_their_cure(text: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=fix):
        scan_yaml(text, "run.yaml")
