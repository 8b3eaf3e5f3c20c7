"""YAML read so that nothing is taken for something else: plain data, and the line of every key.

Tags, aliases, merge keys, repeated keys and numbers that other readers take differently are refused, never guessed.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike, fspath

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, Event
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from medp2p.config.text_file import read_text
from medp2p.errors import ConfigError, Fault, fault

MAX_DEPTH = 20
MAX_EVENTS = 20_000
MAX_NUMBER_LENGTH = 40  # characters

KeyPath = tuple[str, ...]
YamlValue = None | bool | int | float | str | list["YamlValue"] | dict[str, "YamlValue"]

_FIX = "correct the text on that line or just above it"
_FIXES = {
    r"'\t'": "indent with blanks instead of tabs",
    "expected <block end>": "keys of one section begin in one column: correct the blanks before this key",
    "mapping values are not allowed": "write a blank after a colon, none too many before a key, and quote a colon",
    "could not find expected ':'": "write `key: value`, a blank after the colon",
}
"""What to do about what the parser says of common slips."""

_TAG = "tag:yaml.org,2002:"
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")


@dataclass(frozen=True)
class YamlDocument:
    """What a YAML text holds, and where.

    Attributes:
        path: The file as the user typed it.
        content: Plain data; the keys of mappings are text, `1` and `1.0` alike being "1".
        lines: Line, counted from 1, of every key and list entry; list entries are called by their number.
    """

    path: str
    content: YamlValue
    lines: Mapping[KeyPath, int]

    def line_of(self, keys: Iterable[object]) -> int | None:
        """The line of a key, or of the nearest section around it that is in the text."""
        path = tuple(map(str, keys))
        return next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), None)


def read_strict_yaml(path: str | PathLike[str]) -> YamlDocument:
    """Read a YAML file of at most 1 MB.

    Raises:
        FileError: There is no such file, or it cannot be read.
        ConfigError: What it holds is refused; every fault that was found, with its line.
    """
    document, faults = scan_yaml(read_text(path), fspath(path))
    if faults:
        raise ConfigError.several(faults)
    return document


def scan_yaml(text: str, path: str) -> tuple[YamlDocument, list[Fault]]:
    r"""What a YAML text holds, with every fault that leaves the rest of it readable.

    Raises:
        ConfigError: The text cannot be read further: no YAML, empty, too deep, too large, with an alias or a tag.

    Examples:
        >>> document, faults = scan_yaml("rate: 2e-4\nword: no\nday: 2024-01-01", "run.yaml")
        >>> document.content["rate"], document.content["word"]
        (0.0002, 'no')
        >>> print(*faults)
        run.yaml:3: day: a bare date (found 2024-01-01). Fix: put it in quotes
    """
    try:
        _scan_events(YAML(typ="safe", pure=True).parse(text), path)
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        said = error.problem if isinstance(error, MarkedYAMLError) else str(error).splitlines()[0]
        fix = next((told for words, told in _FIXES.items() if words in (said or "")), _FIX)
        raise ConfigError(path, f"no YAML: {said}", line=line, fix=fix) from error
    except (LookupError, AttributeError, TypeError, RecursionError) as error:  # slips of the parser on odd texts
        raise ConfigError(path, "no YAML that can be understood", fix="correct the text") from error
    if root is None:
        raise ConfigError(path, "there is nothing in it", fix="write at least one key")
    reading = _Reading(path)
    content = reading.value(root, ())
    return YamlDocument(path, content, reading.lines), reading.faults


def read_yaml_value(text: str, path: str) -> YamlValue:
    """One value by the rules of a file, as it stands after `=` in `--set`; nothing at all is the empty text.

    Raises:
        ConfigError: The value is refused; no line is named.

    Examples:
        >>> read_yaml_value("[1, 2.5]", "--set a"), read_yaml_value("2e-4", "--set a"), read_yaml_value("", "--set a")
        ([1, 2.5], 0.0002, '')
    """
    if not text.strip():
        return ""
    try:
        document, faults = scan_yaml(text, path)
    except ConfigError as error:
        faults = list(error.faults)
    if faults:
        raise ConfigError.several(Fault(path, None, None, found.message) for found in faults)
    return document.content


def shown(value: object) -> str:
    """A value as a message shows it, cut where it is long.

    Examples:
        >>> shown("plenty"), shown([1, None]), len(shown("x" * 1000))
        ('"plenty"', '[1, null]', 60)
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _scan_events(events: Iterator[Event], path: str) -> None:
    """Refuse what must not be built, by looking at the parser's events before there is a tree."""
    depth = documents = 0
    for count, event in enumerate(events):
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        refused = _refused_event(event)
        if count >= MAX_EVENTS:
            refused = f"more than {MAX_EVENTS} entries", "shorten it; a long list of cases belongs into a CSV file"
        elif depth > MAX_DEPTH:
            refused = f"more than {MAX_DEPTH} levels of nesting", "write it flatter"
        elif documents > 1:
            refused = "a second document begins", "keep one document to a file"
        if refused:
            raise ConfigError(path, refused[0], line=event.start_mark.line + 1, fix=refused[1])


