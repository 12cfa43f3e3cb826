"""What stands in a request where something else should: the tables that `calls` draws from."""

TYPES = [
    *(
        b"",
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"\xff",
        b"/",
    ),
    *(
        b"application/json; charset=utf-16",
        b"application/problem+json",
        b"application/octet-stream",
    ),
    *(b"multipart/form-data; boundary=", b"application/json, text/csv", b"text/csv", b"a" * 500),
    *(
        b"Application/JSON;charset=UTF-8",
        b"application/json; charset=latin-1",
        b"application/+json",
    ),
    *(b"application/x-ndjson; charset=utf-8", b"application/jsonlines", b"application/x-jsonlines"),
]
CSV_TYPES = [
    *(b"text/csv; charset=utf-8", b"TEXT/CSV;header=present", b"text/csv; header=absent"),
    *(b"text/csv; charset=utf-16", b"text/csv; charset=\xff", b"text/csv; charset", b"text/csv;;="),
    *(b"application/vnd.ms-excel", b"application/vnd.apache.parquet", b"text/plain", b""),
]
KEYS = [b"", b"a", b"a" * 255, b"a" * 256, b"\xff", b"a b", b"\x7f", b'"q"', b"a,b", b"0" * 4000]
HEADERS = [
    *((b"Accept", each) for each in (b"*/*", b"text/html", b"", b"\xff", b"q=;;,")),
    *((b"Idempotency-Key", each) for each in KEYS),
    *((b"Last-Event-ID", each) for each in (b"", b"0", b"-1", b"x", b"9" * 400, b"1e3", b"\xb2")),
    *((b"Expect", b"100-continue"), (b"Range", b"bytes=0-0"), (b"Cookie", b"a=\xff; ;=;=")),
    *((b"Accept-Encoding", b"gzip"), (b"Content-Encoding", b"gzip"), (b"If-None-Match", b"*")),
    *((b"X-Forwarded-For", b"::1, x"), (b"X-Forwarded-Proto", b"gopher"), (b"Forwarded", b"=")),
    *((b"Authorization", b"Basic \xff"), (b"Origin", b"null"), (b"Host", b"\xff:x")),
    *((b"X-HTTP-Method-Override", b"DELETE"), (b"X-Long", b"a" * 8000), (b"Connection", b"x")),
]
OFFERS = [
    [(b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AA")],
    [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), (b"Sec-WebSocket-Version", b"13")],
    [(b"Upgrade", b"a/1, b"), (b"Connection", b"keep-alive"), (b"Connection", b"Upgrade")],
    [(b"Upgrade", b""), (b"Connection", b"upgrade")],
]
TRAILERS = [
    b"",
    b"",
    b"X-Forwarded-Prefix: /trailer\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
]
PREFIXES = [
    *("/warren", "/a/b", "/jobs", "/predict/", "/", "", "//evil.example", "https://evil.example"),
    *("/..", "/a/../b", "/a?b", "/%2e%2e", "/\xfc", "/a\t/b", "/a, /b", "/" + "a" * 4000),
]
QUERIES = [
    *(
        "",
        "?",
        "?a",
        "?limit=1",
        "?limit=0",
        "?limit=1e3",
        "?limit=%00",
        "?limit=",
        "?limit=\u0663",
    ),
    *(
        "?limit=9" + "9" * 5000,
        "?limit=1&limit=2",
        "?state=TASK_COMPLETED",
        "?state=",
        "?state[]=1",
    ),
    *("?" + "a=b&" * 1500, "?%", "?%zz=%ff", "?limit=-1", "?limit= 5", "?limit=1_0", "?limit=NaN"),
    *("?state=task_error", "?state=TASK_ERROR&limit=3", "?\ud7ff", "?limit=0x10", "?limit=%2B5"),
]
PATHS = [
    *(
        "/",
        "/jobs",
        "/models",
        "/datasets",
        "/train",
        "/predict",
        "/health",
        "/docs",
        "/openapi.json",
        "/asyncapi.json",
        "/asyncapi",
    ),
    *("/ping", "/invocations", "/metadata", "/predict/test", "/predict/parallel", "/predict/async"),
    *("/predict/sync_async", "/predict/", "/models/nobody", "/job/", "/job/canary/events"),
    *("//", "/jobs/", "/jobs//", "/%00", "/..", "/../../etc/passwd", "/static", "/static/", "*"),
    *(
        "/static/../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc/passwd",
        "/static/%00",
        "/.env",
    ),
    *("/static/%2e%2e/%2e%2e/main.py", "/static/swagger-ui.css%00", "/" + "a" * 8000, "/%ff%fe"),
    *("/train/", "/TRAIN", "/predict;a", "/datasets/../jobs", "/redoc", "/metrics", "/health/"),
    *("/jobs/a/b/c", "/jobs/%2e%2e/events", "/jobs/canary/", "/\u00fc", "http://a/jobs", "/docs/x"),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"]

TRAIN = b"POST /train HTTP/1.1\r\nHost: localhost\r\n"
UPLOAD = b"PUT /datasets/up-1 HTTP/1.1\r\nHost: localhost\r\n"
BROKEN = [
    *(b"\0" * 50, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"AMQP\0\0\x09\x01", b"\r\n\r\n"),
    *(
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
        b"SSH-2.0-x\r\n",
    ),
    *(
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"get / http/1.1\r\n\r\n",
        b"GET  /  HTTP/1.1\r\n\r\n",
    ),
    *(
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \0\r\n\r\n",
        b"G" * 70_000,
    ),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n",
    b"GET / HTTP/1.1\r\nA: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /jobs HTTP/1.1\r\nHost: [::1]\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: eA==\r\n\r\n",
    TRAIN + b"Content-Length: -1\r\n\r\n",
    TRAIN + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    TRAIN + b"Content-Length: \xb2\r\n\r\n{}",
    TRAIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    TRAIN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    TRAIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    TRAIN + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
    TRAIN + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    TRAIN + b"Transfer-Encoding: gzip\r\n\r\n{}",
    b"POST /predict HTTP/1.1\r\nHost: [::1]\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n{",
    UPLOAD + b"Content-Length: 50\r\n\r\na,b\n1,",
    UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\na,b\n\r\n",
]

CSVS = [
    *(b"", b"\n", b"a", b"a,b\n", b"a,a\n1,2\n", b"a,,c\n1,2,3\n", b'a,b\n"1,2\n', b"\0" * 99),
    *(b"a," * 20_000 + b"b\n1\n", b'"a\nb",c\n1,2\n', b"a,b\r1,2\r", b"a\n" + b"9" * 2000),
    *(b"sep=;\na;b\n", b",a,b\n0,1,2\n", b"a,b\n0,1,2\n", b"a,b\n1,2,\n3,4,\n", b"a,b\n1\n2,3\n"),
    *(
        b"\xef\xbb\xbf\n\n",
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"150,4,x\n1,2,3\n",
        b"{}",
        b"[[1]]",
        b"PK\3\4",
    ),
    *(
        b"a b\n1 2\n",
        b"a;b\n1;2\n",
        b"\x1f\x8b\x08",
        b"PAR1\0",
        b'""\n""\n',
        b'a,"b\n",c\n1\r2\r\n',
    ),
    *(b"a,b\n" + b"1,2\n" * 5000 + b"3,4,5\n", "ä,b\n1,2\n".encode("utf-16"), b"\xe4,b\n1,2\n"),
]
