import html.parser
import io
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from medp2p.errors import FileError
from medp2p.evaluation import Scores, compare, pictures_of, prepare_case, protocols, write_evaluation
from medp2p.evaluation.pictures import CasePictures, Picture
from medp2p.evaluation.plots import Axis
from medp2p.evaluation.report import build_report
from medp2p.evaluation.viewer import build_viewer, niivue_script, worst_cases
from medp2p.regions import Regions

from .test_case import AFFINE, head

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "<img src=x onerror=alert(1)>"


class Tags(html.parser.HTMLParser):
    """Every start tag with its attributes, and the text outside style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data)


def cases(count=3, noise=40):
    parts, pictures = [], []
    for number in range(count):
        _, reference, regions, body = head()
        wrong = np.random.default_rng(number).normal(5 * number, noise, reference.shape)
        named = Regions(regions.labels, AFFINE, {1: "brain", 2: "bone", 3: HOSTILE}, groups={"head": ["brain", "bone"]})
        case = prepare_case(reference.with_voxels(reference.voxels + wrong), reference, named, body=body,
                            weighted=["bone"], case=f"case {number} {HOSTILE}")  # fmt: skip
        parts.append(case.scores())
        pictures.append(pictures_of(case))
    return Scores.combine(parts, refused=["bad.nii: \x1b[31mno image"]), pictures


@pytest.fixture(scope="module")
def report():
    return build_report(*cases())


def test_the_report_needs_nothing_from_elsewhere_and_runs_no_script(report):
    tags = Tags(report).tags
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "object", "base", "form")]
    sources = [value for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert sources
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    policy = next(a["content"] for tag, a in tags if tag == "meta" and a.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not re.search(r"url\(|@import|\son\w+=", re.sub(r"&[^;]+;[^<>]*", "", report))


def test_names_are_text_wherever_they_stand(report):
    assert HOSTILE not in report
    assert "<img src=x" not in report
    assert HOSTILE in "".join(Tags(report).words)


def test_no_control_character_is_in_a_report_whatever_the_names():
    one, pictures = cases(1)
    name = "case \x1b[31m\u202e"
    rows = tuple(row | {"case": name, "region": f"{row['region']}\x07"} for row in one)
    rows = tuple(row | {"region": str(row["region"]).replace("body\x07", "body")} for row in rows)
    shown = CasePictures(name, tuple(Picture(f"{p.title}\x1b", f"{p.alt}\x1b", p.png) for p in pictures[0].pictures))
    text = build_report(Scores(rows, one.protocol), [shown])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "case \\x1b[31m" in text


def test_every_picture_has_an_alternative_text(report):
    for tag, attributes in Tags(report).tags:
        if tag == "img":
            assert len(attributes["alt"]) > 20
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


def test_the_verdict_stands_on_top_and_the_worst_case_first(report):
    words = "".join(Tags(report).words)
    assert words.index("Body: MAE") < words.index("Distributions")
    assert words.index("case 2", words.index("worst first")) < words.index("case 0", words.index("worst first"))
    assert "Research use only" in words
    assert "R = 4095" in words


def test_refused_cases_are_named(report):
    assert "1 not scored" in "".join(Tags(report).words)


def test_twenty_patients_fit_into_five_megabytes_and_each_has_a_picture():
    one, _ = cases(1)
    names = [f"patient {number:02}" for number in range(20)]
    scores = Scores.combine([Scores(tuple(row | {"case": name} for row in one), one.protocol) for name in names])
    strips = [Picture(f"slice {number}", "a slice", bytes(90_000)) for number in range(4)]
    text = build_report(scores, [CasePictures(name, tuple(strips)) for name in names])
    assert len(text) < 5e6
    assert all(text.count(f"<h3>{name}</h3>") == 1 for name in names)
    assert text.count("<figcaption>slice 0") == 20
    assert "further pictures are left out" in text


def test_with_a_hundred_regions_tables_and_pictures_share_the_five_megabytes():
    one, _ = cases(1)
    regions = ["body", *(f"region {number}" for number in range(104))]
    bone = [row for row in one if row["region"] == "bone"]
    rows = [row | {"case": f"patient {n:02}", "region": name} for n in range(20) for name in regions for row in bone]
    strips = tuple(Picture(f"slice {number}", "a slice", bytes(70_000)) for number in range(4))
    pictures = [CasePictures(f"patient {number:02}", strips) for number in range(20)]
    text = build_report(Scores(tuple(rows), one.protocol), pictures)
    assert len(text) < 5e6
    assert text.count("<figcaption>slice 0") > 10
    assert "further pictures are left out" in text


def test_a_report_without_pictures_and_of_one_case_is_whole():
    scores, _ = cases(1)
    text = build_report(scores)
    assert "Scores of 1 case under" in text


@pytest.mark.parametrize("protocol", [name for name, one in protocols.items() if not one.for_pictures])
def test_every_protocol_has_a_report(protocol):
    predicted, reference, regions, body = head()
    case = prepare_case(predicted, reference, regions, body=body, protocol=protocol)
    text = build_report(case.scores(), [pictures_of(case)])
    assert protocols[protocol].title in "".join(Tags(text).words)


def test_ticks_are_round_and_inside():
    axis = Axis.over(-37.0, 112.0, 0, 100)
    assert [words for _, words in axis.ticks] == ["0", "50", "100"]
    assert all(0 <= at <= 100 for at, _ in axis.ticks)
    assert Axis.over(5.0, 5.0, 0, 10).ticks


def in_chromium(page, *, marker):
    """The page's text after rendering, with everything that the console said and every request that was made."""
    log = page.parent / "net.json"
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--enable-unsafe-swiftshader", "--virtual-time-budget=15000",
         "--enable-logging=stderr", f"--log-net-log={log}", "--net-log-capture-mode=Everything",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={page.parent / 'profile'}",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    assert marker in done.stdout
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "GPU stall" not in line]
    asked = re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]+)"', log.read_text(errors="replace"))
    return done.stdout, console, [url for url in asked if not re.search(r"//[\w.-]*(?:google|gstatic)[\w.-]*/", url)]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; CI installs Debian's")
