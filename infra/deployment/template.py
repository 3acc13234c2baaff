"""Read template.yaml, the single description of what is deployed."""

from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[2] / "template.yaml"
Template = dict[str, Any]


def load() -> Template:
    from samtranslator.yaml_helper import yaml_parse  # takes a second, which most commands need not wait for

    return yaml_parse(PATH.read_text())  # pyright: ignore[reportUnknownVariableType]  # the library has no types


def functions(template: Template) -> dict[str, str]:
    """Each function's logical id and handler."""
    return {
        name: resource["Properties"]["Handler"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def function_names(template: Template, stack: str) -> list[str]:
    named = (template["Resources"][name]["Properties"]["FunctionName"]["Fn::Sub"] for name in functions(template))
    return [name.replace("${AWS::StackName}", stack) for name in named]


def package_of(handler: str) -> str:
    """The package that holds a handler: `functions.ingest.app.from_queue` is in `ingest`."""
    return handler.split(".")[1]
