"""`medp2p translate`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medp2p.cli.messages import say_result
from medp2p.cli.parser import (
    Parser,
    add_common,
    add_device,
    add_many,
    add_overwrite,
    add_series,
    add_verb,
    whole_number,
)
from medp2p.cli.progress import Progress
from medp2p.errors import ConfigError

DESCRIPTION = """Translates with the model of a run.

  an image file           becomes an image file; formats go by extension: .nii .nii.gz .mha .mhd .nrrd .nhdr
  a picture or radiograph becomes a picture, .png or .tif, where the model learnt from pictures
  a folder of images      becomes a folder with the same file names
  a DICOM series folder   becomes an image file, or a DICOM folder where OUTPUT ends in /
  a cohort                becomes OUTPUT/<case>/<target>.nii.gz
  several channels        a case folder with their training names, or -i t1=A.nii.gz -i t2=B.nii.gz

An image comes out on exactly the grid of its input, with a JSON beside it that says what made it. In folders what is
finished is kept, what is missing is made, and one bad input stops no other."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "translate", run, summary="make the predicted scans", description=DESCRIPTION,
        examples=[
            "medp2p translate runs/mr2ct -i mr.nii.gz -o sct.nii.gz",
            "medp2p translate runs/mr2ct -i scans -o predicted",
            "medp2p translate runs/t2flair -i t1=t1.nii.gz -i t2=t2.nii.gz -o flair.nii.gz",
            "medp2p translate runs/mr2ct -i dicom_folder -o synthetic_ct/",
            "medp2p translate runs/facades -i data/facades/test --half right -o photographs",
        ],
    )  # fmt: skip
    parser.add_argument("model", metavar="RUN", help="a run folder, or its generator.safetensors alone")
    parser.add_argument("-i", "--input", action="append", required=True, metavar="INPUT", help="image or folder")
    parser.add_argument("-o", "--output", required=True, metavar="OUTPUT", help="image or folder to write")
    add_overwrite(parser, "outputs that exist")
    add_device(parser)
    parser.add_argument(
        "--runtime", default="auto", metavar="NAME",
        help="how the network is computed: auto, plain, folded, packed or openvino (default: auto)",
    )  # fmt: skip
    parser.add_argument("--batch-size", type=whole_number(1), metavar="N", help="slices at once; changes no result")
    parser.add_argument(
        "--half", choices=("left", "right", "whole"),
        help="what of a picture is translated, where both of a pair lie side by side in it",
    )  # fmt: skip
    group = parser.add_argument_group("DICOM")
    add_series(group)
    group.add_argument("--keep-identity", action="store_true", help="pass the patient's identity on to a DICOM output")
    add_many(parser)
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Translates; prints the path of every image as soon as it is finished."""
    _refuse_missing(options)
    given = inputs(options.input)
    from medp2p.translation import translate

    with Progress(quiet=options.quiet) as progress:
        translate(
            options.model,
            given,
            options.output,
            overwrite=options.overwrite,
            device=options.device,
            precision=options.precision,
            batch_size=options.batch_size,
            runtime=options.runtime,
            series=options.series,
            keep_identity=options.keep_identity,
            half=options.half,
            shard_of=options.shard,
            progress=progress,
            made=lambda path: say_result(str(path)),
            workers=options.workers,
            cluster=options.cluster,
        )
    return 0


def inputs(words: Sequence[str]) -> str | dict[str, str]:
    """One path, or a path for each channel.

    Raises:
        ConfigError: Several paths without channels, or a channel twice.

    Examples:
        >>> inputs(["mr.nii.gz"]), inputs(["t1=a.nii.gz", "t2=b.nii.gz"])
        ('mr.nii.gz', {'t1': 'a.nii.gz', 't2': 'b.nii.gz'})
    """
    if len(words) == 1 and (Path(words[0]).exists() or not _channel(words[0])):
        return words[0]
    given: dict[str, str] = {}
    for word in words:
        channel, _, path = word.partition("=")
        if not _channel(word):
            fix = "write -i CHANNEL=FILE for each, or one folder"
            raise ConfigError(None, "several inputs without their channels", found=word, fix=fix, key="-i")
        if channel in given:
            raise ConfigError(None, "a channel is given twice", found=channel, fix="give it once", key="-i")
        given[channel] = path
    return given


def _channel(word: str) -> bool:
    """Whether a word begins with a channel's name and `=`."""
    name, equals, path = word.partition("=")
    return bool(equals and path) and "/" not in name and "\\" not in name and bool(name)


def _refuse_missing(options: argparse.Namespace) -> None:
    """What can be seen before torch is loaded: a run or an input that is not there."""
    from medp2p.errors import FileError

    if not Path(options.model).exists():
        raise FileError(options.model, "there is no such run", fix="give a run folder or its generator.safetensors")
