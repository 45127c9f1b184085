"""Reads a buildspec and adds one guarded docker login to it, as text; nothing else of it changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any, Literal

from remediator.core.docker import MISSES, Deed, DockerAct, docker_acts, signs_in_to_docker_hub
from remediator.core.image import DOCKER_HUB
from remediator.core.shell import program_name

Shell = Literal["posix", "powershell"]

LONGEST_BUILDSPEC = 1_000_000
"""Characters: far above any buildspec that people write, and read within seconds."""
_DEEPEST = 50
"""Levels of nesting: a buildspec has six; the parser's time grows with the square of them."""

_MOST_ACTS = 100_000
"""Docker commands of a buildspec that are looked at: aliases can make a short text hold millions."""

_PHASES = ("install", "pre_build", "build", "post_build")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LINE_ENDS = "\n\r\x85\u2028\u2029"
_POWERSHELLS = frozenset({"powershell", "pwsh"})


class BuildspecError(ValueError):
    """This is no buildspec to which a login can be added; says why, without a value of the text."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """The one edit: this text at this index, in characters."""

    at: int
    text: str

    def apply(self, buildspec: str) -> str:
        return buildspec[: self.at] + self.text + buildspec[self.at :]

    def revert(self, buildspec: str) -> str | None:
        """The buildspec without the inserted text, wherever it stands by now; None unless it stands there once."""
        first = buildspec.find(self.text)
        if first < 0 or buildspec.find(self.text, first + 1) >= 0:
            return None
        return buildspec[:first] + buildspec[first + len(self.text) :]


@dataclass(frozen=True, slots=True)
class Phase:
    """`run_as` is the user that the buildspec names, for the phase or for all; empty where it names none."""

    name: str
    commands: tuple[str, ...]
    finally_: tuple[str, ...]
    run_as: str

    @property
    def scripts(self) -> tuple[str, ...]:
        """All commands in the order in which they run."""
        return self.commands + self.finally_


@dataclass(frozen=True, slots=True)
class Buildspec:
    """What CodeBuild runs of a buildspec: the phases that it has, in the order in which they run.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    """

    version: str
    shell: str
    phases: tuple[Phase, ...]

    @classmethod
    def parse(cls, text: str) -> Buildspec:
        """Read a buildspec; BuildspecError when the text is none. One without phases, as of a batch, has none."""
        return _Document.parse(text).buildspec()

    @property
    def login_shell(self) -> Shell:
        """The shell for which a login has to be written. Without `env.shell` that depends on the build's image."""
        return "powershell" if program_name(self.shell) in _POWERSHELLS else "posix"


def login_command(shell: Shell, username_variable: str, password_variable: str) -> str:
    """One line that signs in to Docker Hub and never fails a build.

    It does nothing where a variable is unset or empty or docker is missing, leaves docker's own answer in the log, and
    changes nothing in the shell. It holds no colon or number sign before or after a blank, and no single quote, so
    YAML takes it without quotes.

    posix: the subshell ends `set -x` before a value is used; `printf` is part of the shell, so that the password is
    in no list of processes. powershell: the pipe ends the password with a line break, which `docker login` drops
    (https://github.com/docker/cli/blob/master/cli/command/registry/login.go); writing to docker's input without one
    would take a process object of .NET. Windows PowerShell pipes ASCII only, which tokens of Docker Hub are.
    """
    for name in (username_variable, password_variable):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise BuildspecError("the variables of the credentials need names of letters, digits and underscores")
    if shell == "powershell":
        username, password = f"$env:{username_variable}", f"$env:{password_variable}"
        return (
            f"if ({username} -and {password} -and (Get-Command docker -ErrorAction SilentlyContinue)) "
            f"{{ try {{ {password} | docker login --username {username} --password-stdin }} catch {{ }} ; "
            "$global:LASTEXITCODE = 0 }"
        )
    return (
        "( set +x; if command -v docker >/dev/null 2>&1 "
        f'&& [ -n "${{{username_variable}:-}}" ] && [ -n "${{{password_variable}:-}}" ]; '
        f'then printf %s "${password_variable}" | docker login --username "${username_variable}" --password-stdin; '
        "fi ) || true"
    )


