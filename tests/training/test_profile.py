"""`--profile`: where the time goes, in a line and a table."""

import re
from pathlib import Path

from medp2p.training import train


def test_a_profiled_training_says_what_its_steps_spent_their_time_on(config: Path, tmp_path: Path) -> None:
    short = ["training.epochs=1", "training.decay_epochs=0", "data.split={validation: 0, test: 0}"]
    run = train(config, run=tmp_path / "run", device="cpu", profile=True, set=short)
    line = (run.folder / "profile.txt").read_text().splitlines()[0]
    shares = {kind: int(share) for kind, share in re.findall(r"([a-z ]+) (\d+)%", line)}
    assert {"convolutions", "norms"} <= {kind.strip() for kind in shares}
    assert 95 <= sum(shares.values()) <= 105
    assert line in (run.folder / "log.txt").read_text()