def test_chromium_shows_report_and_comparison_without_error_or_request(tmp_path):
    scores, pictures = cases()
    write_evaluation(tmp_path / "a", scores, pictures)
    compare(tmp_path / "a", tmp_path / "a", tmp_path / "c")
    for page, marker in (("a/report.html", "Distributions over cases"), ("c/compare.html", "Paired differences")):
        text, console, asked = in_chromium(tmp_path / page, marker=marker)
        assert console == []
        assert asked == []
        assert "<table" in text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; CI installs Debian's")
def test_chromium_draws_the_table_the_plots_and_the_pictures(tmp_path):
    scores, pictures = cases(1)
    (tmp_path / "report.html").write_text(build_report(scores, pictures), encoding="utf-8")
    subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,3600",
         f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={tmp_path / 'page.png'}",
         (tmp_path / "report.html").as_uri()],
        capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    page = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"), np.int16)
    strip = np.asarray(Image.open(io.BytesIO(pictures[0].pictures[0].png)).convert("RGB"), np.int16)
    assert drawn_at(strip, page) is not None
    blue, orange = ((np.abs(page - colour).max(axis=2) < 8).sum() for colour in ((0, 114, 178), (213, 94, 0)))
    assert min(blue, orange) > 100
    table = page[300:700, 60:700].min(axis=2) < 100
    assert 0.005 < table.mean() < 0.3


def drawn_at(picture, page):
    """Row and column at which a picture stands in a page pixel by pixel; None where it does not."""
    height, width = picture.shape[:2]
    row = picture[height // 2]
    for top in range(page.shape[0] - height):
        line = page[top + height // 2]
        for left in np.flatnonzero((line[: -width or None] == row[0]).all(axis=1)):
            if left < 100 and np.array_equal(page[top : top + height, left : left + width], picture):
                return top, int(left)
    return None


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; CI installs Debian's")
def test_chromium_shows_the_viewer_offline(tmp_path):
    if find_spec("ipyniivue") is None:
        pytest.skip("the extra `viewer` is not installed")
    predicted, reference, _, body = head()
    scores = prepare_case(predicted, reference, body=body).scores()
    page = tmp_path / "viewer.html"
    page.write_text(build_viewer([("</script>x", predicted, reference)], scores), encoding="utf-8")
    text, console, asked = in_chromium(page, marker="x: predicted")
    assert [line for line in console if "niivue-info" not in line] == []
    assert asked == []
    assert "<canvas" in text


def test_a_viewer_without_its_package_is_refused_with_the_cure(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileError, match=r"ipyniivue.*pip install"):
        niivue_script()


def test_an_unknown_bundle_is_refused(monkeypatch, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "widget.js").write_text("export{x as default};")
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(FileError, match="no NiiVue that is known"):
        niivue_script()


def test_a_viewer_holds_script_and_scans_that_cannot_end_their_elements(monkeypatch, tmp_path):
    (tmp_path / "static").mkdir()
    bundle = 'let t="</script><!--";console.log("Creating new Niivue instance");let a=new q2(1);export{a as default};'
    (tmp_path / "static" / "widget.js").write_text(bundle)
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    predicted, reference, _, body = head()
    scores = prepare_case(predicted, reference, body=body, case="c").scores()
    text = build_viewer([("</script><b>", predicted, reference)], scores)
    assert text.count("</script") == 2
    assert "new q2(" in text
    assert "export{" not in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert data[0]["case"] == "</script><b>"
    assert set(data[0]["volumes"]) == {"predicted", "reference", "predicted - reference"}


def test_the_viewer_shows_the_worst_cases():
    scores, _ = cases(3)
    assert worst_cases(scores)[0].startswith("case 2")


def test_importing_the_room_loads_neither_torch_nor_monai_nor_the_reports_libraries():
    heavy = ("torch", "monai", "jinja2", "matplotlib", "PIL", "skimage", "dask")
    code = f"import sys, medp2p.evaluation; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
