"""Groups of verbs, each imported only when it runs."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group whose verbs are modules of one package, each with its command object ``command``.

    ``verbs`` maps a name to its section of the help and its line there, so that ``--help`` imports no verb.
    ``default`` runs where the first word names no verb.
    """

    def __init__(
        self, *args: Any, package: str, verbs: Mapping[str, tuple[str, str]], default: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._package, self._verbs, self._default = package, verbs, default

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names, in the order of the help."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb."""
        if cmd_name not in self._verbs:
            return None
        command = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default in front where no verb is named."""
        if self._default and (not args or args[0] not in (*self._verbs, *ctx.help_option_names)):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs with their lines of the help, and the options; no verb is imported."""
        from click.shell_completion import CompletionItem

        mine = ((verb, text) for verb, (_, text) in self._verbs.items() if verb.startswith(incomplete))
        verbs = [CompletionItem(verb, help=text) for verb, text in mine]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the verb that was meant."""
        if args and args[0] not in self._verbs and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self._verbs, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the verbs by section."""
        for section in dict.fromkeys(section for section, _ in self._verbs.values()):
            with formatter.section(section):
                formatter.write_dl([(verb, text) for verb, (s, text) in self._verbs.items() if s == section])
