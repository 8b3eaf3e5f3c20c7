"""What pictures are once their files were seen: a channel for each colour, and a map for each depth."""

from collections.abc import Mapping

from medp2p.config.intensity_section import ChannelIntensity
from medp2p.config.schema import Config
from medp2p.picture import PictureForm, channel_names


def with_forms(config: Config, forms: Mapping[str, PictureForm]) -> Config:
    """A configuration of pictures in which every colour is a channel of its own, named `photo.red` and so on.

    Channels without a map of their own have that of their picture, or all that its depth holds.

    Args:
        config: A configuration of pictures.
        forms: Channels and depth of each picture.

    Examples:
        >>> from medp2p.config import config_from_mapping
        >>> data = {"kind": "pictures", "sources": "sketch", "target": "photo", "folder": "/pairs"}
        >>> seen = {"sketch": PictureForm(1, 16), "photo": PictureForm(3, 8)}
        >>> config = with_forms(config_from_mapping({"data": data}), seen)
        >>> config.data.channels, config.intensity["sketch"].high, config.data.bits
        (('sketch', 'photo.red', 'photo.green', 'photo.blue'), 65535.0, {'sketch': 16, 'photo': 8})
    """
    data = config.data
    images = {
        name: given if len(given) > 1 else channel_names(name, forms[name].channels)
        for name, given in data.images.items()
    }
    intensity = {
        channel: config.intensity.get(channel, config.intensity.get(name, _everything(forms[name])))
        for name, channels in images.items()
        for channel in channels
    }
    sources, targets = (
        tuple(channel for name in names for channel in images[name])
        for names in (data.source_images, data.target_images)
    )
    bits = {name: form.bits for name, form in forms.items()}
    changed = data.model_copy(update={"sources": sources, "target": targets, "bits": bits})
    return config.model_copy(update={"data": changed, "intensity": intensity}).with_origin(config.origin)


def _everything(form: PictureForm) -> ChannelIntensity:
    return ChannelIntensity(kind="window", low=0.0, high=float(2**form.bits - 1), hu=False)
