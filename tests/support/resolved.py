"""The template as one deployment gets it: conditions decided, intrinsic functions resolved."""

import re
from collections.abc import Mapping
from typing import Any

from local.stack.template import template

ACCOUNT, REGION, STACK = "111111111111", "eu-west-2", "the-stack"

_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
}
_NO_VALUE = {"Ref": "AWS::NoValue"}


class ResolvedTemplate:
    """The resources and outputs of a stack with these parameters; the others have their defaults.

    A reference to a resource is its logical name, and an attribute is ``<name>.<attribute>``.
    """

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        self._template = template()
        self._values = {
            name: self._value(one, (parameters or {}).get(name, str(one["Default"])))
            for name, one in self._template["Parameters"].items()
        }
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(one)
            for name, one in self._template["Resources"].items()
            if self._holds(one.get("Condition"))
        }
        self.outputs: dict[str, Any] = self._resolve(self._template["Outputs"])

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of each resource of a type, by logical name."""
        return {
            name: one.get("Properties", {})
            for name, one in self.resources.items()
            if one["Type"] == kind
        }

    def is_accepted(self) -> bool:
        """Whether the parameters satisfy the template's rules."""
        return all(
            self._decide(assertion["Assert"])
            for rule in self._template.get("Rules", {}).values()
            for assertion in rule["Assertions"]
        )

    @staticmethod
    def _value(parameter: Mapping[str, Any], text: str) -> Any:
        match parameter["Type"]:
            case "Number":
                return int(text)
            case "CommaDelimitedList":
                return text.split(",")
            case _:
                return text

    def _holds(self, condition: str | None) -> bool:
        return condition is None or self._decide(self._template["Conditions"][condition])

    def _decide(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str(name)}:
                return self._holds(name)
            case {"Fn::Not": [inner]}:
                return not self._decide(inner)
            case {"Fn::And": list(parts)}:
                return all(map(self._decide, parts))
            case {"Fn::Or": list(parts)}:
                return any(map(self._decide, parts))
            case {"Fn::Equals": [left, right]}:
                return bool(self._resolve(left) == self._resolve(right))
        raise ValueError(condition)

    def _resolve(self, value: Any) -> Any:  # noqa: PLR0911  # one return a function
        match value:
            case {"Ref": str(name)} if value != _NO_VALUE:
                return self._values.get(name, _PSEUDO.get(name, name))
            case {"Fn::GetAtt": [name, attribute]}:
                return f"{name}.{attribute}"
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w.:]+)\}", lambda m: str(self._resolve({"Ref": m[1]})), text)
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self._resolve(parts))
            case {"Fn::If": [name, then, otherwise]}:
                return self._resolve(then if self._holds(name) else otherwise)
            case dict():
                resolved = {key: self._resolve(one) for key, one in value.items()}
                return {key: one for key, one in resolved.items() if one != _NO_VALUE}
            case list():
                return [one for one in map(self._resolve, value) if one != _NO_VALUE]
        return value
