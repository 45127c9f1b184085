"""The docker commands that builds use, with docker's own output and exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from local import image_name
from local.docker import texts
from local.docker.build import BuildError, build
from local.docker.config import HUB_KEY, VARIABLE, Config, host_of, key_of
from local.docker.engine import Engine, Settings
from local.docker.hub import Refused
from local.docker.options import parse
from local.image_name import Name

_DAEMON = "Error response from daemon: "
_VARIABLE_SINCE = (28, 3)
_RUN_FAILED = 125
_GROUPS = ("image", "container", "buildx", "builder")
_RUN_SWITCHES = frozenset(
    [
        "-d",
        "--detach",
        "-i",
        "--interactive",
        "-t",
        "--tty",
        "--rm",
        "--privileged",
        "--init",
        "--read-only",
        "-P",
        "--publish-all",
        "-q",
        "--quiet",
    ]
)
_EPILOGUE = "\n\nRun 'docker run --help' for more information"


class Failed(Exception):
    """What goes to standard error, and the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def main(args: list[str]) -> int:
    """Run one docker command; the exit status."""
    settings = Settings.read(os.environ)
    try:
        folder, args = _global_options(args)
        command, rest = _command(args)
        config = Config(os.environ, folder, with_variable=settings.release >= _VARIABLE_SINCE)
        if config.file_warning:
            _complain(config.file_warning)
        engine = Engine(settings, config)
        return command(engine, config, rest)
    except Failed as failure:
        _complain(str(failure))
        return failure.status
    except BuildError as error:
        _complain(str(error))
        return 1
    except (ConnectionError, TimeoutError) as error:
        _complain(f'{_DAEMON}Get "https://registry-1.docker.io/v2/": {error}')
        return 1
    except image_name.InvalidName as error:
        _complain(f"{_DAEMON}{error}" if args and args[0] == "push" else str(error))
        return 1


Command = Callable[[Engine, Config, list[str]], int]


def _global_options(args: list[str]) -> tuple[Path | None, list[str]]:
    folder = None
    while args and args[0].startswith("--config"):
        name, equals, value = args[0].partition("=")
        folder = Path(value if equals else (args[1:2] or [""])[0])
        args = args[1 if equals else 2 :]
        if name != "--config":
            raise Failed(f"unknown flag: {name}\nSee 'docker --help'.", 125)
    return folder, args


def _command(args: list[str]) -> tuple[Command, list[str]]:
    if args and args[0] in _GROUPS:
        args = args[1:]
    word = args[0] if args else ""
    if word not in _COMMANDS:
        raise Failed(f"docker: '{word}' is not a docker command.\nSee 'docker --help'" if word else "Usage:  docker")
    return _COMMANDS[word], args[1:]


