"""The same flow for Node-RED and for n8n: a handle in, the profile asked for, flat rows out.

Nothing is validated, and an upstream that fails is whatever the peer makes of it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

NODE_RED_PATH = "/profile"
_REQUEST_SOURCE = "API"
_N8N = "n8n-nodes-base"

# {user: {uniqueId: "ada"}} becomes {user_uniqueId: "ada"}; places in lists are names, too.
_FLATTEN = """
function flatten(value, name, row) {
  if (value === null || typeof value !== "object") row[name] = value;
  else for (const key in value) flatten(value[key], name ? name + "_" + key : key, row);
  return row;
}
"""


def node_red(endpoint: str) -> list[dict[str, Any]]:
    """A flow file: http in, function, http request, function, http response."""
    ask = f"""
        msg.headers = {{authorization: msg.req.headers.authorization}};
        msg.payload = {{handle: msg.payload.handle, requestSource: "{_REQUEST_SOURCE}"}};
        return msg;
    """
    answer = f'{_FLATTEN} msg.payload = flatten(msg.payload, "", {{}}); return msg;'
    # Connections to the upstream are kept, as the product keeps them.
    request = {"method": "POST", "url": endpoint, "ret": "obj", "persist": True}
    nodes: list[dict[str, Any]] = [
        {"type": "http in", "method": "post", "url": NODE_RED_PATH, "wires": [["ask"]]},
        {"id": "ask", "type": "function", "func": ask, "wires": [["request"]]},
        {"id": "request", "type": "http request", **request, "wires": [["answer"]]},
        {"id": "answer", "type": "function", "func": answer, "wires": [["respond"]]},
        {"id": "respond", "type": "http response", "wires": []},
    ]
    return [
        {"id": "tab", "type": "tab", "label": "profile"},
        *({"id": "start", "z": "tab", **node} for node in nodes),
    ]


def n8n(endpoint: str, path: str, flattening: dict[str, Any]) -> dict[str, Any]:
    """A workflow: webhook, HTTP request, `flattening`; the webhook answers what the last one makes."""
    webhook = {"httpMethod": "POST", "path": path, "responseMode": "lastNode"}
    request = {
        "method": "POST",
        "url": endpoint,
        "sendHeaders": True,
        "headerParameters": _pairs(Authorization="={{ $json.headers.authorization }}"),
        "sendBody": True,
        "bodyParameters": _pairs(handle="={{ $json.body.handle }}", requestSource=_REQUEST_SOURCE),
    }
    nodes = [
        {"type": "webhook", "typeVersion": 2, "parameters": webhook, "webhookId": path},
        {"type": "httpRequest", "typeVersion": 4.2, "parameters": request},
        flattening,
    ]
    names = [f"n{number}" for number in range(len(nodes))]
    return {
        "id": path,
        "name": path,
        "active": False,
        "settings": {"executionOrder": "v1"},
        "nodes": [
            {**node, "id": name, "name": name, "position": [0, 0], "type": f"{_N8N}.{node['type']}"}
            for name, node in zip(names, nodes, strict=True)
        ],
        "connections": {
            name: {"main": [[{"node": following, "type": "main", "index": 0}]]}
            for name, following in pairwise(names)
        },
    }


def _pairs(**values: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value} for name, value in values.items()]}


N8N: dict[str, dict[str, Any]] = {
    "code": {
        "type": "code",
        "typeVersion": 2,
        "parameters": {
            "jsCode": f'{_FLATTEN} return [{{json: flatten($input.first().json, "", {{}})}}];'
        },
    },
    "expression": {
        "type": "set",
        "typeVersion": 3.4,
        "parameters": {
            "mode": "raw",
            "jsonOutput": f'={{{{ (() => {{ {_FLATTEN} return flatten($json, "", {{}}); }})() }}}}',
        },
    },
}
"""What flattens: a Code node, in a process of its own, or an Edit Fields node, in the main one: cheaper."""
