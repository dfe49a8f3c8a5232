"""Judges entries of the official list by the schema of server.json; prints how many are valid."""

import json
import sys
import urllib.request

import jsonschema_rs

schema, url = sys.argv[1], sys.argv[2]
with open(schema, encoding="utf-8") as file:
    validator = jsonschema_rs.validator_for(json.load(file))
if validator.is_valid({"name": "no namespace", "description": "", "version": "1.0.0"}):
    sys.exit("the schema takes anything")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(url) as answer:
    servers = json.load(answer)["servers"]
for entry in servers:
    for error in validator.iter_errors(entry["server"]):
        sys.exit(f"{entry['server']['name']}: {error}")
print(len(servers))
