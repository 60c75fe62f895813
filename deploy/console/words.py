"""How does the console say it? In the reader's language: words, amounts, days and moments.

English stands in the code and the templates; what it is in other languages stands in `locale/`, as
GNU gettext has it. The door to Babel.
"""

import io
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from pydantic import StringConstraints

from domain.accounts.currencies import MINOR_DIGITS
from domain.event_types import TYPE_BY_EVENT

LANGUAGES = {"zh": ("zh_Hans_CN", "zh-Hans"), "en": ("en_US", "en")}
"""By its name: the locale, and what HTML calls it."""
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(rf"{DAY.pattern}T[0-9:]{{8}}(\.[0-9]+)?(Z|[+-][0-9:]{{5}})")
FREE = frozenset(
    name
    for event in TYPE_BY_EVENT
    for name, field in event.model_fields.items()
    if any(isinstance(rule, StringConstraints) and not rule.pattern for rule in field.metadata)
)
"""Fields that hold text: what they say is shown as it was said."""
NOTHING = "\N{EN DASH}"
LOCALE = Path(__file__).parent / "locale"


class Words(NamedTuple):
    """A language with which pages are written, in a time zone."""

    language: str
    zone: ZoneInfo

    @property
    def tag(self) -> str:
        """What HTML calls the language."""
        return LANGUAGES[self.language][1]

    @property
    def _locale(self) -> str:
        return LANGUAGES[self.language][0]

    def say(self, text: str) -> str:
        """What an English text is in this language."""
        return catalog(self.language).gettext(text)

    def word(self, code: str) -> str:
        """What a code of the domain is called, as `tier-changed.v1`, `value_in`, `deposit`.

        One that is not known, as a bank's own, stands as it is.
        """
        text = english(code)
        return self.say(text) if text in known() else code

    def field(self, name: str) -> str:
        """What a field of an event or of a state is called; a number behind it stays."""
        field, _, number = name.partition(" ")
        found = catalog(self.language).pgettext("field", text := english(field))
        return f"{found if found != text else self.word(field)} {number}".rstrip()

    def path(self, name: str) -> str:
        """What the name of a field within others is called, as `facts.region.value`."""
        return " · ".join(map(self.field, name.split(".")))

    def said(self, path: str, value: str) -> str:
        """What a field says: as it was said where it is free text, else for people."""
        field = path.rpartition(".")[2].partition(" ")[0]
        is_consent = path.startswith("consents.")
        return value if field in FREE and not is_consent else self.value(value)

    def value(self, said: str) -> str:
        """Codes by their names, days and moments as people read them."""
        return self.listed(map(self._one_value, said.split(", ")))

    def _one_value(self, said: str) -> str:
        try:
            if DAY.fullmatch(said):
                return self.day(said)
            if MOMENT.fullmatch(said):
                return self.moment(said)
        except (ValueError, OverflowError):
            return said  # a core system may send what looks like a day and is none
        name, sign, value = said.partition("=")
        return f"{self.field(name)}{sign}{self.word(value)}" if sign else self.word(said)

    def tier(self, code: str | None, names: Mapping[str, Mapping[str, str]]) -> str:
        """What a rule calls its tier."""
        return names.get(code, {}).get(self.language, code) if code else NOTHING

    def traits(self, said: str | Iterable[str] | None) -> str:
        """What is known of a trait: one word, several, or nothing."""
        some = [said] if isinstance(said, str) else list(said or ())
        return self.listed(map(self.word, some)) or NOTHING

    def listed(self, said: Iterable[str]) -> str:
        """Several things, one after the other."""
        return self.say(", ").join(said)

    def aside(self, said: str) -> str:
        """Something in brackets."""
        return self.say(" (%(said)s)") % {"said": said}

    def money(self, minor: int | str, currency: str) -> str:
        """An amount in minor units; one that the reader may not see, as it is masked."""
        if isinstance(minor, str):
            return minor
        digits = MINOR_DIGITS.get(currency, 2)
        return str(format_currency(Decimal(minor).scaleb(-digits), currency, locale=self._locale))

    def number(self, value: float) -> str:
        """A number with its thousands marked."""
        return str(format_decimal(value, locale=self._locale))

    def percent(self, share: float) -> str:
        """A share of one."""
        return str(format_percent(share, format="#,##0.0%", locale=self._locale))

    def day(self, said: str) -> str:
        """A day, as `2026-02-01`."""
        return str(format_date(date.fromisoformat(said), "medium", locale=self._locale))

    def moment(self, said: str) -> str:
        """A moment with its offset, in the bank's zone."""
        moment = datetime.fromisoformat(said)
        return str(format_datetime(moment, "medium", tzinfo=self.zone, locale=self._locale))


def english(code: str) -> str:
    """A code as a word: without its version, its dashes as blanks.

    >>> english("tier-changed.v1"), english("value_in")
    ('Tier changed', 'Value in')
    """
    name = code.partition(".v")[0].replace("-", " ").replace("_", " ")
    return name[:1].upper() + name[1:]


@cache
def catalog(language: str) -> NullTranslations:
    """The words of a language; English has those alone for which a code is no word."""
    file = LOCALE / f"{language}.po"
    if not file.exists():
        return NullTranslations()
    with file.open(encoding="utf-8") as said, io.BytesIO() as compiled:
        write_mo(compiled, read_po(said, locale=LANGUAGES[language][0]))
        compiled.seek(0)
        return GNUTranslations(compiled)


@cache
def known() -> frozenset[str]:
    """The English texts that have words in another language."""
    with (LOCALE / "zh.po").open(encoding="utf-8") as said:
        return frozenset(str(each.id) for each in read_po(said) if each.id and not each.context)
