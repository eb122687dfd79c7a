#!/usr/bin/env python3
"""Asks a running controller every GET of its own /v1/openapi.yaml and compares each answer with it:
status, content type, schema. A token for groups may get the documented refusal instead. Every other
documented method is tried with a body that no route takes, and must be known to the server (no 404
"no such route", no 405).

  answers.py URL CA.pem TOKEN_FILE IMAGE [OPENAPI.yaml]
"""
import hashlib
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

import jsonschema
import yaml

url, ca, token_file, image = sys.argv[1:5]
context = ssl.create_default_context(cafile=ca)
token = open(token_file).read().strip()
digest = hashlib.sha256(open(image, "rb").read()).hexdigest()
WORDS = {"name": "edge-1", "app": "dns", "sha256": digest, "file": "timestamp.json", "id": "r-1",
         "role": "timestamp"}


def ask(method, path, body=None):
    request = urllib.request.Request(url + path, method=method, data=body,
                                     headers={"Authorization": "Bearer " + token})
    try:
        answer = urllib.request.urlopen(request, context=context, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    kind = answer.headers.get("Content-Type", "").split(";")[0]
    # A stream never ends: its first bytes will do.
    text = b"" if kind == "text/event-stream" else answer.read()
    answer.close()
    return answer.status if hasattr(answer, "status") else answer.code, kind, text


def resolve(document, node):
    while "$ref" in node:
        place = document
        for word in node["$ref"].lstrip("#/").split("/"):
            place = place[word]
        node = place
    return node


def check(document, operation, status, kind, text):
    responses = operation["responses"]
    documented = responses.get(str(status)) or responses.get("%dXX" % (status // 100))
    if documented is None:
        return "status %d is not documented: %r" % (status, text[:200])
    content = resolve(document, documented).get("content", {})
    if not content:
        return "" if not text else "an answer that is documented as empty has %r" % text[:80]
    if kind not in content:
        return "type %s, documented: %s" % (kind, ", ".join(content))
    if kind != "application/json":
        return ""
    schema = dict(content[kind]["schema"])
    schema["components"] = document["components"]
    try:
        jsonschema.validate(json.loads(text), schema,
                            cls=jsonschema.validators.extend(jsonschema.Draft4Validator))
    except (ValueError, jsonschema.ValidationError) as error:
        where = "/".join(str(part) for part in getattr(error, "absolute_path", []))
        return "%s: %s" % (where, getattr(error, "message", error))
    return ""


def main():
    status, kind, text = ask("GET", "/v1/openapi.yaml")
    if status != 200:
        sys.exit("GET /v1/openapi.yaml: %d" % status)
    if len(sys.argv) > 5:
        text = open(sys.argv[5], "rb").read()
    document = yaml.safe_load(text)
    wrong, answered, refused, known = [], 0, 0, 0
    for path, methods in sorted(document["paths"].items()):
        filled = path
        for word, value in WORDS.items():
            filled = filled.replace("{%s}" % word, value)
        for method, operation in methods.items():
            if method == "parameters":
                continue
            name = "%s %s" % (method.upper(), path)
            if method == "get":
                query = "?app=dns" if path == "/v1/logs/stream" else ""
                status, kind, text = ask("GET", filled + query)
                what = check(document, operation, status, kind, text)
                answered += status == 200
                refused += status in (403, 404)
                if status >= 500 or (status >= 400 and status not in (403, 404)):
                    what = "status %d: %r" % (status, text[:200])
            else:
                # Nothing is changed: no route takes this body, and these are nobody's names.
                nobody = filled.replace("edge-1", "nobody").replace("r-1", "r-99")
                nobody = nobody.replace("timestamp", "nobody").replace(digest, "0" * 64)
                if path == "/v1/audit/accept":
                    nobody += "x"  # takes no body at all, so it is only looked up
                    method = None
                status, kind, text = (404, "", b"") if method is None else ask(
                    method.upper(), nobody, b"{\"no_such_field\": 1}")
                what = "" if method is None else check(document, operation, status, kind, text)
                if b"no such route" in text or status == 405:
                    what = "the server does not know it: %d" % status
                if method is not None and status < 400:
                    what = "a body that is none was taken: %d" % status
                known += not what
            if what:
                wrong.append("%s: %s" % (name, what))
    if wrong:
        sys.exit("\n".join(wrong))
    print("%d GETs answer as documented, %d are refused as documented, %d other routes are known"
          % (answered, refused, known))


main()
