"""Raw scans of patients to an aligned cohort: registration, bias field, body mask, quality pictures (SimpleITK)."""

from medp2p.preparation.options import PreparationOptions, read_options
from medp2p.preparation.tasks import Prepared, prepare

__all__ = ["PreparationOptions", "Prepared", "prepare", "read_options"]
