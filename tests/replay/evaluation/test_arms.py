"""What another choice would have earned, and what choosing is worth.

Estimates that hold where the truth is known.
"""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deploy.bench.learners import Bayes, Ours, Row, prequential
from deploy.bench.market import WAYS, simulate
from deploy.bench.naive_bayes import NaiveBayes
from deploy.bench.open_bandit import evaluated, logged
from domain.offers.catalogue import Catalogue
from domain.offers.events import Candidate, OfferDecided
from domain.tiering.policy import TierPolicy
from replay.evaluation.arms import Outcome, arms_seen, what_it_would_earn, without_few
from replay.evaluation.metrics import alift, auc, by_response, calibration_error, log_loss, top_half
from replay.evaluation.off_policy import estimates, lift
from tests.sizes import sized

OBD = Path(__file__).parents[4] / "shared" / "data" / "obd"


def test_the_estimates_find_the_truth_and_their_intervals_cover_it() -> None:
    """Three actions, logged at known odds, evaluated for others.

    Of two hundred logs nine in ten or more cover what is true.
    """
    rewards, logging, target = (
        np.array([0.1, 0.3, 0.6]),
        np.array([0.6, 0.3, 0.1]),
        np.array([0.1, 0.2, 0.7]),
    )
    truth, chance, covered, found = (
        float(target @ rewards),
        np.random.default_rng(5),
        {"ipw": 0, "snipw": 0, "dr": 0},
        list[float](),
    )
    for _ in range(200):
        action = chance.choice(3, size=800, p=logging)
        reward = (chance.random(800) < rewards[action]).astype(float)
        guess = np.array([0.2, 0.2, 0.5])
        for each in estimates(
            reward, (target / logging)[action], np.full(800, target @ guess), guess[action]
        ):
            covered[each.method] += each.low <= truth <= each.high
            found += [each.value] * (each.method == "dr")

    assert all(count >= 180 for count in covered.values()), covered
    assert np.mean(found) == pytest.approx(truth, abs=0.01)


WORLDS = {
    "rare": ((0.002, 0.02), (1, 1, 1, 1, 1), 2.0),
    "common": ((0.1, 0.6), (1, 1, 1, 1, 1), 2.0),
    "worth much": ((0.01, 0.05), (20, 50, 100, 400, 2_000), 2.0),
    "logged unlike": ((0.01, 0.08), (1, 1, 1, 1, 1), 0.7),
}
"""How likely a yes is (from, to), what it is worth by action, and how even the logging is."""


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_of_known_worlds_cover_what_is_true_as_often_as_they_say(name: str) -> None:
    """Four kinds of customers, five actions, and a model that is wrong by up to two fifths."""
    (low, high), worth, even = WORLDS[name]
    nature, chance = np.random.default_rng(7), np.random.default_rng(1)
    yes = nature.uniform(low, high, (4, 5))
    logging = 0.9 * nature.dirichlet(np.full(5, even), 4) + 0.02
    target, value = nature.dirichlet(np.full(5, 1.5), 4), np.array(worth, float)
    guess = yes * value * nature.uniform(0.6, 1.4, (4, 5))
    truth = float((target * yes * value).sum(1).mean())
    runs, count = sized(800, 2_000), 5_000
    covered = {"ipw": 0, "snipw": 0, "dr": 0}
    for _ in range(runs):
        kind = chance.integers(0, 4, count)
        action = (chance.random((count, 1)) > np.cumsum(logging[kind], 1)).sum(1).clip(0, 4)
        reward = (chance.random(count) < yes[kind, action]) * value[action]
        weight = target[kind, action] / logging[kind, action]
        expected = (target[kind] * guess[kind]).sum(1)
        for each in estimates(reward, weight, expected, guess[kind, action]):
            covered[each.method] += each.low <= truth <= each.high

    slack = sized(0.025, 0.015)
    found = {method: hits / runs for method, hits in covered.items()}
    assert all(abs(share - 0.95) <= slack for share in found.values()), found


def test_the_click_rate_of_thompson_sampling_is_estimated_from_uniform_logs() -> None:
    """The Open Bandit data: each interval covers the rate that was really seen."""
    if not OBD.is_dir():
        pytest.skip("the Open Bandit data is not beside the project (../shared/data/obd)")
    found, truth = evaluated(
        logged(OBD / "random" / "men" / "men.csv"), logged(OBD / "bts" / "men" / "men.csv")
    )

    assert all(each.low <= truth.value <= each.high for each in found)


def test_lift_is_a_share_with_an_interval() -> None:
    """Twice as many: a lift of one; of no difference the interval holds zero."""
    chance = np.random.default_rng(1)
    some, more = chance.random(20_000) < 0.1, chance.random(20_000) < 0.2
    found, none = lift(more, some), lift(some, chance.random(20_000) < 0.1)

    assert found.low < 1 < found.high
    assert found.low > 0.8
    assert none.low < 0 < none.high
    assert np.isnan(lift([1.0], some).value)


SHELF = Catalogue.model_validate(
    {
        "catalogue": "c",
        "version": 1,
        "currency": "CNY",
        "offers": [
            {"offer": name, "name": {}, "value": value} for name, value in (("a", 100), ("b", 100))
        ],
    }
)


numbers = count()


