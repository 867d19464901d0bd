"""AWS's protocols, from the server's side: a request to its service, action and arguments, and an answer or an error to
the bytes that AWS sends. What the shapes are is read from botocore's service models, which come with moto, and answers
are written by moto's own serializers; so nothing here knows a single operation."""

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore import parsers
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

# The name in a signature's scope, and the name of the service's model.
MODELS = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2"}
# The name in a signature's scope, and the prefix that IAM gives its actions.
PREFIXES = {"monitoring": "cloudwatch"}
SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


class Fault(Exception):
    """An error that AWS would answer."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass
class Request:
    """One call, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    service: str = ""
    action: str = ""
    region: str = ""
    access_key: str = ""
    protocol: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    operation: Any = None

    @property
    def name(self) -> str:
        """As IAM names it."""
        return f"{PREFIXES.get(self.service, self.service)}:{self.action}"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def read(method: str, path: str, headers: dict[str, str], body: bytes) -> Request:
    request = Request(method, path, headers, body)
    scope = SCOPE.search(headers.get("authorization", ""))
    if not scope:
        return request
    request.access_key, request.region, request.service = scope.groups()
    target = headers.get("x-amz-target", "")
    form: dict[str, str] = {}
    if target:
        request.action = target.rsplit(".", 1)[-1]
    else:
        text = body.decode("utf-8", "replace") if body else path.partition("?")[2]
        form = {key: values[0] for key, values in parse_qs(text, keep_blank_values=True).items()}
        request.action = form.get("Action", "")
    if "/operation/" in path:
        request.action = path.rsplit("/", 1)[-1]
        request.protocol = "smithy-rpc-v2-cbor"
        return request
    if not request.action:
        return request
    model = get_service_model(MODELS.get(request.service, request.service))
    if request.action not in model.operation_names:
        return request
    request.operation = model.operation_model(request.action)
    if target:
        request.protocol = "json"
        request.arguments = json.loads(body or b"{}")
    else:
        request.protocol = "ec2" if request.service == "ec2" else "query"
        shape = request.operation.input_shape
        request.arguments = (_structure(form, shape, "", request.protocol) if shape else None) or {}
    return request


def _structure(form: dict[str, str], shape: Any, prefix: str, protocol: str) -> dict[str, Any] | None:
    found = {}
    for name, member in shape.members.items():
        key = member.serialization.get("name", name)
        if protocol == "ec2":
            key = member.serialization.get("queryName") or key[0].upper() + key[1:]
        value = _value(form, member, f"{prefix}.{key}" if prefix else key, protocol)
        if value is not None:
            found[name] = value
    return found or None


def _value(form: dict[str, str], shape: Any, key: str, protocol: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(form, shape, key, protocol)
    if kind == "list":
        return _list(form, shape, key, protocol)
    if key not in form:
        return None
    text = form[key]
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    if kind == "boolean":
        return text == "true"
    if kind == "timestamp":
        return instant(text)
    return text


def _list(form: dict[str, str], shape: Any, key: str, protocol: str) -> list[Any] | None:
    if protocol != "ec2":
        inner = shape.member.serialization.get("name")
        if shape.serialization.get("flattened"):
            key = ".".join([*key.split(".")[:-1], inner]) if inner else key
        else:
            key = f"{key}.{inner or 'member'}"
    values: list[Any] = []
    while (value := _value(form, shape.member, f"{key}.{len(values) + 1}", protocol)) is not None:
        values.append(value)
    return values or None


def instant(value: Any) -> datetime:
    """A time in any of the forms that AWS takes."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    try:
        return datetime.fromtimestamp(float(value), timezone.utc)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise Fault("ValidationError", f"timestamp must follow ISO8601: {value}") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def answer(request: Request, result: dict[str, Any]) -> Answer:
    model = MODELS.get(request.service, request.service)
    serializer = get_serializer_class(model, request.protocol)(request.operation)
    made = serializer.serialize(result)
    body = made["body"]
    headers = {"content-type": _content_type(request), **made["headers"]}
    return Answer(made["status_code"], headers, body.encode() if isinstance(body, str) else body)


def _content_type(request: Request) -> str:
    return "application/x-amz-json-1.1" if request.protocol == "json" else "text/xml;charset=UTF-8"


def parsed(request: Request, answer: Answer) -> dict[str, Any]:
    """What an answer of moto's says, to be amended."""
    parser = parsers.create_parser(request.protocol)
    found = parser.parse(
        {"status_code": answer.status, "headers": answer.headers, "body": answer.body},
        request.operation.output_shape,
    )
    found.pop("ResponseMetadata", None)
    return found


def error(request: Request, fault: Fault) -> Answer:
    """An error in the form of the request's protocol."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-requestid": request_id, "content-type": _content_type(request)}
    code, message = escape(fault.code), escape(fault.message)
    kind = "Sender" if fault.status < 500 else "Receiver"
    if request.protocol == "json":
        text = json.dumps({"__type": fault.code, "message": fault.message})
    elif request.protocol == "ec2":
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>'
            f"{code}</Code><Message>{message}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    else:
        space = request.operation.service_model.metadata.get("xmlNamespace", "") if request.operation else ""
        text = (
            f'<ErrorResponse xmlns="{space}"><Error><Type>{kind}</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Answer(fault.status, headers, text.encode())
