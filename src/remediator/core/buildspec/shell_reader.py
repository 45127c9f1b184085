"""Splits a script into simple commands as a shell does, by its quotes, separators, redirections and substitutions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

KEYWORDS = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "try", "finally"})

_DEEPEST = 20
"""Levels of `$(...)` that are looked into: each level is copied into the words around it, so the time stays linear."""

_ENDS = frozenset({"fi", "done", "esac"})
_WRITES = frozenset({">", ">>", ">|", "&>", "&>>"})

_LINE = re.compile(r"[^\n]*\n?")
# A backslash before a line's end, or PowerShell's backtick, goes on in the next line.
_CONTINUATION = re.compile(r"[\\`]\r?\n")
_BLANKS = re.compile(r"(?:[^\S\n]|[\\`]\r?\n)+")
# `<# ... #>` is a comment of PowerShell.
_SKIPPED = re.compile(r"(?:[^\S\n]|[\\`]\r?\n|#[^\n]*|<#(?:[^#]|#(?!>))*(?:#>)?)+")
_REDIRECTION = re.compile(r"&>>?|<<<|<<-?|<>|>>|>\||[<>]&?")
# A brace that stands alone groups commands; any other is part of a word.
_SEPARATOR = re.compile(r"[\n;|&()]|[{}](?=[\s;|&)]|\Z)")
_ARITHMETIC = re.compile(r"\$?\(\(.{0,500}?\)\)", re.DOTALL)

_PLAIN = re.compile(r"""[^\s\\'"`$;|&()<>]+""")
_SINGLE_QUOTED = re.compile(r"'[^']*'?")
_ESCAPED_QUOTED = re.compile(r"\$'(?:[^'\\]|\\.)*'?", re.DOTALL)
# With a backtick before it, a quote is text for PowerShell.
_IN_DOUBLE_QUOTES = re.compile(r'(?:[^"\\`$]|\\[^"\\`$\n]|`")+')
_IN_BRACES = re.compile(r"[^}\\`$\n]+")
_ESCAPED = re.compile(r"\\.?", re.DOTALL)
# Of PowerShell: text up to a line that begins with the quote and the at sign.
_HERE_STRING = re.compile(r"@(['\"])[ \t]*\r?\n(?:(?!\1@)[^\n]*\n)*(?:\1@|[^\n]*)")
_LIST_BEGINS = re.compile(r"[A-Za-z_]\w*(?:\[\w*\])?\+?=")
_BACKTICKS = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)


@dataclass(slots=True)
class Draft:
    """A command as it is written, its words without their quotes; here-documents are filled in after its line."""

    words: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    heredoc: list[str] = field(default_factory=list)
    piped: bool = False


