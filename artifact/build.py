"""Builds the artifact: src/ and the packages it needs, pruned, with bytecode of the runtime's Python.

    python3 -m artifact.build --into DIRECTORY

runs from the repository root, which is what src/Makefile does for `sam build`. It needs no package of its own,
and the same inputs give the same bytes. The packages are prepared once for each set of inputs, under
.tools/packages, so that the second function of a build only costs a copy.
"""

import argparse
import contextlib
import csv
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bootstrap

SOURCE = bootstrap.ROOT / "src"
REQUIREMENTS = SOURCE / "requirements.txt"
LEFT_OUT = Path(__file__).with_name("left-out.toml")
PREPARED = bootstrap.TOOLS / "packages"

# template.yaml's Runtime. Bytecode of another version is of no use there.
RUNTIME = "3.13"
# Where Lambda unpacks the archive: tracebacks name files as they are there.
DEPLOYED_AT = "/var/task"
# Of every file, so that archives of the same contents are the same: 2000-01-01T00:00:00Z.
MODIFIED = 946_684_800
COMPILED = {".so", ".pyd", ".dylib", ".dll"}
LICENCE = re.compile(r"(licen[cs]es?|notices?|copying|copyright)([-_.](?!pyc?$).*)?", re.IGNORECASE)


class BuildError(Exception):
    """The artifact cannot be built as it has to be; the message says why and what to do."""


@dataclass(frozen=True)
class LeftOut:
    """The contents of left-out.toml."""

    services: tuple[str, ...]
    patterns: tuple[str, ...]

    @classmethod
    def read(cls) -> "LeftOut":
        document = tomllib.loads(LEFT_OUT.read_text(encoding="utf-8"))
        return cls(tuple(document["services"]), tuple(document["patterns"]))


@dataclass(frozen=True)
class Compiler:
    """A Python that answered, and the version that it answered with."""

    python: str
    version: str


def build(into: Path, source: Path = SOURCE, compiler: Compiler | None = None, prepared: Path = PREPARED) -> None:
    """Fills `into` anew with the modules of `source` and the packages; bytecode needs a compiler."""
    packages = prepare(compiler, prepared)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(into)
    shutil.copytree(packages, into, copy_function=shutil.copyfile)
    own = into / ".own"
    for path in sorted(source.rglob("*.py")):
        target = own / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if own.exists():
        if compiler:
            compile_tree(own, compiler)
        for child in own.iterdir():
            child.rename(into / child.name)
        own.rmdir()
    settle(into)


def prepare(compiler: Compiler | None, prepared: Path) -> Path:
    """The folder of installed, pruned and compiled packages; one rename makes it, so it is whole or not there."""
    folder = prepared / digest(compiler)
    bootstrap.ensure(["uv"])
    prepared.mkdir(exist_ok=True)
    # `sam build --parallel` builds both functions at once: one prepares, the other waits for it.
    with bootstrap.locked(prepared / "lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=prepared, prefix="new-") as draft:
                tree = Path(draft) / "tree"
                install(tree)
                refuse_compiled(tree)
                keep_licences(tree)
                prune(tree, LeftOut.read())
                if compiler:
                    compile_tree(tree, compiler)
                tree.rename(folder)
    return folder


def digest(compiler: Compiler | None) -> str:
    inputs = [path.read_bytes() for path in (REQUIREMENTS, LEFT_OUT, Path(__file__))]
    inputs.append(compiler.version.encode() if compiler else b"")
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in inputs)).hexdigest()[:16]


def install(tree: Path) -> None:
    """Wheels of src/requirements.txt, checked by digest, chosen for the runtime instead of for this host."""
    settings = bootstrap.PipSettings.read(os.environ)
    environ = bootstrap.uv_environ(settings, os.environ)
    bootstrap.run_uv(
        (
            *("pip", "install", "--quiet", "--no-deps", "--no-build", "--require-hashes", "--link-mode", "copy"),
            *("--python", bootstrap.own_python(), "--python-version", RUNTIME),
            *("--python-platform", "aarch64-manylinux2014", "--target", tree, "--requirements", REQUIREMENTS),
        ),
        environ,
    )


def refuse_compiled(tree: Path) -> None:
    """The promise that any host builds for any processor."""
    found = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.suffix in COMPILED)
    if found:
        raise BuildError(
            f"The packages hold compiled files: {', '.join(found)}. The artifact is pure Python, so that any"
            " host can build it; choose a package or a version without them."
        )


def keep_licences(tree: Path) -> None:
    """Moves the licence texts that each package installed to `licenses/<package>`: whoever hands a package on has to
    hand them on too, and the folders that hold most of them are left out."""
    for info in sorted(tree.glob("*.dist-info")):
        with (info / "RECORD").open(encoding="utf-8", newline="") as record:
            installed = [Path(row[0]) for row in csv.reader(record) if row]
        texts = [path for path in installed if LICENCE.fullmatch(path.name)]
        if not texts:
            raise BuildError(f"{info.name} holds no licence text, without which it may not be handed on.")
        for path in texts:
            name = info.name.partition("-")[0]
            inner = [part for part in path.parts if part not in {info.name, name, "licenses"}]
            target = tree / "licenses" / name / "-".join(inner)
            target.parent.mkdir(parents=True, exist_ok=True)
            (tree / path).rename(target)


