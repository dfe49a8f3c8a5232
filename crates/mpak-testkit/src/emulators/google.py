"""gcp-storage-emulator with the XML API in front of its storage.

The emulator speaks the JSON API only; the registry's client speaks the XML API. Objects are the
emulator's: what is put here is seen through its JSON API and the other way round. Unlike the emulator,
the XML side checks who asks: bearer tokens and signed addresses must be signed with the key that was
given. Requests whose bodies end early change nothing, and one that stands still holds no other up.
Ends when its stdin does.

Arguments: port, folder, bucket, modulus of the public key in hexadecimal.
"""

import base64
import calendar
import hashlib
import json
import os
import sys
import threading
import time
import uuid
import xml.etree.ElementTree as ElementTree
from email.utils import formatdate
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

PORT, FOLDER, BUCKET, MODULUS = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4], 16)
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
# Fewer than the real store gives at once, so that the next pages are asked for, too.
KEYS_MAX = 7
UPLOADS = {}
LOCK = threading.Lock()


def is_signed(message, signature):
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2.2)."""
    length = (MODULUS.bit_length() + 7) // 8
    if len(signature) != length:
        return False
    found = pow(int.from_bytes(signature, "big"), 65537, MODULUS).to_bytes(length, "big")
    tail = SHA256_INFO + hashlib.sha256(message).digest()
    return found == b"\x00\x01" + b"\xff" * (length - len(tail) - 3) + b"\x00" + tail


def token_fits(header):
    """A self-signed token of the service account."""
    try:
        head, claims, signature = header.removeprefix("Bearer ").split(".")
        pad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return json.loads(pad(claims))["exp"] > time.time() and is_signed(f"{head}.{claims}".encode(), pad(signature))
    except (ValueError, KeyError):
        return False


def address_fits(method, path, query):
    """A V4 signed address, as the store's documentation describes its canonical form."""
    pairs = [(k, v) for k, v in query if k != "X-Goog-Signature"]
    given = dict(query)
    canonical = "&".join(sorted(f"{quote(k, safe='-._~')}={quote(v, safe='-._~')}" for k, v in pairs))
    request = f"{method}\n{path}\n{canonical}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD"
    began = calendar.timegm(time.strptime(given["X-Goog-Date"], "%Y%m%dT%H%M%SZ"))
    if not began - 60 <= time.time() < began + int(given["X-Goog-Expires"]):
        return False
    scope = given["X-Goog-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"GOOG4-RSA-SHA256\n{given['X-Goog-Date']}\n{scope}\n{digest}"
    return is_signed(text.encode(), bytes.fromhex(given["X-Goog-Signature"]))


class Handler(server.RequestHandler):
    def do_GET(self):
        self.route("GET")

    def do_HEAD(self):
        self.route("HEAD")

    def do_PUT(self):
        self.route("PUT")

    def do_POST(self):
        self.route("POST")

    def do_DELETE(self):
        self.route("DELETE")

    def route(self, method):
        url = urlsplit(self.path)
        if url.path == "/" or url.path.split("/")[1] in ("storage", "upload", "download", "batch", "b"):
            with LOCK:
                return server.Router(self).handle(method)
        query = parse_qsl(url.query, keep_blank_values=True)
        if "X-Goog-Signature" in dict(query):
            allowed = address_fits(method, url.path, query)
        else:
            allowed = token_fits(self.headers.get("Authorization", ""))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return
        if not allowed:
            return self.send(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        with LOCK:
            answer = self.work(method, url, dict(query), body)
        self.send(*answer)

    def work(self, method, url, query, body):
        bucket, _, key = unquote(url.path[1:]).partition("/")
        if bucket not in self.storage.buckets:
            return self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        if not key:
            return self.list(bucket, query)
        try:
            return getattr(self, method.lower())(bucket, key, query, body)
        except NotFound:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def answer(self, status, body=b"", headers=None, length=None):
        return status, body, headers, length

    def send(self, status, body, headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def meta(self, bucket, key):
        found = self.storage.get_file_obj(bucket, key)
        etag = base64.b64decode(found["md5Hash"]).hex()
        changed = calendar.timegm(time.strptime(found["updated"][:19], "%Y-%m-%dT%H:%M:%S"))
        return {
            "ETag": f'"{etag}"',
            "Last-Modified": formatdate(changed, usegmt=True),
            "Content-Type": found["contentType"],
            "x-goog-generation": found["generation"],
        }

    def head(self, bucket, key, query, body):
        headers = self.meta(bucket, key)
        return self.answer(200, headers=headers, length=len(self.storage.get_file(bucket, key)))

    def get(self, bucket, key, query, body):
        headers, content = self.meta(bucket, key), self.storage.get_file(bucket, key)
        if "response-content-disposition" in query:
            headers["Content-Disposition"] = query["response-content-disposition"]
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if not wanted:
            return self.answer(200, content, headers)
        first, last = wanted.split("-")
        first, last = int(first), min(int(last or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self.answer(206, content[first : last + 1], headers)

    def create(self, bucket, key, content):
        kind = self.headers.get("Content-Type", "application/octet-stream")
        made = objects._make_object_resource("", bucket, key, kind, str(len(content)))
        self.storage.create_file(bucket, key, content, objects._checksums(content, made))

    def put(self, bucket, key, query, body):
        if "partNumber" in query:
            UPLOADS[query["uploadId"]][int(query["partNumber"])] = body
            return self.answer(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        exists = key in self.storage.objects.get(bucket, {})
        if self.headers.get("x-goog-if-generation-match") == "0" and exists:
            return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.create(bucket, key, body)
        return self.answer(200, headers=self.meta(bucket, key))

    def post(self, bucket, key, query, body):
        if "uploads" in query:
            upload = uuid.uuid4().hex
            UPLOADS[upload] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return self.answer(200, text.encode())
        parts = UPLOADS.pop(query["uploadId"])
        numbers = [int(n.text) for n in ElementTree.fromstring(body).iter() if n.tag.endswith("PartNumber")]
        self.create(bucket, key, b"".join(parts[n] for n in numbers))
        etag = self.meta(bucket, key)["ETag"].strip('"')
        text = f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
        return self.answer(200, text.encode())

    def delete(self, bucket, key, query, body):
        if "uploadId" in query:
            UPLOADS.pop(query["uploadId"], None)
        else:
            self.storage.delete_file(bucket, key)
        return self.answer(204)

    def list(self, bucket, query):
        after, prefix = query.get("continuation-token", ""), query.get("prefix", "")
        keys = sorted(k for k in self.storage.objects.get(bucket, {}) if k.startswith(prefix) and k > after)
        text = ""
        for key in keys[:KEYS_MAX]:
            found = self.storage.get_file_obj(bucket, key)
            text += f"<Contents><Key>{key}</Key><Size>{found['size']}</Size><ETag>x</ETag>"
            text += f"<LastModified>{found['updated']}</LastModified></Contents>"
        if len(keys) > KEYS_MAX:
            text += f"<NextContinuationToken>{keys[KEYS_MAX - 1]}</NextContinuationToken>"
        return self.answer(200, f"<ListBucketResult>{text}</ListBucketResult>".encode())


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
server.RequestHandler = Handler
server.server.HTTPServer = server.server.ThreadingHTTPServer
server.create_server("127.0.0.1", PORT, False, BUCKET, FOLDER).run()
