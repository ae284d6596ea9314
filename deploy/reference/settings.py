"""The page of settings, from every package's settings models."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from contracts.settings import MgeoSettings
from deploy.reference.markdown import prose, table

_PACKAGES: Final = ("contracts", "producer", "consumer", "rollout", "deploy")
_UNITS: Final = (
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_bytes", "bytes"),
    ("_mib", "MiB"),
    ("_chars", "code points"),
    ("_addresses", "addresses"),
    ("_records", "records"),
    ("_components", "components"),
)
_BOUNDS: Final = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


def settings_models() -> list[type[MgeoSettings]]:
    """Every settings model, found in the modules named ``settings`` of all packages."""
    found: list[type[MgeoSettings]] = []
    for package in _PACKAGES:
        for module in _settings_modules(package):
            found += [
                model
                for _, model in inspect.getmembers(module, inspect.isclass)
                if issubclass(model, MgeoSettings)
                and model is not MgeoSettings
                and model.__module__ == module.__name__
            ]
    return found


def settings_page() -> str:
    """Every setting with its environment variable, default, bounds, unit and meaning."""
    parts = [
        (
            "# Settings\n\n"
            "Every setting is an environment variable; a variable that is set but empty counts as "
            "not set. An option of the command line, where there is one, goes first. The model in "
            "the code is named with each group.\n"
        ),
    ]
    nested: dict[str, type[BaseModel]] = {}
    for model in settings_models():
        parts.append(f"\n## {model.__name__}\n\n{prose(inspect.getdoc(model))} ")
        parts.append(f"(`{model.__module__}`)\n\n")
        own = [name for name in model.model_fields if name in inspect.get_annotations(model)]
        inherited = [base for base in model.__mro__[1:] if _has_fields(base)]
        if inherited:
            parts.append(f"All of {', '.join(base.__name__ for base in inherited)}, and:\n\n")
        parts.append(_table(model, own, variable=True))
        for name in own:
            inner = model.model_fields[name].annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                nested[_variable(model, name)] = inner
    for variable, inner in nested.items():
        parts.append(
            f"\n## {variable}\n\n{prose(inspect.getdoc(inner))} The variable holds a JSON "
        )
        parts.append("object with any of these keys:\n\n")
        parts.append(_table(inner, list(inner.model_fields), variable=False))
    return "".join(parts)


def _settings_modules(package: str) -> Iterator[types.ModuleType]:
    paths = importlib.import_module(package).__path__
    for found in sorted(pkgutil.walk_packages(paths, f"{package}."), key=lambda one: one.name):
        if found.name.endswith(".settings") and not found.name.startswith("deploy.reference"):
            yield importlib.import_module(found.name)


def _has_fields(base: type) -> bool:
    return issubclass(base, MgeoSettings) and bool(base.model_fields)


def _table(model: type[BaseModel], names: list[str], *, variable: bool) -> str:
    rows = []
    for name in names:
        field = model.model_fields[name]
        rows.append(
            (
                f"`{_variable(model, name) if variable else name}`",
                _default(field),
                _accepts(field),
                _unit(name),
                prose(field.description),
            )
        )
    return table(("variable" if variable else "key", "default", "accepts", "unit", "meaning"), rows)


def _variable(model: type[BaseModel], name: str) -> str:
    return f"{model.model_config.get('env_prefix', '')}{name}".upper()


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "by the system"
    if field.is_required():
        return "none, must be set"
    match field.default:
        case None:
            return "unset"
        case bool(value):
            return f"`{str(value).lower()}`"
        case SecretStr() | SecretBytes():
            return "secret"
        case BaseModel():
            return "see below"
        case Enum(value=value):
            return f"`{value}`"
        case "":
            return "empty"
        case value:
            return f"`{value}`"


def _accepts(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(rule, name):,}"
        for rule in field.metadata
        for name, sign in _BOUNDS
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(one) for one in get_args(annotation) if one is not types.NoneType)
    words = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}
    if annotation in words:
        return words[annotation]
    if isinstance(annotation, type):
        if issubclass(annotation, (SecretStr, SecretBytes)):
            return "text, never shown"
        if issubclass(annotation, BaseModel):
            return "JSON object"
        if issubclass(annotation, Enum):
            return " or ".join(f"`{one.value}`" for one in annotation)
        return "path" if annotation.__name__ == "Path" else annotation.__name__
    return "list" if origin in (list, tuple, frozenset, set) else "text"


def _unit(name: str) -> str:
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "–")