def prune(tree: Path, left_out: LeftOut) -> None:
    data = tree / "botocore/data"
    for folder in sorted(data.iterdir()):
        if folder.is_dir() and folder.name not in left_out.services:
            shutil.rmtree(folder)
    missing = [service for service in left_out.services if not (data / service).is_dir()]
    if missing:
        raise BuildError(f"botocore has no service {missing[0]!r}; correct `services` in {LEFT_OUT.name}.")
    for pattern in left_out.patterns:
        matches = sorted(tree.glob(pattern))
        if not matches:
            raise BuildError(f"{pattern!r} in {LEFT_OUT.name} matches nothing; take it out.")
        for path in matches:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in sorted(data.rglob("*.json*")):
        slim(path, left_out)
    for folder in sorted(tree.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def slim(path: Path, left_out: LeftOut) -> None:
    """Rewrites one of botocore's data files without documentation and, for endpoints, without other services."""
    packed = path.read_bytes()
    document = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
    if path.name == "endpoints.json":
        for partition in document["partitions"]:
            services = partition["services"]
            partition["services"] = {name: services[name] for name in services if name in left_out.services}
    path.unlink()
    text = json.dumps(without_documentation(document), separators=(",", ":"), ensure_ascii=False)
    path.with_name(path.name.removesuffix(".gz")).write_text(text, encoding="utf-8")


def without_documentation(value: Any) -> Any:
    """A shape may have a member of that name, which is an object; documentation itself is text."""
    if isinstance(value, dict):
        return {
            name: without_documentation(child)
            for name, child in value.items()
            if not (name == "documentation" and isinstance(child, str))
        }
    if isinstance(value, list):
        return [without_documentation(child) for child in value]
    return value


def compile_tree(tree: Path, compiler: Compiler) -> None:
    """Bytecode that is valid by the digest of its source: file times do not survive a deployment."""
    command = [compiler.python, "-s", "-S", "-P", "-m", "compileall", "-q", "-f"]
    command += ["--invalidation-mode", "checked-hash", "-s", str(tree), "-p", DEPLOYED_AT, str(tree)]
    # The order of sets in bytecode follows the seed of hashes.
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    if done.returncode:
        raise BuildError(f"{compiler.python} could not compile the artifact:\n{done.stdout}{done.stderr}".rstrip())


def settle(tree: Path) -> None:
    """Modes and times that do not depend on the host."""
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (MODIFIED, MODIFIED))


def candidates() -> Iterator[str]:
    """Where a Python of the runtime's version may be."""
    bootstrap.ensure(["uv"])
    on_path = shutil.which(f"python{RUNTIME}")
    if on_path:
        yield on_path
    with contextlib.suppress(bootstrap.SetupError, OSError):
        environ = bootstrap.uv_environ(bootstrap.PipSettings.read(os.environ), os.environ)
        yield bootstrap.run_uv(("python", "find", "--no-project", RUNTIME), environ).strip()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{RUNTIME}*"), reverse=True):
        yield str(folder / "bin/python")


def find_compiler(pythons: Iterable[str] | None = None) -> Compiler | None:
    """The first Python of the runtime's version that answers, of `pythons` or of those that this host may have."""
    for python in candidates() if pythons is None else pythons:
        compiler = ask(python)
        if compiler and compiler.version.startswith(f"{RUNTIME}."):
            return compiler
    return None


def named_compiler(python: str) -> Compiler:
    compiler = ask(python)
    if not compiler:
        raise BuildError(f"{python} is no CPython that runs here.")
    return compiler


def ask(python: str) -> Compiler | None:
    """What that Python says it is; None when it does not run. (pyenv has commands for versions that it lacks.)"""
    question = "import platform; print(platform.python_implementation(), platform.python_version())"
    try:
        done = subprocess.run([python, "-I", "-c", question], check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    implementation, _, version = done.stdout.strip().partition(" ")
    return Compiler(python, version) if not done.returncode and implementation == "CPython" else None


def summary(tree: Path, compiler: Compiler | None) -> str:
    files = [path.stat().st_size for path in tree.rglob("*") if path.is_file()]
    contents = f"artifact: {len(files)} files, {sum(files) / 1e6:.1f} MB"
    if compiler:
        return f"{contents}, with bytecode of Python {compiler.version}"
    return f"{contents}; no python{RUNTIME} was found here, so it has no bytecode and each cold start takes longer"


def main() -> int:
    parser = argparse.ArgumentParser(prog="artifact.build", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--into", type=Path, required=True, help="folder to fill; what is in it is removed")
    parser.add_argument("--source", type=Path, default=SOURCE, help="folder of the modules (default: src)")
    parser.add_argument("--python", help=f"compile with this Python, whatever its version (default: a {RUNTIME})")
    arguments = parser.parse_args()
    try:
        compiler = named_compiler(arguments.python) if arguments.python else find_compiler()
        build(arguments.into, arguments.source, compiler)
    except (BuildError, bootstrap.SetupError) as error:
        print(f"artifact: {error}", file=sys.stderr)
        return 1
    print(summary(arguments.into, compiler))
    return 0


if __name__ == "__main__":
    sys.exit(main())
