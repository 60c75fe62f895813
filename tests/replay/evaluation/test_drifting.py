"""Models beside plain river where the world changes, and answers come late."""

import numpy as np
import pytest

from deploy.bench.drifting import CHANGES, contacts
from deploy.bench.learners import Ours, Rate, River, prequential
from replay.evaluation.metrics import auc_within_blocks, calibration_error, log_loss
from tests.sizes import sized

COUNT = sized(6_000, 12_000)
SCORED_FROM = 3_000
LATE = 500


@pytest.mark.parametrize("change", CHANGES if sized(0, 1) else ["base jumps", "tastes turn"])
def test_a_model_is_as_good_as_plain_river_where_the_world_changes(change: str) -> None:
    """Of customers asked on one day, and in all it says; on a seed that nothing was chosen by."""
    rows = contacts(change, seed=7, count=COUNT)
    came = np.array([row.accepted for row in rows[SCORED_FROM:]])
    ours, river, share = (
        np.array(prequential(learner, rows, LATE)[SCORED_FROM:])
        for learner in (Ours(), River(), Rate(2_000))
    )

    assert auc_within_blocks(ours, came) > auc_within_blocks(river, came) - 0.003
    assert log_loss(ours, came) < min(log_loss(river, came), log_loss(share, came)) + 0.003
    assert calibration_error(ours, came) < calibration_error(river, came) + 0.003


def test_the_same_seed_is_the_same_stream() -> None:
    """And another seed another one."""
    assert contacts("seasons", 3, 50) == contacts("seasons", 3, 50) != contacts("seasons", 4, 50)


def test_a_change_that_there_is_not_is_said() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="base walks"):
        contacts("nothing")


def test_knowing_the_date_is_no_ranking_of_customers() -> None:
    """What follows the share of yes alone is at .5 within blocks, however good over all."""
    chance = np.random.default_rng(3)
    base = np.repeat(chance.uniform(0.02, 0.6, 40), 500)
    came = chance.random(len(base)) < base

    assert auc_within_blocks(base, came) == 0.5
    assert auc_within_blocks(base + came, came) == 1.0
    assert np.isnan(auc_within_blocks(base, np.zeros(len(base), bool)))
