"""How CodeBuild says no: an error code, a message and an HTTP status."""


class ServiceError(Exception):
    """An error answer of the service, as AWS JSON 1.1 carries it.

    `code` is the exception's name on the wire (`InvalidInputException`), `status` the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_input(message: str) -> ServiceError:
    """The service understood the request and refuses it."""
    return ServiceError("InvalidInputException", message)


def not_found(message: str) -> ServiceError:
    """What the request names does not exist."""
    return ServiceError("ResourceNotFoundException", message)
