"""The endpoint `/generate` without a client, as the README tells it."""

import json
import urllib.request
from typing import Any


def test_inputs_by_name_and_the_others_by_default(server: Any) -> None:
    address = server.url + "/gradio_api/call/v2/generate"
    body, kind = json.dumps({"count": 2}).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address, body, kind), timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}", timeout=60) as stream:
        told = stream.read().decode()
    drawn = json.loads(told.split("event: complete\ndata: ", 1)[1].splitlines()[0])[0]
    assert drawn["seed"] == 0 and drawn["checkpoint"] == "dcgan-conditional" and len(drawn["faces"]) == 2
