"""`medp2p import` and `medp2p export`: weights that other programs made, and for other programs."""

import argparse

from medp2p.cli.messages import say_result
from medp2p.cli.parser import Parser, add_common, add_overwrite, add_set, add_verb

IMPORT = """Makes a run folder of a generator that the reference pix2pix repository trained, so that it translates.

--set must name data.sources and data.target; for pictures also data.kind=pictures. Kind, channels and norm of the
generator follow from the weights; whatever else differs from the defaults must be told. No cases are needed."""
EXPORT = """Writes the generator of a run for other programs: .pth under the names of the reference pix2pix repository,
or .onnx (extra `onnx`), which is compared with the model before it is kept."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds both verbs."""
    _add_import(verbs)
    _add_export(verbs)


def _add_import(verbs: "argparse._SubParsersAction[Parser]") -> None:
    parser = add_verb(
        verbs, "import", _import, summary="take weights of the reference repository", description=IMPORT,
        examples=[
            "medp2p import latest_net_G.pth -o runs/imported --set data.sources=[mr] --set data.target=ct",
            "medp2p import latest_net_G.pth -o runs/maps --set data.kind=pictures --set data.sources=map "
            "--set data.target=aerial --set preparation.resize=[256,256] --set generator.habit=training",
        ],
    )  # fmt: skip
    parser.add_argument("weights", metavar="WEIGHTS", help="latest_net_G.pth, or another state dict of that form")
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="run folder to make")
    add_set(parser)
    add_overwrite(parser, "an imported run")
    add_common(parser)


def _add_export(verbs: "argparse._SubParsersAction[Parser]") -> None:
    parser = add_verb(
        verbs, "export", _export, summary="give weights to other programs", description=EXPORT,
        examples=["medp2p export runs/mr2ct -o net_G.pth", "medp2p export runs/mr2ct -o mr2ct.onnx"],
    )  # fmt: skip
    parser.add_argument("model", metavar="RUN", help="a run folder, or its generator.safetensors alone")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help=".pth or .onnx file to write")
    add_overwrite(parser, "FILE")
    add_common(parser)


def _import(options: argparse.Namespace) -> int:
    from medp2p.translation import import_weights

    made = import_weights(options.weights, options.output, set=options.set, overwrite=options.overwrite)
    say_result(str(made))
    return 0


def _export(options: argparse.Namespace) -> int:
    from medp2p.translation import export_weights

    made = export_weights(options.model, options.output, overwrite=options.overwrite)
    say_result(str(made))
    return 0
