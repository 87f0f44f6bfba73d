"""A request that was found by generation, as a probe that can stand among the declared ones."""

import json
from hashlib import sha256
from pprint import pformat

from conformance.exchange import Exchange
from conformance.generate.asked import PREFIX


def probe(exchange: Exchange, requirement: str, model: str) -> str:
    """Python for a module of `conformance/probes`, or nothing where the request was not generated.

    Args:
        exchange: the request that showed the violation.
        requirement: the id of what it broke.
        model: the slug that the run asked; a blank stands for it in the probe.
    """
    if not exchange.probe.startswith(PREFIX):
        return ""
    section = requirement.partition(".")[0]
    name = f"{section}.regression-{sha256(exchange.request.body).hexdigest()[:8]}"
    lines = (
        "REGRESSION = Probe(",
        f"    name={name!r},",
        f"    asks={f'What a generated request broke: {requirement}.'!r},",
        f"    steps=(Step({_sent(exchange, model)}),),",
        "    control=OPENING.name,",
        ")",
    )
    return "\n".join(lines)


def _sent(exchange: Exchange, model: str) -> str:
    raw = exchange.request.body
    try:
        body = json.loads(raw)
    except ValueError:
        return f"raw={raw!r}"
    if not isinstance(body, dict):
        return f"raw={raw!r}"
    members = [
        "MODEL" if name == "model" and value == model else pformat(value, width=100, sort_dicts=False)
        for name, value in body.items()
    ]
    return "body={" + ", ".join(f"{name!r}: {member}" for name, member in zip(body, members, strict=True)) + "}"
