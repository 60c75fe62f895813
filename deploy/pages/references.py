"""What is there to ask, to say and to set?

Pages that are made from the code, and a map of its rooms: `make pages`.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, get_args, get_origin

from deploy.cli.explained import explained
from deploy.cli.main import app as command_line
from deploy.processes import web_app
from deploy.settings import Settings
from streams.web.security.permissions import GRANTS

FLOORS = {
    "domain": "decides",
    "projections": "folds",
    "streams": "moves",
    "replay": "re-folds",
    "deploy": "runs",
}
MADE = "*Made from the code by `make pages`; a test holds it to the code.*"
TABLE = (
    *("Command line", "Every command is `tierfold …`, in `.venv/bin`."),
    *("argument or option", "default", "meaning", "required"),
)
"""What stands around the commands on their page."""
BEGIN, END = "<!-- map: made by `make pages` -->", "<!-- end of map -->"


def cli_page(said: Callable[[str], str] = str) -> str:
    """Every command with its arguments and options, in English or in other words."""
    title, where, *columns, required = map(said, TABLE)
    table = [f"| {' | '.join(columns)} |", "|---|---|---|"]
    lines = [f"# {title}", "", said(MADE), "", where]
    for words, command in _commands(command_line, ()):
        lines += ["", f"## {' '.join(words)}", "", _sentence(said(command.help or ""))]
        if rows := [
            _parameter(each, said, required) for each in command.params if each.name != "help"
        ]:
            lines += ["", *table, *rows]
    return "\n".join(lines) + "\n"


def http_page() -> str:
    """Every route, who may ask it, and its parameters."""
    with TemporaryDirectory() as folder:
        document = web_app(Settings(data_dir=Path(folder)))[0].openapi()
    lines = [
        "# HTTP API",
        "",
        MADE,
        "",
        "A running stack describes itself in full at `/openapi.json`.",
        "",
        "| route | roles | question |",
        "|---|---|---|",
    ]
    for (method, path), grant in GRANTS.items():
        said = document["paths"].get(path, {}).get(method.lower(), {})
        roles = ", ".join(grant.roles) or "everybody, without a token"
        lines.append(
            f"| `{method} {path}` | {roles} | {said.get('summary', 'The OpenAPI document')} |"
        )
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            if rows := [
                _query(each) for each in said.get("parameters", ()) if each["in"] != "path"
            ]:
                lines += [
                    "",
                    f"## {method.upper()} {path}",
                    "",
                    "| parameter | in | meaning |",
                    "|---|---|---|",
                    *rows,
                ]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Every setting, its type, its default and what it is for."""
    lines = [
        "# Settings",
        "",
        MADE,
        "",
        "All settings are environment variables.",
        "",
        "| variable | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, each in Settings.model_fields.items():
        default = "" if each.default is None else f"`{_default(each.default)}`"
        lines.append(
            f"| `TIERFOLD_{name.upper()}` | {_type(each.annotation)} | {default} | "
            f"{_cell(each.description or name.replace('_', ' '))} |"
        )
    return "\n".join(lines) + "\n"


class Room(NamedTuple):
    """A folder of a floor: its question, its modules, and the rooms beside it that these import."""

    name: str
    question: str
    modules: tuple[str, ...]
    beside: tuple[str, ...]


def rooms(floor: str, root: Path) -> list[Room]:
    """The rooms of a floor, and its loose files as one that is named after the floor."""
    loose = sorted(path.stem for path in (root / floor).glob("*.py") if path.stem != "__init__")
    found = [Room(floor, _head(root / floor / "__init__.py"), tuple(loose), ())]
    for folder in sorted(
        each for each in (root / floor).iterdir() if (each / "__init__.py").exists()
    ):
        files = sorted(folder.rglob("*.py"))
        beside = {name for path in files for name in _imported(path, floor)} - {folder.name, *loose}
        modules = tuple(
            str(path.relative_to(folder).with_suffix(""))
            for path in files
            if path.stem != "__init__"
        )
        found.append(
            Room(folder.name, _head(folder / "__init__.py"), modules, tuple(sorted(beside)))
        )
    return found


def map_of(root: Path) -> str:
    """The floors and their rooms, as a picture and as tables."""
    lines = [BEGIN, "", "```mermaid", "flowchart TB"]
    floors = {floor: rooms(floor, root) for floor in FLOORS}
    for floor, its in reversed(floors.items()):
        lines += [f'  subgraph {floor}["{floor}: {FLOORS[floor]}"]', "    direction LR"]
        lines += [f'    {floor}_{room.name}["{room.name}"]' for room in its[1:]]
        lines += [
            f"    {floor}_{room.name} --> {floor}_{other}"
            for room in its[1:]
            for other in room.beside
        ]
        lines += ["  end"]
    lines += [
        f"  {upper} ==> {lower}" for lower, upper in zip(FLOORS, list(FLOORS)[1:], strict=False)
    ]
    lines += ["```"]
    for floor, its in floors.items():
        lines += [
            "",
            f"### `{floor}/` {FLOORS[floor]}",
            "",
            "| room | question | files |",
            "|---|---|---|",
        ]
        for room in its:
            name = "(loose)" if room.name == floor else f"`{room.name}/`"
            lines.append(f"| {name} | {_cell(room.question)} | {', '.join(room.modules)} |")
    return "\n".join([*lines, "", END])


def with_map(text: str, root: Path) -> str:
    """A page with its map made anew."""
    before, _, rest = text.partition(BEGIN)
    return before + map_of(root) + rest.partition(END)[2]


def write_pages(root: Path) -> list[str]:
    """Write every page that is made from the code; gives the names of those that changed."""
    docs = root / "docs"
    made = {"cli.md": cli_page(), "http-api.md": http_page(), "settings.md": settings_page()}
    made["zh-CN/cli.md"] = cli_page(explained)
    made["architecture.md"] = with_map((docs / "architecture.md").read_text(encoding="utf-8"), root)
    changed = [
        name
        for name, text in made.items()
        if not (docs / name).exists() or (docs / name).read_text(encoding="utf-8") != text
    ]
    for name in changed:
        (docs / name).write_text(made[name], encoding="utf-8")
    return changed


def _commands(group: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _parameter(each: Any, said: Callable[[str], str], required: str) -> str:
    name = (
        (each.metavar or each.name).upper()
        if each.param_type_name == "argument"
        else ", ".join([*each.opts, *each.secondary_opts])
    )
    default = (
        required
        if each.required
        else ""
        if each.default in (None, False, ())
        else f"`{_default(each.default)}`"
    )
    return f"| `{name}` | {default} | {_cell(said(getattr(each, 'help', None) or ''))} |"


def _query(each: dict[str, Any]) -> str:
    return (
        f"| `{each['name']}` | {each['in']} | "
        f"{_cell(each.get('description') or _schema(each['schema']))} |"
    )


def _schema(said: dict[str, Any]) -> str:
    kinds = [
        str(one.get("format") or one.get("type"))
        for one in said.get("anyOf", [said])
        if one.get("type") != "null"
    ]
    return ", ".join(
        [
            *dict.fromkeys(kinds),
            *([f"one of {', '.join(map(str, said['enum']))}"] if "enum" in said else []),
        ]
    )


def _default(value: Any) -> str:
    return re.sub(r"^/.*/deploy/", "deploy/", str(getattr(value, "value", value)))


def _type(annotation: Any) -> str:
    if get_origin(annotation) is not None:
        return _cell(
            " or ".join(
                _type(each) if isinstance(each, type) else str(each)
                for each in get_args(annotation)
                if each is not type(None)
            )
        )
    return getattr(annotation, "__name__", str(annotation))


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return _sentence(text).replace("|", "\\|")


def _head(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def _imported(path: Path, floor: str) -> Iterator[str]:
    """What a file imports of its own floor, by the first name behind it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = (
                [node.module]
                if node.module != floor
                else [f"{floor}.{each.name}" for each in node.names]
            )
            yield from (name.split(".")[1] for name in whole if name.startswith(f"{floor}."))


def sentences(text: str) -> Iterator[int]:
    """How many words each sentence of a page has; code, tables and headings aside."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = [
        line for line in prose.splitlines() if not line.lstrip().startswith(("|", "#", "<", "!"))
    ]
    for part in re.split(r"(?<=[.!?:])\s+|\n\s*\n|\n(?=\s*[-*] )", "\n".join(lines)):
        if words := re.findall(
            r"[\w'/-]+", re.sub(r"`[^`]*`", "code", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", part))
        ):
            yield len(words)


def average_sentence(root: Path) -> tuple[float, int]:
    """The mean length of a sentence of the English pages, and how many there are."""
    pages = [
        root / "README.md",
        root / "SECURITY.md",
        *sorted((root / "docs").glob("*.md")),
        *sorted((root / "docs" / "decisions").glob("*.md")),
    ]
    counted = Counter(
        length for path in pages for length in sentences(path.read_text(encoding="utf-8"))
    )
    return sum(
        length * times for length, times in counted.items()
    ) / counted.total(), counted.total()


if __name__ == "__main__":
    here = Path(__file__).parents[2]
    if sys.argv[1:] == ["sentences"]:
        mean, count = average_sentence(here)
        print(f"English pages: {mean:.1f} words a sentence, {count:,} sentences")
    else:
        print("changed:", ", ".join(write_pages(here)) or "nothing")
