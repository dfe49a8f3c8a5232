"""What the unmodified PyPI SDK does with a registry; prints one JSON object."""

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mpak import MpakClient
from mpak.errors import MpakError, MpakIntegrityError, MpakNotFoundError
from mpak.types import MpakClientConfig

url, dest = sys.argv[1], Path(sys.argv[2])
told = {}
with redirect_stdout(io.StringIO()), MpakClient(MpakClientConfig(base_url=url)) as client:
    found = client.get_bundle_download("@acme/widget", platform=("linux", "x64"))
    told["latest"] = found.model_dump(mode="json")
    old = client.get_bundle_download("@acme/widget", "1.0.0", ("darwin", "arm64"))
    told["fallback"] = old.model_dump(mode="json")
    told["detected"] = client.get_bundle_download("@acme/widget").bundle.version
    told["manifest"] = client.load_bundle("@acme/widget", dest / "latest", platform=("linux", "x64"))
    told["files"] = sorted(p.name for p in (dest / "latest").iterdir())
    for name, wanted in [("missing", ("@acme/none", "latest")), ("version", ("@acme/widget", "9.9.9"))]:
        try:
            client.get_bundle_download(*wanted)
        except MpakNotFoundError:
            told[name] = "not found"
    try:
        client.get_bundle_download("@acme/widget", platform=("plan9", "mips"))
    except MpakError as error:
        told["unknown_platform"] = str(error)[:8]
    try:
        client.load_bundle_from_url(found.url, dest / "bad", expected_sha256="0" * 64)
    except MpakIntegrityError:
        told["other_bytes"] = "refused"
    # Newer SDKs ask these through the same client.
    get = lambda path: client._client.get(path).raise_for_status().json()
    told["servers"] = get("/v1/servers/search?q=widget")
    told["server"] = get("/v1/servers/%40acme%2Fwidget")
    told["server_version"] = get("/v1/servers/dev.mpak.acme%2Fwidget/versions/1.0.0")
print(json.dumps(told))
