"""moto's server, with signed addresses that are looked at: moto takes any, for as long as anybody likes.

Ends when its stdin does. Arguments: port, secret key.
"""

import calendar
import hashlib
import hmac
import os
import sys
import threading
import time
from urllib.parse import parse_qsl, quote

from moto import server

PORT, SECRET = sys.argv[1], sys.argv[2]


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def refusal(method, path, host, pairs):
    """Why an address cannot be used: Signature Version 4 by query parameters, as the store's documentation has it."""
    given = dict(pairs)
    signed = sorted((quote(k, safe="-._~"), quote(v, safe="-._~")) for k, v in pairs if k != "X-Amz-Signature")
    query = "&".join(f"{k}={v}" for k, v in signed)
    request = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    scope = given["X-Amz-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = mac(key, part)
    text = f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{scope}\n{digest}"
    if not hmac.compare_digest(mac(key, text).hex(), given["X-Amz-Signature"]):
        return "SignatureDoesNotMatch"
    began = calendar.timegm(time.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    if not began - 60 <= time.time() < began + int(given["X-Amz-Expires"]):
        return "AccessDenied"
    return None


class Looking:
    """Passes to moto what may pass."""

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start_response):
        pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if "X-Amz-Signature" in dict(pairs):
            path = environ["RAW_URI"].split("?", 1)[0]
            code = refusal(environ["REQUEST_METHOD"], path, environ["HTTP_HOST"], pairs)
            if code:
                body = f"<Error><Code>{code}</Code></Error>".encode()
                start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
                return [body]
        return self.moto(environ, start_response)


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


run = server.run_simple
server.run_simple = lambda host, port, app, **more: run(host, port, Looking(app), **more)
threading.Thread(target=end_with_stdin, daemon=True).start()
server.main(["-H", "127.0.0.1", "-p", PORT])
