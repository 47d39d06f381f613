"""The proof of parity: it holds for this project, and it bites where a program knows where it is."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from isostack.engine.project import load_project
from isostack.errors import IsostackError, OperationFailed
from isostack.localcloud.provider import OfflineHost
from isostack.localcloud.server import LocalCloud
from isostack.parity import Proof, lines, prove
from tests.command_line import CommandLine

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ("dev", "integration", "staging", "production")

# A project that follows the convention: a module of parameters beside its program, which reads three configuration keys.
PARAMETERS = """
from dataclasses import dataclass, field

ENVIRONMENTS = ("dev", "integration", "staging", "production")


@dataclass(frozen=True)
class Marker:
    reason: str = ""
    own: bool = False


@dataclass(frozen=True)
class Table:
    path: str
    values: dict
    line: int = 1
    marker: Marker = field(default_factory=Marker)


def _table(path, *values, own=False):
    return Table(path, dict(zip(ENVIRONMENTS, values)), marker=Marker(own=own))


class ParameterSet:
    version = "1.0.0"
    tables = {
        t.path: t
        for t in (
            _table("queue.timeout", 10, 20, 30, 30),
            _table("queue.retention", 100, 100, 200, 300),
            _table("bucket.old", True, True, False, False),
            _table("label", "one", "two", "three", "four", own=True),
            _table("copies", 1, 1, 2, 2),
        )
    }


def load(version):
    return ParameterSet()


def versions():
    return ["1.0.0"]
"""
PROGRAM = """
import json

import pulumi
import pulumi_aws as aws

from parameters import load

config = pulumi.Config("isostack")
environment = config.require("environment")
columns = config.get_object("columns") or {}


def of(path):
    return load("1.0.0").tables[path].values[columns.get(path, columns.get("*", environment))]


class Jobs(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **extra):
        super().__init__("small:jobs:Jobs", name, None, opts)
        given = {"visibility_timeout_seconds": of("queue.timeout"), "message_retention_seconds": of("queue.retention"), **extra}
        options = pulumi.ResourceOptions(parent=self)
        self.queue = aws.sqs.Queue(f"{name}-queue", tags={"environment": environment}, opts=options, **given)
"""


class Small:
    """A small project of somebody else."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        (self.root / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (self.root / "parameters.py").write_text(PARAMETERS)
        for environment in ENVIRONMENTS:
            text = f"config:\n  isostack:environment: {environment}\n  isostack:parameters: 1.0.0\n"
            (self.root / f"Pulumi.{environment}.yaml").write_text(text)

    def proof(self, body: str) -> Proof:
        """The proof for a program with this body."""
        (self.root / "__main__.py").write_text(PROGRAM + textwrap.dedent(body))
        host = OfflineHost(LocalCloud(self.root / "nowhere"))
        return prove(load_project(self.root), "1.0.0", host, lambda what: None)

    def line_of(self, text: str) -> int:
        """The number of the program's line that holds a text."""
        program = (self.root / "__main__.py").read_text().splitlines()
        (number,) = (number for number, line in enumerate(program, 1) if text in line)
        return number


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


def explained(proof: Proof) -> dict[str, tuple[str, ...]]:
    return {f"{d.resource.partition(' ')[0]}.{d.property}": d.tables for d in proof.differences}


def test_values_of_tables_may_differ_and_each_is_explained_by_its_table(small: Small) -> None:
    proof = small.proof('Jobs("jobs")')
    assert proof.holds
    assert explained(proof) == {
        "jobs-queue.visibilityTimeoutSeconds": ("queue.timeout",),
        "jobs-queue.messageRetentionSeconds": ("queue.retention",),
    }
    (timeout,) = (d for d in proof.differences if d.property == "visibilityTimeoutSeconds")
    assert dict(timeout.values) == {"dev": 10, "integration": 20, "staging": 30, "production": 30}
    assert timeout.component == "Jobs"


def test_a_value_that_several_tables_feed_names_them_all(small: Small) -> None:
    proof = small.proof(
        """
        text = json.dumps({"label": of("label"), "timeout": of("queue.timeout"), "old": of("bucket.old")})
        aws.ssm.Parameter("settings", type="String", value=text)
        """
    )
    assert explained(proof) == {"settings.value": ("bucket.old", "queue.timeout", "label")}


def test_the_environments_own_name_is_no_difference(small: Small) -> None:
    proof = small.proof('aws.ssm.Parameter("where", type="String", value=f"shop-{environment}/queue")')
    assert (proof.holds, proof.differences) == (True, ())