def find_insertion(
    text: str,
    *,
    shell: Shell = "posix",
    username_variable: str = "DOCKERHUB_USERNAME",
    password_variable: str = "DOCKERHUB_PASSWORD",  # noqa: S107 - the name of a variable
) -> Insertion | None:
    """Where to add the login, and as which text; None when some command signs in to Docker Hub already.

    BuildspecError when the text is no buildspec, runs no commands, or has no place for the login ahead of all others.
    """
    document = _Document.parse(text)
    buildspec = document.buildspec()
    if any(map(signs_in_to_docker_hub, {script for phase in buildspec.phases for script in phase.scripts})):
        return None
    if not any(phase.commands for phase in buildspec.phases):
        raise BuildspecError("no phase of this buildspec has commands")
    if program_name(buildspec.shell) == "cmd":
        raise BuildspecError("the commands of this buildspec run in cmd.exe, for which there is no login")
    login = login_command(shell, username_variable, password_variable)
    candidates = list(_Editor(document, login).candidates())
    for may_come_before in (_has_no_commands, _has_no_docker):
        for candidate in candidates:
            earlier = _PHASES[: _PHASES.index(candidate.phase)]
            in_time = all(may_come_before(phase) for phase in buildspec.phases if phase.name in earlier)
            if in_time and candidate.adds_only_the_login(document):
                return candidate.insertion
    raise BuildspecError(
        "no place was found where one line signs in before the other commands and changes nothing else"
    )


def add_login(
    text: str,
    *,
    shell: Shell = "posix",
    username_variable: str = "DOCKERHUB_USERNAME",
    password_variable: str = "DOCKERHUB_PASSWORD",  # noqa: S107 - the name of a variable
) -> str:
    """The buildspec with a guarded login to Docker Hub before its other commands; the same text if it has a login."""
    insertion = find_insertion(
        text, shell=shell, username_variable=username_variable, password_variable=password_variable
    )
    return text if insertion is None else insertion.apply(text)


def sign_in_faults(buildspec: Buildspec) -> tuple[str, ...]:
    """Why the buildspec's own sign-in does not serve its pulls, in sentences for people.

    Empty when nothing is wrong, when it has no sign-in, and when nothing that it tells pulls from Docker Hub.
    """
    acts = list(islice(_acts_of(buildspec), _MOST_ACTS))
    if not any(_is_hub_login(act) for _, act in acts):
        missed = {act.registry for _, act in acts if act.deed is Deed.LOGIN and act.registry in MISSES}
        return tuple(
            f"It signs in to {host}, which the docker CLI keeps apart: pulls from Docker Hub do not use that sign-in."
            for host in sorted(filter(None, missed))
        )
    return tuple(dict.fromkeys(_faults_of_pulls(acts)))


def _acts_of(buildspec: Buildspec) -> Iterator[tuple[str, DockerAct]]:
    """The user and what is done, in order. Aliases may repeat a long command many times: each is read once."""
    read: dict[str, tuple[DockerAct, ...]] = {}
    for phase in buildspec.phases:
        for script in phase.scripts:
            if script not in read:
                read[script] = tuple(act for act, _ in groupby(docker_acts(script)))
            for act in read[script]:
                yield phase.run_as or "root", act


def _faults_of_pulls(acts: list[tuple[str, DockerAct]]) -> Iterator[str]:
    signed_in: set[str] = set()
    undone: set[str] = set()
    for user, act in acts:
        if _is_hub_login(act):
            signed_in.add(user)
            undone.discard(user)
        elif user in signed_in and (act.deed is Deed.FORGET or act == DockerAct(Deed.LOGOUT, DOCKER_HUB)):
            signed_in.discard(user)
            undone.add(user)
        elif _may_pull_from_hub(act) and user not in signed_in:
            if user in undone:
                yield "Its sign-in to Docker Hub is undone, by a logout or with docker's configuration, before a pull."
            elif signed_in or undone:
                yield "Its sign-in to Docker Hub is made by another user (run-as) than a pull, which does not see it."
            else:
                yield "Its sign-in to Docker Hub comes after the first command that pulls or builds."


