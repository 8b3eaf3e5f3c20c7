import numpy as np
import pytest

from medp2p.data.cases import Case
from medp2p.data.checks import can_be_hu, check_case, coarse_body
from medp2p.data.loading import LoadedCase
from medp2p.volume import Volume

from .configs import config_of
from .scans_on_disk import AFFINE, head

CONFIG = config_of("/scans")


def found(mr=None, ct=None, *, allow=(), body=None, config=CONFIG, affine=AFFINE):
    sound = head()
    volumes = {
        "mr": Volume(sound["mr"] if mr is None else mr, AFFINE),
        "ct": Volume(sound["ct"] if ct is None else ct, affine),
    }
    case = Case("S01", "S01", "train", {name: f"{name}.nii.gz" for name in volumes}, allow=frozenset(allow))
    hashes = {name: volume.content_sha256() for name, volume in volumes.items()}
    return check_case(LoadedCase(case, volumes, volumes, None, body, hashes), config)


def one_fault(*scans, **how):
    (fault,) = found(*scans, **how).faults
    return str(fault)


def test_a_sound_pair_has_no_fault_and_no_warning():
    assert (found().faults, found().warnings) == ((), ())


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("offset by 1024", lambda ct: ct + 1024),
        ("wrapped into unsigned", lambda ct: ct.astype(np.uint16)),
        ("8 bit", lambda ct: ((ct.clip(-1024, 1000) + 1024) / 8).astype(np.uint8)),
        ("scaled", lambda ct: ct / np.float32(1000)),
        ("in tenths", lambda ct: ct.astype(np.int32) * 10),
    ],
)
def test_a_ct_that_cannot_be_hu_is_refused_with_both_numbers(name, spoilt):
    ct = spoilt(head()["ct"])
    low, high = np.percentile(ct.astype(float), [0.5, 99.5])
    message = one_fault(ct=ct)
    assert "ct.nii.gz: S01: ct cannot be in HU" in message
    assert f"below {low:g}, 0.5 % above {high:g}" in message


def test_a_case_of_a_list_may_be_allowed_to_have_another_range():
    ct = head()["ct"] // 3
    assert "0.5 % above 30" in one_fault(ct=ct)
    assert found(ct=ct, allow=["hu_range", "body_overlap"]).faults == ()


def test_a_target_that_is_not_in_hu_may_have_any_range():
    config = config_of("/scans", intensity={"ct": {"kind": "percentile"}})
    assert found(ct=head()["ct"] + 1024, config=config).faults == ()


def test_channels_that_were_exchanged_are_told_as_such():
    message = one_fault(mr=head()["ct"], ct=head()["mr"])
    assert "ct cannot be in HU, but mr can: they were exchanged" in message
    assert "Fix: exchange the files" in message


def test_one_image_for_two_channels_is_refused():
    assert "ct holds the same image as mr" in one_fault(mr=head()["ct"])


@pytest.mark.parametrize(
    "affine",
    [
        pytest.param(AFFINE + np.eye(4)[:, [0, 1, 3, 2]] * [0, 0, 0, 1.0], id="shifted"),
        pytest.param(AFFINE @ np.diag([-1.0, 1, 1, 1]), id="mirrored"),
        pytest.param(AFFINE @ np.diag([1.01, 1, 1, 1]), id="another spacing"),
    ],
)
def test_scans_on_different_grids_are_refused_with_both_grids(affine):
    message = one_fault(affine=affine)
    assert "ct lies on another grid than mr" in message
    assert "28 x 28 x 8 voxels" in message


@pytest.mark.parametrize("name", ["mr", "ct"])
def test_a_constant_scan_is_a_warning_by_itself(name):
    scans = head()
    scans[name] = np.full_like(scans[name], 7)
    result = found(**scans, allow=["hu_range"])
    assert result.faults == ()
    assert f"S01: {name} is constant" in result.warnings[0]


def test_bodies_far_apart_are_refused_unless_allowed_and_bodies_a_little_apart_are_told():
    ct = head()["ct"]
    assert "the body in ct does not lie on the body in mr (found Dice" in one_fault(ct=np.roll(ct, 9, 0))
    assert found(ct=np.roll(ct, 9, 0), allow=["body_overlap"]).faults == ()
    near = found(ct=np.roll(ct, 3, 0))
    assert near.faults == ()
    assert "hardly lie on one another (Dice 0.8" in near.warnings[0]


def test_an_empty_mask_of_the_body_is_refused():
    assert "the mask of the body is empty" in one_fault(body=np.zeros((28, 28, 8), bool))


def test_a_mask_that_is_turned_inside_out_is_refused_unless_allowed():
    inside = head()["ct"] > -500
    assert found(body=inside).faults == ()
    assert found(body=np.ones_like(inside)).faults == ()
    assert "ct: is it turned inside out? (found Dice 0.0" in one_fault(body=~inside)
    assert found(body=~inside, allow=["body_overlap"]).faults == ()


@pytest.mark.parametrize(
    ("low", "high", "possible"),
    [(-1004, 1500, True), (-500, 1500, False), (-501, 200, True), (-501, 199.9, False), (-1024, 4000.5, False)],
)
def test_the_limits_of_hu(low, high, possible):
    assert can_be_hu(low, high) is possible


def test_bodies_are_compared_on_about_five_millimetres():
    fine = Volume(np.where(np.indices((120, 100, 60)).min(axis=0) > 10, 40, -1000), np.diag([1.0, 2.0, 5.0, 1.0]))
    assert coarse_body(fine, hu=True).shape == (24, 50, 60)
