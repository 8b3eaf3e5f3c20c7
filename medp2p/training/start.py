"""`training.start_from`: weights to begin with, from a run or from the reference pix2pix repository."""

import logging
from pathlib import Path

from torch import nn

from medp2p.errors import ModelError
from medp2p.networks import load_reference_weights, reference_state_dict
from medp2p.networks.reference_weights import refuse_other_generator
from medp2p.training.checkpoint import load_checkpoint
from medp2p.translation.generator import load_network
from medp2p.translation.model_file import STATE_FILE, model_path

logger = logging.getLogger(__name__)
_GENERATOR, _DISCRIMINATOR = "_net_G.pth", "_net_D.pth"


def start_from(place: Path, generator: nn.Module, discriminator: nn.Module) -> None:
    """Puts weights into the networks of a training that begins.

    Args:
        place: A run folder or model file; or a `NAME_net_G.pth` of the reference repository.
        generator: Changed in place.
        discriminator: Changed in place where a run folder has its weights too, or `NAME_net_D.pth` lies beside those of
            the generator.

    Raises:
        ModelError: The weights are of another network, or damaged.
        FileError: The file cannot be read.
    """
    if place.suffix.lower() == ".pth":
        load_reference_weights(generator, place)
        beside = place.with_name(place.name.replace(_GENERATOR, _DISCRIMINATOR))
        if place.name.endswith(_GENERATOR) and beside.is_file():
            load_reference_weights(discriminator, beside)
            logger.info("the discriminator starts from %s, which lies beside the generator", beside.name)
        return
    given, _ = load_network(place)
    refuse_other_generator(reference_state_dict(given), reference_state_dict(generator), str(model_path(place)))
    generator.load_state_dict(given.state_dict())
    checkpoint = place / STATE_FILE
    if checkpoint.is_file():
        state, _ = load_checkpoint(checkpoint)
        try:
            discriminator.load_state_dict(state["discriminator"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise ModelError(
                checkpoint,
                "the discriminator to start from is another than the configuration's",
                found=str(error).splitlines()[0][:120],
                fix="give the model file alone to start from the generator only",
            ) from None