def test_a_component_that_asks_where_it_is_is_caught_with_its_line(small: Small) -> None:
    proof = small.proof('Jobs("jobs", delay_seconds=5 if environment == "production" else 0)')
    assert {(breach.environments, breach.component) for breach in proof.breaches} == {
        ((name, "production"), "Jobs") for name in ENVIRONMENTS[:-1]
    }
    breach = proof.breaches[0]
    assert "delaySeconds" in breach.what
    assert breach.source == f"__main__.py:{small.line_of('self.queue = aws.sqs.Queue(')}"


def test_what_is_hidden_behind_outputs_is_caught_too(small: Small) -> None:
    proof = small.proof(
        """
        queue = aws.sqs.Queue("queue")
        secret = "yes" if environment == "staging" else "no"
        aws.ssm.Parameter("about", type="String", value=queue.arn.apply(lambda arn: json.dumps({"arn": arn, "secret": secret})))
        """
    )
    assert {breach.resource.partition(" ")[0] for breach in proof.breaches} == {"about"}
    assert {breach.environments[0] for breach in proof.breaches} == {"staging"}


def test_a_resource_in_one_environment_alone_is_caught(small: Small) -> None:
    proof = small.proof(
        """
        if environment == "dev":
            aws.sqs.Queue("extra")
        """
    )
    assert {(breach.resource, breach.what) for breach in proof.breaches} == {("extra (aws:sqs/queue:Queue)", "exists")}


def test_a_resource_that_one_environment_lacks_is_caught(small: Small) -> None:
    proof = small.proof(
        """
        if environment != "integration":
            aws.sqs.Queue("usual")
        """
    )
    assert {breach.environments for breach in proof.breaches} == {("production", "integration")}


def test_another_option_is_caught(small: Small) -> None:
    proof = small.proof('aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(protect=environment == "production"))')
    assert all("protect" in breach.what for breach in proof.breaches)
    assert len(proof.breaches) == 3


def test_a_table_may_say_what_is_protected(small: Small) -> None:
    proof = small.proof('aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(protect=not of("bucket.old")))')
    assert proof.holds
    assert explained(proof) == {"queue.option protect": ("bucket.old",)}


def test_another_dependency_is_caught(small: Small) -> None:
    proof = small.proof(
        """
        first = aws.sqs.Queue("first")
        aws.sqs.Queue("second", opts=pulumi.ResourceOptions(depends_on=[first] if environment == "staging" else []))
        """
    )
    assert {(breach.resource.partition(" ")[0], breach.environments[0]) for breach in proof.breaches} == {("second", "staging")}
    assert "also on first" in proof.breaches[0].what


def test_another_parent_is_caught(small: Small) -> None:
    proof = small.proof(
        """
        group = pulumi.ComponentResource("small:index:Group", "group")
        aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(parent=group) if environment == "dev" else None)
        """
    )
    assert {breach.what for breach in proof.breaches} == {"exists"}


def test_a_default_that_was_changed_in_one_environment_is_caught(small: Small) -> None:
    proof = small.proof(
        """
        def job_queue(name, delay=3 if environment == "integration" else 0):
            aws.sqs.Queue(name, delay_seconds=delay)

        job_queue("queue")
        """
    )
    assert {breach.environments[0] for breach in proof.breaches} == {"integration"}


def test_a_number_of_resources_that_follows_a_table_is_caught_all_the_same(small: Small) -> None:
    proof = small.proof(
        """
        for number in range(of("copies")):
            aws.sqs.Queue(f"queue-{number}")
        """
    )
    assert {breach.resource.partition(" ")[0] for breach in proof.breaches} == {"queue-1"}
    assert {breach.environments for breach in proof.breaches} == {("production", "dev"), ("production", "integration")}


def test_an_option_that_follows_a_table_is_caught_all_the_same(small: Small) -> None:
    proof = small.proof('aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(retain_on_delete=of("bucket.old")))')
    assert {breach.environments[0] for breach in proof.breaches} == {"dev", "integration"}


