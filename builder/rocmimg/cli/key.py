"""``rocmimg key``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(file: Path) -> None:
    """Make a key that signs results, provenance and promotions: FILE.key (secret) and FILE.pub."""
    from rocmimg.release.signing import KEY_VARIABLE, make_key

    private, public = make_key(file)
    click.echo(f"secret: {private}: export {KEY_VARIABLE}=file:{private}, or keep its text in a variable: env:NAME")
    click.echo(f"public: {public}: commit it, and name it in images.yaml under release.signers: {{NAME: {public}}}")
