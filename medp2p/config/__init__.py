"""The configuration of a run: read strictly, checked as a whole, frozen, and handed on section by section."""

from medp2p.config.case_entry import CaseEntry
from medp2p.config.csv_cases import read_cases_csv
from medp2p.config.data_section import DataSection, Split
from medp2p.config.difference import differing_keys
from medp2p.config.intensity_section import ChannelIntensity
from medp2p.config.load import config_from_mapping, load_config
from medp2p.config.origin import Origin
from medp2p.config.picture_channels import with_forms
from medp2p.config.presence import absent, missing_data
from medp2p.config.region_rules import refused_groups
from medp2p.config.schema import (
    AugmentationSection,
    BestBy,
    Config,
    DiscriminatorSection,
    EvaluationSection,
    GeneratorSection,
    LossSection,
    PreparationSection,
    RegionsSection,
    TrainingSection,
)
from medp2p.config.shipped import shipped, shipped_names
from medp2p.config.strict_yaml import YamlDocument, read_strict_yaml
from medp2p.config.write import json_schema, to_yaml

__all__ = [
    "AugmentationSection",
    "BestBy",
    "CaseEntry",
    "ChannelIntensity",
    "Config",
    "DataSection",
    "DiscriminatorSection",
    "EvaluationSection",
    "GeneratorSection",
    "LossSection",
    "Origin",
    "PreparationSection",
    "RegionsSection",
    "Split",
    "TrainingSection",
    "YamlDocument",
    "absent",
    "config_from_mapping",
    "differing_keys",
    "json_schema",
    "load_config",
    "missing_data",
    "read_cases_csv",
    "read_strict_yaml",
    "refused_groups",
    "shipped",
    "shipped_names",
    "to_yaml",
    "with_forms",
]
