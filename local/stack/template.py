"""The template as data; intrinsic functions have their long names, such as ``{"Ref": …}``."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.alias_generators import to_pascal, to_snake

from cpd_exporter.settings import PlannerSettings
from local.errors import UserError
from local.places import ROOT


class _Loader(yaml.CSafeLoader):
    """Understands CloudFormation's tags."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def template(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """Read the template, or the copy of it that SAM built."""
    parsed: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a safe loader's child
    return parsed


def for_emulator(built: dict[str, Any]) -> dict[str, Any]:
    """Change a built template where an emulator on loopback must differ from AWS.

    The emulator's endpoint is plain HTTP, which the template's policies deny.
    """
    for resource in built["Resources"].values():
        policy = resource.get("Properties", {}).get("PolicyDocument", {})
        for statement in policy.get("Statement", []):
            if "aws:SecureTransport" in statement.get("Condition", {}).get("Bool", {}):
                loopback = {"aws:SourceIp": "127.0.0.0/8"}
                statement["Condition"]["NotIpAddress"] = loopback
    return built


def check(values: Mapping[str, str], called: Callable[[str], str] = str) -> None:
    """Check values against the template's own constraints, which the emulator ignores, and against
    those of the functions' settings. ``called`` says how the user knows a parameter.
    """
    for name, value in values.items():
        rule = _rules()[name]
        allowed = map(str, rule.get("AllowedValues", [value]))
        # The pattern of a list applies to each item.
        items = value.split(",") if rule["Type"] == "CommaDelimitedList" else [value]
        low, high = rule.get("MinValue"), rule.get("MaxValue")
        if not (
            value in allowed
            and all(re.fullmatch(rule.get("AllowedPattern", ".*"), item) for item in items)
            and (low is None or low <= float(value) <= high)
        ):
            raise UserError(_refusal(name, value, called))
    settings = {to_snake(name): value for name, value in ({**_defaults(), **values}).items()}
    try:
        PlannerSettings.model_validate(_DEPLOYED | settings)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            if fault["type"] == "calls":
                name, least = called("ApiCallsPerMinute"), fault["ctx"]["least"]
                raise UserError(f"{name} must be 0, or at least {least}") from None
            name = to_pascal(str(fault["loc"][0]))
            if name in values:
                raise UserError(_refusal(name, values[name], called)) from None
        raise


_DEPLOYED = {
    **dict.fromkeys(("secret_arn", "timeline_table", "queue_url", "lake_bucket"), "any"),
    "worker_timeout_seconds": "1",
}
"""Settings of which the template has no parameter."""


def _refusal(name: str, value: str, called: Callable[[str], str]) -> str:
    return f"{called(name)} is {value!r}, but must be {_rules()[name]['ConstraintDescription']}"


def _defaults() -> dict[str, str]:
    return {name: str(rule["Default"]) for name, rule in _rules().items() if "Default" in rule}


@cache
def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = template()["Parameters"]
    return rules
