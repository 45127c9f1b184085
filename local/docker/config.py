"""Where docker keeps credentials: config.json, with DOCKER_AUTH_CONFIG before it, each by its exact key.

https://github.com/docker/cli/blob/master/cli/config/configfile/file.go
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.docker.hub import Login
from local.image_name import HUB, HUB_HOSTS

HUB_KEY = "https://index.docker.io/v1/"
VARIABLE = "DOCKER_AUTH_CONFIG"


class BadConfig(Exception):
    """A configuration that can't be read, in docker's words."""


def key_of(server: str) -> str:
    """The key under which a login is kept: for Docker Hub, one of three spellings; else the host's own name."""
    if server in ("", HUB, HUB_KEY):
        return HUB_KEY
    return host_of(server)


def host_of(server: str) -> str:
    """The host of an address that may have a scheme and a path."""
    return server.removeprefix("https://").removeprefix("http://").partition("/")[0]


def is_docker_hub(key: str) -> bool:
    """Whether who answers under this name is Docker Hub, helpful to a pull or not."""
    return key == HUB_KEY or key in HUB_HOSTS


class Config:
    """The credentials of one user.

    What can't be read is as good as not there: `file_warning` and `variable_warning` say so in docker's words.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path | None = None, *, with_variable: bool = True) -> None:
        home = Path(environ.get("HOME") or "/")
        self.file = (folder or Path(environ.get("DOCKER_CONFIG") or home / ".docker")) / "config.json"
        self.file_warning = self.variable_warning = ""
        self.from_environment: dict[str, Login] = {}
        value = environ.get(VARIABLE, "") if with_variable else ""
        self.variable_is_set = bool(value)
        if value:
            try:
                self.from_environment = _strict(value)
            except BadConfig as error:
                self.variable_warning = f"Failed to create credential store from {VARIABLE}:  {error}"
        try:
            self._document = self._read()
        except BadConfig as error:
            self._document = {}
            self.file_warning = f"WARNING: Error loading config file: {self.file}: {error}"

    def find(self, key: str) -> Login | None:
        """The credentials under a key, the environment's before the file's."""
        if key in self.from_environment:
            return self.from_environment[key]
        auths = self._auths()
        entry = auths.get(key)
        if entry is None:
            # docker's own second look, for files of old versions
            entry = next((auths[old] for old in auths if host_of(old) == key), None)
        return _login(entry) if entry else None

    def store(self, key: str, login: Login) -> None:
        """Keep credentials in the file."""
        self._auths()[key] = {"auth": base64.b64encode(":".join(login).encode()).decode()}
        self._save()

    def erase(self, server: str) -> None:
        """Forget what a logout from that server forgets; `docker.io` is not Docker Hub's key here."""
        host = host_of(server)
        keys = [server, host, f"http://{host}", f"https://{host}"] if server else [HUB_KEY]
        known = {key for key in keys if key in self._auths()}
        for key in known:
            del self._auths()[key]
        if known:
            self._save()

    def _auths(self) -> dict[str, Any]:
        auths: dict[str, Any] = self._document.setdefault("auths", {})
        return auths

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.file.read_text(encoding="utf-8") or "{}")
        except OSError:
            return {}
        except ValueError as error:
            raise BadConfig(str(error)) from error
        if not isinstance(document, dict) or not isinstance(document.get("auths") or {}, dict):
            raise BadConfig("json: cannot unmarshal into Go value of type configfile.ConfigFile")
        document["auths"] = document.get("auths") or {}
        for entry in document["auths"].values():
            _login(entry)
        return document

    def _save(self) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self._document, indent="\t"), encoding="utf-8")
        self.file.chmod(0o600)


def _strict(value: str) -> dict[str, Login]:
    """DOCKER_AUTH_CONFIG: one object, `auths`, and in each of them `auth` alone; raises BadConfig."""
    try:
        document = json.loads(value)
    except ValueError as error:
        raise BadConfig(f"invalid character in JSON: {error}") from error
    entries = _only("auths", document)
    found = {}
    for key, entry in (entries or {}).items():
        login = _login({"auth": _only("auth", entry)})
        if login is not None:
            found[key] = login
    return found


def _only(member: str, document: Any) -> Any:
    if not isinstance(document, dict):
        raise BadConfig("json: cannot unmarshal into Go value of type configfile.dockerEnvConfig")
    for name in document:
        if name != member:
            raise BadConfig(f'json: unknown field "{name}"')
    return document.get(member)


def _login(entry: Any) -> Login | None:
    """User name and password of an entry; None where it has none, BadConfig where they can't be read."""
    if not isinstance(entry, dict) or not entry.get("auth"):
        return None
    try:
        user, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise BadConfig(f"illegal base64 data: {error}") from error
    if not colon or not user:
        raise BadConfig("invalid auth configuration file")
    return user, password.strip("\0")
