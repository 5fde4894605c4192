"""The command line: one module per verb, imported only when that verb runs."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

import click

from rocmimg import __version__
from rocmimg.cli.groups import LazyGroup
from rocmimg.errors import RocmimgError, of_os_error
from rocmimg.terminal import safe_streams

INTERRUPTED: Final = 130

# verb -> (section, help line). The module is rocmimg.cli.<verb> ("-" as "_"), its command object `command`.
# The help lines stand here so that `rocmimg --help` imports no verb.
VERBS: Final[dict[str, tuple[str, str]]] = {
    "list": ("Describe", "List the cells of the matrix."),
    "render": ("Describe", "Print or write Dockerfiles."),
    "recipes": ("Describe", "List the recipes, or say what one takes."),
    "explain": ("Describe", "Show where each value of a cell comes from."),
    "diff": ("Describe", "Compare two cells, or one cell at two versions of the matrix."),
    "lint": ("Check before the build", "Check Dockerfiles against the ROCm rules."),
    "check": ("Check before the build", "Run every check that needs no build."),
    "contract": ("Check before the build", "Compare a framework's AITER calls with the pinned AITER."),
    "plan": ("Check before the build", "Say what a build would do, and why."),
    "build": ("Build and prove", "Build images."),
    "test": ("Build and prove", "Check images, built here or by others."),
    "kernels": ("Build and prove", "Run kernels that images compiled ahead of time."),
    "init": ("Set up", "Write a first images.yaml from what a folder has."),
    "doctor": ("Set up", "Check the engine and this machine."),
    "export": ("Set up", "Write a CI pipeline, a docker-bake.json, or the schema of images.yaml."),
    "lock": ("Publish", "Pin refs, bases and packages in images.lock.yaml."),
    "push": ("Publish", "Push candidates, and the results of checks."),
    "pull": ("Publish", "Bring candidates to this engine."),
    "promote": ("Publish", "Give proven candidates their public names."),
    "rollback": ("Publish", "Point aliases to what they named before."),
    "status": ("Publish", "Show what public names point to, and what proves it."),
    "key": ("Publish", "Make a key that signs results and promotions."),
    "prune": ("Publish", "Remove old candidates and dated tags."),
}


@click.group(
    cls=LazyGroup,
    package=__name__,
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--debug", is_flag=True, envvar="ROCMIMG_DEBUG", help="Show tracebacks.")
@click.version_option(__version__, prog_name="rocmimg")
def cli(debug: bool) -> None:
    """Builds, proves and promotes ROCm container images."""


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors of ours go to stderr without a traceback."""
    with safe_streams():
        return _run(sys.argv[1:] if args is None else args)


def _run(argv: list[str]) -> int:
    # Looking for plugins of pydantic reads the metadata of every installed distribution: a tenth of `rocmimg list`.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    debug = "--debug" in argv or bool(os.environ.get("ROCMIMG_DEBUG"))
    try:
        result = cli.main(argv, prog_name="rocmimg", standalone_mode=False)
    except RocmimgError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"rocmimg: {error.kind}: {error}", err=True)
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("rocmimg: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away (`rocmimg list | head`): nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if debug:
            traceback.print_exc()
        failure = of_os_error(error)
        click.echo(f"rocmimg: {failure.kind}: {failure}", err=True)
        return failure.exit_code
    return result if isinstance(result, int) else 0
