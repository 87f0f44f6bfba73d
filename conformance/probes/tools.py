"""The page's section "Tool calls"."""

from conformance.probes import parameters

REQUIRED_CALL = parameters.TOOLS.but(
    "tools.required-call",
    "A question that calls for the tool, and a tool call required.",
    quick=True,
    messages=[{"role": "user", "content": "What's the weather in Zürich?"}],
    tool_choice="required",
    max_tokens=96,
)

PROBES = (REQUIRED_CALL,)
