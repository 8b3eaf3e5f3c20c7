import subprocess
import sys

import pytest

CODE = """
import resource, sys
import torch
from medp2p.networks.memory import hold_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
faults()
given_back, told = faults(), hold_freed_memory()
faults()
print(told, faults() < 0.2 * given_back)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_held_memory_is_not_asked_for_again() -> None:
    answer = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert answer.stdout.split() in (["True", "True"], ["False", "False"])
