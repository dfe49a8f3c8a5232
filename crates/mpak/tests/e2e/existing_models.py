"""Holds a registry's answers against the models that the unmodified PyPI SDK carries, made from the existing
registry's own description; they forbid members that they do not know. Prints the names of those that fit."""

import sys
import time

import httpx
from mpak.generated import types

url = sys.argv[1]
bundle = "/v1/bundles/@acme/widget"
answers = {
    "/v1/bundles/search?q=widget": types.V1BundlesSearchGetResponse,
    bundle: types.V1BundlesScopePackageGetResponse,
    f"{bundle}/index.json": types.V1BundlesScopePackageIndexJsonGetResponse,
    f"{bundle}/versions": types.V1BundlesScopePackageVersionsGetResponse,
    f"{bundle}/versions/1.0.0": types.V1BundlesScopePackageVersionsVersionGetResponse,
    f"{bundle}/versions/latest/download": types.V1BundlesScopePackageVersionsVersionDownloadGetResponse,
    f"{bundle}/security": types.V1BundlesScopePackageSecurityGetResponse,
}
with httpx.Client(base_url=url, headers={"accept": "application/json"}, trust_env=False) as client:
    # 1. As long as nothing is known of it, and when it is scanned.
    deadline = time.monotonic() + 120
    while True:
        security = client.get(f"{bundle}/security").raise_for_status()
        types.V1BundlesScopePackageSecurityGetResponse.model_validate_json(security.content)
        if security.json()["status"] == "completed":
            break
        assert time.monotonic() < deadline, security.text
        time.sleep(0.1)
    # 2. All of them.
    for path, model in answers.items():
        model.model_validate_json(client.get(path).raise_for_status().content)
        print(model.__name__)