DATABASE = 'dict(engine="postgres", instance_class="db.t4g.micro", allocated_storage=20, username="u", password="long enough")'


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        pytest.param(
            'aws.sqs.Queue("queue", delay_seconds=5 if pulumi.get_stack() == "dev" else 0)', "queue", id="the stack's name"
        ),
        pytest.param('pulumi.export("answer", 5 if environment == "staging" else 0)', "small-staging", id="an export"),
        pytest.param('aws.sqs.Queue.get("other", "a" if environment == "dev" else "b")', "other", id="what is read"),
        pytest.param(
            'aws.ec2.get_ami_output(owners=["1" if environment == "dev" else "2"])', "aws:ec2/getAmi:getAmi", id="a look-up"
        ),
        pytest.param(
            'pulumi.StackReference("other", stack_name="org/net/" + ("a" if environment == "dev" else "b"))',
            "other",
            id="another stack",
        ),
        pytest.param(
            'aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(version="7.0.0" if environment == "dev" else "7.1.0"))',
            "queue",
            id="a provider's version",
        ),
        pytest.param(
            'aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(delete_before_replace=False if environment == "dev" else None))',
            "queue",
            id="an option that is set to no",
        ),
        pytest.param(
            f"""
            one, two = (aws.rds.Instance(name, **{DATABASE}) for name in ("one", "two"))
            first, second = (one, two) if environment == "dev" else (two, one)
            aws.sqs.Queue("queue", delay_seconds=first.port, message_retention_seconds=second.port)
            """,
            "queue",
            id="which of its dependencies an input comes from",
        ),
        pytest.param(
            """
            for name in ("dev", "integration", "staging", "production"):
                aws.sqs.Queue(f"to-{name}", delay_seconds=5 if (environment, name) == ("dev", "staging") else 0)
            """,
            "to-staging",
            id="one of several that are called like environments",
        ),
    ],
)
def test_nothing_that_goes_to_the_cloud_or_out_of_the_program_may_know_where_it_is(small: Small, body: str, culprit: str) -> None:
    assert culprit in {breach.resource.partition(" ")[0] for breach in small.proof(body).breaches}


def test_the_name_of_another_environment_is_a_difference_where_the_others_say_their_own(small: Small) -> None:
    proof = small.proof(
        """
        aws.sqs.Queue("queue", name="jobs-production" if environment == "staging" else f"jobs-{environment}")
        """
    )
    (breach,) = proof.breaches
    assert "name is jobs-production, and not jobs-dev" in breach.what
    assert breach.environments == ("staging", "dev")


def test_names_of_environments_that_all_say_alike_are_no_difference(small: Small) -> None:
    proof = small.proof(
        """
        for name in ("dev", "integration", "staging", "production"):
            aws.sqs.Queue(f"to-{name}", tags={name: "here", "all": "dev, integration, staging, production"})
        aws.sqs.Queue(f"of-{environment}", tags={f"only-{environment}": environment})
        """
    )
    assert (proof.holds, proof.differences) == (True, ())


def test_an_environment_that_is_asked_for_together_with_its_own_parameters_is_caught(small: Small) -> None:
    proof = small.proof(
        """
        aws.sqs.Queue("queue", delay_seconds=5 if environment == "dev" and of("queue.timeout") == 10 else 0)
        """
    )
    (breach,) = proof.breaches
    assert breach.environments == ("dev", "production")
    assert "delaySeconds is 5, and not 0" in breach.what
    assert proof.differences == ()


def test_a_value_that_shows_in_a_later_environment_alone_is_explained_by_its_table(small: Small) -> None:
    proof = small.proof('aws.sqs.Queue("queue", delay_seconds=5 if of("queue.timeout") == 20 else 0)')
    assert proof.holds
    assert explained(proof) == {"queue.delaySeconds": ("queue.timeout",)}


def test_a_value_that_tables_feed_only_together_says_so(small: Small) -> None:
    both = 'of("queue.timeout") < 30 and of("queue.retention") < 200'
    proof = small.proof(f'aws.sqs.Queue("queue", delay_seconds=5 if {both} else 0)')
    assert proof.holds
    assert explained(proof) == {"queue.delaySeconds": ("several tables together",)}


def test_what_the_stacks_files_say_beside_environment_and_version_is_caught(small: Small) -> None:
    file = small.root / "Pulumi.staging.yaml"
    file.write_text(file.read_text() + "  aws:region: eu-west-1\n")
    (breach,) = small.proof('aws.sqs.Queue("queue")').breaches
    assert (breach.resource, breach.source) == ("configuration", "Pulumi.staging.yaml")
    assert "aws:region is eu-west-1, and not absent" in breach.what


