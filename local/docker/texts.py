"""What docker prints when a registry refuses: the classic daemon's words and BuildKit's."""

from __future__ import annotations

from local.docker.hub import Refused
from local.image_name import Name

NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
_TWO_LINES_SINCE = (28,)
_STATUS = {401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found", 429: "429 Too Many Requests"}


def pulling(name: Name, refused: Refused) -> str:
    """A refused pull, as the daemon reports it, without its `Error response from daemon: `."""
    reason = f"{refused.code}: {refused.text}"
    if refused.step == "token":
        return f'Head "https://{name.host}/v2/{name.repository}/manifests/{name.reference}": {reason}'
    return reason


def signing_in(refused: Refused) -> str:
    """A refused login."""
    return f'Get "https://registry-1.docker.io/v2/": {refused.code}: {refused.text}'


def building(name: Name, refused: Refused, version: tuple[int, ...]) -> str:
    """Why BuildKit could not fetch a base image; from docker 28 on the reason is on a line of its own."""
    status = _STATUS.get(refused.status, str(refused.status))
    if refused.step == "token":
        return (
            "failed to authorize: failed to fetch oauth token: unexpected status from GET request to "
            f"https://auth.docker.io/token?scope=repository%3A{name.repository.replace('/', '%2F')}%3Apull"
            f"&service=registry.docker.io: {status}: {refused.text}"
        )
    url = f"https://{name.host}/v2/{name.repository}/manifests/{refused.digest or name.reference}"
    reason = f"{refused.code}: {refused.text}"
    joint = "\n" if version >= _TWO_LINES_SINCE else " - Server message: "
    return f"failed to copy: httpReadSeeker: failed open: unexpected status code {url}: {status}{joint}{reason}"
