"""Flags of the reference pix2pix repository that people type from habit, and what they are here."""

_KEYS = {
    "dataroot": "data.folder", "batch_size": "training.batch_size", "beta1": "training.betas",
    "crop_size": "preparation.size", "direction": "data.sources and data.target", "gan_mode": "loss.adversarial",
    "lambda_L1": "loss.l1_weight", "load_size": "preparation.resize", "lr": "training.learning_rate",
    "n_epochs": "training.epochs", "n_epochs_decay": "training.decay_epochs", "n_layers_D": "discriminator.layers",
    "ndf": "discriminator.channels", "netD": "discriminator.kind", "netG": "generator.kind",
    "ngf": "generator.channels", "no_dropout": "generator.dropout", "no_flip": "augmentation.flip",
    "norm": "generator.norm and discriminator.norm", "preprocess": "preparation.resize and preparation.size",
    "eval": "generator.habit", "dataset_mode": "data.kind", "use_wandb": "training.tracking",
}  # fmt: skip
_OPTIONS = {"continue_train": "--resume", "gpu_ids": "--device", "name": "--run", "checkpoints_dir": "--run",
            "results_dir": "-o"}  # fmt: skip


def known_here(option: str) -> str | None:
    """What to write instead of a flag of the reference; None of what is none.

    Examples:
        >>> known_here("--ngf"), known_here("--continue_train"), known_here("--overwrit")
        ('the key generator.channels of the configuration, or --set generator.channels=VALUE', '--resume', None)
    """
    name = option.lstrip("-")
    if not option.startswith("--"):
        return None
    if name in _OPTIONS:
        return _OPTIONS[name]
    if name not in _KEYS:
        return None
    key = _KEYS[name]
    return f"the key {key} of the configuration" if " " in key else (
        f"the key {key} of the configuration, or --set {key}=VALUE"
    )  # fmt: skip
