"""HTTP requests as bytes: of every route and of none, well framed and not."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from tests.fuzz import bodies, encodings, invocations, params, serving, tables, tensors, uploads
from tests.fuzz.bodies import CANARY, IDS
from tests.fuzz.oddities import (
    BROKEN,
    CSV_TYPES,
    CSVS,
    HEADERS,
    METHODS,
    OFFERS,
    PATHS,
    PREFIXES,
    QUERIES,
    TRAILERS,
    TYPES,
)

TINY = "tiny"  # a data set of five rows
CSV = b"size,colour,price\n1.5,red,10\n2.5,blue,14\n3.0,red,18\n4.5,,23\n5.0,blue,24\n"


@dataclass(frozen=True)
class Call:
    """A request. `alone` on its connection when the next one could not be told from it."""

    kind: str
    raw: bytes
    alone: bool = False

    @property
    def whole(self) -> bool:
        """Whether there has to be an answer."""
        return self.kind != "broken"

    @property
    def head(self) -> bool:
        """Whether its answer has no body."""
        return self.raw.startswith(b"HEAD ")


JSON = b"application/json"


def make(rng: Random) -> Call:
    """Return a request."""
    kind, maker = rng.choices(KINDS, WEIGHTS)[0]
    call = maker(rng)
    return Call(kind, call.raw, call.alone)


def framed(
    rng: Random,
    method: str,
    target: str,
    body: bytes = b"",
    content_type: bytes = b"",
    *headers: tuple[bytes, bytes],
) -> Call:
    """Frame a request, whole or in chunks, with a header or two that nobody asked for."""
    head = [
        (b"Host", b"localhost"),
        *headers,
        *rng.choices(HEADERS, k=rng.choice((0, 0, 0, 0, 1, 2))),
    ]
    if rng.random() < 0.05:
        head += rng.choice(OFFERS)
    if rng.random() < 0.05:
        prefix = rng.choice(PREFIXES)
        head.append((b"X-Forwarded-Prefix", prefix.encode("latin-1")))
        if target.startswith("/") and rng.random() < 0.5:
            target = prefix + target
    if content_type:
        odd = rng.random() < 0.03
        head.append((b"Content-Type", rng.choice(TYPES) if odd else content_type))
    if body and rng.random() < 0.05:
        encoding, body = encodings.encode(rng, body)
        head.append((b"Content-Encoding", encoding))
    chunked = body and rng.random() < 0.1
    if chunked:
        head.append((b"Transfer-Encoding", b"chunked"))
        body = in_chunks(rng, body)
    elif body or method not in ("GET", "HEAD"):
        head.append((b"Content-Length", b"%d" % len(body)))
    lines = b"".join(b"%s: %s\r\n" % each for each in head)
    # Bytes that a URL cannot hold are no request at all, which is said by closing the connection.
    alone = not (target.isascii() and target.isprintable()) or " " in target or target == "*"
    alone = alone or any(byte in value for _, value in head for byte in b"\x7f\xff")
    start = f"{method} {target} HTTP/1.1\r\n".encode(errors="surrogatepass")
    return Call("", start + lines + b"\r\n" + body, alone)


def in_chunks(rng: Random, body: bytes) -> bytes:
    """Write a chunked body, now and then with a trailer field."""
    size = max(rng.choice((1, 7, 1000, 100_000)), len(body) // 500)
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return chunks + b"0\r\n" + rng.choice(TRAILERS) + b"\r\n"


def odd_id(rng: Random) -> str:
    """Return an id as a client would put it into a path, or as it should not have."""
    found = rng.choice(IDS)
    return quote(found, safe=rng.choice(("", "/", "/."))) if rng.random() < 0.95 else found[:20]


def train(rng: Random) -> Call:
    alive = rng.random() < 0.01
    return framed(rng, "POST", "/train", bodies.training(rng, 0.1, TINY if alive else "x"), JSON)


def hostile_train(rng: Random) -> Call:
    body = json.dumps(params.request(rng, "diabetes" if rng.random() < 0.3 else TINY)).encode()
    return framed(rng, "POST", "/train", body, JSON)


def predict(rng: Random) -> Call:
    return framed(rng, "POST", "/predict", bodies.prediction(rng), JSON)


def upload(rng: Random) -> Call:
    body = CSV if rng.random() < 0.2 else bodies.damage(rng, CSV)
    if rng.random() < 0.2:
        body = rng.choice(CSVS)
    chosen = rng.choice(("up-1", "up-2")) if rng.random() < 0.7 else odd_id(rng)
    if chosen in ("diabetes", TINY, "latest", CANARY):
        chosen = "up-3"
    kind = b"text/csv" if rng.random() < 0.8 else rng.choice(CSV_TYPES)
    query = ""
    if rng.random() < 0.4:
        body, kind, query = tables.table(rng)
    return framed(rng, "PUT", f"/datasets/{chosen}{query}", body, kind)


def serve(rng: Random) -> Call:
    """Return a call of one model of any kind, as a job or not."""
    target = rng.choice(("/predict", "/predict", "/predict/async"))
    return framed(rng, "POST", target, serving.one(rng), JSON)


def parallel(rng: Random) -> Call:
    return framed(rng, "POST", "/predict/parallel", serving.parallel(rng), JSON)


def sync_async(rng: Random) -> Call:
    return framed(rng, "POST", "/predict/sync_async", serving.sync_async(rng), JSON)


def invoke(rng: Random) -> Call:
    """Return a call as SageMaker makes it."""
    body, kind, accept = invocations.invocation(rng)
    headers = [(b"Accept", accept)] if accept else []
    if rng.random() < 0.7:
        chosen = rng.choice(serving.NAMES if rng.random() < 0.8 else IDS)
        name = bytes(each for each in chosen[:200].encode(errors="replace") if each >= 32)
        value = b"".join((rng.choice((b"", b"a=b,", b"=;,")), b"model_id=", name))
        headers.append((b"X-Amzn-SageMaker-Custom-Attributes", value))
    return framed(rng, "POST", "/invocations", body, kind, *headers)


def infer(rng: Random) -> Call:
    """Return a call of the Open Inference Protocol."""
    body, length = tensors.inferred(rng)
    name = rng.choice(serving.NAMES) if rng.random() < 0.9 else odd_id(rng)
    version = rng.choice((*[""] * 9, "/versions/1", "/versions/"))
    headers = [] if length is None else [(b"Inference-Header-Content-Length", length)]
    kind = rng.choice((b"", JSON, b"application/octet-stream"))
    below = rng.choice((*["/infer"] * 9, "", "/ready"))
    method = "POST" if below == "/infer" else "GET"
    target = f"/v2/models/{quote(name, safe='')}{version}{below}"
    return framed(rng, method, target, body if method == "POST" else b"", kind, *headers)


def register(rng: Random) -> Call:
    """Return the registration of an endpoint that may not be called."""
    return framed(rng, "PUT", f"/models/{registered(rng)}", uploads.endpoint(rng), JSON)


def upload_model(rng: Random) -> Call:
    body, kind = uploads.uploaded(rng)
    return framed(rng, "PUT", f"/models/{registered(rng)}", body, kind)


def registered(rng: Random) -> str:
    return rng.choice(("net-1", "net-2", "net-3")) if rng.random() < 0.7 else odd_id(rng)


def describe(rng: Random) -> Call:
    """Return a question about a model by its name in the query."""
    name = rng.choice(serving.NAMES) if rng.random() < 0.6 else odd_id(rng)
    query = rng.choice((*[f"?model_id={name}"] * 6, "", "?model_id=", f"?model_id={name}&a=b"))
    return framed(rng, "GET", rng.choice(("/metadata", "/predict/test")) + query)


def one(rng: Random) -> Call:
    target = rng.choice(("/jobs/{}", "/job/{}", "/models/{}", "/jobs/{}/events", "/jobs/{}/log"))
    return framed(rng, "GET", target.format(odd_id(rng)) + rng.choice((*[""] * 5, "?a=%ff")))


def nested(rng: Random) -> Call:
    """Return a request whose body is a request; if that were served, it would have an answer."""
    inner = rng.choice((one, several, predict))(rng).raw
    target = rng.choice(("/predict", "/train", "/jobs", "/datasets/up-4"))
    return framed(rng, rng.choice(("POST", "PUT", "GET")), target, inner, JSON)


def delete(rng: Random) -> Call:
    return framed(rng, "DELETE", f"/jobs/{odd_id(rng)}", rng.choice((b"", b"", b"{}", b"\xff")))


def several(rng: Random) -> Call:
    return framed(rng, "GET", rng.choice(("/jobs", "/models", "/datasets")) + rng.choice(QUERIES))


def odd(rng: Random) -> Call:
    target = rng.choice(PATHS) + rng.choice((*[""] * 9, *QUERIES))
    return framed(rng, rng.choice(METHODS), target, rng.choice((b"", b"", b"{}", b"[")), JSON)


def broken(rng: Random) -> Call:
    """Return bytes that are no HTTP, or a request that breaks off."""
    if rng.random() < 0.5:
        return Call("", rng.choice(BROKEN), alone=True)
    makers = (train, predict, upload, one, parallel, upload_model, invoke)
    whole = rng.choice(makers)(rng).raw[:5000]
    return Call("", bodies.damage(rng, whole), alone=True)


MAKERS: dict[str, tuple[float, Callable[[Random], Call]]] = {
    "train": (30, train),
    "hostile train": (0.5, hostile_train),
    "predict": (30, predict),
    "serve": (6, serve),
    "parallel": (5, parallel),
    "sync_async": (3, sync_async),
    "invoke": (6, invoke),
    "infer": (6, infer),
    "register": (2, register),
    "upload model": (0.5, upload_model),
    "describe": (2, describe),
    "upload": (8, upload),
    "one": (10, one),
    "nested": (2, nested),
    "delete": (4, delete),
    "several": (3, several),
    "odd": (8, odd),
    "broken": (3, broken),
}
KINDS = [(kind, maker) for kind, (_, maker) in MAKERS.items()]
WEIGHTS = [weight for weight, _ in MAKERS.values()]
