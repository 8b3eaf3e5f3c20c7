"""`training.start_from`: weights to begin with, from a run or from the reference pix2pix repository."""

from pathlib import Path

from torch import nn

from medp2p.errors import ModelError
from medp2p.networks import load_reference_weights
from medp2p.training.checkpoint import CHECKPOINT_FILE, load_checkpoint
from medp2p.translation.model_file import model_path, read_header, read_weights


def start_from(place: Path, generator: nn.Module, discriminator: nn.Module) -> None:
    """Puts weights into the networks of a training that begins.

    Args:
        place: A run folder or model file; or a `.pth` of the reference repository, for the generator alone.
        generator: Changed in place.
        discriminator: Changed in place where a run folder has its weights too.

    Raises:
        ModelError: The weights are of another network, or damaged.
        FileError: The file cannot be read.
    """
    if place.suffix.lower() == ".pth":
        load_reference_weights(generator, place)
        return
    path = model_path(place)
    generator.load_state_dict(read_weights(path, read_header(path), generator.state_dict()))
    checkpoint = place / CHECKPOINT_FILE
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
