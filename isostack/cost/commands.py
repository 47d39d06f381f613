"""``isostack cost``: what environments cost a month now, and what they would cost after an ``up``. Needs no cloud."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isostack.composition import backend_of, home_of, project_at
from isostack.console import console, print_json, stdout_kept
from isostack.errors import BadInput
from isostack.options import HERE, Cwd, Debug, Json

if TYPE_CHECKING:
    from isostack.cost.budget import Spending
    from isostack.engine.project import Project


def cost(
    env: Annotated[str | None, typer.Argument(metavar="ENV", help="The environment: the name of a stack.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every environment.")] = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Estimate what an environment costs a month, now and after an `up`, by component. Needs no cloud."""
    from isostack.cost.estimate import LABEL
    from isostack.preview.collect import environments

    if (env is None) is not everything:
        raise BadInput("name an environment, or ask for all of them with --all")
    project = project_at(cwd)
    known = environments(project)
    if env is not None and env not in known:
        raise BadInput(f"no environment {env!r} in {project.name}; there are {', '.join(known)}")
    with stdout_kept(as_json):
        found = {name: _foreseen(project, name) for name in ([env] if env is not None else known)}
    if as_json:
        document = {"project": project.name, "label": LABEL, "environments": {n: _document(one) for n, one in found.items()}}
        print_json(document)
        return
    for line in _lines(found):
        console().print(line)


def _foreseen(project: Project, name: str) -> Spending:
    """The estimates of the recorded state, and of what the program would make of it."""
    from isostack.cost import budget, estimate
    from isostack.preview.collect import Sources, intend

    intent = intend(Sources(project, home_of(project), "", backend=backend_of(project)), name).intent
    found = budget.Spending(budget.of(project, name, intent.stack.config.values))
    found.before, found.after = estimate.of(intent.before), estimate.of(intent.after)
    found.verdict = found.budget.judge(found.before, found.after)
    return found


def _document(found: Spending) -> dict[str, Any]:
    return {
        "before": found.before.as_dict(),
        "after": found.after.as_dict(),
        "difference": round(found.after.monthly - found.before.monthly, 2),
        "budget": found.as_dict()["budget"],
    }


def _lines(found: dict[str, Spending]) -> Iterator[str]:
    from isostack.cost.estimate import LABEL

    for name, one in found.items():
        yield f"{name}: ${one.before.monthly:,.2f} a month now, ${one.after.monthly:,.2f} after an up"
        before, after = one.before.components, one.after.components
        rows = [(part, before.get(part, 0.0), after.get(part, 0.0)) for part in (*after, *(p for p in before if p not in after))]
        width = max((len(part) for part, _, _ in rows), default=0)
        yield from (f"  {part:<{width}}  {old:>10,.2f}  {new:>10,.2f}" for part, old, new in rows)
        if one.budget:
            limits = ((word, amount) for word, amount in one.budget.as_dict().items() if amount is not None)
            yield f"  budget: {', '.join(f'{word} beyond ${amount:,}' for word, amount in limits)}"
        if one.verdict[1]:
            yield f"  {one.verdict[0]}: {one.verdict[1]}"
        yield from (f"  not in it: {line}" for line in one.after.unpriced)
        yield ""
    yield f"This is {LABEL}."
    if left_out := _together(one.after.leaves_out for one in found.values()):
        yield f"Left out: {', '.join(left_out)}."


def _together(parts: Iterable[Iterable[str]]) -> list[str]:
    return sorted({line for part in parts for line in part})
