"""What a SECRETS_MANAGER variable's value names: a secret and, inside it, a key.

The format is `<secret-id>:<json-key>:<version-stage>:<version-id>`; an ARN has colons of its own.
"""

import json
from dataclasses import dataclass

from local.simulator.texts import NOT_FOUND
from local.simulator.world import SecretUnreadable

_ARN_PARTS = 7


@dataclass(frozen=True)
class SecretReference:
    """A secret by name or ARN, and optionally one key of its JSON text, a stage or a version."""

    secret_id: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""

    @classmethod
    def parse(cls, value: str) -> "SecretReference":
        parts = value.split(":")
        length = _ARN_PARTS if value.startswith("arn:") else 1
        rest = [*parts[length:], "", "", ""][:3]
        return cls(":".join(parts[:length]), *rest)

    def pick(self, text: str) -> str:
        """The part of the secret's text that is meant; SecretUnreadable when it has no such part."""
        if self.version_id or self.version_stage not in ("", "AWSCURRENT"):
            raise SecretUnreadable(NOT_FOUND)
        if not self.json_key:
            return text
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict) or self.json_key not in document:
            raise SecretUnreadable(f"ResourceNotFoundException: the secret {self.secret_id} has no key {self.json_key}")
        value = document[self.json_key]
        return value if isinstance(value, str) else json.dumps(value)