def _is_hub_login(act: DockerAct) -> bool:
    return act == DockerAct(Deed.LOGIN, DOCKER_HUB)


def _may_pull_from_hub(act: DockerAct) -> bool:
    return act.deed is Deed.PULL and act.registry in {None, DOCKER_HUB}


def _has_no_commands(phase: Phase) -> bool:
    return not phase.scripts


def _has_no_docker(phase: Phase) -> bool:
    return not any(map(docker_acts, set(phase.scripts)))


@dataclass(frozen=True, slots=True)
class _Event:
    """What one event of the parser says, wherever it stands; `implicit` is None where either will do."""

    kind: str
    value: str = ""
    anchor: str | None = None
    tag: str | None = None
    implicit: str | None = None

    def is_met_by(self, other: _Event) -> bool:
        return self == (other if self.implicit is not None else replace(other, implicit=None))


@dataclass(slots=True, eq=False)
class _Node:
    """A value and where it stands in the events and in the text.

    `end` of a list or mapping is the index behind its bracket, at its first key, or at or behind its first dash.
    """

    event: int
    kind: str
    start: int
    end: int
    value: str = ""
    null: bool = False
    flow: bool = False
    aliased: bool = False
    target: _Node | None = None
    children: list[_Node] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[_Node, _Node]]:
        return list(zip(self.children[::2], self.children[1::2], strict=True)) if self.kind == "Mapping" else []

    def own(self, name: str) -> tuple[_Node, _Node] | None:
        """The key and the value under a name; of several the last, which is the one that counts."""
        return next((pair for pair in reversed(self.pairs) if pair[0].value == name), None)

    def get(self, name: str) -> _Node | None:
        """The value under a name, aliases followed, and what is merged in with `<<` looked at last."""
        pair = self.own(name)
        if pair is not None:
            return pair[1].resolved
        merged = self.own("<<")
        source = merged[1].resolved if merged else None
        for part in source.children if source and source.kind == "Sequence" else [source]:
            pair = part.resolved.own(name) if part else None
            if pair is not None:
                return pair[1].resolved
        return None

    @property
    def resolved(self) -> _Node:
        return self.target or self

    @property
    def texts(self) -> tuple[str, ...]:
        """The commands of a list, or the one command."""
        items = [item.resolved for item in self.children] if self.kind == "Sequence" else [self]
        return tuple(item.value for item in items if item.kind == "Scalar" and not item.null)


class _Document:
    """A buildspec's text, the parser's events and the values that they make."""

    __slots__ = ("events", "root", "text")

    def __init__(self, text: str, events: list[_Event], root: _Node) -> None:
        self.text = text
        self.events = events
        self.root = root

    @classmethod
    def parse(cls, text: str) -> _Document:
        if len(text) > LONGEST_BUILDSPEC:
            raise BuildspecError(f"a buildspec of more than {LONGEST_BUILDSPEC:,} characters is not read")
        if not text.strip():
            raise BuildspecError("the buildspec is empty")
        if text.lstrip().startswith("arn:"):
            raise BuildspecError("this is the ARN of a buildspec in S3, not its text")
        events, root = _read(text)
        if root is None or root.kind != "Mapping":
            raise BuildspecError("a buildspec is a mapping with version and phases; this is something else")
        return cls(text, events, root)

    @property
    def phases(self) -> _Node | None:
        phases = self.root.get("phases")
        return phases if phases is not None and phases.kind == "Mapping" else None

    def buildspec(self) -> Buildspec:
        version, env, run_as = (self.root.get(name) for name in ("version", "env", "run-as"))
        phases = [(name, self.phases.get(name)) for name in _PHASES] if self.phases else []
        return Buildspec(
            version.value if version else "",
            _text(env.get("shell") if env else None),
            tuple(_phase(name, node, _text(run_as)) for name, node in phases if node is not None),
        )


