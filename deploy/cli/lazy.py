"""How does a command start soon? Its module is imported when it is asked for, and no other."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """Commands by name, each as `module:function` beside this file, or as a group of its own."""

    def __init__(
        self,
        table: "Mapping[str, str | LazyGroup]",
        help: str,  # noqa: A002 - it is called so there
        name: str | None = None,
        callback: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            name=name, help=help, no_args_is_help=True, callback=callback, rich_markup_mode="rich"
        )
        self._table = table
        self._said: Callable[[str], str] = str

    def speak(self, said: Callable[[str], str]) -> None:
        """Explain itself, and all that is in it, in other words from now on."""
        self._said, self.help = said, said(self.help or "")
        for each in self._table.values():
            if isinstance(each, LazyGroup):
                each.speak(said)

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of the table."""
        del ctx
        return list(self._table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; None if there is none."""
        del ctx
        found = self._table.get(cmd_name)
        return self._explained(command_of(cmd_name, found)) if isinstance(found, str) else found

    def _explained(self, command: Any) -> Any:
        """A command with its help, and that of what it takes, in the words of this group."""
        for each in (command, *command.params):
            if help_ := getattr(each, "help", None):
                each.help = self._said(help_)
        return command


def command_of(name: str, where: str) -> Any:
    """The command that a function beside this file is."""
    module, _, function = where.partition(":")
    app = typer.Typer(add_completion=False)
    app.command(name)(getattr(import_module(f"deploy.cli.{module}"), function))
    return typer.main.get_command(app)
