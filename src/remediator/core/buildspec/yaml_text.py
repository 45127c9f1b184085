"""Reads YAML text as values that know where they stand in it, and expands nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

LONGEST_BUILDSPEC = 25_600
"""Characters, CodeBuild's own limit for a buildspec that a project or a start of a build holds: it refuses more ("Max
buildspec length is 25600"). Read within a second. https://github.com/aws/aws-cdk/issues/30326"""
_DEEPEST = 50
"""Levels of nesting: a buildspec has six; the parser's time grows with the square of them."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_DISPUTED_LINE_ENDS = "[\x85\u2028\u2029]"
"""Line ends in YAML 1.1 (https://yaml.org/spec/1.1/#b-next-line) and none in YAML 1.2."""


class BuildspecError(ValueError):
    """This is no buildspec to which a login can be added; says why, without a value of the text."""


class TooLong(BuildspecError):
    """CodeBuild takes no inline buildspec of this length: it has to become a file in the project's source first."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} more than the {LONGEST_BUILDSPEC:,} characters that CodeBuild takes")


@dataclass(slots=True)
class Node:
    """A value: equal to another of the same content and style, wherever the two stand.

    `kind` is Scalar, Sequence, Mapping or Alias. `style` is a scalar's quote or block sign, or whether a list or a
    mapping is in brackets or braces. The children of a mapping are its keys and values in turn. `start` and `end` are
    indexes in characters; the `end` of a list or mapping is behind its bracket, at its first key, or at or behind its
    first dash.
    """

    kind: str
    value: str
    style: str | bool | None
    anchor: str | None
    tag: str | None
    start: int = field(compare=False)
    end: int = field(compare=False)
    children: list[Node] = field(default_factory=list)
    aliased: bool = field(default=False, compare=False)
    target: Node | None = field(default=None, compare=False, repr=False)

    @property
    def is_null(self) -> bool:
        return self.kind == "Scalar" and self.style is None and self.tag is None and self.value in _NULLS

    @property
    def resolved(self) -> Node:
        return self.target or self

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        return list(zip(self.children[::2], self.children[1::2], strict=True)) if self.kind == "Mapping" else []

    def own(self, name: str) -> tuple[Node, Node] | None:
        """The key and the value under a name; of several the last, which is the one that counts."""
        return next((pair for pair in reversed(self.pairs) if pair[0].value == name), None)

    def get(self, name: str) -> Node | None:
        """The value under a name; aliases are followed, and what `<<` merges in comes last. BuildspecError when a
        merged mapping merges another, or a mapping has several `<<`."""
        for node in (self, *self._merged()):
            pair = node.own(name)
            if pair:
                return pair[1].resolved
        return None

    def _merged(self) -> list[Node]:
        sources = [value.resolved for key, value in self.pairs if key.value == "<<"]
        if not sources:
            return []
        parts = [part.resolved for part in sources[0].children] if sources[0].kind == "Sequence" else sources
        if len(sources) > 1 or any(part.own("<<") for part in parts):
            raise BuildspecError("a buildspec that merges (<<) what is merged itself, or twice, is not read")
        return parts

    @property
    def text(self) -> str:
        return "" if self.is_null else self.value

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of a list, or the one text."""
        items = [item.resolved for item in self.children] if self.kind == "Sequence" else [self]
        return tuple(item.value for item in items if item.kind == "Scalar" and not item.is_null)


def read_yaml(text: str) -> Node | None:
    """The one document's value, None when there is none; BuildspecError when this is not YAML or would take too long.

    Reads the parser's events: an alias stays a reference, and nesting is bounded before it costs anything. Readers of
    YAML disagree about line ends of Unicode and aliases as keys, so a text with them is not read.
    """
    from ruamel.yaml import YAML

    if len(text) > LONGEST_BUILDSPEC:
        raise TooLong("it is not read, for it has")
    if re.search(_DISPUTED_LINE_ENDS, text):
        raise BuildspecError("the buildspec has a line end of Unicode (U+0085, U+2028 or U+2029)")
    tree = _Tree()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            tree.add(event)
    except BuildspecError:
        raise
    except Exception as error:  # noqa: BLE001 - the parser raises more than its own errors, for odd numbers and tags
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        # Not the parser's own words: they quote the text.
        raise BuildspecError(f"the buildspec is not YAML{where}") from None
    return tree.root


class _Tree:
    """Makes values of the parser's events."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.anchors: dict[str, Node] = {}
        self.documents = 0

    def add(self, event: Any) -> None:
        match type(event).__name__.removesuffix("Event"):
            case "SequenceEnd" | "MappingEnd":
                self.open.pop()
            case "DocumentStart":
                self.documents += 1
                if self.documents > 1:
                    raise BuildspecError("a buildspec is one YAML document; this text has several")
            case "Alias":
                self._place(self._alias(event))
            case "Scalar":
                self._place(self._value("Scalar", event.value, event.style, event))
            case "SequenceStart" | "MappingStart" as kind:
                node = self._value(kind.removesuffix("Start"), "", bool(event.flow_style), event)
                self._place(node)
                self.open.append(node)
                if len(self.open) > _DEEPEST:
                    raise BuildspecError(f"a buildspec nested more than {_DEEPEST} levels deep is not read")

    def _place(self, node: Node) -> None:
        if self.open:
            parent = self.open[-1]
            if node.kind == "Alias" and parent.kind == "Mapping" and len(parent.children) % 2 == 0:
                raise BuildspecError("the buildspec has a YAML alias as a key")
            parent.children.append(node)
        else:
            self.root = node

    def _value(self, kind: str, value: str, style: str | bool | None, event: Any) -> Node:
        tag = None if event.ctag is None else str(event.ctag)
        node = Node(kind, value, style, event.anchor, tag, event.start_mark.index, event.end_mark.index)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            raise BuildspecError("the buildspec uses a YAML alias that it does not define")
        target.aliased = True
        return Node("Alias", "", None, event.anchor, None, event.start_mark.index, event.end_mark.index, target=target)