def _phase(name: str, node: _Node, run_as: str) -> Phase:
    commands, finally_ = node.get("commands"), node.get("finally")
    return Phase(
        name,
        commands.texts if commands else (),
        finally_.texts if finally_ else (),
        _text(node.get("run-as")) or run_as,
    )


def _text(node: _Node | None) -> str:
    return node.value if node is not None and not node.null else ""


def _read(text: str) -> tuple[list[_Event], _Node | None]:
    """Parse without composing: events tell where aliases stand, and nesting is bounded before it costs anything."""
    from ruamel.yaml import YAML

    tree = _Tree()
    events: list[_Event] = []
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            tree.add(event, len(events))
            events.append(_plain_event(event))
    except BuildspecError:
        raise
    except Exception as error:  # noqa: BLE001 - the parser raises more than its own errors, for odd numbers and tags
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        # Not the parser's own words: they quote the text.
        raise BuildspecError(f"the buildspec is not YAML{where}") from None
    return events, tree.root


def _plain_event(event: Any) -> _Event:
    tag = getattr(event, "ctag", None)
    return _Event(
        type(event).__name__.removesuffix("Event"),
        getattr(event, "value", None) or "",
        getattr(event, "anchor", None),
        None if tag is None else str(tag),
        str(getattr(event, "implicit", "")),
    )


