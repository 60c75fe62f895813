"""Both languages are complete: what a page says, what codes are called, which reasons are given."""

import ast
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
import yaml
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po

from deploy.cli.explained import in_paragraphs
from deploy.cli.lazy import LazyGroup
from deploy.cli.main import app as command_line
from deploy.console.jobs import FIELDS
from deploy.console.pages import PAGES
from deploy.console.reasons import CONTEXT, Fault, faults, reason, reasons
from deploy.console.render import render
from deploy.console.words import LOCALE, Words, catalog, english, known
from deploy.operations.quarantine import Fate
from deploy.pages.references import MADE, TABLE
from deploy.policy_files import BadFile, read_text
from domain.access.roles import PEOPLE, PURPOSES
from domain.event import AssetClass, Channel
from domain.event_types import TYPE_BY_EVENT
from domain.offers.catalogue import QUANTITIES
from domain.rollout.lifecycle import OWNERS
from domain.tiering.policy import NAMED
from streams.journal import Counts
from streams.queries.quarantine import Wanted
from streams.web.api.managers import Moving
from streams.web.api.timeline import Subject
from streams.web.jobs import State
from streams.web.security.permissions import GRANTS

ROOT = Path(__file__).parents[3]
CONSOLE = ROOT / "deploy" / "console"
SHANGHAI = ZoneInfo("Asia/Shanghai")
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))


def texts() -> Iterator[str]:
    """Every English text that stands in a template, or in the code."""
    how = {"**.html": {"encoding": "utf-8", "newstyle_gettext": "true"}}
    for _, _, text, _, _ in extract_from_dir(
        str(CONSOLE / "templates"), [("**.html", "jinja2")], how
    ):
        yield str(text)
    said = extract_from_file("python", CONSOLE / "words.py", keywords={"say": None})
    yield from (str(text) for _, text, _, _ in said)


def codes() -> Iterator[str]:
    """Every code of the domain that a page may show."""
    yield from TYPE_BY_EVENT.values()
    yield from (*get_args(AssetClass), *get_args(Channel), *PEOPLE)
    yield from (purpose for some in PURPOSES.values() for purpose in some)
    yield from (grant.what for grant in GRANTS.values() if grant.roles)
    yield from (page.name for page in PAGES.values())
    yield from (f"job-{each}" for each in (*FIELDS, *get_args(State)))
    yield from (f"outcome-{each}" for each in Counts.__slots__)
    yield from (f"moving-{each}" for each in get_args(Moving))
    yield from (f"about-{each}" for each in get_args(Subject))
    yield from ("sum-in", "sum-out", "job-at-fault")
    yield from (f"file-{each}" for each in ("events", "looks", "newer", "decisions"))
    yield from (*OWNERS, *get_args(Fate))
    yield from (*QUANTITIES, *NAMED)
    for event in TYPE_BY_EVENT:
        if "customer" in event.concerns:
            yield from event.model_fields


def test_every_text_and_code_has_chinese_words() -> None:
    """Who adds one adds its words."""
    chinese = catalog("zh")
    wanted = {*texts(), *map(english, codes())}

    assert sorted(text for text in wanted if chinese.gettext(text) == text) == []


def test_no_chinese_word_is_left_of_a_text_that_is_gone() -> None:
    """Sentences of the catalog stand in a template."""
    there = {*texts()}
    sentences = {text for text in known() if text.endswith((".", ":", "?")) or "%(" in text}

    assert sentences <= there


def test_translations_have_the_same_places_for_values() -> None:
    """A value that a text has is in its translation too."""
    for text in known():
        assert places(text) == places(catalog("zh").gettext(text)), text
    for _, text in reasons():
        assert places(text) == places(catalog("zh").pgettext(CONTEXT, text)), text


@pytest.mark.parametrize("name", Wanted._fields)
def test_what_the_quarantine_is_asked_by_has_chinese_words(name: str) -> None:
    """As the label of its field."""
    assert Words("zh", SHANGHAI).field(name) not in (name, english(name))


