"""``isostack cloud provider`` and ``isostack cloud env``: the local cloud for the official Pulumi CLI."""

from __future__ import annotations

import gc
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from isostack.composition import local_cloud_at
from isostack.console import console, print_json, print_lines
from isostack.errors import BadInput
from isostack.options import HERE, Cwd, Debug, Json


def add_commands(cloud_app: typer.Typer) -> None:
    """Put the commands beside those of the local cloud."""
    cloud_app.command("provider")(cloud_provider)
    cloud_app.command("env")(cloud_env)


def cloud_provider(
    package: Annotated[str | None, typer.Argument(metavar="[PACKAGE]", help="aws, docker or random.")] = None,
    install: Annotated[
        Path | None, typer.Option("--install", metavar="DIR", help="Serve nothing; write a launcher for each package.")
    ] = None,
    with_parent: Annotated[
        int | None, typer.Option("--with-parent", metavar="PID", help="End when this process, which has started it, ends.")
    ] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Serve the local cloud over Pulumi's provider protocol until ended; prints the port, as providers do."""
    from isostack.localcloud import launchers

    cloud = local_cloud_at(cwd)
    if (package is None) == (install is None):
        raise BadInput(f"cloud provider: name one of {', '.join(launchers.PACKAGES)}, or say --install DIR")
    if install is not None:
        folder = launchers.install(install.resolve(), cloud.home)
        if as_json:
            print_json({"folder": str(folder), "packages": list(launchers.PACKAGES)})
        else:
            console().print(f"{folder}: put it first on the PATH of pulumi")
        return
    if package not in launchers.PACKAGES:
        raise BadInput(f"package {package!r} is not served; {', '.join(launchers.PACKAGES)} are")
    from isostack.localcloud.plugin import serve_until_ended
    from isostack.localcloud.provider import LocalCloudHost

    def say(port: int) -> None:
        if as_json:
            print_json({"package": package, "port": port})
        else:
            print(port)  # noqa: T201 - the line that the CLI reads
        sys.stdout.flush()

    gc.enable()  # which short commands leave off
    serve_until_ended(package, LocalCloudHost(cloud), say, with_parent=with_parent)


def cloud_env(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Print what makes a shell's pulumi work on the local cloud, which is started: eval "$(isostack cloud env)"."""
    from isostack.localcloud.launchers import environment_for_cli, unwanted

    variables, gone = environment_for_cli(local_cloud_at(cwd).home), unwanted()
    if as_json:
        print_json({**dict.fromkeys(gone), **variables})
    else:
        print_lines(f"unset {name}" for name in gone)
        print_lines(f"export {key}={shlex.quote(value)}" for key, value in sorted(variables.items()))
