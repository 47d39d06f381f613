"""One custom resource of a program: checked, compared, and then created, updated, replaced, imported or left as it is.

What to do is :mod:`isostack.engine.plan`'s to decide; which resources come here, and with which provider, is
:mod:`isostack.engine.apply`'s.
"""

from __future__ import annotations

import dataclasses

from isostack.engine import deletion, plan
from isostack.engine.deployment import (
    PROVIDER_PREFIX,
    Deployment,
    Registered,
    Step,
    protection,
    secret_names,
    short_name,
)
from isostack.engine.events import Diagnostic, Op
from isostack.engine.plan import Decision, Goal, provider_urn
from isostack.engine.provider import CreatedPartially, OnlyTheCloudKnows, Provider, ProviderError, ResourceGone
from isostack.engine.state import ResourceState
from isostack.engine.values import PropertyMap, Secret, mark_secrets, plain, without_references


def register(deployment: Deployment, goal: Goal, old: ResourceState | None) -> Registered:
    """Bring the resource to what the program asks for. Raises ProviderError where it cannot be looked at."""
    return _CustomResource(deployment, goal).register(old)


class _CustomResource:
    def __init__(self, deployment: Deployment, goal: Goal) -> None:
        self.deployment = deployment
        self.goal = goal
        self.provider: Provider = deployment.provider(goal.provider)

    def register(self, old: ResourceState | None) -> Registered:
        self._sort_out_paths()
        goal = self.goal
        if old is not None and old.external:
            old = None
        exists = old is not None and not old.pending_replacement
        inputs = goal.inputs = without_references(goal.inputs)
        if old is not None and exists:
            inputs = plan.ignore_changes(inputs, old.inputs, goal.ignore_changes)
        checked, problem = self._checked(old if exists else None, inputs)
        problem = problem or self.deployment.forbidden(goal, checked)
        if problem:
            with self.deployment.step(goal, Op.UPDATE if exists else Op.CREATE) as step:
                return step.fail(problem)
        if goal.import_id and (old is None or goal.import_id not in (old.id, old.import_id)):
            return self._import(old, checked)
        if old is not None and old.init_errors and exists:
            old = self._reread(old)
        if old is None:
            return self._create(checked)
        if old.pending_replacement:
            self.deployment.replaced.add(goal.urn)
            return self._create(checked, Op.REPLACE)
        diff = self.provider.diff(goal.type, plain(old.inputs), plain(old.outputs), plain(checked))
        decision = plan.decide(goal, old, checked, diff, self.deployment.replaced)
        if decision.op is Op.SAME:
            return self._same(old, checked)
        if decision.op is Op.UPDATE:
            return self._update(old, checked, decision)
        return self._replace(old, checked, decision)

    def _sort_out_paths(self) -> None:
        """Drop what is no property path, as Pulumi's engine does, but say so."""
        for option in ("ignore_changes", "replace_on_changes"):
            paths = getattr(self.goal, option)
            good = [path for path in paths if plan.is_path(path)]
            if len(good) < len(paths):
                setattr(self.goal, option, good)
                wrong = ", ".join(repr(path) for path in paths if path not in good)
                self.deployment.sink(Diagnostic("warning", f"{option}: {wrong} is no property path", self.goal.urn))

    def _checked(self, old: ResourceState | None, inputs: PropertyMap) -> tuple[PropertyMap, str]:
        """The inputs with defaults, and what is wrong with them, if anything."""
        checked = self.provider.check(self.goal.type, self.goal.urn, plain(old.inputs) if old else None, plain(inputs))
        problems = [f.reason if f.property in f.reason else f"{f.property}: {f.reason}" for f in checked.failures]
        return plan.remarked_with_derived(checked.inputs, inputs), "; ".join(problems)

    def _marked(self, outputs: PropertyMap, inputs: PropertyMap, old: ResourceState | None = None) -> PropertyMap:
        names = self.goal.additional_secret_outputs
        return mark_secrets(outputs, inputs, [*names, *secret_names(old.outputs)] if old else names)

    # -- what may be done ----------------------------------------------------------------------------------------------

    def _same(self, old: ResourceState, inputs: PropertyMap) -> Registered:
        goal, outputs = self.goal, old.outputs
        if goal.additional_secret_outputs or any(isinstance(value, (Secret, dict, list)) for value in inputs.values()):
            outputs = self._marked(old.outputs, inputs, old)
        state = self.deployment.new_state(goal, old, inputs, outputs, old.id)
        if state != old:
            self.deployment.put(state)
        return self.deployment.unchanged(goal, Registered(goal.urn, old.id, outputs))

    def _create(self, inputs: PropertyMap, op: Op = Op.CREATE) -> Registered:
        with self.deployment.step(self.goal, op, plan.changes({}, inputs, plan.chosen(inputs))) as step:
            return self._make(step, inputs)

    def _make(self, step: Step, inputs: PropertyMap, replaced: ResourceState | None = None) -> Registered:
        """Create, as part of a step; ``replaced`` is an old copy that is to be deleted at the end of the run."""
        deployment, goal = self.deployment, self.goal
        if deployment.preview:
            planned = self.provider.planned(goal.type, plain(inputs), None, ())
            id_ = str(planned.pop("id", ""))
            outputs = self._marked(planned, inputs)
            deployment.put(deployment.new_state(goal, None, inputs, outputs, id_), replaced)
            return step.done(Registered(goal.urn, id_, outputs))
        pending = deployment.begin("creating", deployment.new_state(goal, None, inputs, {}, ""))
        try:
            made = self.provider.create(goal.type, plain(inputs))
        except CreatedPartially as error:
            outputs = self._marked(error.resource.outputs, inputs)
            state = deployment.new_state(goal, None, inputs, outputs, error.resource.id)
            deployment.put(dataclasses.replace(state, init_errors=[str(error)]), replaced, pending=pending)
            return step.fail(str(error))
        except ProviderError as error:
            deployment.fail(pending)
            return step.fail(str(error))
        outputs = self._marked(made.outputs, inputs)
        deployment.put(deployment.new_state(goal, None, inputs, outputs, made.id), replaced, pending=pending)
        return step.done(Registered(goal.urn, made.id, outputs))

    def _update(self, old: ResourceState, inputs: PropertyMap, decision: Decision) -> Registered:
        deployment, goal = self.deployment, self.goal
        with deployment.step(goal, Op.UPDATE, plan.changes(old.inputs, inputs, decision.changed)) as step:
            if deployment.preview:
                planned = self.provider.planned(goal.type, plain(inputs), plain(old.outputs), decision.changed)
                outputs = self._marked(planned, inputs, old)
                deployment.put(deployment.new_state(goal, old, inputs, outputs, old.id))
                return step.done(Registered(goal.urn, old.id, outputs))
            pending = deployment.begin("updating", deployment.new_state(goal, old, inputs, old.outputs, old.id))
            try:
                given = self.provider.update(
                    goal.type, old.id, plain(old.inputs), plain(old.outputs), plain(inputs), decision.changed
                )
            except ResourceGone as error:
                deployment.put(None, removed=[old], pending=pending)
                deployment.sink(Diagnostic("warning", f"{error}; it is created anew", goal.urn))
                step.op = Op.CREATE
                return self._make(step, inputs)
            except ProviderError as error:
                deployment.fail(pending)
                return step.fail(str(error))
            outputs = self._marked(given, inputs, old)
            deployment.put(deployment.new_state(goal, old, inputs, outputs, old.id), pending=pending)
            return step.done(Registered(goal.urn, old.id, outputs))

    def _replace(self, old: ResourceState, checked: PropertyMap, decision: Decision) -> Registered:
        deployment, goal = self.deployment, self.goal
        fresh, problem = self._checked(None, goal.inputs)
        if goal.import_id:
            problem = (
                f"import: {old.id!r} would have to be replaced, because of {', '.join(decision.replaces)}; "
                "make the program say what is there, or take import_ out"
            )
        elif old.protect and goal.protect:
            problem = protection(old, "replaced")
        first = decision.delete_before_replace
        changes = plan.changes(old.inputs, checked, decision.changed, decision.replaces)
        with deployment.step(goal, Op.REPLACE, changes, "delete before replace" if first else "") as step:
            if problem:
                return step.fail(problem)
            deployment.replaced.add(goal.urn)
            if not first:
                return self._make(step, fresh, old)
            with deployment.lock:
                dragged = self._dragged_along(old)
            for resource in dragged:
                if resource.protect:
                    return step.fail(protection(resource, "replaced"))
            for resource in (*reversed(dragged), old):
                problem = deletion.delete_one(deployment, resource, (), recreated=True)
                if problem:
                    return step.fail(problem if resource is old else f"{short_name(resource.urn)}: {problem}")
            return self._make(step, fresh)

    def _dragged_along(self, old: ResourceState) -> list[ResourceState]:
        """Dependents that must go before a delete-before-replace, in the snapshot's order: those whose own replacement
        it forces."""
        deployment = self.deployment
        replaced = {old.urn}
        result = []
        for resource in plan.transitive_dependents(old.urn, deployment.snapshot.resources):
            if resource.urn not in deployment.seen and self._must_go_too(resource, replaced):
                replaced.add(resource.urn)
                result.append(resource)
        return result

    def _must_go_too(self, resource: ResourceState, replaced: set[str]) -> bool:
        if not resource.custom or resource.external or resource.type.startswith(PROVIDER_PREFIX):
            return False
        if resource.deleted_with in replaced or provider_urn(resource.provider) in replaced:
            return True
        unknown = plan.with_unknown_dependencies(resource, replaced)
        if unknown is None:
            return False
        diff = self.deployment.provider(resource.provider).diff(
            resource.type, plain(resource.inputs), plain(resource.outputs), plain(unknown)
        )
        return bool(plan.replacing(resource, unknown, diff, resource.replace_on_changes))

    def _import(self, old: ResourceState | None, inputs: PropertyMap) -> Registered:
        """Take over what exists; where the program asks for something else, update it, but never replace it."""
        goal = self.goal
        with self.deployment.step(goal, Op.IMPORT) as step:
            try:
                found = self.provider.read(goal.type, goal.import_id, plain(inputs), {})
            except OnlyTheCloudKnows:
                planned = self._marked(self.provider.planned(goal.type, plain(inputs), None, ()), inputs)
                self.deployment.put(self.deployment.new_state(goal, None, inputs, planned, goal.import_id), old)
                return step.done(Registered(goal.urn, goal.import_id, planned))
            if found is None:
                return step.fail(f"import: {goal.type} {goal.import_id!r} does not exist")
            there = plan.remarked(found.inputs, inputs)
            inputs = plan.ignore_changes(inputs, there, goal.ignore_changes)
            diff = self.provider.diff(goal.type, found.inputs, found.outputs, plain(inputs))
            if diff.replaces:
                return step.fail(
                    f"import: {goal.import_id!r} would have to be replaced, since it differs in "
                    + ", ".join(f"{key} ({plan.masked(there.get(key))!r} there)" for key in diff.replaces)
                    + "; make the program say what is there, or take import_ out"
                )
            outputs = self._marked(found.outputs, inputs)
            state = self.deployment.new_state(goal, None, there, outputs, found.id)
            self.deployment.put(state, old)
            registered = step.done(Registered(goal.urn, found.id, outputs))
        return self._update(state, inputs, Decision(Op.UPDATE, diff.changed)) if diff.changed else registered

    def _reread(self, old: ResourceState) -> ResourceState | None:
        """A resource whose create was left half-done, as the cloud has it now."""
        try:
            found = self.provider.read(self.goal.type, old.id, plain(old.inputs), plain(old.outputs))
        except OnlyTheCloudKnows:
            return old
        if found is None:
            self.deployment.put(None, removed=[old])
            return None
        inputs = plan.remarked(found.inputs, old.inputs)
        outputs = self._marked(found.outputs, old.inputs, old)
        state = dataclasses.replace(old, inputs=inputs, outputs=outputs, init_errors=[])
        self.deployment.put(state)
        return state
