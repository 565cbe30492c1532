"""What the service says of itself in OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..photo.write import FORMATS
from ..samplers import SAMPLERS, SPACINGS
from .fields import FIELDS, MAX_SEED, MEDIA_TYPES

_SCHEMAS: dict[str, dict[str, Any]] = {
    "model": {"type": "string"},
    "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": 0},
    "preset": {"type": "string", "description": "one of the model's; not beside sampler, steps, eta or spacing"},
    "sampler": {"enum": list(SAMPLERS)},
    "steps": {"type": "integer", "minimum": 1},
    "eta": {"type": "number", "minimum": 0, "maximum": 1},
    "spacing": {"enum": list(SPACINGS)},
    "fidelity": {"type": "number", "minimum": 0, "maximum": 1, "description": "0 is sharpest, 1 nearest the truth"},
    "samples": {"type": "integer", "minimum": 1, "default": 1},
    "average": {"type": "boolean", "default": False},
    "uncertainty": {"type": "boolean", "default": False},
    "consistency": {"type": "boolean", "default": False},
    "scale": {"type": "integer", "minimum": 1, "description": "shrinks the result to it; not beside size"},
    "size": {"type": "string", "pattern": r"^\d{1,6}x\d{1,6}$"},
    "crop": {"type": "string", "pattern": r"^(\d{1,6},){3}\d{1,6}$", "description": "left,top,width,height"},
    "shrink": {
        "type": "boolean",
        "default": False,
        "description": "an image, or its part, that is too large is shrunk first; SRDiff-Shrunk says to what",
    },
    "format": {"enum": list(FORMATS), "description": "goes before Accept"},
    "quality": {"type": "integer", "minimum": 1, "maximum": 100, "default": 95, "description": "of jpg and webp alone"},
}
_PROBLEM = {
    "description": "refused, with one sentence (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_NAME = {"name": "name", "in": "query", "schema": {"type": "string"}, "description": "of the image, in refusals"}
_PART = {"name": "part", "in": "query", "schema": {"type": "string"}, "description": "1, 2, …, mean or uncertainty"}


def document(models: list[str]) -> dict[str, Any]:
    """The description of every route."""
    job = _json("the job", "Job")
    one = _in_path("id")
    return {
        "openapi": "3.1.0",
        "info": {"title": "SRDiff", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": {
            "/v1/upscale": {"post": _image(models, {"200": _picture(), "429": _PROBLEM}, "Enlarge an image")},
            "/v1/jobs": {"post": _image(models, {"202": job, "429": _PROBLEM}, "Put an image into the line")},
            "/v1/jobs/{id}": {
                "get": _operation("A job's state", {"200": job}, [one]),
                "delete": _operation("Give a job up", {"204": {"description": "given up"}}, [one]),
            },
            "/v1/jobs/{id}/events": {"get": _operation("A job's events", {"200": _events()}, [one])},
            "/v1/jobs/{id}/result": {"get": _operation("A job's result", {"200": _picture()}, [one, _PART])},
            "/v1/results/{digest}": {
                "get": _operation("A result that is kept", {"200": _picture()}, [_in_path("digest"), _PART])
            },
            "/v1/decoded": {"post": _decoded()},
            "/v1/models": {"get": _operation("The models", {"200": {"description": "names, presets, engine; limits"}})},
            "/livez": {"get": _operation("The process runs", {"200": {"description": "it does"}})},
            "/readyz": {"get": _operation("An image has been enlarged", {"200": {"description": "it has"}})},
            "/metrics": {"get": _operation("For Prometheus", {"200": {"description": "text format 0.0.4"}})},
            "/openapi.json": {"get": _operation("This document", {"200": {"description": "OpenAPI 3.1"}})},
        },
        "components": {
            "schemas": {"Problem": _problem_schema(), "Job": _job_schema()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _image(models: list[str], responses: dict[str, Any], summary: str) -> dict[str, Any]:
    schemas = {**_SCHEMAS, "model": {"enum": models, "default": models[0]}}
    fields = [{"name": name, "in": "query", "schema": schemas[name]} for name in FIELDS]
    operation = _operation(summary, responses, [*fields, _NAME])
    return {**operation, "requestBody": _body(schemas)}


def _decoded() -> dict[str, Any]:
    answer = {"description": "the picture, for browsers that do not know its format", "content": {"image/png": {}}}
    return {**_operation("A photo as it is read", {"200": answer}, [_NAME]), "requestBody": _body({})}


def _body(fields: dict[str, Any]) -> dict[str, Any]:
    binary = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {"type": "object", "properties": {"image": binary, **fields}, "required": ["image"]}
    return {
        "required": True,
        "content": {"application/octet-stream": {}, "image/*": {}, "multipart/form-data": {"schema": form}},
    }


def _operation(summary: str, responses: dict[str, Any], parameters: list[Any] | None = None) -> dict[str, Any]:
    said = {"summary": summary, "responses": {**responses, "default": _PROBLEM}, "security": [{"token": []}, {}]}
    return {**said, "parameters": parameters} if parameters else said


def _picture() -> dict[str, Any]:
    return {
        "description": "the picture; headers SRDiff-* say how it was made",
        "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
    }


def _events() -> dict[str, Any]:
    return {
        "description": "events state (a Job) and preview (PNG in base64) until the job is over",
        "content": {"text/event-stream": {}},
    }


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _problem_schema() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "number"}
    offer = dict.fromkeys(("width", "height", "scale", "seconds"), number)
    shrunk = {"type": "object", "properties": offer, "description": "what shrink=true would enlarge, and in which time"}
    properties = {"type": text, "title": text, "status": {"type": "integer"}, "detail": text, "reason": text}
    return {"type": "object", "properties": {**properties, "shrunk": shrunk}}


def _job_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "state": {"enum": ["queued", "running", "done", "failed", "cancelled"]},
            "done": {"type": "integer"},
            "total": {"type": "integer"},
            "place": {"type": "integer"},
            "seconds_left": {"type": "number"},
            "result": {"type": "object"},
            "problem": {"$ref": "#/components/schemas/Problem"},
        },
        "required": ["id", "state", "done", "total"],
    }
