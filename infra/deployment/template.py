"""Read template.yaml, the single description of what is deployed."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[2] / "template.yaml"
Template = dict[str, Any]


def load() -> Template:
    """A copy of the template, which the caller may change."""
    return deepcopy(_parsed())


@cache
def _parsed() -> Template:
    # Most commands need neither.
    import yaml
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    # libyaml needs a tenth of the time, where it is there. A class of its own leaves the library's as it is.
    loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.add_multi_constructor("!", intrinsics_multi_constructor)
    return yaml.load(PATH.read_text(), Loader=loader)


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