def _refused_event(event: Event) -> tuple[str, str] | None:
    """Cause and cure where an event itself is refused."""
    if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
        return "a directive", "remove the line that begins with %"
    if isinstance(event, AliasEvent):
        return f"an alias, *{event.anchor}", "write the value out, or put it in quotes if it is text"
    if getattr(event, "anchor", None):
        return "an anchor, &…", "remove it, or put the value in quotes if it is text"
    if getattr(event, "tag", None) is not None:
        return "a tag, !…", "remove it, or put the value in quotes if it is text"
    return None


class _Reading:
    """One walk over the nodes of a document, gathering data, lines and faults."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[Fault] = []

    def value(self, node: Node, keys: KeyPath) -> YamlValue:
        self.lines.setdefault(keys, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, SequenceNode):
            return [self.value(entry, (*keys, str(number))) for number, entry in enumerate(node.value)]
        return self._scalar(node, keys)

    def _mapping(self, node: MappingNode, keys: KeyPath) -> dict[str, YamlValue]:
        content: dict[str, YamlValue] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, keys)
            if key is None:
                continue
            path = (*keys, key)
            if key in content:
                self._refuse(key_node, path, f"the key is on line {self.lines[path]} already", "keep one of the two")
                continue
            self.lines[path] = key_node.start_mark.line + 1
            content[key] = self.value(value_node, path)
        return content

    def _key(self, node: Node, keys: KeyPath) -> str | None:
        """A key as text, equal for `1`, `'1'` and `1.0`; None where it is refused."""
        if not isinstance(node, ScalarNode) or node.tag in (_TAG + "null", _TAG + "bool"):
            self._refuse(node, keys, "a key that is no text", "write a word there, in quotes if need be")
            return None
        if node.tag == _TAG + "merge":
            self._refuse(node, keys, "a merge key (found <<)", "write the keys out")
            return None
        key = self._scalar(node, keys)
        return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)

    def _scalar(self, node: Node, keys: KeyPath) -> YamlValue:
        text, kind = self._letters(node, keys), str(node.tag).removeprefix(_TAG)
        if kind in ("int", "float"):
            return self._number(node, keys, text)
        if kind == "timestamp":
            self._refuse(node, keys, f"a bare date (found {text})", "put it in quotes")
        if kind == "null":
            return None
        return text.lower() == "true" if kind == "bool" else text

    def _letters(self, node: Node, keys: KeyPath) -> str:
        """The text of a scalar; JSON writes letters beyond 16 bits as two escapes, of which half is no letter."""
        text = str(node.value)
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            whole = text.encode("utf-8", "replace").decode()
            self._refuse(node, keys, f"half a letter in an escape (found {shown(whole)})", "write the letter itself")
            return whole

    def _number(self, node: Node, keys: KeyPath, text: str) -> YamlValue:
        oddity = (
            "with underscores" if "_" in text
            else "with leading zeros" if _LEADING_ZERO.match(text)
            else "that is too long" if len(text) > MAX_NUMBER_LENGTH
            else None
        )  # fmt: skip
        if oddity:
            fix = "put it in quotes if it is text, else write it plainly"
            self._refuse(node, keys, f"a number {oddity} (found {shown(text)})", fix)
            return text
        if str(node.tag).endswith("int"):
            return int(text, 0)
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))

    def _refuse(self, node: Node, keys: KeyPath, cause: str, fix: str) -> None:
        self.faults.append(fault(self.path, cause, fix=fix, key=".".join(keys) or None, line=node.start_mark.line + 1))
