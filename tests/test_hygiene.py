"""What the package must not do, whatever the reason: run code found in files, open connections, call a shell."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "medp2p").rglob("*.py"))
CALLS = {
    "eval", "exec", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler",
    "yaml.load", "joblib.load", "torch.jit.load", "shutil.unpack_archive", "socket.socket", "socket.create_connection",
}  # fmt: skip
MODULES = {
    "marshal", "shelve", "dill", "joblib", "requests", "httpx", "urllib.request", "http.client", "ftplib",
    "torch.hub", "pickle.load", "pickle.loads", "pickle.Unpickler",
}  # fmt: skip
KEYWORDS = {("weights_only", False), ("allow_pickle", True), ("shell", True), ("trust_remote_code", True)}
METHODS = {"extractall"}


def dotted(node: ast.expr) -> str:
    """`os.path.join` of the syntax tree of that expression, empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def sins(source: str) -> list[str]:
    """Everything forbidden that a piece of code does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += [name for name in names if name in MODULES]
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            constants = {(word.arg, word.value.value) for word in node.keywords if isinstance(word.value, ast.Constant)}
            forbidden = name in CALLS or name.startswith("torch.hub.") or name.rpartition(".")[2] in METHODS
            found += [name] * forbidden + [str(pair) for pair in constants & KEYWORDS]
            if name == "torch.load" and ("weights_only", True) not in constants:
                found.append("torch.load without weights_only=True")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_does_what_is_forbidden(path: Path) -> None:
    assert sins(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "pickle.load(file)",
        "from pickle import loads",
        "from torch import hub",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
        "archive.extractall(folder)",
        "yaml.load(text)",
        "socket.create_connection(place)",
    ],
)
def test_the_search_finds_what_is_forbidden(code: str) -> None:
    assert len(sins(code)) > 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_checks_without_assert_and_prints_nowhere_but_in_the_cli(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    prints = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and dotted(node.func) == "print"]
    in_cli = "cli" in path.relative_to(ROOT).parts
    assert (asserts, [] if in_cli else prints) == ([], [])


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".cfg", ""}
    folders = ("medp2p", "tests", "docs", "configs", "pipelines", "benchmarks", ".ci")
    files = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in kinds and path.is_file()
    ]
    files += [path for path in ROOT.iterdir() if path.suffix in kinds and path.is_file()]
    home = re.compile(rf"(?<![\w.])/(home|Users|root)/\w+|{re.escape(str(ROOT))}\b")
    found = [
        str(path.relative_to(ROOT)) for path in files if home.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert [name for name in found if "_build" not in name] == []
