"""How PROVISIONING pulls an image: as a docker daemon does, with the registry's answer as the result."""

from http import HTTPStatus

from local.docker import hub
from local.simulator.world import Credentials, PullAnswer


def pull(registry_url: str, repository: str, reference: str, credentials: Credentials | None) -> PullAnswer:
    """Ask the registry for an image's manifest, signed in when there are credentials.

    `registry_url` is `http://127.0.0.1:port`, `repository` as the registry knows it (`library/python`),
    `reference` a tag or a digest. The answer's text is the registry's own message, empty for 200.
    """
    login = None if credentials is None else (credentials.username, credentials.password)
    try:
        hub.pull(registry_url, repository, reference, login)
    except hub.Refused as refused:
        return PullAnswer(refused.status, refused.text)
    return PullAnswer(HTTPStatus.OK.value)