def test_a_stacks_file_that_names_another_environment_is_caught(small: Small) -> None:
    (small.root / "Pulumi.staging.yaml").write_text("config:\n  isostack:environment: dev\n  isostack:parameters: 1.0.0\n")
    (breach,) = small.proof('aws.sqs.Queue("queue")').breaches
    assert "isostack:environment is dev, and not staging" in breach.what


def test_what_only_a_cloud_knows_is_told_to_be_unseen(small: Small) -> None:
    proof = small.proof(
        f"""
        database = aws.rds.Instance("database", **{DATABASE})
        aws.sqs.Queue("queue", delay_seconds=database.port)
        """
    )
    assert proof.unseen == ("queue.delaySeconds",)
    assert "queue.delaySeconds" in "\n".join(lines(proof))


def test_an_environment_that_pins_another_version_is_told(small: Small) -> None:
    (small.root / "Pulumi.dev.yaml").write_text("config:\n  isostack:environment: dev\n  isostack:parameters: 0.9.0\n")
    proof = small.proof('aws.sqs.Queue("queue")')
    assert proof.holds
    assert dict(proof.pins) == {"dev": "0.9.0"}
    assert any("dev pins 0.9.0" in line for line in lines(proof))


def test_a_list_whose_length_differs_is_one_difference(small: Small) -> None:
    proof = small.proof(
        """
        hosts = [of("label")] + (["more"] if of("queue.timeout") == 10 else [])
        aws.route53.Record("record", zone_id="Z1", name="a.example", type="TXT", ttl=60, records=hosts)
        """
    )
    assert explained(proof) == {"record.records": ("queue.timeout", "label")}


def test_long_values_are_cut_to_where_they_differ(small: Small) -> None:
    proof = small.proof('aws.sqs.Queue("queue", name="a-very-long-beginning-" * 3 + of("label") + ".fifo")')
    (line,) = (line for line in lines(proof) if "queue.name" in line)
    assert all(label in line for label in ("one", "two", "three", "four"))
    assert len(line) < 200


def test_secrets_are_compared_and_not_shown(small: Small) -> None:
    proof = small.proof(
        """
        aws.ssm.Parameter("token", type="SecureString", value=pulumi.Output.secret("mar" + "malade-" + of("label")))
        jelly = "jel" + "ly" if environment == "dev" else "other"
        aws.ssm.Parameter("key", type="SecureString", value=pulumi.Output.secret(jelly))
        aws.sqs.Queue("queue", tags=pulumi.Output.secret({"a": jelly, "b": "mar" + "malade-" + of("label")}))
        """
    )
    assert explained(proof)["token.value"] == ("label",)
    assert {breach.resource.partition(" ")[0] for breach in proof.breaches} == {"key", "queue"}
    text = "\n".join(lines(proof)) + str(proof.as_dict())
    assert "marmalade" not in text
    assert "jelly" not in text


def test_a_program_that_fails_says_so_in_its_own_words(small: Small) -> None:
    with pytest.raises(OperationFailed, match="nothing to eat"):
        small.proof('raise RuntimeError("nothing to eat")')


def test_a_project_without_parameters_is_told_what_is_missing(small: Small) -> None:
    (small.root / "parameters.py").unlink()
    with pytest.raises(IsostackError, match="no parameter sets"):
        small.proof("")


def test_the_command_ends_with_3_and_names_the_culprit(small: Small, tmp_path: Path) -> None:
    body = 'aws.sqs.Queue("queue", delay_seconds=5 if environment == "production" else 0)\n'
    (small.root / "__main__.py").write_text(PROGRAM + body)
    command = CommandLine(tmp_path / "home")
    ran = command("parity", cwd=small.root)
    assert ran.code == 3
    assert f"__main__.py:{len((PROGRAM + body).splitlines())}" in ran.out
    document: dict[str, Any] = command("parity", "--json", cwd=small.root).json
    assert (document["result"], document["exit_code"], len(document["breaches"])) == ("refused", 3, 3)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_the_four_environments_of_this_project_are_the_same_but_for_what_is_declared(version: str, tmp_path: Path) -> None:
    command = CommandLine(tmp_path / "home")
    ran = command("parity", "--version", version, "--json", cwd=ROOT)
    assert ran.code == 0, ran.out + ran.err
    proof = ran.json
    assert proof["breaches"] == []
    assert proof["resources"] > 100
    assert all(
        difference["tables"] and "several tables together" not in difference["tables"] for difference in proof["differences"]
    )
    assert not list((tmp_path / "home").rglob("cloud.json")), "no cloud was started"
