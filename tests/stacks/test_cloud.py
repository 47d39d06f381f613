"""The stack's word on where it lives, held against where a run would go."""

from __future__ import annotations

import pytest

from stacks.cloud import WrongCloud, require

HERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}


@pytest.mark.parametrize(
    ("cloud", "environment"),
    [
        (None, HERE),
        ("", HERE),
        ("local", HERE),
        ("local", {"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_S3": "http://[::1]:1"}),
        ("local", {"ISOSTACK_ENGINE": "embedded"}),  # which reaches nothing else
        ("aws", {"ISOSTACK_ENGINE": "embedded"}),  # a preview of it needs no cloud
        ("aws", {}),
        ("aws", {"AWS_PROFILE": "company", "AWS_ENDPOINT_URL_S3": "https://bucket.vpce.example"}),
    ],
)
def test_a_run_goes_where_the_stack_says(cloud: str | None, environment: dict[str, str]) -> None:
    require(cloud, environment)


@pytest.mark.parametrize(
    ("cloud", "environment", "message"),
    [
        (None, {}, "does not lead to the local cloud"),
        ("local", {"AWS_PROFILE": "company"}, "does not lead to the local cloud"),
        ("local", {"AWS_ENDPOINT_URL": "https://sts.eu-west-1.amazonaws.com"}, "does not lead to the local cloud"),
        ("local", {"AWS_ENDPOINT_URL": "http://127.0.0.1.example.com"}, "does not lead to the local cloud"),
        ("local", {**HERE, "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com"}, "does not lead to the local cloud"),
        ("local", {**HERE, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "does not lead to the local cloud"),
        ("aws", HERE, "leads to a local cloud"),
        ("aws", {"AWS_ENDPOINT_URL_STS": "http://localhost:4566"}, "leads to a local cloud"),
        ("gcp", HERE, "isostack:cloud is 'gcp'"),
        ("AWS", {}, "isostack:cloud is 'AWS'"),
    ],
)
def test_a_run_that_would_go_elsewhere_is_refused(cloud: str | None, environment: dict[str, str], message: str) -> None:
    with pytest.raises(WrongCloud, match=message) as caught:
        require(cloud, environment)
    assert caught.value.exit_code == 2
