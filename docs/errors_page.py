"""Writes reference/errors.md from the code: `python docs/errors_page.py`. A test checks that it was."""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "medp2p"
PAGE = Path(__file__).parent / "reference" / "errors.md"
OPENING = """\
# Errors

Every refusal is one line on stderr, `error: FILE-OR-KEY: cause (found X, expected Y). Fix: …`; for a configuration with its line, `error: FILE:LINE: KEY: cause …`. All faults that can be found at once are told at once. `--debug` shows where in the code one came from.

| exit code | means |
|---|---|
| 0 | done |
| 1 | the machine failed (disk, memory, a worker), training diverged, or a fault of medp2p itself |
| 2 | input, configuration or usage refused: nothing was lost |
| 130 | interrupted by SIGINT (Ctrl-C); training has saved its state |
| 143 | ended by SIGTERM or SIGUSR1; training has saved its state |

Below stands every cause that the code knows, by the part of medp2p that tells it, with its cure; `…` stands for what differs from case to case.
"""
ROOMS = {
    "io": "Reading and writing scans",
    "config": "Configuration",
    "data": "Cases, pairs and cohorts",
    "networks": "Networks",
    "training": "Training",
    "translation": "Models and translating",
    "evaluation": "Scoring",
    "preparation": "Preparing raw scans",
    "many": "Several workers",
    "node": "The DICOM node",
    "cli": "Usage",
    "": "Grids, regions and devices",
}
ERRORS = re.compile(r"(?:\w+Error|fault)$")
ELLIPSIS = "…"

Row = tuple[str, str]


def alternatives(node: ast.expr | None, known: dict[str, list[ast.expr]], depth: int = 0) -> list[str]:
    """Every text that an expression may be, with `…` for what only a run knows."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "did_you_mean":
        return [f"did you mean `{ELLIPSIS}`?", *alternatives(node.args[-1], known, depth)]
    if isinstance(node, ast.IfExp):
        return [*alternatives(node.body, known, depth), *alternatives(node.orelse, known, depth)]
    if isinstance(node, ast.JoinedStr):
        texts = [""]
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            simple = isinstance(inner, ast.Constant | ast.IfExp)
            ends = alternatives(inner, known, depth) if simple else [ELLIPSIS]
            texts = [text + end for text in texts for end in ends]
        return texts
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        pairs = [(a, b) for a in alternatives(node.left, known, depth) for b in alternatives(node.right, known, depth)]
        return [first + second for first, second in pairs]
    if isinstance(node, ast.Name) and depth < 2:
        found = [text for value in known.get(node.id, []) for text in alternatives(value, known, depth + 1)]
        return list(dict.fromkeys(found)) or [ELLIPSIS]
    return [ELLIPSIS]


def assignments(tree: ast.AST) -> Iterator[tuple[str, ast.expr, ast.stmt]]:
    """Each name that is given something, and what; of several names at once, each its own."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            yield from ((name.id, value, node) for name, value in pairs if isinstance(name, ast.Name))


def known_at(call: ast.Call, tree: ast.Module) -> dict[str, list[ast.expr]]:
    """What each name may be where a call stands: the last thing in its own block, else any above it."""
    around = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and encloses(node, call)]
    functions = [node for node in around if isinstance(node, ast.FunctionDef)]
    indent = max(node.col_offset for node in around)
    known: dict[str, list[ast.expr]] = {}
    for name, value, statement in assignments(tree):
        if statement in tree.body:
            known.setdefault(name, []).append(value)
    for name, value, statement in (
        sorted(assignments(functions[-1]), key=lambda one: one[2].lineno) if functions else ()
    ):
        if statement.lineno < call.lineno:
            own_block = statement.col_offset == indent
            known[name] = [value] if own_block else [*known.get(name, []), value]
    return known


def encloses(statement: ast.stmt, call: ast.Call) -> bool:
    return statement.lineno <= call.lineno <= (statement.end_lineno or statement.lineno)


def refusals(source: str) -> Iterator[Row]:
    """Cause and cure of every call that has a `fix`."""
    tree = ast.parse(source)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        words = {word.arg: word.value for word in call.keywords}
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        cause = words.get("cause", call.args[1] if len(call.args) > 1 else None)
        if "fix" not in words or not ERRORS.search(name) or cause is None:
            continue
        known = known_at(call, tree)
        causes, cures = alternatives(cause, known), alternatives(words["fix"], known)
        if len(causes) == len(cures):
            yield from zip(causes, cures, strict=True)
        else:
            yield from ((text, " · ".join(cures)) for text in causes)


def cell(text: str) -> str:
    shown = re.sub(rf"{ELLIPSIS}(?:\s*{ELLIPSIS})+", ELLIPSIS, text).strip()
    return html.escape(shown, quote=False).replace("|", "\\|").replace("{", "&#123;")


def system_rows() -> Iterator[Row]:
    """What the system itself says of a file."""
    from medp2p.io.machine import _CAUSES

    for cause, fix in dict.fromkeys(_CAUSES.values()):
        yield f"cannot be read, written, made: {cause}", fix


def page() -> str:
    parts = [OPENING]
    for room, title in ROOMS.items():
        files = sorted((PACKAGE / room).rglob("*.py")) if room else sorted(PACKAGE.glob("*.py"))
        rows = [row for file in files for row in refusals(file.read_text(encoding="utf-8"))]
        rows += system_rows() if room == "io" else []
        told = sorted({row for row in rows if len(row[0].strip(f"{ELLIPSIS} :")) > 1 and row[1] != ELLIPSIS})
        if told:
            lines = ["| cause | cure |", "|---|---|", *(f"| {cell(cause)} | {cell(fix)} |" for cause, fix in told)]
            parts.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
