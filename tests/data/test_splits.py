import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.splits import split_patients
from medp2p.errors import ConfigError

PATIENTS = st.lists(st.text("abcXYZ019_", min_size=1, max_size=6), min_size=4, max_size=40, unique=True)


@given(PATIENTS, st.randoms(), st.integers(0, 2**32 - 1))
def test_the_split_does_not_depend_on_the_order_of_the_files(patients, random, seed):
    shuffled = patients[:]
    random.shuffle(shuffled)
    both = [split_patients(names, validation=0.1, test=0.2, seed=seed) for names in (patients, shuffled)]
    assert both[0] == both[1]


@given(PATIENTS, st.integers(0, 2**32 - 1))
def test_test_comes_first_and_validation_next_in_the_order_of_the_hash_of_seed_and_patient(patients, seed):
    splits = split_patients(patients, validation=0.2, test=0.3, seed=seed)
    ordered = sorted(patients, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
    kinds = [splits[name] for name in ordered]
    assert kinds == sorted(kinds, key=["test", "validation", "train"].index)


@pytest.mark.parametrize(
    ("count", "validation", "test", "expected"),
    [
        (3, 0.1, 0.2, (1, 1)),  # a share above 0 is a patient at least
        (10, 0.15, 0.25, (3, 2)),  # 2.5 and 1.5 are rounded half up
        (100, 0.145, 0.0, (0, 15)),  # as decimals, not as the binary fraction just below
        (5, 0.0, 0.0, (0, 0)),
        (2, 0.0, 0.1, (1, 0)),
        (200, 0.1, 0.2, (40, 20)),
    ],
)
def test_shares_are_rounded_half_up_and_hold_a_patient_at_least(count, validation, test, expected):
    splits = split_patients(map(str, range(count)), validation=validation, test=test, seed=0)
    found = Counter(splits.values())
    assert (found["test"], found["validation"]) == expected
    assert found["train"] == count - sum(expected)


@pytest.mark.parametrize(("count", "validation", "test"), [(2, 0.1, 0.1), (4, 0.5, 0.5), (1, 0.0, 0.2), (0, 0.1, 0.1)])
def test_a_cohort_with_nobody_left_to_train_on_is_refused_with_the_numbers(count, validation, test):
    with pytest.raises(ConfigError, match=rf"{count} patients: \d test, \d validation"):
        split_patients(map(str, range(count)), validation=validation, test=test, seed=0)
