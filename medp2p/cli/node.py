"""`medp2p node`."""

import argparse
from pathlib import Path

from medp2p.cli.messages import say_result
from medp2p.cli.parser import Parser, add_common, add_device, add_verb, whole_number

DESCRIPTION = """Receives DICOM series (CT and MR, by C-STORE), translates them with the model of a run, and sends the
derived series on. Needs the extra `node`.

What has come in is kept in a spool until its result has arrived: stopped or killed, the same command goes on. A series
that fails is kept in the spool's folder `failed`, with its reason. Ctrl-C and SIGTERM end it."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "node", run, summary="receive DICOM series, translate, send on", description=DESCRIPTION,
        examples=[
            "medp2p node --run runs/mr2ct --port 11112 --send ORTHANC@127.0.0.1:4242",
            "medp2p node --run runs/mr2ct --port 11112 --host 0.0.0.0 --allow SCANNER1 --send PACS@10.0.0.5:104",
        ],
    )  # fmt: skip
    parser.add_argument("--run", dest="model", required=True, metavar="RUN",
                        help="a run folder, or its generator.safetensors alone")  # fmt: skip
    parser.add_argument("--port", type=_port, required=True, metavar="N", help="port to listen on; 0 takes a free one")
    parser.add_argument("--send", required=True, metavar="AET@host:port", help="where derived series go")
    parser.add_argument("--keep-identity", action="store_true", help="pass the patient's identity on; else a pseudonym")
    add_device(parser)
    group = parser.add_argument_group("who may send")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    group.add_argument("--aet", default="MEDP2P", metavar="AET", help="own title (default: MEDP2P)")
    group.add_argument("--allow", action="append", default=[], metavar="AET", help="a title that may call; repeatable")
    group = parser.add_argument_group("spool")
    group.add_argument("--spool", metavar="DIR", help="private folder (default: .medp2p-spool-NAME beside the run)")
    group.add_argument("--settle", type=whole_number(0), default=5, metavar="S",
                       help="seconds without a further image until a series is complete (default: 5)")  # fmt: skip
    group.add_argument("--max-image-mb", type=whole_number(1), default=512, metavar="N", help="default: 512")
    group.add_argument("--max-images", type=whole_number(1), default=10_000, metavar="N",
                       help="of one series (default: 10000)")  # fmt: skip
    group.add_argument("--max-spool-gb", type=whole_number(1), default=20, metavar="N", help="default: 20")
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Serves until a signal ends it; prints a line for every series that was sent."""
    _refuse_missing(options)
    from medp2p.node import Limits, serve

    serve(
        options.model,
        port=options.port,
        send=options.send,
        host=options.host,
        title=options.aet,
        allow=options.allow,
        spool=options.spool,
        keep_identity=options.keep_identity,
        device=options.device,
        precision=options.precision,
        limits=Limits(
            image_bytes=options.max_image_mb << 20,
            series_images=options.max_images,
            spool_bytes=options.max_spool_gb << 30,
            settle_s=float(options.settle),
        ),
        sent=lambda name, count: say_result(f"sent {name}, {count} images"),
    )
    return 0


def _port(text: str) -> int:
    """A type for options: 0 to 65535."""
    port = whole_number(0)(text)
    if port > 65535:
        wrong = f"no such port (found {port}, expected 0 to 65535). Fix: write another"
        raise argparse.ArgumentTypeError(wrong)
    return port


def _refuse_missing(options: argparse.Namespace) -> None:
    """What can be seen before torch is loaded: a run that is not there, an address that is none."""
    from medp2p.errors import FileError
    from medp2p.node import Peer

    if not Path(options.model).exists():
        raise FileError(options.model, "there is no such run", fix="give a run folder or its generator.safetensors")
    Peer.parse(options.send)
