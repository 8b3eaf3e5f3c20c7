"""A DICOM series from the scanner becomes a derived DICOM series, with one page that says what it is and what not.

Uses the public face of medp2p alone.
"""

import argparse
import base64
import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

import medp2p

logger = logging.getLogger(__name__)

LIMITS = (
    "It was not acquired: a neural network computed it from other images. Research use only; it is no basis for "
    "diagnosis, treatment planning or dose.",
    "It shows what is usual where the source looks like this. What is not usual (metal, implants, fractures, "
    "calcifications, air where none is expected, children, other scanners and sequences) may be missing or invented.",
    "Values are estimates, not measurements; edges of bone and air are the least certain.",
    "Its grid and frame of reference are those of the source series: registration, contours and planning grids of "
    "the source fit it, and what is wrong with the source's geometry is wrong with it.",
)
_BONE_HU, _AIR_HU = 200, -300
_SHOWN_HU = (-500.0, 1000.0)
_PICTURE_MM = 1.5


@dataclass(frozen=True)
class Sources:
    """The scans that are translated, on one grid.

    Attributes:
        volumes: Every source channel.
        notes: What preparing them found that should be looked at.
    """

    volumes: Mapping[str, medp2p.Volume]
    notes: tuple[str, ...] = ()


def synthesize(
    run: str | Path,
    series: str | Path | Mapping[str, str | Path],
    output: str | Path,
    *,
    uids: Mapping[str, str] | None = None,
    prepare: bool = False,
    settings: Sequence[str] = (),
    keep_identity: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> Path:
    """Makes the derived series of every target, and the report.

    Args:
        run: A run folder or a generator.safetensors.
        series: The folder of a DICOM series; for a model with several sources one for each, by their names.
        output: Gets `<target>/`, a DICOM series each, `report.html`, and `LIMITS.md`.
        uids: The SeriesInstanceUID of a source whose folder holds several series, by the source's name; an empty
            name is the first source.
        prepare: First register the other sources onto the first and correct bias fields, as `medp2p.prepare` does.
            Do so if the training scans were prepared that way.
        settings: `key=VALUE` for preparing.
        keep_identity: Pass the patient's identity on; else the derived series carry a pseudonym.
        device: As in `medp2p.translate`.
        overwrite: Replace what is there.

    Returns:
        The report. Its pictures show the face; it names nobody.

    Raises:
        medp2p.Medp2pError: A series, the model or the output cannot be used, or preparing has failed.
    """
    began = time.monotonic()
    translator = medp2p.Translator.load(run, device=device)
    folders = _folders(series, translator.description.sources)
    target_folder = Path(output)
    if target_folder.exists() and not target_folder.is_dir():
        raise medp2p.FileError(target_folder, "the output is no folder", fix="choose another output")
    if not overwrite:
        _refuse_full([target_folder / name for name in translator.description.targets])
    chosen = {name or next(iter(folders)): uid for name, uid in (uids or {}).items()}
    if unknown := set(chosen) - set(folders):
        raise medp2p.ConfigError(
            None, "no source of the model", key="--series", found=", ".join(sorted(unknown)),
            expected=", ".join(folders), fix="write --series NAME=UID",
        )  # fmt: skip
    scans = {name: medp2p.read_volume(folder, series=chosen.get(name)) for name, folder in folders.items()}
    target_folder.mkdir(parents=True, exist_ok=True)
    sources = _prepared(scans, target_folder, settings) if prepare else Sources(scans)
    predicted = translator.translate_all(sources.volumes)
    first = next(iter(folders))
    for name, volume in predicted.items():
        hu = translator.description.intensity[name].hu
        medp2p.write_series(
            volume, folders[first], target_folder / name, model_sha256=translator.sha256, hu=hu,
            series=chosen.get(first), keep_identity=keep_identity, overwrite=overwrite,
        )  # fmt: skip
        logger.info("%d slices in %s", volume.shape[2], target_folder / name)
    report = target_folder / "report.html"
    page = "".join(_page(run, translator, sources, predicted, time.monotonic() - began))
    report.write_text(page, encoding="utf-8")
    (target_folder / "LIMITS.md").write_text(medp2p.limits_card(run), encoding="utf-8")
    return report


def _folders(series: str | Path | Mapping[str, str | Path], names: Sequence[str]) -> dict[str, Path]:
    """The folder of every source, in the order of the model's sources."""
    given = dict(series) if isinstance(series, Mapping) else {names[0]: series}
    if set(given) != set(names):
        raise medp2p.ConfigError(
            None, "the series are not the sources of the model", key="SERIES", found=", ".join(given),
            expected=", ".join(names), fix="give each as NAME=FOLDER",
        )  # fmt: skip
    return {name: Path(given[name]) for name in names}


def _refuse_full(folders: Sequence[Path]) -> None:
    """What is there is refused before anything is read."""
    for folder in folders:
        if folder.is_dir() and any(folder.iterdir()):
            raise medp2p.OutputExistsError(
                folder, "the folder is not empty", fix="choose another output, or ask for it with --overwrite"
            )


def _prepared(scans: Mapping[str, medp2p.Volume], output: Path, settings: Sequence[str]) -> Sources:
    """The sources on the grid of the first, bias fields corrected, by way of a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=output) as place:
        raw, cohort = Path(place) / "raw", Path(place) / "cohort"
        (raw / "patient").mkdir(parents=True)
        for name, scan in scans.items():
            medp2p.write_volume(scan, raw / "patient" / f"{name}.nii.gz")
        onto = next(iter(scans))
        done = medp2p.prepare(raw, cohort, set=["body=false", *settings, f"onto={onto}"])
        case = done.made[0]
        said = json.loads((case / "preparation" / "case.json").read_text(encoding="utf-8"))
        volumes = {name: medp2p.read_volume(case / f"{name}.nii.gz") for name in scans}
    notes = () if said["verdict"] == "good" else (f"verdict of preparing: {said['verdict']}", *said["reasons"])
    return Sources(volumes, notes)


def _page(
    run: str | Path,
    translator: medp2p.Translator,
    sources: Sources,
    predicted: Mapping[str, medp2p.Volume],
    seconds: float,
) -> Iterator[str]:
    """The report, one page that opens without a network."""
    card = Path(run) / "model_card.md"
    yield f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Synthetic series</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>body{{font:15px/1.45 sans-serif;max-width:56em;margin:2em auto;padding:0 1em}}img{{background:#000;margin:2px}}
.limits{{border:2px solid #b00;padding:0 1em}}pre{{white-space:pre-wrap;background:#f4f4f4;padding:1em}}
td,th{{padding:.1em 1em .1em 0;text-align:left}}</style></head><body><h1>Synthetic series, not acquired</h1>
<div class="limits"><ul>{_items(LIMITS)}</ul></div>"""
    if sources.notes:
        yield f"<h2>To look at before use</h2><ul>{_items(sources.notes)}</ul>"
    for name, volume in predicted.items():
        hu = translator.description.intensity[name].hu
        yield f"<h2>{escape(name)}</h2><table>{_rows(_facts(volume, hu=hu))}</table>"
        yield _pictures({**sources.volumes, name: volume}, hu={name} if hu else set())
    made = {
        "model weights SHA-256": translator.sha256,
        "model description SHA-256": translator.description_sha256,
        **{f"{name} content SHA-256": volume.content_sha256() for name, volume in sources.volumes.items()},
        "precision, device": f"{translator.precision}, {translator.device.type}",
        "medp2p": medp2p.__version__,
        "time": f"{seconds:.1f} s",
    }
    yield f"<h2>Made by</h2><table>{_rows(made)}</table><h2>The model</h2>"
    if card.is_file():
        yield f"<pre>{escape(card.read_text(encoding='utf-8'))}</pre>"
    else:
        yield "<p>No model card beside the weights: nothing is known here of its training and its scores.</p>"
    yield "</body></html>\n"


def _items(texts: Sequence[str]) -> str:
    return "".join(f"<li>{escape(text)}</li>" for text in texts)


def _rows(facts: Mapping[str, str]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())


def _facts(volume: medp2p.Volume, *, hu: bool) -> dict[str, str]:
    """Numbers at which somebody who knows the region sees that something is wrong."""
    values = volume.voxels
    facts = {
        "grid": " x ".join(map(str, volume.shape)) + " voxels of " + " x ".join(f"{mm:.4g}" for mm in volume.spacing_mm)
        + " mm",
        "values, 1st, 50th, 99th percentile": ", ".join(f"{v:.4g}" for v in np.percentile(values, (1, 50, 99))),
    }  # fmt: skip
    if hu:
        litre = float(np.prod(volume.spacing_mm)) / 1e6
        facts[f"above {_BONE_HU} HU (bone)"] = f"{(values > _BONE_HU).sum() * litre:.3f} l"
        facts[f"{_AIR_HU} to {_BONE_HU} HU (soft tissue)"] = (
            f"{((values >= _AIR_HU) & (values <= _BONE_HU)).sum() * litre:.3f} l"
        )
    return facts


def _pictures(volumes: Mapping[str, medp2p.Volume], *, hu: set[str]) -> str:
    """The middle slice of each plane, every scan beside the other; the patient's left is at the right."""
    strips = []
    for plane, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        side = "anterior at the left" if plane == "sagittal" else "the patient's left at the right"
        images = "".join(
            f'<img alt="{plane} slice of {escape(name)}" title="{escape(name)}" '
            f'src="data:image/png;base64,{_picture(volume, axis, hu=name in hu)}">'
            for name, volume in volumes.items()
        )
        strips.append(f"<p>{plane}, {side}: {escape(', '.join(volumes))}<br>{images}</p>")
    return "".join(strips)


def _picture(volume: medp2p.Volume, axis: int, *, hu: bool) -> str:
    """The middle slice across an axis of RAS, in millimetres, as PNG in base 64."""
    values = volume.to_ras().astype(np.float32)
    low, high = _SHOWN_HU if hu else np.percentile(values, (1, 99.5))
    plane = np.flip(np.take(values, values.shape[axis] // 2, axis=axis)).T
    grey = np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1) * 255
    order = [int(abs(column).argmax()) for column in volume.affine[:3, :3]]
    size_mm = [values.shape[place] * volume.spacing_mm[order[place]] for place in range(3) if place != axis]
    image = Image.fromarray(grey.astype(np.uint8))
    image = image.resize((max(1, round(size_mm[0] * _PICTURE_MM)), max(1, round(size_mm[1] * _PICTURE_MM))))
    content = io.BytesIO()
    image.save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")


def main(words: Sequence[str] | None = None) -> int:
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument(
        "folders", nargs="+", metavar="SERIES", help="the folder of a series, or NAME=FOLDER for each source"
    )
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--series", action="append", default=[], metavar="[NAME=]UID", dest="uids",
                        help="which series, where a folder holds several")  # fmt: skip
    parser.add_argument("--prepare", action="store_true", help="as the training scans were, by `medp2p prepare`")
    parser.add_argument("--set", action="append", default=[], metavar="key=VALUE", help="an option of preparing")
    parser.add_argument("--keep-identity", action="store_true", help="pass the patient's identity on")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    named = [word.partition("=") for word in options.folders]
    alone = len(named) == 1 and (not named[0][1] or Path(options.folders[0]).exists())
    series = options.folders[0] if alone else {name: folder for name, _, folder in named}
    uids = {name: uid for name, _, uid in (word.rpartition("=") for word in options.uids)}
    try:
        report = synthesize(
            options.run, series, options.output, uids=uids, prepare=options.prepare, settings=options.set,
            keep_identity=options.keep_identity, device=options.device, overwrite=options.overwrite,
        )  # fmt: skip
    except medp2p.Medp2pError as error:
        print(*(f"error: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return error.exit_code
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
