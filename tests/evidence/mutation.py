"""Takes each check out of the verifier, one at a time, and asks whether a test notices.

``python -m tests.evidence.mutation [MODULE ...] [--kit] [--jobs N]``. Nothing is written: every mutant lives in a
forked process that imports the changed source. First the testkit runs, then the tests beside this file.
A mutant that nothing notices survives; those in ``HARMLESS`` may, for the reason given there.
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import copy
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

MODULES = (
    "verify", "verify_export", "checks", "consent", "grant", "order", "directory", "genesis", "checkpoint", "record",
    "segment", "export", "consistency", "tree", "cose", "cbor", "bulk", "keys", "heads", "rows", "report", "release",
    "erasure",
)  # fmt: skip
TESTS = (
    "test_matrix", "test_report", "test_attacks", "test_parts", "test_tree", "test_vectors", "test_release",
    "test_erasure", "test_heads", "test_salvage", "test_vault", "test_hostile", "test_command_line",
)  # fmt: skip
CLOSEST = {
    "tree": ("test_tree", "test_report"), "cbor": ("test_parts",), "cose": ("test_parts", "test_vectors"),
    "keys": ("test_parts",), "bulk": ("test_vectors",), "heads": ("test_heads",), "consistency": ("test_report",),
    "report": ("test_report",), "release": ("test_release", "test_erasure"), "erasure": ("test_erasure",),
    "consent": ("test_release",), "segment": ("test_parts", "test_release"), "rows": ("test_attacks", "test_vault"),
}  # fmt: skip
"""Tests that run before the others, by module."""
SLOW = ("sigkill", "cost_of_an_append")
COLLECTS = {"append", "add", "update", "setdefault", "extend", "sort", "pop", "clear"}
TIMEOUT_S, MEMORY_BYTES = 300, 6 << 30

HARMLESS: dict[str, str] = {}
"""Mutants that may survive, by name without the line, with the reason."""


@dataclass(frozen=True)
class Mutant:
    """One check taken out: the module, where, and the source that is gone."""

    module: str
    number: int
    line: int
    how: str
    text: str

    @property
    def name(self) -> str:
        """Stable while lines move."""
        return f"{self.module}: {self.how}: {self.text}"


class Remover(ast.NodeTransformer):
    """Walks a module and takes out the check with this number; without one it counts them."""

    def __init__(self, module: str, wanted: int | None = None) -> None:
        self.module, self.wanted, self.found = module, wanted, list[Mutant]()

    def hit(self, node: ast.AST, how: str, gone: ast.AST) -> bool:
        """Count one; whether it is the one wanted."""
        text = " ".join(ast.unparse(gone).split())[:160]
        self.found.append(Mutant(self.module, len(self.found), node.lineno, how, text))  # type: ignore[attr-defined]
        return self.wanted == len(self.found) - 1

    def visit_If(self, node: ast.If) -> ast.AST:
        if checks(node.body) and self.hit(node, "if", node.test):
            node.test = ast.copy_location(ast.Constant(False), node.test)
        if (
            checks(node.orelse)
            and not isinstance(node.orelse[0], ast.If)
            and self.hit(node, "else", node.test)
        ):
            node.test = ast.copy_location(ast.Constant(True), node.test)
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value
        collects = isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in COLLECTS
        if isinstance(call, ast.Call) and not collects and self.hit(node, "call", call):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if self.hit(node, "raise", node) else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        for value in list(node.values):
            if self.hit(node, "operand", value):
                rest = [v for v in node.values if v is not value]
                return rest[0] if len(rest) == 1 else ast.copy_location(ast.BoolOp(node.op, rest), node)
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        sides = [node.left, *node.comparators]
        if len(node.ops) > 1:
            for n in range(len(node.ops)):
                link = ast.copy_location(ast.Compare(sides[n], [node.ops[n]], [sides[n + 1]]), node)
                if self.hit(node, "link", link):
                    others = [
                        ast.copy_location(ast.Compare(sides[m], [node.ops[m]], [sides[m + 1]]), node)
                        for m in range(len(node.ops))
                        if m != n
                    ]
                    return others[0] if len(others) == 1 else ast.BoolOp(ast.And(), others)
        elif isinstance(sides[0], ast.Tuple) and isinstance(sides[1], ast.Tuple):
            for n, element in enumerate(sides[0].elts):
                if self.hit(node, "element", element):
                    for side in sides:
                        del side.elts[n]  # type: ignore[attr-defined]
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        for kept in (node.body, node.orelse):
            if self.hit(node, "always", kept):
                return kept
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = ast.unparse(node.func)
        if name in ("cbor.fixed", "fixed") and self.hit(node, "length", node):
            return node.args[0]
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = self.visit(node.value) if node.value else None
        return node


def checks(body: Sequence[ast.stmt]) -> bool:
    """Whether a branch is where something is refused or found."""
    return any(
        isinstance(inner, ast.Raise)
        or (isinstance(inner, ast.Call) and ast.unparse(inner.func) in ("out.find", "check_signature"))
        for statement in body
        for inner in ast.walk(statement)
    ) or any(isinstance(s, ast.Return | ast.Continue) for s in body)


def folder() -> Path:
    """Where the package's evidence modules lie, without importing it."""
    spec = importlib.util.find_spec("amparo")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "evidence"


