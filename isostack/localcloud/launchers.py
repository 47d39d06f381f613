"""What the official CLI needs to run on the local cloud: provider plugins on the path, and a shell's variables.

Pulumi takes a plugin ``pulumi-resource-PACKAGE`` that stands on the path, whatever its version, before those that it has
downloaded. Owns these launchers and the variables; what they start is ``isostack cloud provider``'s
(:mod:`isostack.localcloud.plugin`), and whoever runs the CLI decides with which environment.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Final

from isostack.engine.files import FOLDER_MODE, make_folder
from isostack.engine.secrets import PASSPHRASE, PASSPHRASE_FILE, find_passphrase

PACKAGES: Final = ("aws", "docker", "random")
BACKEND_URL: Final = "PULUMI_BACKEND_URL"

_UNWANTED: Final = frozenset(
    {"AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_PROFILE", "AWS_SESSION_TOKEN", "PULUMI_DEBUG_PROVIDERS"}
)
_LAUNCHER: Final = """\
#!/bin/sh
# The provider {package} of the local cloud, which `pulumi` starts. Written by isostack.
if [ -z "$AWS_ENDPOINT_URL" ]; then
  echo 'this shell does not lead to the local cloud: run eval "$(isostack cloud env)", or take this folder off the PATH' >&2
  exit 2
fi
ISOSTACK_HOME={home}
export ISOSTACK_HOME
exec {python} -P -m isostack.cli cloud provider {package} --with-parent $PPID
"""


def folder_in(home: Path) -> Path:
    """Where the launchers of a state folder are."""
    return home / "pulumi" / "bin"


def install(folder: Path, home: Path, python: str = sys.executable) -> Path:
    """Write an executable ``pulumi-resource-PACKAGE`` for each package, for the local cloud of ``home``; gives the folder.

    What is there already, is left. Raises OSError where the folder cannot be written.
    """
    make_folder(folder)
    folder.chmod(FOLDER_MODE)  # whoever may write here decides what the CLI starts
    for package in PACKAGES:
        text = _LAUNCHER.format(package=package, home=shlex.quote(str(home.resolve())), python=shlex.quote(python))
        launcher = folder / f"pulumi-resource-{package}"
        if launcher.is_file() and launcher.read_text() == text and os.access(launcher, os.X_OK):
            continue
        draft = launcher.with_name(f".{launcher.name}.{os.getpid()}")
        draft.write_text(text)
        draft.chmod(0o700)
        draft.replace(launcher)
    return folder


def environment_for_cli(home: Path) -> dict[str, str]:
    """The variables, beside this process's own, with which the CLI runs on the local cloud of ``home`` and reaches no account.

    Those that :func:`unwanted` lists have to go. Starts the local cloud where it does not run, and installs the launchers.
    No value is a secret.
    """
    from isostack.localcloud.server import LocalCloud

    home = home.resolve()
    folder = install(folder_in(home), home)
    elsewhere = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part != str(folder)]
    return {
        "PATH": os.pathsep.join([str(folder), *elsewhere]),
        # A missing plugin is an error then, and no download; and what stands on the path is looked at.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "false",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        **_backend(home),
        **_passphrase(home),
        **_aws(LocalCloud(home).ensure().url),
    }


def unwanted() -> list[str]:
    """The variables of this process that the CLI must not have beside those: they would lead elsewhere, or nowhere.

    An empty ``AWS_PROFILE`` is no way out: to some SDKs it names a profile that is missing.
    """
    return sorted(name for name in os.environ if name in _UNWANTED or name.startswith("AWS_ENDPOINT_URL_"))


def _backend(home: Path) -> dict[str, str]:
    chosen = os.environ.get(BACKEND_URL)
    if not chosen:
        make_folder(home / "pulumi" / "state")
    return {BACKEND_URL: chosen or f"file://{home / 'pulumi' / 'state'}"}


def _passphrase(home: Path) -> dict[str, str]:
    """Where the passphrase of the embedded engine is, so that either opens the other's secrets."""
    if PASSPHRASE in os.environ:
        return {}
    named = os.environ.get(PASSPHRASE_FILE)
    if not named:
        find_passphrase(home)  # made where it is missing
    return {PASSPHRASE_FILE: named or str(home / "passphrase")}


def _aws(endpoint: str) -> dict[str, str]:
    """What keeps any AWS SDK, and the real AWS plugin with it, on the endpoint and away from a person's credentials."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "isostack",
        "AWS_SECRET_ACCESS_KEY": "isostack",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
