"""Splits a script into the simple commands that a shell would run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DEEPEST_SUBSTITUTION = 20
"""Levels of `$(...)` that are looked into: each level is copied into the words around it, so the time stays linear."""
_READ_AGAIN = 4
"""How many times the script's own length `sh -c '...'` and `eval` are given in all: they may hold one another."""
_LONGEST_ARITHMETIC = 500

_PLAIN = re.compile(r"""[^\s\\'"`$;|&()<>]+""")
_QUOTED_PLAIN = re.compile(r'[^"\\`$]+')
_BRACED_PLAIN = re.compile(r"[^}\\`$\n]+")
_ESCAPED_QUOTED = re.compile(r"\$'(?:[^'\\]|\\.)*+'?", re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\f\v]+")
_COMMENT = re.compile(r"[^\n]*")
_REDIRECTION = re.compile(r"&>>?|<<<|<<-?|<>|>>|>\||[<>]&?")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_C_OPTION = re.compile(r"-[A-Za-z]*c|--command")

_KEYWORDS = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "try", "finally"})
_ENDS = frozenset({"fi", "done", "esac"})
# What runs the command that follows it, and the options of it that take a value.
_WRAPPERS = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-r", "-t", "-U", "--user", "--group"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "time": frozenset({"-f", "-o"}),
    "exec": frozenset({"-a"}),
    "command": frozenset[str](),
    "builtin": frozenset[str](),
    "nohup": frozenset[str](),
    "nice": frozenset({"-n", "--adjustment"}),
    "timeout": frozenset({"-k", "-s", "--kill-after", "--signal"}),
    "xargs": frozenset({"-I", "-L", "-n", "-P", "-d", "-a", "-s", "-E"}),
}
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "su", "sg", "runuser", "pwsh", "powershell", "cmd"})
_EVALS = frozenset({"eval", "iex", "invoke-expression"})


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words without their quotes, substitutions kept as they are written.

    Keywords, assignments and wrappers such as `sudo` before the program's name are left out. `written` are the files
    that its output is redirected to, `heredoc` the texts that it reads as `<<`, `piped` whether its output is the
    input of the next command.
    """

    words: tuple[str, ...]
    written: tuple[str, ...] = ()
    heredoc: str = ""
    piped: bool = False

    @property
    def program(self) -> str:
        """The name of the program in lower case, without its folder and `.exe`; empty when nothing is run."""
        return program_name(self.words[0]) if self.words else ""


def program_name(word: str) -> str:
    return word.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")


def commands_in(script: str) -> tuple[Command, ...]:
    """The commands in the order in which they run; a substitution's before the command that it stands in.

    The branches of conditions, the bodies of loops and functions, and what `sh -c` and `eval` are given count as run.
    What `trap` is given does not: it runs when the shell ends. Reads POSIX shells, and of PowerShell what it shares
    with them. Any text has an answer, found in linear time.
    """
    commands: list[Command] = []
    allowance = _READ_AGAIN * len(script)
    reading = [iter(_Reader(script).read())]
    while reading:
        draft = next(reading[-1], None)
        if draft is None:
            reading.pop()
            continue
        command = draft.command()
        if command.words or command.written:
            commands.append(command)
        inner = _script_given_to(command)
        if 0 < len(inner) <= allowance:
            allowance -= len(inner)
            reading.append(iter(_Reader(inner).read()))
    return tuple(commands)


def _script_given_to(command: Command) -> str:
    """What a shell or `eval` is given to run, or nothing."""
    program, words = command.program, command.words[1:]
    if program in _EVALS:
        return " ".join(word for word in words if word.lower() != "-command")
    if program not in _SHELLS:
        return ""
    for position, word in enumerate(words, start=1):
        if program in {"pwsh", "powershell", "cmd"} and word.lower() in {"-command", "-c", "/c"}:
            return " ".join(words[position:])
        if _C_OPTION.fullmatch(word):
            return next((script for script in words[position:] if not script.startswith("-")), "")
    return command.heredoc


@dataclass(slots=True)
class _Draft:
    """A command that is still read: here-documents come after the line that asks for them."""

    words: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    heredocs: list[str] = field(default_factory=list)
    piped: bool = False

    def command(self) -> Command:
        words = tuple(self.words[_wrapped_at(self.words) :])
        return Command(words, tuple(self.written), "".join(self.heredocs), self.piped)


def _wrapped_at(words: list[str]) -> int:
    """Where the program's own name stands, behind keywords, assignments and wrappers."""
    position = 0
    while position < len(words):
        word = words[position]
        name = program_name(word)
        if name in _WRAPPERS:
            behind = _behind_options(words, position + 1, name)
            if behind is None:
                return position
            position = behind
        elif word in _KEYWORDS or _ASSIGNMENT.match(word):
            position += 1
        else:
            return position
    return position


def _only_keywords(words: list[str]) -> bool:
    return len(words) < 3 and all(word in _KEYWORDS for word in words)


