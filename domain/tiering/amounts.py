"""Which parts of a tiering rule are amounts? They may be written with their unit,
and are shown with it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from domain.rules.amounts import Amounts, Written
from domain.rules.quantities import COUNTS, VALUES


def in_minor_units(said: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as it stands in a file, with all its amounts in minor units of its currency.

    Raises `ValueError` with the place of each that cannot be read. What else is wrong with the file
    is left for others to find.
    """
    currency = said.get("currency")
    if not isinstance(currency, str):
        return dict(said)
    amounts = Amounts(currency, partial(_is_count, said.get("measures")))
    found = _with(amounts, said)
    if amounts.faults:
        raise ValueError("; ".join(amounts.faults))
    return found


def with_units(said: Mapping[str, Any]) -> dict[str, Any]:
    """A rule in minor units, with all its amounts as people write them: `500,000.00 CNY`."""
    return _with(Written(said["currency"], partial(_is_count, said["measures"])), said)


def _with(amounts: Amounts, said: Mapping[str, Any]) -> dict[str, Any]:
    """A rule with another spelling of its amounts."""
    found = dict(said)
    if isinstance(tiers := said.get("tiers"), list | tuple):
        found["tiers"] = [_tier(each, amounts, f"tiers[{n}]") for n, each in enumerate(tiers)]
    if isinstance(measures := said.get("measures"), Mapping):
        found["measures"] = {
            name: _measure(each, amounts, f"measures.{name}.of") for name, each in measures.items()
        }
    return found


def _is_count(measures: Any, quantity: str) -> bool:
    """Whether a quantity of a file is no amount, as far as it is known at all."""
    measure = measures.get(quantity) if isinstance(measures, Mapping) else None
    kind = measure.get("kind") if isinstance(measure, Mapping) else getattr(measure, "kind", None)
    return kind == "points" or (quantity in COUNTS and quantity not in VALUES)


def _tier(said: Any, amounts: Amounts, place: str) -> Any:
    if not isinstance(said, Mapping):
        return said
    found = dict(said)
    if "reach" in said:
        found["reach"] = amounts.condition(said["reach"], f"{place}.reach")
    service = said.get("service")
    if isinstance(service, Mapping) and isinstance(fees := service.get("fees"), Mapping):
        priced = {
            name: amounts.price(fee, f"{place}.service.fees.{name}") for name, fee in fees.items()
        }
        found["service"] = {**service, "fees": priced}
    return found


def _measure(said: Any, amounts: Amounts, place: str) -> Any:
    if not isinstance(said, Mapping) or not isinstance(scored := said.get("of"), list | tuple):
        return said
    return {
        **said,
        "of": [_scored(each, amounts, f"{place}[{n}]") for n, each in enumerate(scored)],
    }


def _scored(said: Any, amounts: Amounts, place: str) -> Any:
    if not isinstance(said, Mapping) or "each" not in said:
        return said
    return {**said, "each": amounts.of(said.get("quantity"), said["each"], f"{place}.each")}
