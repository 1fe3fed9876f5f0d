"""Makes the JSON Schema of the campaign file from its models, with the options of every plug-in of ours."""

from typing import Any

from pydantic import BaseModel

from labwright import plugins
from labwright.campaigns.file.schema import NAME, CampaignPart, PlannerPart, ResourcePart

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def campaign_schema() -> Schema:
    """Return the schema; a kind of plug-in that is not ours may have any options."""
    schema = CampaignPart.model_json_schema(by_alias=True, mode="validation")
    definitions = schema["$defs"]
    schema["title"] = "A Labwright campaign"
    _step(definitions["StepPart"])
    for part, group in ((PlannerPart, "labwright.planners"), (ResourcePart, "labwright.resources")):
        _options(part, group, definitions)
    closed: Schema = _closed({"$schema": DRAFT, **schema})
    return closed


def _step(step: Schema) -> None:
    """Add what is checked of a step after its shape."""
    keys = step["properties"]
    keys["gives"]["patternProperties"] = {NAME: {"type": "string", "pattern": r"^\$."}}
    condition = {"type": "string", "pattern": rf"^\s*\${NAME[1:-1]}\s*(<=|>=|==|!=|<|>)\s*[^=\s$]"}
    keys["when"]["anyOf"] = [condition, {"type": "array", "items": condition}]
    step["dependentRequired"] = {"wait": ["batch"]}


def _options(part: type[BaseModel], group: str, definitions: Schema) -> None:
    """Say which options go with which kind."""
    own = definitions[part.__name__]
    branches = []
    for kind in plugins.installed(group):
        found = plugins.load(group, kind)
        name = f"{part.__name__.removesuffix('Part')}_{kind}"
        schema = found.Options.model_json_schema(ref_template=f"#/$defs/{name}_{{model}}")
        definitions.update({f"{name}_{inner}": model for inner, model in schema.pop("$defs", {}).items()})
        schema["properties"] = own["properties"] | schema.get("properties", {})
        schema["properties"]["kind"] = {"const": kind, "description": " ".join((found.__doc__ or "").split())}
        definitions[name] = schema | {"title": kind}
        branches.append({"if": _is(kind, part), "then": {"$ref": f"#/$defs/{name}"}})
    known = {"type": "string", "examples": plugins.installed(group)}
    own["properties"]["kind"] = own["properties"]["kind"] | known
    own["allOf"] = branches


def _is(kind: str, part: type[BaseModel]) -> Schema:
    """Match a part of that kind; where the key may be left out, also one without it."""
    found: Schema = {"properties": {"kind": {"const": kind}}}
    return found if part.model_fields["kind"].default == kind else found | {"required": ["kind"]}


def _closed(schema: Any) -> Any:
    """Return the schema with no keys allowed besides those of a pattern, where there is one."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(closed.get("patternProperties"), dict) and closed.get("type") == "object":
        closed["additionalProperties"] = False
    return closed
