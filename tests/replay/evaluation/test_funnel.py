"""Where offers fell away: counted whole, told without telling of anybody."""

from domain.offers.columns import in_columns
from domain.offers.events import Candidate, Dropped, OfferDecided
from replay.evaluation.funnel import FEW, Because, Counts, Fallen, OfferSeen

YOUNG = Dropped(offer="loan", stage="eligibility", reason="age 17 is not within 18 to 60")
ASKED = Dropped(offer="loan", stage="contact", reason="contacted often enough")


def decided(*dropped: Dropped, shown: tuple[str, ...] = ("fund",)) -> OfferDecided:
    """A decision in which two offers came through, and of which so many are shown."""
    candidates = tuple(
        Candidate(name, 0.5, 100, 100, 1_000, 1.0, "model@1") for name in ("fund", "card")
    )
    return OfferDecided(
        decision="d",
        channel="app",
        candidates=candidates if shown else (),
        dropped=dropped,
        features={},
        catalogue="c@1",
        offers=shown,
    )


def test_each_offer_is_counted_by_where_it_came_to() -> None:
    """As it was made and as it is stored; what is not shown came through too."""
    counts = Counts()
    for number in range(FEW):
        made = decided(ASKED)
        counts.add(f"customer:{number}", in_columns(made) if number % 2 else made)
    counts.add("customer:0", decided(YOUNG, shown=()))

    assert list(counts.offers()) == [
        OfferSeen("card", FEW, 0, 0, ()),
        OfferSeen("fund", FEW, FEW, FEW, ()),
        OfferSeen(
            "loan",
            0,
            0,
            0,
            (Fallen("contact", FEW, (Because(ASKED.reason, FEW),)),),
        ),
    ]
    assert (counts.nothing, counts.looked_at, len(counts.customers)) == (1, FEW + 1, FEW)


def test_what_is_true_of_few_customers_is_not_told_however_often_it_was_decided() -> None:
    """Nine who ask again and again are still nine."""
    counts = Counts()
    for number in range(10 * (FEW - 1)):
        counts.add(f"customer:{number % (FEW - 1)}", decided(YOUNG))

    [loan] = [each for each in counts.offers() if each.offer == "loan"]
    assert loan.fallen == (Fallen("eligibility", 90, (Because(None, 90),)),)


def test_a_few_decisions_tell_nothing() -> None:
    """Nor does one more than at the last look."""
    counts, more = Counts(), Counts()
    counts.add("customer:1", decided(YOUNG))
    for number in range(3 * FEW):
        more.add(f"customer:{number}", decided(ASKED))
    before = list(more.offers())
    more.add("customer:1", decided(ASKED))

    assert {(each.passed, each.shown, each.first) for each in counts.offers()} == {(0, 0, 0)}
    assert list(more.offers()) == before
