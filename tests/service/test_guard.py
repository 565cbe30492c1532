"""Who may ask, and what the log holds."""

from __future__ import annotations

import json
import logging

import pytest
from starlette.testclient import TestClient

from srdiff.bundle import Bundle
from srdiff.service.app import create_app
from srdiff.service.service import Service

from .conftest import BASE, LIMITS, png

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def cold(bundles: dict[str, Bundle]) -> Service:
    """One that was never started."""
    return Service(bundles, [dict], LIMITS)


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_without_the_token(cold: Service, given: str | None) -> None:
    client = TestClient(create_app(cold, TOKEN), BASE)
    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
    for address in ("/v1/models", "/metrics", "/v1/results/0"):
        answer = client.get(address, headers=headers)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert client.post("/v1/upscale", content=png(), headers=headers).status_code == 401
    assert client.get("/livez", headers=headers).status_code == 200


def test_with_the_token(cold: Service) -> None:
    client = TestClient(create_app(cold, TOKEN), "http://other.example", headers={"Authorization": f"Bearer {TOKEN}"})
    assert [model["name"] for model in client.get("/v1/models").json()["models"]] == ["small-v1", "clean"]


def test_the_log_holds_no_secret(cold: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "srdiff.access")
    client = TestClient(create_app(cold, TOKEN), BASE, headers={"Authorization": f"Bearer {TOKEN}"})
    client.get(f"/v1/jobs/secret-id?token={TOKEN}", headers={"X-Request-ID": "mine.1"})
    client.get("/v1/models", headers={"X-Request-ID": "two\nlines"})
    lines = [json.loads(record.message) for record in caplog.records if record.name == "srdiff.access"]
    assert TOKEN not in caplog.text and "secret-id" not in caplog.text
    assert [(line["route"], line["status"]) for line in lines] == [("/v1/jobs/{id}", 404), ("/v1/models", 200)]
    assert lines[0]["id"] == "mine.1" and "lines" not in lines[1]["id"]


def test_a_foreign_page_gets_nowhere(cold: Service) -> None:
    client = TestClient(create_app(cold), BASE)
    assert client.get("/v1/models").status_code == 200
    assert client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 403
    assert client.post("/v1/upscale", content=png(), headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/v1/models", headers={"Origin": BASE}).status_code == 200
    assert "access-control-allow-origin" not in client.get("/v1/models").headers


def test_the_host_that_was_named_is_asked_and_no_other(cold: Service) -> None:
    client = TestClient(create_app(cold, None, "Vm"), "http://127.0.1.1:18743")
    assert client.get("/v1/models", headers={"Host": "vm:18743"}).status_code == 200
    assert client.get("/v1/models", headers={"Host": ""}).status_code == 403
    refused = client.get("/v1/models", headers={"Host": "vm.evil.example"})
    assert refused.status_code == 403
    place = refused.json()["detail"].rpartition(" ")[2]
    assert place == "http://127.0.1.1:18743" and client.get(f"{place}/v1/models").status_code == 200


def test_where_other_machines_reach_it_every_name_is_asked(cold: Service) -> None:
    client = TestClient(create_app(cold, None, None), BASE)
    assert client.get("/v1/models", headers={"Host": "vm"}).status_code == 200


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("name", ["Host", "Origin"])
@pytest.mark.parametrize("address", ["[::1", "[abc]", "http://[", "http://[::1", "//]", "http://\u2100", "null", ""])
def test_malformed_addresses_are_refused_in_a_sentence(
    cold: Service, caplog: pytest.LogCaptureFixture, token: str | None, name: str, address: str
) -> None:
    caplog.set_level(logging.INFO, "srdiff.access")
    client = TestClient(create_app(cold, token), BASE)
    answer = client.get("/v1/models", headers={name: address.encode()})
    assert answer.status_code == (401 if token and name == "Host" else 403)
    assert answer.json()["detail"] and answer.headers["x-content-type-options"] == "nosniff"
    (line,) = (json.loads(record.message) for record in caplog.records if record.name == "srdiff.access")
    assert line["status"] == answer.status_code
    reason = answer.json()["reason"]
    assert cold.metrics.registry.get_sample_value("srdiff_rejected_total", {"reason": reason}) == 1


def test_before_it_is_warm_and_while_it_drains(cold: Service) -> None:
    client = TestClient(create_app(cold), BASE)
    assert client.get("/livez").status_code == 200
    for answer in (client.get("/readyz"), client.post("/v1/upscale", content=png())):
        assert answer.status_code == 503 and answer.json()["reason"] == "warming" and answer.headers["retry-after"]
    cold.draining = True
    answer = client.post("/v1/jobs", content=png())
    assert answer.status_code == 503 and answer.json()["reason"] == "draining"


def test_the_description_has_every_route(cold: Service) -> None:
    described = TestClient(create_app(cold), BASE).get("/openapi.json").json()
    routes = {
        (route.path, method.lower())
        for route in create_app(cold)._app.routes
        if hasattr(route, "methods") and route.path != "/"
        for method in route.methods - {"HEAD"}
    }
    assert {(path, method) for path, item in described["paths"].items() for method in item} == routes
    for path, item in described["paths"].items():
        if "post" in item:
            assert "name" in [parameter["name"] for parameter in item["post"]["parameters"]], path