def _behind_options(words: list[str], position: int, wrapper: str) -> int | None:
    """Where the wrapped command begins; None when the wrapper runs nothing, as `command -v`."""
    while position < len(words) and words[position].startswith("-"):
        if wrapper == "command" and words[position].lower() == "-v":
            return None
        position += 2 if words[position] in _WRAPPERS[wrapper] else 1
    return position + 1 if wrapper == "timeout" else position


class _Reader:
    """Reads a script once from its beginning to its end."""

    __slots__ = ("depth", "drafts", "position", "text", "waiting")

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.position = 0
        self.depth = depth
        self.drafts: list[_Draft] = []
        self.waiting: list[tuple[_Draft, str]] = []

    def read(self) -> list[_Draft]:
        self._list_of_commands(closing="")
        return self.drafts

    def _list_of_commands(self, closing: str) -> None:
        """Read up to the closing parenthesis of a substitution, or to the end."""
        draft = _Draft()
        open_parts: list[str] = []
        while self.position < len(self.text):
            sign = self.text[self.position]
            if sign == ")" and closing and not open_parts:
                self.position += 1
                break
            if self._skip_blanks(sign):
                continue
            if sign in "\n;|&(){}" and self._separator(sign, draft, open_parts):
                draft = _Draft()
            elif sign in "<>" or self.text.startswith("&>", self.position):
                self._redirection(draft)
            elif sign not in "\n;|&()":
                self._next_word(draft, open_parts)
        self._finish(draft)

    def _finish(self, draft: _Draft) -> None:
        if draft.words or draft.written or draft.heredocs:
            self.drafts.append(draft)

    def _skip_blanks(self, sign: str) -> bool:
        """Skip what separates words: blanks, continued lines, and a comment."""
        if sign == "#":
            pattern = _COMMENT
        elif sign.isspace() and sign != "\n":
            pattern = _BLANKS
        else:
            return self._skip_continuation()
        match = pattern.match(self.text, self.position)
        self.position = max(match.end() if match else 0, self.position + 1)
        return True

    def _skip_continuation(self) -> bool:
        """A backslash before a line's end, or PowerShell's backtick, goes on in the next line."""
        for end in ("\\\n", "\\\r\n", "`\n", "`\r\n"):
            if self.text.startswith(end, self.position):
                self.position += len(end)
                return True
        return False

    def _separator(self, sign: str, draft: _Draft, open_parts: list[str]) -> bool:
        """Read a sign that ends a command; False when it does not, and nothing was read."""
        if sign in "{}" or self.text.startswith("&>", self.position):
            return self._brace(sign, draft)
        self.position += 1
        if sign == "\n":
            self._finish(draft)
            self._read_heredocs()
        elif sign == "(":
            self._open(draft, open_parts)
        elif sign == ")":
            self._close(draft, open_parts)
        else:
            draft.piped = sign == "|" and not self.text.startswith("|", self.position)
            self._finish(draft)
        return True

    def _brace(self, sign: str, draft: _Draft) -> bool:
        """A brace that stands alone groups commands; any other is part of a word."""
        after = self.text[self.position + 1 : self.position + 2]
        if sign not in "{}" or (after and not after.isspace() and after not in ";|&)"):
            return False
        self.position += 1
        if draft.words[:1] != ["function"]:
            self._finish(draft)
        return True

    def _open(self, draft: _Draft, open_parts: list[str]) -> None:
        if self.text.startswith("(", self.position) and not draft.words and self._skip_arithmetic():
            return
        if self.text.startswith(")", self.position):
            # The head of a function: its name runs nothing.
            self.position += 1
            return
        self._finish(draft)
        open_parts.append("(")

    def _close(self, draft: _Draft, open_parts: list[str]) -> None:
        if open_parts and open_parts[-1] == "case":
            # What stands before the parenthesis is a pattern.
            return
        if open_parts:
            open_parts.pop()
        self._finish(draft)

    def _skip_arithmetic(self) -> bool:
        """Skip `((1 << 2))`, whose signs mean no redirection."""
        end = self.text.find("))", self.position, self.position + _LONGEST_ARITHMETIC)
        if end < 0:
            return False
        self.position = end + 2
        return True

    def _next_word(self, draft: _Draft, open_parts: list[str]) -> None:
        start = self.position
        word = self._word()
        if self.text[self.position : self.position + 1] in {"<", ">"} and word.isdigit():
            return
        unquoted = word == self.text[start : self.position]
        if unquoted and word == "case" and _only_keywords(draft.words):
            open_parts.append("case")
        if unquoted and word in _ENDS and not draft.words:
            if word == "esac" and open_parts[-1:] == ["case"]:
                open_parts.pop()
        else:
            draft.words.append(word)

    def _redirection(self, draft: _Draft) -> None:
        match = _REDIRECTION.match(self.text, self.position)
        operator = match.group() if match else self.text[self.position]
        if operator in "<>" and self.text.startswith("(", self.position + 1):
            # A process substitution: its commands run, and the word is the name of a pipe.
            draft.words.append(self._substitution(opening=2))
            return
        self.position += len(operator)
        self._skip_spaces()
        target = self._word()
        if operator in {"<<", "<<-"}:
            self.waiting.append((draft, target))
        elif operator == "<<<":
            draft.heredocs.append(target)
        elif operator != ">&" and ">" in operator and operator != "<>":
            draft.written.append(target)

    def _skip_spaces(self) -> None:
        match = _BLANKS.match(self.text, self.position)
        if match:
            self.position = match.end()

    def _read_heredocs(self) -> None:
        for draft, delimiter in self.waiting:
            lines = []
            while self.position < len(self.text):
                end = self.text.find("\n", self.position)
                end = len(self.text) if end < 0 else end + 1
                line = self.text[self.position : end]
                self.position = end
                if line.strip("\t\r\n") == delimiter:
                    break
                lines.append(line)
            draft.heredocs.append("".join(lines))
        self.waiting.clear()

    def _word(self) -> str:
        """Read a word up to a blank or a sign that ends it, without its quotes."""
        parts: list[str] = []
        while self.position < len(self.text):
            sign = self.text[self.position]
            if self._skip_continuation():
                continue
            if sign.isspace() or sign in ";|&()<>":
                break
            if sign == "'":
                parts.append(self._single_quoted())
            elif self.text.startswith("$'", self.position):
                parts.append(self._run_of(_ESCAPED_QUOTED)[2:].removesuffix("'").replace("\\'", "'"))
            elif sign == '"':
                parts.append(self._double_quoted())
            elif sign in "\\$`":
                parts.append(self._special(sign))
            else:
                parts.append(self._run_of(_PLAIN))
        return "".join(parts)

    def _run_of(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        end = match.end() if match else self.position + 1
        run = self.text[self.position : end]
        self.position = end
        return run

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        end = len(self.text) if end < 0 else end
        inner = self.text[self.position + 1 : end]
        self.position = end + 1
        return inner

    def _double_quoted(self) -> str:
        self.position += 1
        parts: list[str] = []
        while self.position < len(self.text):
            sign = self.text[self.position]
            if sign == '"':
                self.position += 1
                break
            if sign == "\\" and self.text[self.position + 1 : self.position + 2] not in {"", '"', "\\", "$", "`", "\n"}:
                parts.append(sign)
                self.position += 1
            else:
                parts.append(self._special(sign) if sign in "\\$`" else self._run_of(_QUOTED_PLAIN))
        return "".join(parts)

    def _special(self, sign: str) -> str:
        """Read what a backslash, a dollar or a backtick begins."""
        if sign == "\\":
            escaped = self.text[self.position + 1 : self.position + 2]
            self.position += 2
            return "" if escaped == "\n" else escaped or sign
        return self._dollar() if sign == "$" else self._backticks()

    def _dollar(self) -> str:
        start = self.position
        if self.text.startswith("$((", start):
            self.position += 3
            if self._skip_arithmetic():
                return self.text[start : self.position]
            self.position = start
        if self.text.startswith("$(", start):
            return self._substitution(opening=2)
        if self.text.startswith("${", start):
            return self._braces()
        self.position += 1
        return "$"

    def _substitution(self, opening: int) -> str:
        """Read `$(...)`, whose commands run before the one that it stands in, and return it as it is written."""
        start = self.position
        if self.depth >= _DEEPEST_SUBSTITUTION:
            self.position += opening
            return self.text[start : self.position]
        self.position += opening
        self.depth += 1
        self._list_of_commands(closing=")")
        self.depth -= 1
        return self.text[start : self.position]

    def _braces(self) -> str:
        """Read `${...}`, of one line: a brace that is never closed shall not swallow the rest of the script."""
        start = self.position
        self.position += 2
        while self.position < len(self.text):
            sign = self.text[self.position]
            if sign == "\n":
                break
            if sign == "}":
                self.position += 1
                break
            if sign in "\\$`" and self.depth < _DEEPEST_SUBSTITUTION:
                self.depth += 1
                self._special(sign)
                self.depth -= 1
            else:
                self._run_of(_BRACED_PLAIN)
        return self.text[start : self.position]

    def _backticks(self) -> str:
        start = self.position
        end = _closing_backtick(self.text, start + 1)
        if end < 0 or self.depth >= _DEEPEST_SUBSTITUTION:
            self.position += 1
            return "`"
        inner = _Reader(self.text[start + 1 : end].replace("\\`", "`"), self.depth + 1)
        self.drafts += inner.read()
        self.position = end + 1
        return self.text[start : self.position]


def _closing_backtick(text: str, position: int) -> int:
    end = text.find("`", position)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("`", end + 1)
    return end