def given(expression: ast.expr, named: Mapping[str, ast.expr]) -> Iterator[str]:
    """What an expression may give, with 1 in each place for a value, and what stands under a name.

    What another function says is none of ours.
    """
    match expression:
        case ast.Name(id=name) if name in named:
            yield from given(named[name], named)
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(
                str(each.value) if isinstance(each, ast.Constant) else "1" for each in values
            )
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*given(body, named), *given(orelse, named))
        case ast.BinOp():
            raise AssertionError(f"say it in one text: {ast.unparse(expression)}")


def reasons_given() -> Iterator[str]:
    """Every reason not to make an offer, and every one for which an event is set aside."""
    for file in (*(ROOT / "domain").rglob("*.py"), *(ROOT / "streams").rglob("*.py")):
        nodes = [*ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
        named = {
            node.targets[0].id: node.value
            for node in nodes
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        of_offers = file.parent.name == "offers" and file.name in ("rules.py", "applicant.py")
        for node in nodes:
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Rejected", "Doubt"):
                yield from given(node.args[0], named)
            if of_offers and isinstance(node, ast.Return) and node.value is not None:
                yield from given(node.value, named)


def test_every_reason_has_chinese_words() -> None:
    """Who adds a reason adds its words."""
    found = {*reasons_given()} - {"contacted often enough: 1"}  # and a cap: in reasons.yaml

    assert len(found) > 60
    assert sorted(said for said in found if reason(Words("zh", SHANGHAI), said) is None) == []


RULES = (
    *("domain/tiering/policy.py", "domain/tiering/precedence.py", "domain/rollout/lifecycle.py"),
    *("domain/rules/amounts.py", "domain/rules/conditions.py", "domain/access/privacy_policy.py"),
    *("domain/offers/catalogue.py", "domain/offers/contact_policy.py", "deploy/policy_files.py"),
    *(f"replay/rollout/{name}.py" for name in ("commands", "comparing", "names", "rebuilding")),
    *("replay/rollout/steps.py", "deploy/operations/jobs.py", "deploy/operations/orders.py"),
    *(f"streams/web/{name}.py" for name in ("recording", "security/authorize")),
    *(f"streams/web/api/{name}.py" for name in ("customers", "households", "interactions", "jobs")),
    "streams/web/api/outcomes.py",
)
"""Where it is said what is wrong with a file of the bank's, a step or a request."""
FAULTS = (
    "ValueError",
    "BadFile",
    "NotAllowed",
    "NotSeen",
    "UserError",
    "Problem",
    "ConstructorError",
)
NO_FAULTS = {
    *("1 1, 1 1", "1 since switch 1", "1: 1 at 1 1", "at most 1 in 1 days on 1, of a 1"),
    *("1 is said twice1", "nothing is recorded of 1 1"),
}
"""Parts and names of others; or what has words for each thing that may stand in it."""
A_CAUSE = re.compile(r"(: |of the last switch )1$")
A_SENTENCE = re.compile(r"(?:[\w`'.,;:()/@#-]+ ){2}.*", re.DOTALL)


def sentences(node: ast.AST) -> Iterator[str]:
    """The sentences in a piece of code, without those within others."""
    if isinstance(node, ast.JoinedStr | ast.Constant):
        yield from filter(A_SENTENCE.fullmatch, given(node, {}))
        return
    for each in ast.iter_child_nodes(node):
        yield from sentences(each)


def faults_said() -> Iterator[str]:
    """Every fault of a policy, a step or a request."""
    for file in RULES:
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in FAULTS:
                    yield from (text for each in node.args for text in sentences(each))
                case ast.keyword(arg="custom_error_message", value=said):
                    yield from sentences(said)
                case (
                    ast.Yield(value=ast.expr() as said)
                    | ast.Return(value=(ast.JoinedStr() | ast.Constant()) as said)
                ):
                    yield from sentences(said)
                case ast.Assign(targets=[ast.Name(id="PLAIN")], value=said):
                    yield from sentences(said)


def test_every_fault_of_a_rule_a_step_or_a_request_has_chinese_words() -> None:
    """Who adds one adds its words: whole, or with the place in a file before it."""
    found = {A_CAUSE.sub(r"\1the value is null", said) for said in faults_said()} - NO_FAULTS

    assert len(found) > 100
    assert [said for said in sorted(found) if _fault_in(Words("zh", SHANGHAI), said) is None] == []


def _fault_in(words: Words, said: str) -> str | None:
    """A fault in words, also of a `NAME: FAULT` of which only the fault is said here."""
    [fault] = faults(words, said)
    return fault.words


def test_what_is_wrong_with_a_rule_is_told_by_places_and_with_its_lines() -> None:
    """The place stays as it was written, and so does the line."""
    chinese = Words("zh", SHANGHAI)
    told = faults(chinese, said_of("policy: x\nversion: 1.5\n"))
    many = faults(chinese, said_of("policy: x\nversion: a\ncurrency: CNY\ntiers: []\n"))

    assert told[0].words is not None
    assert told[0].words.startswith("规则无法读取\N{FULLWIDTH COLON}第 2 行第 10 列")
    assert [each.words for each in told[1:]] == [None]
    assert "version: 1.5" in told[1].why
    assert (
        Fault(
            "version",
            "a whole number is meant, without commas; amounts are in minor units",
            chinese_of("a whole number is meant, without commas; amounts are in minor units"),
        )
        in many
    )
    assert [each.words for each in faults(Words("en", SHANGHAI), said_of("- x"))] == [
        each.why for each in faults(Words("en", SHANGHAI), said_of("- x"))
    ]


def test_every_fault_of_a_rule_that_refers_to_nothing_is_told_whole() -> None:
    """What there is stands behind a semicolon, and belongs to the same fault."""
    rule = (ROOT / "deploy" / "policies" / "tiers" / "bohai-retail.yaml").read_text("utf-8")
    wrong = rule.replace("quantity: assets", "quantity: asets") + "by_hand: {alone: zinc}\n"
    found = faults(Words("zh", SHANGHAI), said_of(wrong))

    assert len(found) > 2
    assert [each.why for each in found if each.words is None] == []


def chinese_of(said: str) -> str | None:
    """A fault for a Chinese reader."""
    return reason(Words("zh", SHANGHAI), said)


def said_of(text: str) -> str:
    """What is said of a policy that cannot be used."""
    with pytest.raises(BadFile) as refused:
        read_text(text)
    return str(refused.value)


def helps(command: Any) -> Iterator[str]:
    """What a command, and all that is in it, says of itself."""
    for each in (command, *command.params):
        if said := getattr(each, "help", None):
            yield in_paragraphs(said)
    if isinstance(command, LazyGroup):
        for name in command.list_commands(None):
            yield from helps(command.get_command(None, name))


def test_every_help_of_the_command_line_has_chinese_words() -> None:
    """Who adds a command or an option adds its words; none is left of one that is gone."""
    with (LOCALE / "zh.po").open(encoding="utf-8") as said:
        there = {str(each.id) for each in read_po(said) if each.context == "help"}
    of_the_page = {said for said in there if said in (MADE, *TABLE)}

    assert len(of_the_page) == len((MADE, *TABLE))
    assert there - of_the_page == {*helps(command_line)}


REASONS = yaml.safe_load((Path(__file__).parent / "reasons.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("said", "chinese"), REASONS.items())
def test_a_reason_is_told_in_the_language_of_the_reader(said: str, chinese: str) -> None:
    """With its values in it; in English as it was recorded."""
    assert reason(Words("zh", SHANGHAI), said) == chinese
    assert reason(Words("en", SHANGHAI), said) == said


@pytest.mark.parametrize("said", ["a bank's own words", "redis: Error 111", "age is unknown; hm"])
def test_a_reason_without_words_is_not_half_translated(said: str) -> None:
    """The page shows it as it was recorded, and says that it is English."""
    assert reason(Words("zh", SHANGHAI), said) is None


def test_every_chinese_text_takes_its_values() -> None:
    """A per cent sign of its own would be taken for the place of one."""
    for text in texts():
        assert catalog("zh").gettext(text) % dict.fromkeys(places(text), "7")


def places(text: str) -> list[str]:
    """The names of the values in a text."""
    return sorted(re.findall(r"%\((\w+)\)s", text))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_what_the_policy_forbids(path: Path) -> None:
    """No script, no style and no handler stands within a page; nothing is marked safe."""
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"<script|style=|<style|\son\w+=|javascript:|\|\s*safe", text)


def test_amounts_days_and_moments_are_those_of_the_language() -> None:
    """Minor units as money; a moment in the bank's zone."""
    chinese, american = Words("zh", SHANGHAI), Words("en", SHANGHAI)

    assert (chinese.money(-211, "CNY"), american.money(1_200, "JPY")) == ("-¥2.11", "¥1,200")
    assert chinese.day("2026-02-01") == "2026年2月1日"
    assert chinese.moment("2026-01-31T16:30:00Z") == "2026年2月1日 00:30:00"
    assert (chinese.word("tier-changed.v1"), american.word("value_in")) == ("层级变更", "Value in")
    assert chinese.word("d-1") == "d-1"


@pytest.mark.parametrize(
    "said", ["0000-00-00", "2026-02-30", "9999-12-31T23:59:59Z", "2026-01-01T99:99:99Z"]
)
def test_what_looks_like_a_day_and_is_none_stands_as_it_was_said(said: str) -> None:
    """A core system may send it."""
    assert Words("zh", SHANGHAI).value(said) == said


def test_free_text_is_shown_as_it_was_said_and_codes_by_their_names() -> None:
    """Nobody's words are exchanged."""
    chinese = Words("zh", SHANGHAI)

    assert chinese.said("comment", "web, app") == "web, app"
    assert chinese.said("facts.region.value", "web") == "web"
    assert chinese.said("channel", "web") == "网银"
    assert chinese.said("offers", "savings-plan, credit-card") == "零存整取、信用卡"
    assert chinese.said("consents.marketing.value", "withdrawn") == "已撤回"
    assert (chinese.field("candidates 1"), chinese.field("about")) == ("候选 1", "被投诉对象")


def test_a_tier_has_the_name_that_its_rule_gives_it() -> None:
    """A code of one bank may be a word of another kind; one without a name stands as it is."""
    chinese = Words("zh", SHANGHAI)
    names = {"base": {"zh": "普通卡", "en": "Base"}, "x": {"en": "X"}}
    named = [chinese.tier(code, names) for code in ("base", "x", "y", None)]

    assert named == ["普通卡", "x", "y", "\N{EN DASH}"]


@pytest.mark.parametrize("said", ["a: " * 160, "x " * 240 + "`", ", ".join(["a b"] * 120) + "; x"])
def test_a_reason_that_a_sender_chose_takes_no_time(said: str) -> None:
    """However it nests, or could be read."""
    begun = time.process_time()
    reason(Words("zh", SHANGHAI), said)

    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_models_are_shown_whatever_they_are(language: str) -> None:
    """One that has learnt, one that nobody has answered yet, and one that cannot be read."""
    learnt = {"examples": 300, "accepted": 60, "auc": 0.7, "calibration_error": 0.02}
    learnt |= {"log_loss": 0.4, "drifts": 1, "last": "2026-03-01"}
    idle = dict.fromkeys(learnt) | {"examples": 0, "accepted": 0, "drifts": 0}
    offer = {"name": {"zh": "信用卡", "en": "Credit card"}, "grade": None, "calibration": []}
    bins = [{"said": 0.2, "came": 0.25, "answers": 100}, {"said": 0.4, "came": 0.5, "answers": 50}]
    it = {
        "catalogue": "retail@3",
        "models": [
            {**offer, "model": "a", "quality": learnt, "calibration": bins},
            {**offer, "model": "b", "quality": idle},
            {**offer, "model": "foresight/churn", "name": None, "quality": None},
        ],
    }
    base = {"session": None, "places": [], "finds": False, "here": "/models"}
    page = render(
        Words(language, SHANGHAI), "models", {**base, "name": "Models of offers", "it": it}, 200
    )
    text = bytes(page.body).decode()

    assert ("信用卡" if language == "zh" else "Credit card") in text
    assert "20.0%" in text
    assert "0.700" in text
    assert text.count("<circle") == 2
    assert 'cx="40.0" cy="50.0"' in text
    assert Words(language, SHANGHAI).say("Nobody has answered yet.") in text
    assert "ModelBroken" in text