def outcome(first: str, accepted: bool, probability: float = 0.5, arm: str = "usual") -> Outcome:
    """An answered decision between a and b, of which one was drawn as first."""
    said = {
        name: Candidate(
            offer=name,
            propensity=0.3,
            value=100,
            priority=30.0 + (name == first),
            model="m",
            evidence=50,
            drawn=0.3 + 0.01 * (name == first),
        )
        for name in "ab"
    }
    second = "b" if first == "a" else "a"
    decided = OfferDecided(
        decision="d",
        channel="app",
        offer=first,
        candidates=(said[first], said[second]),
        features={},
        catalogue="c",
        probability=probability,
        arm=arm,  # type: ignore[arg-type]
    )
    return Outcome(f"customer:{next(numbers)}", decided, accepted)


def test_another_catalogue_is_judged_by_the_decisions_that_chance_made_like_it() -> None:
    """B is accepted more often.

    A catalogue that weighs b more would have earned more, and one like it the same.
    """
    logs = [outcome("a", number % 10 == 0) for number in range(200)] + [
        outcome("b", number % 10 < 4) for number in range(200)
    ]
    likes_b = Catalogue.model_validate(
        {
            **SHELF.model_dump(),
            "offers": [
                {"offer": "a", "name": {}, "value": 10},
                {"offer": "b", "name": {}, "value": 100},
            ],
        }
    )
    same, other = (
        {each.method: each.value for each in what_it_would_earn(logs, shelf)}
        for shelf in (SHELF, likes_b)
    )

    assert same["ipw"] == pytest.approx(25, abs=0.5)
    assert other["ipw"] == pytest.approx(40, rel=0.1)
    assert (
        what_it_would_earn(
            [outcome("a", accepted=True)], likes_b.model_copy(update={"offers": ()})
        )[0].logged
        == 0
    )


def test_arms_are_shown_beside_the_usual_choice() -> None:
    """Acceptance, value and lift of each."""
    found = arms_seen(
        [
            *(outcome("a", number % 4 == 0) for number in range(400)),
            *(outcome("a", number % 8 == 0, arm="random") for number in range(400)),
        ]
    )

    assert [each.arm for each in found] == ["random", "usual"]
    assert (found[0].accepted.value, found[1].accepted.value) == (0.125, 0.25)
    assert found[0].lift_accepted.value == pytest.approx(1.0)
    assert found[1].earned.value == 25.0


@pytest.mark.parametrize(("customers", "is_told"), [(9, False), (10, True)])
def test_an_arm_of_few_customers_is_not_told(customers: int, is_told: bool) -> None:
    """Nobody reads in it what one of them did; how many decisions there were is no secret."""
    [arm] = arms_seen([outcome("a", number % 4 == 0) for number in range(customers)])
    said = without_few(arm)

    assert said["decisions"] == customers
    assert [said[name] is not None for name in ("accepted", "earned", "lift_earned")] == [
        is_told
    ] * 3


def test_measures_are_those_of_others() -> None:
    """AUC as scikit-learn has it; perfect and useless rankings at their ends."""
    chance = np.random.default_rng(2)
    came = chance.random(500) < 0.3
    said = np.round(np.clip(came * 0.2 + chance.random(500) * 0.7, 0, 1), 1)
    perfect = came.astype(float)

    assert auc(said, came) == pytest.approx(roc_auc_score(came, said))
    assert (auc(perfect, came), top_half(perfect, came)) == (1.0, 1.0)
    assert alift(perfect, came) == pytest.approx(1 - came.mean() / 2, abs=0.01)
    assert calibration_error(np.full(500, came.mean()), came) == pytest.approx(0, abs=1e-9)
    assert log_loss(np.full(500, 0.5), came) == pytest.approx(np.log(2))
    assert by_response({"a": (said, came), "b": (np.zeros(9), np.zeros(9, bool))}) == pytest.approx(
        auc(said, came)
    )


def test_the_peer_is_the_published_formula() -> None:
    """With one predictor of two values: the score from the counts, by hand."""
    model = NaiveBayes()
    for number in range(500):
        model.learn(
            {f"colour={'red' if number % 2 else 'blue'}": 1}, number % 2 == 1 and number % 10 != 1
        )
    yes, no, red_no = 200, 300, 50
    bins = 2
    contribution = (
        np.log(yes + 1 / bins) - np.log(red_no + 1 / bins) - np.log(1 + yes) + np.log(1 + no)
    )

    assert model._score({"colour": "red"}) == pytest.approx(
        (np.log(1 + yes) - np.log(1 + no) + contribution) / 2
    )


def test_a_model_learns_what_there_is_to_learn_before_the_answer_is_asked_for() -> None:
    """Through decisions and answers, with late labels.

    The useful feature is found, and chance is said as it is.
    """
    chance = np.random.default_rng(3)
    contacts = []
    for _ in range(3_000):
        good = bool(chance.random() < 0.5)
        contacts.append(
            Row(
                {"age": int(chance.integers(20, 80)), f"group={'good' if good else 'bad'}": 1},
                bool(chance.random() < (0.4 if good else 0.05)),
            )
        )
    came = [row.accepted for row in contacts[1_000:]]
    ours, peer = (prequential(learner, contacts, 50)[1_000:] for learner in (Ours(), Bayes()))

    assert auc(ours, came) > 0.7
    assert calibration_error(ours, came) < 0.03
    assert log_loss(ours, came) < log_loss(peer, came) + 0.02


def test_trying_pays_in_a_market(bohai: TierPolicy) -> None:
    """Fewer regrets than without trying, in a short life of the market."""
    assert sum(simulate(WAYS["ours"], 1, bohai, 6_000).regret) < sum(
        simulate(WAYS["no exploration"], 1, bohai, 6_000).regret
    )