def mutants(module: str) -> list[Mutant]:
    """Every check of a module."""
    remover = Remover(module)
    remover.visit(ast.parse((folder() / f"{module}.py").read_text()))
    return remover.found


def code_of(mutant: Mutant) -> CodeType:
    """The module's code without that check."""
    path = folder() / f"{mutant.module}.py"
    tree = Remover(mutant.module, mutant.number).visit(copy.deepcopy(ast.parse(path.read_text())))
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


class Loader(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    """Gives one module other code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


FIRST = {
    "verify": ("vault",), "rows": ("vault",), "checks": ("vault", "export"), "verify_export": ("export",),
    "export": ("export",), "keys": ("key-line", "key-file", "genesis"), "heads": ("heads",),
    "cbor": ("cbor",), "directory": ("directory",), "segment": ("vault", "package"),
}  # fmt: skip


def by_kit(module: str) -> bool:
    """Whether a file of the testkit comes out otherwise."""
    from .testkit.case import cases
    from .testkit.run import found

    first = FIRST.get(module, ())
    # a key file costs a fifth of a second; `test_parts` has some as well
    chosen = [case for case in cases() if case.kind != "key-file" or module == "keys"]
    return any(found(case) != case.expect for case in sorted(chosen, key=lambda c: c.kind not in first))


def by_tests(module: str) -> bool:
    """Whether a test fails."""
    import pytest

    here = Path(__file__).parent
    closest = CLOSEST.get(module, ())
    names = [*closest, *(name for name in TESTS if name not in closest)]
    files = [str(here / f"{name}.py") for name in names]
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not long",
        "-k",
        " and ".join(f"not {s}" for s in SLOW),
    ]
    return pytest.main([*options, *files]) != 0


def judge(mutant: Mutant, *, kit_only: bool) -> str:
    """Run in a process of its own: "kit", "tests", "survived" or "error"."""
    code = code_of(mutant)
    started = os.fork()
    if started:
        _, status = os.waitpid(started, 0)
        code = os.waitstatus_to_exitcode(status)
        return (
            "timeout"
            if code == -signal.SIGALRM
            else {10: "kit", 11: "tests", 12: "survived"}.get(code, "error")
        )
    signal.alarm(TIMEOUT_S)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    outcome = 13
    try:
        sys.meta_path.insert(0, Loader(f"amparo.evidence.{mutant.module}", code))
        try:
            noticed = by_kit(mutant.module)
        except Exception:  # a mutant may break the reader itself
            noticed = True
        if not noticed and not kit_only:
            noticed, outcome = by_tests(mutant.module), 11
        else:
            outcome = 10
        outcome = outcome if noticed else 12
    finally:
        os._exit(outcome)


CONTROL = Mutant("verify", -1, 0, "nothing", "the module as it is")
"""Must survive, or every other outcome is worth nothing."""


def sweep(wanted: Sequence[Mutant], *, jobs: int, kit_only: bool) -> Iterator[tuple[Mutant, str]]:
    """Judge many; the outcome of each as it comes."""
    import cbor2  # noqa: F401 - imported before forking, so that no child has to
    import cryptography.hazmat.bindings._rust  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401

    assert judge(CONTROL, kit_only=kit_only) == "survived", "the tests fail without any mutant"
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(judge, mutant, kit_only=kit_only): mutant for mutant in wanted}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what survives; status 1 when something does that is not harmless."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kit", action="store_true", help="judge by the testkit alone")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth, for a quick look")
    parser.add_argument("--name", action="append", help="only the mutant of this name; can be given again")
    parser.add_argument("--line", type=int, help="only those of this line")
    options = parser.parse_args(arguments)
    wanted = [m for module in options.modules for m in mutants(module)][:: options.every]
    wanted = [
        m for m in wanted if options.line in (None, m.line) and (not options.name or m.name in options.name)
    ]
    if options.name and {m.name for m in wanted} != set(options.name):
        parser.error(f"no such mutant: {', '.join(set(options.name) - {m.name for m in wanted})}")
    started, outcomes = time.monotonic(), list[tuple[Mutant, str]]()
    for mutant, outcome in sweep(wanted, jobs=options.jobs, kit_only=options.kit):
        outcomes.append((mutant, outcome))
        if outcome in ("survived", "error"):
            why = HARMLESS.get(mutant.name, "")
            print(
                f"{mutant.module}.py:{mutant.line}: {mutant.how}: {mutant.text}  {why and '# ' + why}",
                flush=True,
            )
    count = Counter(outcome for _, outcome in outcomes)
    bad = [m for m, o in outcomes if o in ("survived", "error") and m.name not in HARMLESS]
    print(
        f"{len(outcomes)} mutants: {count['kit']} found by the testkit, {count['tests']} by other tests, "
        f"{count['timeout']} by not ending, {count['survived'] + count['error'] - len(bad)} harmless, {len(bad)} survived; "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