class _Tree:
    """Makes values of events. An alias becomes a reference, so that nothing is ever expanded."""

    __slots__ = ("anchors", "documents", "open", "root")

    def __init__(self) -> None:
        self.root: _Node | None = None
        self.open: list[_Node] = []
        self.anchors: dict[str, _Node] = {}
        self.documents = 0

    def add(self, event: Any, index: int) -> None:
        kind = type(event).__name__.removesuffix("Event")
        if kind in {"SequenceEnd", "MappingEnd"}:
            self.open.pop()
        elif kind == "DocumentStart":
            self.documents += 1
            if self.documents > 1:
                raise BuildspecError("a buildspec is one YAML document; this text has several")
        elif kind in {"Scalar", "Alias", "SequenceStart", "MappingStart"}:
            self._add_value(event, kind.removesuffix("Start"), index)

    def _add_value(self, event: Any, kind: str, index: int) -> None:
        node = _Node(index, kind, event.start_mark.index, event.end_mark.index)
        if kind == "Alias":
            self._refer(node, event.anchor)
        elif event.anchor:
            self.anchors[event.anchor] = node
        if kind == "Scalar":
            node.value = event.value
            node.null = event.style is None and event.value in _NULLS and event.ctag is None
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        if kind in {"Sequence", "Mapping"}:
            node.flow = bool(event.flow_style)
            self.open.append(node)
            if len(self.open) > _DEEPEST:
                raise BuildspecError(f"a buildspec nested more than {_DEEPEST} levels deep is not read")

    def _refer(self, alias: _Node, anchor: str) -> None:
        target = self.anchors.get(anchor)
        if target is None:
            raise BuildspecError("the buildspec uses a YAML alias that it does not define")
        target.aliased = True
        alias.target = target


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An insertion to try, and what it has to do to the parser's events.

    At the index `event`, `dropped` events give way to those `before`; behind `kept` more come those `after`.
    """

    phase: str
    insertion: Insertion
    event: int
    before: tuple[_Event, ...]
    dropped: int = 0
    kept: int = 0
    after: tuple[_Event, ...] = ()

    def adds_only_the_login(self, document: _Document) -> bool:
        """Does the text with the insertion say what it said, and this one command?"""
        try:
            found, _ = _read(self.insertion.apply(document.text))
        except BuildspecError:
            return False
        rest = document.events[self.event + self.dropped :]
        expected = [*document.events[: self.event], *self.before, *rest[: self.kept], *self.after, *rest[self.kept :]]
        return len(found) == len(expected) and all(map(_Event.is_met_by, expected, found))


class _Editor:
    """Finds the insertions that may add the login to a buildspec; which of them hold is checked afterwards."""

    __slots__ = ("document", "login", "quoted", "text")

    def __init__(self, document: _Document, login: str) -> None:
        self.document = document
        self.text = document.text
        self.login = login
        self.quoted = json.dumps(login)

    def candidates(self) -> Iterator[_Candidate]:
        """Phase by phase in the order in which they run: into its list, ahead of it, around its one command.

        A phase of its own would leave the user that a phase names with `run-as`, so around comes first there.
        """
        pair = self.document.root.own("phases")
        phases = pair[1] if pair else None
        if phases is None or phases.kind != "Mapping" or phases.aliased:
            return
        for index, name in enumerate(_PHASES):
            node = phases.get(name)
            if node is None or not _phase(name, node, "").commands:
                continue
            around = list(self._around(phases, name))
            yield from self._into(phases, name)
            if node.get("run-as"):
                yield from around
            for earlier in reversed(_PHASES[:index]):
                yield from self._ahead(phases, earlier, name)
            yield from around

    def _commands(self, phases: _Node, name: str) -> tuple[_Node, _Node] | None:
        """The key and the value of a phase's commands where nothing else refers to either or to the phase."""
        pair = phases.own(name)
        if pair is None or pair[1].aliased:
            return None
        commands = pair[1].own("commands")
        return None if commands is None or commands[1].aliased else commands

    def _into(self, phases: _Node, name: str) -> Iterator[_Candidate]:
        """As the first item of a phase's list."""
        pair = self._commands(phases, name)
        if pair is None or pair[1].kind != "Sequence" or not pair[1].children:
            return
        commands = pair[1]
        if commands.flow:
            insertion: Insertion | None = self._flow_item(commands, self.quoted)
        else:
            dash = commands.end if self.text.startswith("-", commands.end) else commands.end - 1
            insertion = self._lines(dash, [f"- {self.login}"])
        if insertion is not None:
            yield _Candidate(name, insertion, commands.event + 1, (self._login_event,))

    def _around(self, phases: _Node, name: str) -> Iterator[_Candidate]:
        """A list in place of a phase's one command, whose text stays as it is and becomes the second item."""
        pair = self._commands(phases, name)
        if pair is None or pair[1].kind != "Scalar":
            return
        key, value = pair
        colon = re.compile(r"[ \t]*:").match(self.text, key.end)
        indent = self._indent(key.start)
        if colon is None or indent is None:
            return
        end = self._line_end(key.start)
        insertion = Insertion(colon.end(), f"{end}{indent}- {self.login}{end}{indent}-")
        list_start, login, list_end = self._list_events
        yield _Candidate(name, insertion, value.event, (list_start, login), kept=1, after=(list_end,))

    def _ahead(self, phases: _Node, name: str, before: str) -> Iterator[_Candidate]:
        """As the only command of an earlier phase: one that has no commands yet, or a new one."""
        if phases.get(name) is None:
            yield from self._new_phase(phases, name, before)
            return
        pair = phases.own(name)
        if pair is None or pair[1].aliased:
            return
        key, phase = pair
        if phase.null:
            yield from self._below(key, phase, name, ["commands:", f"{self._step}- {self.login}"], self._phase_events)
        elif phase.kind == "Mapping" and phase.get("commands") is None:
            yield from self._new_commands(phase, name)
        commands = self._commands(phases, name)
        if commands and commands[1].null:
            yield from self._below(*commands, name, [f"- {self.login}"], self._list_events)
        elif commands and commands[1].flow and not commands[1].children:
            insertion = Insertion(commands[1].end, self.quoted)
            yield _Candidate(name, insertion, commands[1].event + 1, (self._login_event,))

    def _new_phase(self, phases: _Node, name: str, before: str) -> Iterator[_Candidate]:
        pair = phases.own(before)
        key = pair[0] if pair else phases.children[0]
        if phases.flow:
            quote = self._quote_of(key)
            entry = f"{quote}{name}{quote}: {{{quote}commands{quote}: [{self.quoted}]}}"
            insertion: Insertion | None = self._flow_entry(key.start, entry)
        else:
            step = self._step
            lines = [f"{name}:", f"{step}commands:", f"{step}{step}- {self.login}"]
            insertion = self._lines(key.start, lines)
        if insertion is not None:
            yield _Candidate(name, insertion, key.event, (_Event("Scalar", name), *self._phase_events))

    def _new_commands(self, phase: _Node, name: str) -> Iterator[_Candidate]:
        if phase.flow:
            quote = self._quote_of(phase.children[0]) if phase.children else '"'
            insertion: Insertion | None = self._flow_item(phase, f"{quote}commands{quote}: [{self.quoted}]")
        else:
            insertion = self._lines(phase.children[0].start, ["commands:", f"{self._step}- {self.login}"])
        if insertion is not None:
            yield _Candidate(name, insertion, phase.event + 1, self._commands_events)

    def _below(
        self, key: _Node, null: _Node, name: str, lines: list[str], events: tuple[_Event, ...]
    ) -> Iterator[_Candidate]:
        """Lines for a key that has no value yet, below its own, where a comment may stand."""
        indent = self._indent(key.start)
        if indent is None:
            return
        at = re.compile(r"[^\r\n]*").match(self.text, key.end)
        end = self._line_end(key.start)
        text = "".join(f"{end}{indent}{self._step}{line}" for line in lines)
        yield _Candidate(name, Insertion(at.end() if at else key.end, text), null.event, events, dropped=1)

    def _flow_item(self, parent: _Node, item: str) -> Insertion:
        """At the front of what brackets or braces hold."""
        if parent.children:
            return self._flow_entry(parent.children[0].start, item)
        return Insertion(parent.end, item)

    def _flow_entry(self, at: int, entry: str) -> Insertion:
        """Before another entry, on a line of its own where that one has such."""
        line = self._lines(at, [f"{entry},"])
        return Insertion(at, f"{entry}, ") if line is None else line

    def _lines(self, at: int, lines: list[str]) -> Insertion | None:
        """Lines before the one that begins at this index, indented like it; None where no line begins there."""
        indent = self._indent(at)
        if indent is None:
            return None
        end = self._line_end(at)
        return Insertion(at - len(indent), "".join(f"{indent}{line}{end}" for line in lines))

    def _indent(self, at: int) -> str | None:
        start = at
        while start and self.text[start - 1] in " \t":
            start -= 1
        return self.text[start:at] if start and self.text[start - 1] in _LINE_ENDS else None

    def _line_end(self, at: int) -> str:
        """The line end in use before this index, or else behind it."""
        end = self.text.rfind("\n", 0, at)
        end = self.text.find("\n", at) if end < 0 else end
        if end < 0:
            return "\r" if "\r" in self.text else "\n"
        return "\r\n" if self.text[end - 1 : end] == "\r" else "\n"

    def _quote_of(self, key: _Node) -> str:
        """JSON has its keys in quotes."""
        return '"' if self.text.startswith('"', key.start) else ""

    @property
    def _step(self) -> str:
        """How much deeper a phase's keys are indented than its name."""
        phases = self.document.phases
        for key, phase in phases.pairs if phases else []:
            if phase.kind == "Mapping" and phase.children:
                outer, inner = self._indent(key.start), self._indent(phase.children[0].start)
                if outer is not None and inner is not None and len(inner) > len(outer):
                    return " " * (len(inner) - len(outer))
        return "  "

    @property
    def _login_event(self) -> _Event:
        return _Event("Scalar", self.login)

    @property
    def _list_events(self) -> tuple[_Event, _Event, _Event]:
        return _Event("SequenceStart"), self._login_event, _Event("SequenceEnd")

    @property
    def _commands_events(self) -> tuple[_Event, ...]:
        return _Event("Scalar", "commands"), *self._list_events

    @property
    def _phase_events(self) -> tuple[_Event, ...]:
        return _Event("MappingStart"), *self._commands_events, _Event("MappingEnd")
