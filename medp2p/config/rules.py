"""All rules that join keys of a configuration."""

from medp2p.config import case_rules, network_rules, picture_rules, region_rules
from medp2p.config.rule import Rule

RULES: tuple[Rule, ...] = (
    *case_rules.RULES,
    *picture_rules.RULES,
    *network_rules.RULES,
    *region_rules.RULES,
)
