"""The story of a call that is not made: names, arguments, limits, request, parameters, cache, with their origins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from heavenbase.config.schema import CAPABILITIES
from heavenbase.errors import HBError, LossyRequestError
from heavenbase.plugin import enforce_report
from heavenbase.secrets import Hidden, mask
from heavenbase.spec import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.cache.settings import CacheSettings
    from heavenbase.call import Call, WireRequest
    from heavenbase.kernel import Kernel
    from heavenbase.spec import LLMSpec

DEFAULTS = "heavenbase.llm.default_args"
MASK = "***"
NO_KEY = "(no key is set)"


def story_of(kernel: Kernel, call: Call, warned: Iterable[str] = ()) -> dict[str, Any]:
    """Everything as plain data. Nothing is sent; what cannot be prepared is told under `request_error`."""
    spec = call.spec
    gateway = kernel.gateway(spec)
    request, problem, told = None, None, list(warned)
    try:
        if spec.route is not None and spec.route.problem is not None:
            raise spec.route.problem
        request = gateway.prepare(call)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            enforce_report(call, kernel.config.get("heavenbase.llm.on_lossy"))
        told += [str(warning.message) for warning in caught]
    except LossyRequestError as error:
        told.append(f"this call is refused: {error.message}")
    except HBError as error:
        problem = error.message
    return {
        **_names(spec),
        "requested_gateway": spec.requested_gateway,
        "warnings": told,
        "arguments": {
            name: {
                "value": shown(name, value, MASK),
                "origin": _origin(kernel, spec, name),
                "sent": name in call.args,
            }
            for name, value in sorted(spec.args.items())
        },
        **_capabilities(kernel, spec),
        "timeouts": {name: getattr(spec.timeouts, name) for name in spec.timeouts.__dataclass_fields__},
        "retry": _retry(kernel, call),
        **_stack(kernel, call),
        "request": _request(call, request) if request is not None else None,
        "request_error": problem,
        "parameters": call.context.report.to_dict(),
        "cache": _cache(kernel, call),
        "surroundings": kernel.config.surroundings(),
    }


def _names(spec: LLMSpec) -> dict[str, dict[str, Any]]:
    origins = spec.origins
    asked = "" if spec.gateway == spec.requested_gateway else f" (asked for: {spec.requested_gateway})"
    values: dict[str, tuple[Any, str]] = {
        "preset": (spec.preset, origins.get("preset", "")),
        "model": (spec.model, origins.get("model", "")),
        "model_id": (spec.model_id, f"provider {spec.provider}"),
        "provider": (spec.provider, origins.get("provider", "")),
        "gateway": (spec.gateway, origins.get("gateway", "") + asked),
        "base_url": (spec.base_url, origins.get("base_url", "")),
        "key": _key(spec),
    }
    if spec.gateway_record.get("routes"):
        values["provider_url"] = (spec.provider_url, origins.get("provider_url", ""))
        values["gateway_key"] = _gateway_key(spec)
    return {name: {"value": value, "origin": origin} for name, (value, origin) in values.items()}


def _origin(kernel: Kernel, spec: LLMSpec, name: str) -> str:
    origin = spec.origins.get(f"args.{name}", "hb")
    # The settings know file and line of their own.
    told = str(kernel.config.origin([*DEFAULTS.split("."), name]) or origin) if origin == DEFAULTS else origin
    if name == "middleware" and spec.preset and kernel.resolver.catalog.presets[spec.preset].get(name):
        own = f"preset {spec.preset}"  # those of a preset come on top
        return own if told in ("hb", own) else f"{own} and {told}"
    return told


def _key(spec: LLMSpec) -> tuple[str, str]:
    if spec.route is not None and spec.route.problem is not None:
        return "unknown", "the target cannot be used"
    if spec.api_key is not None:
        told = spec.origins.get("api_key") or spec.origins.get("auth_token")
        return "set", told or f"placeholder of provider {spec.provider}"
    # Behind a gateway that routes, the gateway's variables hold a key of its own.
    records = (
        [spec.provider_record] if spec.gateway_record.get("routes") else [spec.gateway_record, spec.provider_record]
    )
    variables = [name for record in records for name in (record.get("api_key_env") or ())]
    if spec.provider_record.get("api_key_optional") or not variables:
        return "none", "none is needed"
    return "not set", f"set {' or '.join(variables)}"


def _gateway_key(spec: LLMSpec) -> tuple[str, str]:
    if spec.gateway_key is not None:
        return "set", spec.origins.get("gateway_key", "")
    return "not set", f"set {' or '.join(spec.gateway_record.get('api_key_env') or ['gateway_key='])}"


def _capabilities(kernel: Kernel, spec: LLMSpec) -> dict[str, dict[str, Any]]:
    """What the target can do, and who says so: settings and manifests stand before the table of models."""
    known = {name: said for name in CAPABILITIES.fields if (said := spec.capability(name)) is not None}
    catalog = kernel.resolver.catalog
    own = dict(catalog.configured_providers.get(spec.provider, {}).get("capabilities") or {})
    if kernel.registry.has("providers", spec.provider):
        manifest = kernel.registry.load("providers", spec.provider).record(spec.gateway, spec.model_id)
        own |= manifest.get("capabilities") or {}
    table = kernel.services.table
    facts = kernel.resolver.tables.abilities(spec.provider, spec.model_id, {}) if table is not None else {}
    model = spec.model_record.get("capabilities", {})
    origins = {
        name: f"model {spec.model}" if name in model
        else f"table {table.name}" if table is not None and name in facts and name not in own
        else f"provider {spec.provider}"
        for name in known
    }  # fmt: skip
    return {"capabilities": known, "capability_origins": origins}


def _retry(kernel: Kernel, call: Call) -> dict[str, Any]:
    settings = kernel.config.section("heavenbase.llm.retry").copy()
    retries = call.controls.get("max_retries")
    return {**settings, "attempts": retries + 1 if isinstance(retries, int) else settings["max_attempts"]}


def _stack(kernel: Kernel, call: Call) -> dict[str, Any]:
    """What the call goes through, outermost first, and for several targets the plan of their route."""
    found: dict[str, Any] = {"stack": [], "stack_error": None, "route": None, "route_error": None, "worst_case": None}
    try:
        found["stack"] = kernel.stack.described(call)
    except HBError as error:
        found["stack_error"] = error.message
    is_single = call.spec.route is None
    if is_single and not kernel.registry.has("middleware", "routing"):
        return found
    try:
        plan = plan_of(call)
        found["worst_case"] = {
            **{name: plan[name] for name in ("requests", "seconds", "cost")},
            "unknown": _unknown(plan),
        }
        found["route"] = None if is_single else plan
    except HBError as error:
        if not is_single:
            found["route_error"] = error.message
    return found


def _unknown(plan: dict[str, Any]) -> list[str]:
    """What of the money is not known, by target where there are several."""
    rows = [row for row in plan["targets"] if row["unknown"]]
    return [row["unknown"] if plan["kind"] == "single" else f"{row['target']}: {row['unknown']}" for row in rows]


def plan_of(call: Call) -> dict[str, Any]:
    """The plan of a call: its targets in order, what keeps each from being asked, the worst case."""
    plan: dict[str, Any] = call.services.load("middleware", "routing").plan(call).to_dict()
    return plan


def _request(call: Call, request: WireRequest) -> dict[str, Any]:
    spec = call.spec
    headers = {name: _header(value) for name, value in request.headers.items()}
    if request.auth:
        name, _, scheme = request.auth.partition(":")
        value = MASK if spec.api_key is not None else NO_KEY
        headers[name.strip()] = f"{scheme.strip()} {value}".strip()
    return {"method": request.method, "url": _url(request.url, call), "headers": headers, "body": mask(request.body)}


def _url(url: str, call: Call) -> str:
    """The address, without the values of what the caller added to its query."""
    place, found, query = url.partition("?")
    added = call.args.get("extra_query") or {}
    parts = [(name, MASK if unquote_plus(name) in added else value) for name, _, value in
             (part.partition("=") for part in query.split("&"))]  # fmt: skip
    return place + found + "&".join(f"{name}={value}" if value else name for name, value in parts)


def _header(value: str) -> str:
    """The value of a header: those of plugins are public, those of settings and arguments may hold a credential."""
    return MASK if isinstance(value, Hidden) else value


def _cache(kernel: Kernel, call: Call) -> dict[str, Any]:
    from heavenbase.cache.settings import NAMESPACES

    cache = kernel.cache
    settings = cache.settings.read(call.controls)
    used = settings.allows(call.verb, call.args, call.controls, has_tools=bool(call.tools))
    namespace = NAMESPACES[call.verb]
    reason = _cache_reason(call, settings, namespace, used)
    key = None
    if used:
        try:
            if call.verb == "embed":
                key = cache.keys.of_inputs(call, call.inputs[:1], settings.shared)[0].hex()
            else:
                key = cache.keys.of(call, settings.shared).hex()
        except HBError as error:
            reason = f"{reason}; {error.message}"
    return {"used": used, "reason": reason, "namespace": namespace, "backend": settings.backend, "key": key}


def _cache_reason(call: Call, settings: CacheSettings, namespace: str, used: bool) -> str:
    policy = settings.policy
    if used:
        return f"policy {policy}"
    if not settings.enabled:
        return f"it is off ({call.spec.origins.get('args.cache', 'heavenbase.llm.cache.enabled')})"
    if not settings.limits[namespace]["enabled"]:
        return f"namespace {namespace} is off"
    if any(name.startswith("mock") for name in call.controls):
        return "answers of a script are not kept"
    if policy == "deterministic":
        return "the answer is not determined: that needs temperature 0 or a seed, and no top_p or top_k"
    return f"policy {policy}"