@dataclass(slots=True)
class Reader:
    """Reads a script once from its beginning to its end."""

    text: str
    depth: int = 0
    position: int = 0
    drafts: list[Draft] = field(default_factory=list)
    waiting: list[tuple[Draft, str, str]] = field(default_factory=list)

    def read(self) -> list[Draft]:
        self._commands(closed=False)
        return self.drafts

    def _take(self, pattern: re.Pattern[str]) -> str:
        """What matches here, which is read then; empty where nothing does."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match.group()

    def _commands(self, *, closed: bool) -> None:
        """Read to the end, or to the parenthesis that closes a substitution. `groups` are the parentheses and the
        `case` that are open: a parenthesis within them closes nothing else."""
        draft = Draft()
        groups: list[str] = []
        while self.position < len(self.text):
            if self._take(_SKIPPED):
                continue
            if closed and not groups and self.text[self.position] == ")":
                self.position += 1
                break
            if self.text.startswith(("<(", ">("), self.position):
                # A process substitution: its commands run, and the word is the name of a pipe.
                draft.words.append(self._nested(self._substitution))
            elif operator := self._take(_REDIRECTION):
                self._redirect(operator, draft)
            elif not draft.words and self.text.startswith("((", self.position) and self._take(_ARITHMETIC):
                # The signs in `((1 << 2))` mean no redirection.
                continue
            elif self._is_list(draft):
                draft.words[-1] += self._written_to(")")
            elif separator := self._take(_SEPARATOR):
                if self._ends_command(separator, draft, groups):
                    self._finish(draft)
                draft = Draft()
            else:
                self._next_word(draft, groups)
        self._finish(draft)

    def _finish(self, draft: Draft) -> None:
        if draft.words or draft.written or draft.heredoc:
            self.drafts.append(draft)

    def _ends_command(self, separator: str, draft: Draft, groups: list[str]) -> bool:
        """Is the draft before the separator a command? The name of a function and a pattern of `case` are none."""
        if separator == "\n":
            self._read_heredocs()
        elif separator == "|":
            draft.piped = not self.text.startswith("|", self.position)
        elif separator in "{}":
            return draft.words[:1] != ["function"]
        elif separator == "(":
            if self.text.startswith(")", self.position):
                self.position += 1
                return False
            groups.append("(")
        elif separator == ")" and groups:
            if groups[-1] == "case":
                return False
            groups.pop()
        return True

    def _next_word(self, draft: Draft, groups: list[str]) -> None:
        start = self.position
        word = self._word()
        if word.isdigit() and self.text.startswith(("<", ">"), self.position):
            return
        unquoted = word == self.text[start : self.position]
        if unquoted and word in _ENDS and not draft.words:
            if word == "esac" and groups[-1:] == ["case"]:
                groups.pop()
            return
        if unquoted and word == "[[" and KEYWORDS.issuperset(draft.words):
            word += self._written_to("]]")
        if unquoted and word == "case" and len(draft.words) < 3 and KEYWORDS.issuperset(draft.words):
            groups.append("case")
        draft.words.append(word)

    def _is_list(self, draft: Draft) -> bool:
        """Does the parenthesis here begin the list of a variable, as in `words=(docker login)`?"""
        name = "".join(draft.words[-1:])
        return self.text.startswith("=(", self.position - 1) and _LIST_BEGINS.fullmatch(name) is not None

    def _written_to(self, end: str) -> str:
        """Read words that run nothing, substitutions aside, up to the one that ends them; return them as written."""
        first = self.position
        while self.position < len(self.text):
            start = self.position
            if not self._take(_SKIPPED):
                self._word()
                self.position = max(self.position, start + 1)
            if self.text[start : self.position] == end:
                break
        return self.text[first : self.position]

    def _redirect(self, operator: str, draft: Draft) -> None:
        self._take(_BLANKS)
        target = self._word()
        if operator in {"<<", "<<-"}:
            self.waiting.append((draft, target, "\t" if operator == "<<-" else ""))
        elif operator == "<<<":
            draft.heredoc.append(target)
        elif operator in _WRITES:
            draft.written.append(target)

    def _read_heredocs(self) -> None:
        for draft, delimiter, indentation in self.waiting:
            while line := self._take(_LINE):
                if line.rstrip("\r\n").lstrip(indentation) == delimiter:
                    break
                draft.heredoc.append(line)
        self.waiting.clear()

    def _word(self) -> str:
        """Read a word up to a blank or a sign that ends it, without its quotes."""
        parts: list[str] = []
        while self.position < len(self.text):
            if self._take(_CONTINUATION):
                continue
            sign = self.text[self.position]
            if sign.isspace() or sign in ";|&()<>":
                break
            parts.append(self._part(sign))
        return "".join(parts)

    def _part(self, sign: str) -> str:
        if sign == "'":
            return self._take(_SINGLE_QUOTED).strip("'")
        if sign == '"':
            return self._double_quoted()
        if escaped := self._take(_ESCAPED_QUOTED):
            return escaped[2:].removesuffix("'").replace("\\'", "'")
        return self._take(_HERE_STRING) or self._take(_PLAIN) or self._special(sign)

    def _double_quoted(self) -> str:
        parts: list[str] = []
        self.position += 1
        while self.position < len(self.text):
            sign = self.text[self.position]
            if sign == '"':
                self.position += 1
                break
            parts.append(self._take(_IN_DOUBLE_QUOTES) or self._special(sign))
        return "".join(parts)

    def _special(self, sign: str) -> str:
        """Read what a backslash, a dollar or a backtick begins."""
        if sign == "\\":
            escaped = self._take(_ESCAPED)[1:]
            return "" if escaped == "\n" else escaped or sign
        if sign == "`":
            return self._backticks()
        if arithmetic := self._take(_ARITHMETIC):
            return arithmetic
        if self.text.startswith("$(", self.position):
            return self._nested(self._substitution)
        if self.text.startswith("${", self.position):
            return self._nested(self._braces)
        self.position += 1
        return sign

    def _nested(self, read: Callable[[], None]) -> str:
        """Read what two signs open, and return it as it is written."""
        start = self.position
        self.position += 2
        if self.depth < _DEEPEST:
            self.depth += 1
            read()
            self.depth -= 1
        return self.text[start : self.position]

    def _substitution(self) -> None:
        """Its commands run before the one that it stands in."""
        self._commands(closed=True)

    def _braces(self) -> None:
        """Of one line: a brace that is never closed shall not swallow the rest of the script."""
        while self.position < len(self.text) and self.text[self.position] != "\n":
            sign = self.text[self.position]
            if sign == "}":
                self.position += 1
                break
            if not self._take(_IN_BRACES):
                self._special(sign)

    def _backticks(self) -> str:
        written = self._take(_BACKTICKS) if self.depth < _DEEPEST else ""
        if not written:
            self.position += 1
            return "`"
        self.drafts += Reader(written[1:-1].replace("\\`", "`"), self.depth + 1).read()
        return written
