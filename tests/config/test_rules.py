"""What cannot run together is refused before any work."""

from collections.abc import Callable

import pytest

from medp2p.config import Config
from medp2p.config.network_rules import SIZE_MULTIPLES
from medp2p.networks.limits import size_multiple, smallest_patch_size

from .conftest import sound
from .test_load import faults_of

DATA = sound()["data"]
NO_HU = {"hu": False, "low": 0, "high": 1}
CASE = {"id": "S1", "split": "train", "mr": "a", "ct": "b"}
Load = Callable[..., Config]


def listed(*cases: dict[str, object]) -> dict[str, object]:
    return {"sources": ["mr"], "target": "ct", "cases": list(cases)}


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("data.sources", {"data": {**DATA, "sources": ["mr", "mr"]}}),
        ("data.target", {"data": {**DATA, "target": "mr"}}),
        ("data.sources", {"data": {**DATA, "sources": []}}),
        ("data.sources.0", {"data": {**DATA, "sources": ["regions"]}}),
        ("data.sources.0", {"data": {**DATA, "sources": ["../mr"]}}),
        ("data.files.pet", {"data": {**DATA, "files": {"pet": "pet.nii.gz"}}}),
        ("data.files.ct", {"data": {**DATA, "files": {"mr": "x.nii.gz", "ct": "x.nii.gz"}}}),
        ("data.files.mr.0", {"data": {**DATA, "files": {"mr": ["../x.nii.gz"]}}}),
        ("data.files.mr", {"data": {**DATA, "files": {"mr": "/x.nii.gz"}}}),
        ("data.files.mr", {"data": {**DATA, "files": {"mr": "{patient}.nii.gz"}}}),
        ("data.files.mr", {"data": {**DATA, "files": {"mr": ["a.nii.gz", "b.nii.gz"]}}}),
        ("data.patient", {"data": {**DATA, "patient": "^patient"}}),
        ("data.patient", {"data": {**DATA, "patient": "^(patient"}}),
        ("data.split", {"data": {**DATA, "split": {"validation": 0.5, "test": 0.5}}}),
        ("data.cases", {"data": {**DATA, "cases": [CASE]}}),
        ("data", {"data": {"sources": "mr", "target": "ct"}}),
        ("data.cases.0", {"data": listed({"id": "S1", "split": "train", "mr": "a"})}),
        ("data.cases.0.pet", {"data": listed({**CASE, "pet": "a"})}),
        ("data.cases.1.id", {"data": listed(CASE, CASE)}),
        ("data.cases.0.id", {"data": listed({**CASE, "id": "../S1"})}),
        ("data.cases.0.id", {"data": listed({**CASE, "id": ".S1"})}),
        ("data.cases.0.split", {"data": listed({**CASE, "split": "training"})}),
        ("data.cases.0.allow.0", {"data": listed({**CASE, "allow": ["everything"]})}),
        ("preparation.size", {"preparation": {"size": [200, 256]}}),
        ("preparation.size", {"preparation": {"size": [128, 128]}}),
        ("discriminator.layers", {"discriminator": {"layers": 7}}),
        ("training.epochs", {"training": {"epochs": 0, "decay_epochs": 0}}),
        ("loss", {"loss": {"adversarial_weight": 0, "l1_weight": 0}}),
        ("evaluation.protocol", {"intensity": {"ct": NO_HU}, "evaluation": {"protocol": "synthrad2023"}}),
        ("regions.weights.bon", {"regions": {"names": {"1": "bone"}, "weights": {"bon": 2}}}),
        ("regions.weights.body", {"regions": {"names": {"1": "bone"}, "weights": {"body": 2}}}),
        ("regions.weights.bone", {"data": {**DATA, "files": None}, "regions": {"weights": {"bone": 2}}}),
        ("evaluation.best_by.region", {"evaluation": {"best_by": {"region": "lesion"}}}),
        ("regions.groups.head", {"regions": {"names": {"1": "bone"}, "groups": {"head": ["bones"]}}}),
        ("regions.groups.bone", {"regions": {"names": {"1": "bone"}, "groups": {"bone": ["bone"]}}}),
        ("regions.groups.body", {"regions": {"groups": {"body": ["1"]}}}),
        ("regions.groups", {"regions": {"groups": {"head": ["1", "2"]}}}),
        ("evaluation.best_by.region", {"regions": None, "evaluation": {"best_by": {"region": "weighted"}}}),
    ],
)  # fmt: skip
def test_it_is_refused_by_its_key(load: Load, key: str, changed: dict[str, object]) -> None:
    keys = {fault.key for fault in faults_of(load, **({"regions": None} | changed if "data" in changed else changed))}
    assert any(found and (found == key or key.startswith(f"{found}.")) for found in keys), keys


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("data.cases.0.split", {"data": listed({**CASE, "split": "training"})}),
        ("data.sources.0", {"data": {**DATA, "sources": ["m r"]}}),
        ("regions.groups.head.0", {"regions": {"names": {"1": "bone"}, "groups": {"head": [1]}}}),
    ],
)
def test_a_list_is_not_called_too_short_because_of_a_refused_entry(
    load: Load, key: str, changed: dict[str, object]
) -> None:
    assert key in {fault.key for fault in faults_of(load, **({"regions": None} | changed))}
    assert all("at least 1" not in str(fault) for fault in faults_of(load, **({"regions": None} | changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"regions": {"weights": {"3": 4.0}}},
        {"regions": {"names": {"1": "bone"}, "weights": {"background": 0.5}}},
        {"regions": {"names": "labels.yaml", "weights": {"anything": 2.0}}},
        {"regions": {"names": {"1": "bone"}}, "evaluation": {"best_by": {"region": "bone"}}},
        {"evaluation": {"best_by": {"region": "weighted"}}},
        {"regions": {"names": {"edema": 1, "core": 2, "tumour": [1, 2]}, "weights": {"tumour": 4.0}}},
        {"regions": {"names": {"1": "skull", "2": "jaw", "groups": {"b": ["skull", "jaw"]}}, "weights": {"b": 2}}},
        {"data": {**DATA, "files": {**DATA["files"], "regions": ["a.nii.gz", "b.nii.gz"]}}},
        {"generator": {"kind": "resnet_9"}, "preparation": {"size": [100, 52]}},
        {"discriminator": {"kind": "pixel", "layers": 8}},
        {"evaluation": {"protocol": "mr"}},
        {"loss": {"adversarial_weight": 0}},
        {"data": listed({**CASE, "allow": ["hu_range", "body_overlap"], "patient": "P1"}), "regions": None},
    ],
)  # fmt: skip
def test_what_can_run_together_is_taken(load: Load, changed: dict[str, object]) -> None:
    assert load(**changed).data.channels == ("mr", "ct")


@pytest.mark.parametrize("kind", SIZE_MULTIPLES)
def test_sizes_agree_with_the_networks(kind: str) -> None:
    assert SIZE_MULTIPLES[kind] == size_multiple(kind)


def test_the_deepest_discriminator_that_fits_is_named(load: Load) -> None:
    assert "write 6" in faults_of(load, discriminator={"layers": 8})[0].message
    assert smallest_patch_size(6) <= 256 < smallest_patch_size(7)


def test_a_rule_is_left_out_where_what_it_reads_is_refused_already(load: Load) -> None:
    faults = faults_of(load, generator={"kind": "unet_512"}, preparation={"size": [100, 100]})
    assert [fault.key for fault in faults] == ["generator.kind"]
