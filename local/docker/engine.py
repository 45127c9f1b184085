"""The daemon behind the docker command: which images it has, and how it fetches and pushes others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from local.docker import hub
from local.docker.config import HUB_KEY, Config, is_docker_hub
from local.docker.hub import Login, Refused
from local.image_name import HUB, Name

DEFAULT_VERSION = "28.5.2"
_TOO_MANY = 429


class Settings(NamedTuple):
    """What the agent says of the machine: LOCAL_DOCKER_* in the environment.

    `hub` is Docker Hub's address on loopback, `throttled` the limits of other registries (host: text), `running`
    whether there is a daemon, `folder` where its images are noted.
    """

    hub: str
    throttled: dict[str, str]
    running: bool
    version: str
    folder: Path

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        return cls(
            environ.get("LOCAL_DOCKER_HUB", ""),
            json.loads(environ.get("LOCAL_DOCKER_THROTTLED") or "{}"),
            environ.get("LOCAL_DOCKER_DAEMON", "") != "none",
            environ.get("LOCAL_DOCKER_VERSION") or DEFAULT_VERSION,
            Path(environ.get("LOCAL_DOCKER_FOLDER") or Path(environ.get("HOME") or "/") / ".local-docker"),
        )

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers."""
        return tuple(int(part) for part in self.version.split("."))


class Engine:
    """One build's daemon. A name is fetched once; what was built or tagged needs no fetching."""

    def __init__(self, settings: Settings, config: Config) -> None:
        self.settings = settings
        self._config = config
        self._file = settings.folder / "images"

    def login_for(self, name: Name) -> Login | None:
        """The credentials that docker looks up for an image's registry."""
        return self._config.find(HUB_KEY if name.registry == HUB else name.registry)

    def sign_in(self, key: str, login: Login) -> None:
        """Verify credentials: Docker Hub's; other registries take any. Raises Refused."""
        if is_docker_hub(key):
            hub.sign_in(self.settings.hub, login)

    def has(self, name: Name) -> bool:
        return name.full in self._images()

    def fetch(self, name: Name) -> str:
        """Get an image from its registry; its digest. Raises Refused."""
        if name.registry == HUB:
            digest = hub.pull(self.settings.hub, name.repository, name.reference, self.login_for(name))
        else:
            digest = f"sha256:{hashlib.sha256(name.full.encode()).hexdigest()}"
            self._throttle(name, "manifest", digest)
        self.note(name)
        return digest

    def push(self, name: Name) -> str:
        """Send an image to its registry; its digest. Raises Refused."""
        if name.registry == HUB:
            return hub.push(self.settings.hub, name.repository, name.reference, self.login_for(name))
        self._throttle(name, "upload", "")
        return f"sha256:{hashlib.sha256(name.full.encode()).hexdigest()}"

    def note(self, name: Name) -> None:
        """From now on the image is here."""
        if not self.has(name):
            self.settings.folder.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as images:
                images.write(name.full + "\n")

    def _images(self) -> list[str]:
        try:
            return self._file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _throttle(self, name: Name, step: str, digest: str) -> None:
        text = self.settings.throttled.get(name.registry)
        if text is not None:
            raise Refused(step, _TOO_MANY, "toomanyrequests", text.removeprefix("toomanyrequests: "), digest)
