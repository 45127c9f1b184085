"""Who may pull how often: passwords, allowances, tokens, and what Docker Hub says when none are left."""

import base64
import json
import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field

ANONYMOUS_LIMIT = 100
ACCOUNT_LIMIT = 200
LOCKED_OUT = "too many failed login attempts for username or IP address"
_TOKEN_SECONDS = 300

_ANONYMOUS_TEXT = (
    "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
    "https://www.docker.com/increase-rate-limit"
)


@dataclass
class Account:
    """`pulls` is how many pulls are left, None for no limit; `locked` refuses every login, with these words.

    `read_only`: its token signs in and pulls, and is refused every push. `chosen_only`: a token of an organization for
    chosen repositories, its own, which may not read the public ones.
    """

    user: str | None
    password: str = ""
    pulls: int | None = None
    locked: str = ""
    read_only: bool = False
    chosen_only: bool = False
    source: str = field(default_factory=lambda: str(uuid.uuid4()))

    def rate_limit(self, peer: str) -> dict[str, str]:
        """Docker Hub's headers; none at all where there is no limit."""
        if self.pulls is None:
            return {}
        limit = ANONYMOUS_LIMIT if self.user is None else ACCOUNT_LIMIT
        return {
            "ratelimit-limit": f"{limit};w=21600",
            "ratelimit-remaining": f"{self.pulls};w=21600",
            "docker-ratelimit-source": peer if self.user is None else self.source,
        }

    def may(self, repository: str) -> list[str]:
        """What the account's token may do with a repository."""
        if self.chosen_only and not repository.startswith(f"{self.user}/"):
            return []
        pushes = self.user is not None and not self.read_only and not repository.startswith("library/")
        return ["pull", "push"] if pushes else ["pull"]

    @property
    def refusal(self) -> str:
        """The message of a 429 answer."""
        if self.user is None:
            return _ANONYMOUS_TEXT
        return (
            f"You have reached your pull rate limit as '{self.user}': dckr_jti_{secrets.token_urlsafe(20)}=. "
            "You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit"
        )


class Accounts:
    """The accounts of one registry, the anonymous among them. Thread-safe."""

    def __init__(self, anonymous_pulls: int | None) -> None:
        self._anonymous = Account(None, pulls=anonymous_pulls)
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, tuple[Account, frozenset[str], float]] = {}
        self._lock = threading.Lock()

    def add(self, account: Account) -> None:
        """Make an account, or put it in the place of the one of that name."""
        with self._lock:
            self._accounts[str(account.user)] = account

    def set_pulls(self, user: str | None, pulls: int | None) -> None:
        """Set how many pulls an account (None: the anonymous) has left."""
        with self._lock:
            self._of(user).pulls = pulls

    def lock(self, user: str, *, locked: bool = True, saying: str = LOCKED_OUT) -> None:
        """Refuse every login of an account, as Docker Hub does after too many failed ones, or for its address."""
        with self._lock:
            self._of(user).locked = saying * locked

    def sign_in(self, user: str | None, password: str) -> Account | None:
        """The account (for no user: the anonymous), or None when user or password are wrong."""
        with self._lock:
            if user is None:
                return self._anonymous
            account = self._accounts.get(user)
            return account if account is not None and secrets.compare_digest(account.password, password) else None

    def issue(self, account: Account, granted: dict[str, list[str]]) -> str:
        """A bearer token for some actions on repositories (none: as a login asks), like a JWT without a signature."""
        with self._lock:
            claims = {
                "access": [{"type": "repository", "name": name, "actions": granted[name]} for name in granted],
                "sub": account.user or "",
                "exp": int(time.time()) + _TOKEN_SECONDS,
                "jti": str(uuid.uuid4()),
            }
            token = ".".join((_encode({"alg": "none", "typ": "JWT"}), _encode(claims), "local"))
            opens = frozenset(name for name in granted if granted[name])
            self._tokens[token] = (account, opens, time.time() + _TOKEN_SECONDS)
            return token

    def bearer(self, token: str, repository: str) -> Account | None:
        """Whose token it is; None when it is none, or not for that repository (empty: the door, which any opens)."""
        with self._lock:
            account, opens, expires = self._tokens.get(token, (None, frozenset(), 0.0))
            return account if (not repository or repository in opens) and time.time() < expires else None

    def knows(self, token: str) -> bool:
        """Was this token issued here, for whatever?"""
        with self._lock:
            return token in self._tokens

    def take(self, account: Account) -> bool:
        """Count one pull; False when there are none left."""
        with self._lock:
            if account.pulls is None:
                return True
            if account.pulls <= 0:
                return False
            account.pulls -= 1
            return True

    def _of(self, user: str | None) -> Account:
        return self._anonymous if user is None else self._accounts[user]


def _encode(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
