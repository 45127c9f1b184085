"""Every case of the corpora, those kept here and those kept beside the repository, is read as it says."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.core.advice.mirrors import image_named
from remediator.core.codebuild.image import ImageReference
from remediator.core.codebuild.log import LogLine
from remediator.core.diagnosis.excerpt import redact
from remediator.core.diagnosis.failed_command import NEAR_END, FailedCommand
from remediator.core.diagnosis.throttle import find_throttle
from remediator.core.wording import harmless
from tests.corpora.corpus import OWN, Case, Corpus

Record = Callable[[str, object], None]
COMMAND = "docker build -t app ."


def wrong_cause(case: Case) -> str | None:
    throttle = find_throttle(case["line"])
    cause = throttle.cause.value if throttle else None
    if cause not in case["cause"]:
        return f"{case['line']!r}: {cause}, not {case['cause']}"
    registry = throttle.registry if throttle else None
    if "registry" in case and registry != case["registry"]:
        return f"{case['line']!r}: of {registry}, not of {case['registry']}"
    return None


def wrong_cause_in_a_log(case: Case) -> str | None:
    """The same line somewhere in a long log, and somewhere in what the failed command of a build said.

    A line that was cut off says less than one that a line break ends, so it has no place in a log.
    """
    if case.get("cut"):
        return None
    rng = random.Random(case["line"])
    before, after = rng.randrange(3000), rng.randrange(NEAR_END - 50)
    lines = [*noise(rng, before), *case["line"].split("\n"), *noise(rng, after)]
    whole = wrong_cause({**case, "line": "\n".join(lines)})
    if whole:
        return f"in a log of {len(lines)} lines: {whole[-300:]}"
    command = FailedCommand("BUILD", COMMAND)
    said = command.said([LogLine(at, line) for at, line in enumerate(build_log(lines))])
    throttle = command.throttle(said.lines) if said else None
    cause = throttle.cause.value if throttle else None
    return None if cause in case["cause"] else f"{case['line']!r}: {cause} in a build's log, not {case['cause']}"


def noise(rng: random.Random, size: int) -> list[str]:
    words = ("Step", "exporting", "429", "pull", "layer", "registry", "retry", "sha256:", "ok", "[Container]", "limit")
    return [f"#{rng.randrange(99)} {' '.join(rng.sample(words, 4))} {rng.random()}" for _ in range(size)]


def build_log(lines: list[str]) -> list[str]:
    stamp = "[Container] 2026/11/20 09:14:08.002800"
    return [
        f"{stamp} Entering phase BUILD",
        f"{stamp} Running command make",
        *noise(random.Random(1), 50),
        f"{stamp} Running command {COMMAND}",
        *lines,
        f"{stamp} Command did not exit successfully {COMMAND} exit status 1",
        f"{stamp} Phase complete: BUILD State: FAILED",
        f"{stamp} Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: {COMMAND}",
    ]


DECISIVE = re.compile(
    r"toomanyrequests|too many requests|\b429\b|HAP429|reached your|unauthenticated|pull rate limit|limit by upgrading"
    r"|limit by authenticating and upgrading|unauthorized|denied|(?:Rate|Data limit) exceeded|allowed: \d+/minute"
    r"|too many failed login attempts|unexpected status(?: code)?|failed with status|Server message"
    r"|//(?:docs|www)\.docker\.com/[\w/-]+|(?:index|registry-1|auth)\.docker\.io\b|(?:public\.ecr\.aws|ghcr\.io|quay\.io)/",
    re.IGNORECASE,
)


def unreadable_excerpt(case: Case) -> str | None:
    """All decisive words of a line, and the image that it names, are in what is kept of it."""
    for line in map(harmless, case["line"].split("\n")):
        throttle = find_throttle(line)
        kept = throttle.excerpt if throttle else redact(line)
        said, still_said = (Counter(map(str.lower, DECISIVE.findall(text))) for text in (line, kept))
        lost = said - still_said
        if throttle and throttle.registry in (None, "docker.io") and lost:
            return f"{line!r} lost {dict(lost)}: {kept!r}"
        if throttle and image_named(kept) != image_named(line):
            return f"{line!r} lost its image: {kept!r}"
    return None


def wrong_parts(case: Case) -> str | None:
    try:
        image = ImageReference.parse(case["ref"])
    except ValueError as error:
        return f"{case['ref']!r}: refused: {error}" if case["valid"] else None
    if not case["valid"]:
        return f"{case['ref']!r}: read as {image}, but is none"
    wanted = ImageReference(case["registry"], case["repository"], case["tag"], case["digest"])
    return None if image == wanted else f"{case['ref']!r}: {image}, not {wanted}"


def nothing_wrong(case: Case) -> str | None:
    return None


def forget(key: str, value: object) -> None:
    """Counts nothing: these corpora are made up to fail."""


def test_every_published_error_line_gets_one_of_its_causes(record_property: Record) -> None:
    Corpus.shared("error-lines.yaml").check(wrong_cause, record_property)


def test_every_published_error_line_is_found_in_a_long_log(record_property: Record) -> None:
    Corpus.shared("error-lines.yaml").check(wrong_cause_in_a_log, record_property)


def test_what_is_kept_of_every_published_error_line_has_its_decisive_words(record_property: Record) -> None:
    Corpus.shared("error-lines.yaml").check(unreadable_excerpt, record_property)


def test_every_published_image_reference_is_read_as_it_says(record_property: Record) -> None:
    Corpus.shared("image-refs.yaml").check(wrong_parts, record_property)


def test_every_error_line_of_our_own_gets_its_cause_and_registry(record_property: Record) -> None:
    Corpus.read(OWN / "our-error-lines.yaml").check(wrong_cause, record_property)


def test_every_error_line_of_our_own_is_found_in_a_long_log(record_property: Record) -> None:
    Corpus.read(OWN / "our-error-lines.yaml").check(wrong_cause_in_a_log, record_property)


def test_what_is_kept_of_every_error_line_of_our_own_has_its_decisive_words(record_property: Record) -> None:
    Corpus.read(OWN / "our-error-lines.yaml").check(unreadable_excerpt, record_property)


def test_every_image_reference_of_our_own_is_read_as_it_says(record_property: Record) -> None:
    Corpus.read(OWN / "our-image-refs.yaml").check(wrong_parts, record_property)


def test_a_corpus_of_which_a_case_was_not_run_fails(tmp_path: Path) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text("- {line: one, cause: [null]}\n- {line: two, cause: [null]}\n", encoding="utf-8")
    corpus = Corpus.read(path)
    shortened = Corpus(corpus.name, corpus.cases[:1], corpus.present)
    with pytest.raises(AssertionError, match=r"1 of 2 cases of lines\.yaml ran"):
        shortened.check(nothing_wrong, forget)


def test_a_corpus_with_a_wrong_case_fails_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text("- {line: nothing at all, cause: [unknown]}\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="nothing at all"):
        Corpus.read(path).check(wrong_cause, forget)


def test_an_empty_corpus_fails(tmp_path: Path) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text("# no cases\n[]\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="0 of 0"):
        Corpus.read(path).check(wrong_cause, forget)
