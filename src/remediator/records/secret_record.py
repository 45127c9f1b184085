"""What the journal keeps on the secret in use: Docker Hub's word on it, who signs in, who uses it, who edits it.

Three items, which do not expire: `secret#<ARN>` holds the word on the newest version, whose turn it is to sign in and
until when nobody may; `sharing#<ARN>` the projects that were signed in with it; `policy#<ARN>` who edits its resource
policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediator.records.table import Table, number, text

ASKING = 60
"""Seconds in which an execution that signs in at Docker Hub has its answer: two requests of ten seconds each."""
ACCEPTED_FOR = 300
"""Seconds for which an accepted secret is not tried again; a token can be revoked at any time."""
REFUSED_FOR = 3600
"""Seconds for which a refused one is not: failed sign-ins count towards a lockout of the whole account."""
EDITING = 180
"""Seconds in which a secret's policy is read and written: more than the function itself may run."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a version of the secret before somebody signs in with it.

    `may_ask`: this execution may, and nobody else does meanwhile. Otherwise nobody may until `locked_until` (seconds
    since 1970), or Docker Hub has said of this version a short while ago that it is `accepted` (True) or not, with the
    account's `limit` in a `window` of seconds and what was `remaining` of it, or another execution asks right now.
    `accepted_before`: it was at some time. `fresh_until`: how long the word is kept.
    """

    may_ask: bool
    locked_until: float = 0.0
    accepted: bool | None = None
    accepted_before: bool = False
    fresh_until: float = 0.0
    limit: int | None = None
    remaining: int | None = None
    window: int | None = None


class SecretRecord:
    def __init__(self, table: Table, secret_arn: str) -> None:
        self._table = table
        self._secret = f"secret#{secret_arn}"
        self._users = f"sharing#{secret_arn}"
        self._policy = f"policy#{secret_arn}"

    # Signing in

    def ask(self, version: str, execution: str, now: float, *, afresh: bool = False) -> Known:
        """May this execution sign in with this version of the secret? Then it has ASKING seconds for it, and nobody
        else does meanwhile: a fleet that fails at once tries a wrong password once, not once for each of its builds.

        With `afresh` also what was accepted a short while ago is asked again; what was refused never is.
        """
        stale = "attribute_not_exists(fresh_until) OR fresh_until < :now OR version <> :version"
        values: dict[str, Any] = {":version": text(version), ":now": number(int(now)), ":me": text(execution)}
        if afresh:
            stale = f"{stale} OR accepted = :yes"
            values[":yes"] = {"BOOL": True}
        unlocked = "attribute_not_exists(locked_until) OR locked_until < :now"
        my_turn = "attribute_not_exists(asked_by) OR asked_by = :me OR asked_until < :now"
        answer = self._table.answer(
            {
                "TableName": self._table.name,
                "Key": {"pk": text(self._secret)},
                "UpdateExpression": "SET asked_by = :me, asked_until = :until",
                "ConditionExpression": f"({unlocked}) AND ({my_turn}) AND ({stale})",
                "ExpressionAttributeValues": {**values, ":until": number(int(now) + ASKING)},
                "ReturnValues": "ALL_NEW",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        )
        if "Attributes" in answer:
            return _known(answer["Attributes"], version, now, may_ask=True)
        return _known(answer["Item"], version, now, may_ask=False)

    def accepted(
        self, version: str, execution: str, now: float, limit: int | None, remaining: int | None, window: int | None
    ) -> None:
        """Docker Hub takes this version, and says what its account may pull; None where it says nothing of that."""
        told = {"limit": limit, "remaining": remaining, "window": window}
        numbers = {name: {"NULL": True} if value is None else number(value) for name, value in told.items()}
        word = _word(version, now + ACCEPTED_FOR, accepted=True)
        self._asked(execution, {**word, **numbers, "accepted_version": text(version)})

    def refused(self, version: str, execution: str, now: float) -> None:
        """Docker Hub does not take this version."""
        self._asked(execution, _word(version, now + REFUSED_FOR, accepted=False))

    def not_told(self, execution: str) -> None:
        """Docker Hub said nothing of the secret; others may ask."""
        self._asked(execution, {})

    def lock_out(self, until: float) -> None:
        """Nobody signs in with the secret until then: Docker Hub refuses it, and each further try prolongs that."""
        self._table.write(self._table.update(self._secret, {"locked_until": number(int(until))}))

    def locked_until(self, now: float) -> float:
        """Until when nobody signs in with the secret (seconds since 1970); 0 where anybody may at `now`."""
        return _locked_until(self._table.get(self._secret) or {}, now)

    def _asked(self, execution: str, values: Mapping[str, Any]) -> None:
        """Unless somebody else asks by now, because this execution took too long."""
        mine, over = {":me": text(execution)}, ("asked_by", "asked_until")
        self._table.write(self._table.update(self._secret, values, "asked_by = :me", mine, over))

    # Who uses it

    def users(self) -> tuple[str, ...]:
        """The projects that were signed in with the secret in use."""
        item = self._table.get(self._users) or {}
        return tuple(sorted(item.get("projects", {}).get("SS", [])))

    def add_user(self, project: str) -> None:
        """One more project is signed in with the secret in use."""
        self._table.write(
            {
                "TableName": self._table.name,
                "Key": {"pk": text(self._users)},
                "UpdateExpression": "ADD projects :project",
                "ExpressionAttributeValues": {":project": {"SS": [project]}},
            }
        )

    # Its resource policy, which is read and written as a whole

    def begin_edit(self, execution: str, now: float) -> bool:
        """Take the secret's resource policy for EDITING seconds; False while another execution edits it."""
        values = {"execution": text(execution), "held_until": number(int(now) + EDITING)}
        free = "attribute_not_exists(execution) OR execution = :me OR held_until < :now"
        compared = {":me": text(execution), ":now": number(int(now))}
        return self._table.write(self._table.update(self._policy, values, free, compared))

    def end_edit(self, execution: str) -> None:
        mine = {":me": text(execution)}
        self._table.write(self._table.update(self._policy, {"held_until": number(0)}, "execution = :me", mine))


def _word(version: str, fresh_until: float, *, accepted: bool) -> dict[str, Any]:
    return {"version": text(version), "accepted": {"BOOL": accepted}, "fresh_until": number(int(fresh_until))}


def _known(item: Mapping[str, Any], version: str, now: float, *, may_ask: bool) -> Known:
    fresh_until = _seconds(item, "fresh_until")
    fresh = item.get("version", {}).get("S") == version and fresh_until >= int(now)
    limit, remaining, window = (item.get(name, {}).get("N") for name in ("limit", "remaining", "window"))
    return Known(
        may_ask=may_ask,
        locked_until=_locked_until(item, now),
        accepted=bool(item["accepted"]["BOOL"]) if fresh else None,
        accepted_before=item.get("accepted_version", {}).get("S") == version,
        fresh_until=fresh_until,
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        window=None if window is None else int(window),
    )


def _locked_until(item: Mapping[str, Any], now: float) -> float:
    until = _seconds(item, "locked_until")
    return until if until >= int(now) else 0.0


def _seconds(item: Mapping[str, Any], name: str) -> float:
    return float(item.get(name, {}).get("N", "0"))
