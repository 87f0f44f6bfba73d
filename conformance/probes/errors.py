"""Requests that are wrong before their members are looked at."""

from conformance.probes.parameters import SHORT

MALFORMED_JSON = SHORT.sent(
    "errors.malformed-json", "A body that breaks off in mid-JSON.", raw=b'{"model": "x", "messages": ['
)
JSON_ARRAY = SHORT.sent("errors.json-array", "A body that is a JSON array.", raw=b"[1, 2, 3]")
EMPTY_BODY = SHORT.sent("errors.empty-body", "No body at all.", raw=b"")
WRONG_METHOD = SHORT.sent("errors.wrong-method", "A GET on the endpoint.", method="GET", raw=b"")
WRONG_PATH = SHORT.sent("errors.wrong-path", "A path that does not exist.", path="/v1/inference/no-such-endpoint")
PLAIN_TEXT = SHORT.sent(
    "errors.plain-text", "The body labelled as plain text.", headers=(("Content-Type", "text/plain"),)
)
UNKNOWN_MEMBER = SHORT.but("errors.unknown-member", "A member that the page does not know.", conformance_probe={"x": 1})

PROBES = (MALFORMED_JSON, JSON_ARRAY, EMPTY_BODY, WRONG_METHOD, WRONG_PATH, PLAIN_TEXT, UNKNOWN_MEMBER)
