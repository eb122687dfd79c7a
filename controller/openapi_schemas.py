#!/usr/bin/env python3
"""Writes the schemas of controller/openapi.yaml from proto/fleet/v1, by the JSON mapping of
proto/json.h: fields keep their proto names, 64-bit numbers are strings, bytes are base64, enums are
names. What stands above the line `  schemas:` is written by hand.

  controller/openapi_schemas.py           writes the file
  controller/openapi_schemas.py --check   says whether it is as it would be written (status 0 or 1)
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "openapi.yaml"
PROTOS = HERE.parent / "proto" / "fleet" / "v1"
MARK = "  schemas:\n"
SCALARS = {
    "string": "{type: string}",
    "bool": "{type: boolean}",
    "bytes": "{type: string, format: byte}",
    "uint32": "{type: integer, minimum: 0}",
    "int32": "{type: integer}",
    "uint64": "{type: string, pattern: '^[0-9]+$'}",
    "int64": "{type: string, pattern: '^-?[0-9]+$'}",
    "double": "{type: number}",
}


def read_protos():
    """Messages as {name: [(field, label, type)]}, enums as {name: [value]}."""
    messages, enums = {}, {}
    for path in sorted(PROTOS.glob("*.proto")):
        text = re.sub(r"//[^\n]*", "", path.read_text())
        for name, body in re.findall(r"^enum (\w+) \{(.*?)^\}", text, re.S | re.M):
            enums[name] = re.findall(r"(\w+)\s*=\s*\d+;", body)
        for name, body in re.findall(r"^message (\w+) \{(.*?)^\}", text, re.S | re.M):
            messages[name] = re.findall(
                r"(repeated |optional )?((?:map<string, \w+>)|\w+)\s+(\w+)\s*=\s*\d+;", body)
    return messages, enums


def value(kind):
    return SCALARS.get(kind) or "{$ref: '#/components/schemas/%s'}" % kind


def field(label, kind):
    of_map = re.match(r"map<string, (\w+)>", kind)
    if of_map:
        return "{type: object, additionalProperties: %s}" % value(of_map.group(1))
    if label.strip() == "repeated":
        return "{type: array, items: %s}" % value(kind)
    return value(kind)


def schemas(head):
    messages, enums = read_protos()
    todo = re.findall(r"#/components/schemas/(\w+)", head)
    wanted = set()
    while todo:
        name = todo.pop()
        if name in wanted or name in SCALARS:
            continue
        wanted.add(name)
        for _, kind, _ in messages.get(name, []):
            inner = re.match(r"map<string, (\w+)>", kind)
            todo.append(inner.group(1) if inner else kind)
    lines = []
    for name in sorted(wanted):
        lines.append("    %s:" % name)
        if name in enums:
            lines.append("      type: string")
            lines.append("      enum: [%s]" % ", ".join(enums[name]))
            continue
        if name not in messages:
            sys.exit("no message or enum %s in proto/fleet/v1" % name)
        lines += ["      type: object", "      additionalProperties: false"]
        if messages[name]:
            lines.append("      properties:")
        for label, kind, word in messages[name]:
            lines.append("        %s: %s" % (word, field(label, kind)))
    return "\n".join(lines) + "\n"


def main():
    text = FILE.read_text()
    head = text[:text.index(MARK) + len(MARK)]
    made = head + schemas(head)
    if "--check" in sys.argv[1:]:
        if made == text:
            return 0
        print("controller/openapi.yaml is not what proto/fleet/v1 says; run"
              " controller/openapi_schemas.py", file=sys.stderr)
        return 1
    FILE.write_text(made)
    return 0


sys.exit(main())
