#!/usr/bin/env python3
"""valid.py SCHEMA DOCUMENTS: each JSON document of the second file is as the first says; a follower
prints several, one after the other."""
import json
import sys

import jsonschema


def documents(text):
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        yield document


schema = json.load(open(sys.argv[1]))
validator = jsonschema.Draft202012Validator(schema)
validator.check_schema(schema)
count = 0
for document in documents(open(sys.argv[2]).read()):
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error:
        sys.exit("%s: %s" % ("/".join(str(part) for part in error.absolute_path), error.message))
    count += 1
if count == 0:
    sys.exit("nothing was printed")
print("%d document%s as described" % (count, "" if count == 1 else "s"))