def _login(engine: Engine, config: Config, args: list[str]) -> int:
    given = parse(args, frozenset(("--password-stdin",)))
    user, password = given.last("-u", "--username"), given.last("-p", "--password")
    if password:
        _complain("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    if given.has("--password-stdin"):
        if password:
            raise Failed("--password and --password-stdin are mutually exclusive")
        if not user:
            raise Failed("Must provide --username with --password-stdin")
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    _warn_of_variable(config)
    server = (given.arguments or [""])[0]
    key = key_of(server)
    stored = None if user or password else config.find(key)
    if stored is not None:
        user, password = stored
        print(f"Authenticating with existing credentials... [Username: {user}]")
    if not user or not password:
        raise Failed("Error: Cannot perform an interactive login from a non TTY device")
    try:
        engine.sign_in(key, (user, password))
    except Refused as refused:
        raise Failed(_DAEMON + texts.signing_in(refused)) from refused
    config.store(key, (user, password))
    _complain(
        f"\nWARNING! Your credentials are stored unencrypted in '{config.file}'.\n"
        "Configure a credential helper to remove this warning. See\n"
        "https://docs.docker.com/go/credential-store/\n"
    )
    print("Login Succeeded")
    return 0


def _logout(_engine: Engine, config: Config, args: list[str]) -> int:
    _warn_of_variable(config)
    server = (args or [""])[0]
    print(f"Removing login credentials for {host_of(server) if server else HUB_KEY}")
    config.erase(server)
    return 0


def _warn_of_variable(config: Config) -> None:
    if config.variable_is_set:
        _complain(
            f"WARNING: {VARIABLE} is set and takes precedence.\nUnset {VARIABLE} to restore the CLI auth behaviour.\n"
        )


def _pull(engine: Engine, config: Config, args: list[str]) -> int:
    given = parse(args, frozenset(("-q", "--quiet", "-a", "--all-tags")))
    if len(given.arguments) != 1:
        raise Failed("docker: 'docker pull' requires 1 argument")
    name = image_name.parse(given.arguments[0])
    quiet = given.has("-q", "--quiet")
    if name.tag == "latest" and not given.arguments[0].endswith(":latest") and not quiet:
        print("Using default tag: latest")
    _need_daemon(engine)
    _warn_of_config(config)
    try:
        digest = engine.fetch(name)
    except Refused as refused:
        raise Failed(_DAEMON + texts.pulling(name, refused)) from refused
    if not quiet:
        _tell_pulled(name, digest)
    print(name.full)
    return 0


def _tell_pulled(name: Name, digest: str) -> None:
    repository = name.repository if name.registry == image_name.HUB else f"{name.registry}/{name.repository}"
    print(f"{name.reference}: Pulling from {repository}\nDigest: {digest}")
    print(f"Status: Downloaded newer image for {name.short}")


def _run(engine: Engine, config: Config, args: list[str]) -> int:
    given = parse(args, _RUN_SWITCHES, until_argument=True)
    if not given.arguments:
        raise Failed("docker: 'docker run' requires at least 1 argument", _RUN_FAILED)
    try:
        name = image_name.parse(given.arguments[0])
    except image_name.InvalidName as error:
        raise Failed(f"docker: {error}{_EPILOGUE}", _RUN_FAILED) from error
    if not engine.settings.running:
        raise Failed(f"docker: {texts.NO_DAEMON}{_EPILOGUE}", _RUN_FAILED)
    if engine.has(name) and given.last("--pull") != "always":
        return 0
    _complain(f"Unable to find image '{name.short}' locally")
    _warn_of_config(config)
    try:
        engine.fetch(name)
    except Refused as refused:
        raise Failed(f"docker: {_DAEMON}{texts.pulling(name, refused)}{_EPILOGUE}", _RUN_FAILED) from refused
    return 0


def _build(engine: Engine, config: Config, args: list[str]) -> int:
    if not engine.settings.running:
        raise Failed(f"ERROR: {texts.NO_DAEMON}")
    _warn_of_config(config)
    return build(engine, args, os.environ)


def _push(engine: Engine, config: Config, args: list[str]) -> int:
    given = parse(args, frozenset(("-q", "--quiet", "-a", "--all-tags")))
    if len(given.arguments) != 1:
        raise Failed("docker: 'docker push' requires 1 argument")
    name = image_name.parse(given.arguments[0])
    _need_daemon(engine)
    _warn_of_config(config)
    print(f"The push refers to repository [{name.registry}/{name.repository}]", flush=True)
    if not engine.has(name):
        raise Failed(f"An image does not exist locally with the tag: {name.short.rpartition(':')[0]}")
    print("5f70bf18a086: Preparing", flush=True)
    try:
        digest = engine.push(name)
    except Refused as refused:
        raise Failed(f"{refused.code}: {refused.text}") from refused
    print(f"5f70bf18a086: Pushed\n{name.reference}: digest: {digest} size: 528")
    return 0


def _tag(engine: Engine, _config: Config, args: list[str]) -> int:
    if len(args) != 2:
        raise Failed("docker: 'docker tag' requires 2 arguments")
    source, target = image_name.parse(args[0]), image_name.parse(args[1])
    _need_daemon(engine)
    if not engine.has(source):
        raise Failed(f"{_DAEMON}No such image: {source.short}")
    engine.note(target)
    return 0


def _version(engine: Engine, _config: Config, _args: list[str]) -> int:
    print(f"Client: Docker Engine - Community\n Version:           {engine.settings.version}", flush=True)
    _need_daemon(engine)
    print(f"\nServer: Docker Engine - Community\n Engine:\n  Version:          {engine.settings.version}")
    return 0


def _short_version(engine: Engine, _config: Config, _args: list[str]) -> int:
    print(f"Docker version {engine.settings.version}, build local")
    return 0


def _info(engine: Engine, config: Config, _args: list[str]) -> int:
    print(f"Client: Docker Engine - Community\n Version:    {engine.settings.version}\n\nServer:", flush=True)
    if not engine.settings.running:
        raise Failed(f"ERROR: {texts.NO_DAEMON}\nerrors pretty printing info")
    login = config.find(HUB_KEY)
    print(f" Server Version: {engine.settings.version}" + (f"\n Username: {login[0]}" if login else ""))
    return 0


def _listing(heading: str) -> Command:
    def command(engine: Engine, _config: Config, _args: list[str]) -> int:
        _need_daemon(engine)
        print(heading)
        return 0

    return command


def _need_daemon(engine: Engine) -> None:
    if not engine.settings.running:
        raise Failed(texts.NO_DAEMON)


def _warn_of_config(config: Config) -> None:
    if config.variable_warning:
        _complain(config.variable_warning)


def _complain(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


_COMMANDS: dict[str, Command] = {
    "login": _login,
    "logout": _logout,
    "pull": _pull,
    "build": _build,
    "run": _run,
    "create": _run,
    "push": _push,
    "tag": _tag,
    "version": _version,
    "--version": _short_version,
    "-v": _short_version,
    "info": _info,
    "images": _listing("REPOSITORY   TAG       IMAGE ID   CREATED   SIZE"),
    "ps": _listing("CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES"),
}
