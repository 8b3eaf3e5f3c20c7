import numpy as np

from medp2p.evaluation import pictures_of, prepare_case
from medp2p.evaluation.joint import JointErrors
from medp2p.evaluation.pictures import CasePictures
from medp2p.volume import Volume

from .test_case import AFFINE, head


def prepared(**options):
    predicted, reference, regions, body = head()
    predicted = np.array(predicted.voxels)
    predicted[20:30, 20:30, 11] += 500
    return prepare_case(reference.with_voxels(predicted), reference, regions, body=body, case="c", **options)


def test_the_worst_slice_comes_first_then_three_planes_through_the_weighted_region():
    found = pictures_of(prepared(weighted=["bone"]))
    assert [p.title.split(",")[0] for p in found.pictures] == [
        "axial slice 12",
        "axial slice 9",
        "coronal slice 25",
        "sagittal slice 25",
    ]
    assert all("weighted" in p.title for p in found.pictures[1:])
    assert all("Case c" in p.alt and "HU" in p.alt for p in found.pictures)


def test_without_weighted_regions_the_planes_go_through_the_body():
    assert all("body" in p.title for p in pictures_of(prepared()).pictures[1:])


def test_pictures_come_back_from_json_as_they_were():
    found = pictures_of(prepared())
    again = CasePictures.from_json(found.as_json())
    assert again.pictures == found.pictures
    assert (again.joint.counts == found.joint.counts).all()


def test_joint_errors_add_up():
    rng = np.random.default_rng(0)
    given, wanted = rng.normal(0, 300, (2, 1000))
    ends = {"low": -1024.0, "high": 2048.0, "unit": "HU"}
    whole = JointErrors.of(given, wanted, **ends)
    parts = JointErrors.of(given[:300], wanted[:300], **ends) + JointErrors.of(given[300:], wanted[300:], **ends)
    assert whole.counts.sum() == 1000
    assert (whole.counts == parts.counts).all()
    assert np.allclose(whole.signed, parts.signed)
    assert np.isclose(whole.absolute.sum(), np.abs(given - wanted).sum())


def test_a_case_without_a_body_or_range_has_pictures_all_the_same():
    flat = Volume(np.zeros((12, 12, 12)), AFFINE)
    case = prepare_case(flat, flat, body=np.zeros((12, 12, 12), bool), protocol="mr")
    found = pictures_of(case)
    assert found.joint is None
    assert found.pictures
