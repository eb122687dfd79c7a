"""Delegations and targets: TUF 1.0 section 5.6 and 5.7."""

import hashlib
import os
from urllib.parse import quote

from cases import case, expect
from repository import days

TEXT = b"what is in the target"


def roles_asked(repository):
    """The delegated roles that were asked for, in order, without versions."""
    return [name.split(".")[1] for name in repository.asked[4:]]


# Lines "delegator>role", with "!" if it ends the search and "=PATTERN" for other paths than all;
# the roles that are asked for a path that nobody lists.
GRAPHS = {
    "one": ("targets>A", "A"),
    "in order": ("targets>A targets>B", "AB"),
    "two levels": ("targets>A targets>B B>C", "ABC"),
    "depth first": ("targets>A targets>B A>C A>D", "ACDB"),
    "three levels": ("targets>A targets>B A>C C>D", "ACDB"),
    "an end": ("targets>A targets>B A>C! A>D", "AC"),
    "an end goes on below": ("targets>A targets>B A>C! C>D", "ACD"),
    "an end that does not match is none": ("targets>A!=*.py targets>B", "B"),
    "not for this path": ("targets>A=*.py targets>B A>C", "B"),
    "not below for this path": ("targets>A targets>B A>C=*.py C>D", "AB"),
    "a circle": ("targets>A targets>B B>C C>D D>B", "ABCD"),
    "to itself": ("targets>A A>A targets>B", "AB"),
    "by two": ("targets>A targets>B B>C A>C", "ACB"),
    "by two for different paths": ("targets>A targets>B B>C A>C=*.py", "ABC"),
}


@case(GRAPHS)
def delegations_are_searched_in_order(repository, client, name):
    lines, asked = GRAPHS[name]
    for line in lines.split():
        delegator, _, rest = line.partition(">")
        role, _, pattern = rest.partition("=")
        repository.delegate(delegator, role[0], [pattern or "*"], terminating="!" in role)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("nobody lists it"), 1)
    expect(roles_asked(repository), list(asked))
    expect(client.trusted().keys(), {"root", "timestamp", "snapshot", "targets", *asked})


TREE = {"top": "", "README.md": "A", "releases/x/x_v1": "BC", "releases/y/y_v1.zip": "BD",
        "releases/z/z_v1.zip": None, "releases/y/too/deep.zip": None}


@case(TREE)
def a_target_counts_only_where_it_was_delegated(repository, client, path):
    repository.delegate("targets", "A", ["*.doc", "*.md"])
    repository.delegate("targets", "B", ["releases/*/*"])
    repository.delegate("B", "C", ["releases/x/*"])
    repository.delegate("B", "D", ["releases/y/*.zip"])
    repository.add_target("targets", "top", b"top")
    repository.add_target("A", "README.md", b"read me")
    repository.add_target("C", "releases/x/x_v1", b"x")
    for name in ("releases/y/y_v1.zip", "releases/z/z_v1.zip", "releases/y/too/deep.zip"):
        repository.add_target("D", name, b"y or z")
    repository.publish_all()
    expect(client.init(), 0)
    asked = TREE[path]
    expect(client.download(path), 1 if asked is None else 0)
    expect(len(client.downloaded()), 0 if asked is None else 1)
    if asked is not None:
        expect(roles_asked(repository), list(asked))


@case(["first", "second", "other"])
def a_path_is_delegated_by_the_digits_of_its_digest(repository, client, name):
    digest = hashlib.sha256(name.encode()).hexdigest()
    prefixes = ["zz", digest[:3]] if name != "other" else ["zz"]
    repository.delegate("targets", "bin", prefixes=prefixes)
    repository.add_target("bin", name, TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download(name), 1 if name == "other" else 0)


@case()
def a_long_chain_is_not_followed_to_its_end(repository, client):
    below = "targets"
    for each in range(40):
        repository.delegate(below, f"r{each}")
        below = f"r{each}"
    repository.add_target(below, "far away", TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("far away"), 1)
    expect(len(roles_asked(repository)), 32)


@case(["?", "#", "/team", "../team", "a b", "ü%2F", "x" * 190])
def names_of_roles_are_safe_in_urls_and_files(repository, client, role):
    repository.delegate("targets", role)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("nobody lists it"), 1)
    expect(repository.asked[-1], f"1.{quote(role, '')}.json")
    expect(client.trusted(), {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2,
                              quote(role, ""): 1})


@case()
def a_delegated_role_needs_its_threshold(repository, client):
    repository.delegate("targets", "team", threshold=2)
    repository.add_target("team", "file", TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("file"), 1)
    expect(client.version("team"), None)


@case()
def a_delegated_role_expires(repository, client):
    repository.delegate("targets", "team", expires=days(7))
    repository.add_target("team", "first", b"first")
    repository.add_target("team", "second", b"second")
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("first"), 0)
    expect(client.download("second", at=days(18)), 1)
    expect(client.downloaded(), [b"first"])
    repository.roles["team"].expires = days(21)
    repository.publish("team", "snapshot", "timestamp")
    expect(client.download("second", at=days(18)), 0)
    expect(client.downloaded(), [b"first", b"second"])


@case()
def a_delegated_role_never_goes_back(repository, client):
    repository.delegate("targets", "team")
    repository.add_target("team", "file", TEXT)
    repository.publish_all()
    repository.publish("team", "snapshot", "timestamp")
    expect(client.init(), 0)
    expect(client.download("file"), 0)
    repository.restart("team")
    repository.publish("team", "snapshot", "timestamp")
    expect(client.download("file"), 1)
    expect(client.version("team"), 2)


# Targets.

@case()
def metadata_is_renewed_before_a_download(repository, client):
    expect(client.init(), 0)
    expect(client.download("nobody lists it"), 1)
    expect(repository.asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
    for role in ("root", "timestamp", "snapshot", "targets"):
        expect(client.stored(role), repository.served(role))


QUOTED = ["file.txt", "path/to/a/file", "with space", "ü/ö.bin", "a?b#c", "50%25", "a+b&c=d;e",
          "'[x]'", "dir with space/x", "%partial", "x" * 300]


@case(QUOTED)
def a_target_of_any_name_is_brought(repository, client, path):
    repository.add_target("targets", path, TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download(path), 0)
    expect(client.downloaded(), [TEXT])


@case([True, False])
def several_targets_take_one_refresh(repository, client, consistent):
    repository.root.consistent_snapshot = consistent
    repository.publish("root")
    for name in ("one", "dir/two", "three"):
        repository.add_target("targets", name, name.encode())
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("one", "dir/two", "three"), 0)
    expect(client.downloaded(), [b"one", b"dir/two", b"three"])
    expect(len(repository.asked), 5)
    prefixed = [hashlib.sha256(b"one").hexdigest() + ".one", "one"]
    expect(repository.fetched[0], prefixed[0 if consistent else 1])


@case()
def the_first_target_that_fails_ends_it(repository, client):
    repository.add_target("targets", "one", b"one")
    repository.add_target("targets", "three", b"three")
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("one", "two", "three"), 1)
    expect(client.downloaded(), [b"one"])


@case([["sha256"], ["sha512"], ["sha256", "sha512"]])
def either_digest_will_do(repository, client, algorithms):
    repository.add_target("targets", "file", TEXT, algorithms)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("file"), 0)
    expect(len(repository.fetched), 1)
    expect(client.downloaded(), [TEXT])
    expect(client.download("file"), 0)  # it is there: nobody is asked
    expect(len(repository.fetched), 1)
    repository.lie_about("file", TEXT[::-1])
    repository.add_target("targets", "file2", TEXT, algorithms)
    repository.lie_about("file2", TEXT[::-1])
    repository.publish_all()
    expect(client.download("file2"), 1)
    expect(client.downloaded(), [TEXT])


@case(["unknown", "wrong"])
def both_digests_must_be_right(repository, client, kind):
    target = repository.add_target("targets", "file", TEXT, ["sha256", "sha512"])
    target.hashes["sha512"] = "0" * 128
    if kind == "unknown":
        target.hashes = {"sha999": target.hashes["sha256"]}
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("file"), 1)
    expect(client.downloaded(), [])


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(4096):
        handler.wfile.write(b"x" * 65536)


def cut_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(TEXT)))
    handler.end_headers()
    handler.wfile.write(TEXT[:-1])


LIES = {"other bytes": TEXT[::-1], "more": TEXT + b"!", "less": TEXT[:-1], "nothing": b"",
        "without end": endless, "cut short": cut_short}


@case(LIES)
def other_bytes_than_the_signed_ones_are_never_kept(repository, client, name):
    repository.add_target("targets", "file", TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    repository.lie_about("file", LIES[name])
    expect(client.download("file"), 1)
    expect(client.downloaded(), [])
    repository.lie_about("file", TEXT)
    expect(client.download("file"), 0)
    expect(client.downloaded(), [TEXT])


@case()
def a_file_that_was_changed_here_is_brought_again(repository, client):
    repository.add_target("targets", "file", TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("file"), 0)
    stored = client.said.strip()
    os.chmod(stored, 0o600)
    with open(stored, "wb") as file:
        file.write(TEXT[::-1])
    expect(client.download("file"), 0)
    expect(client.downloaded(), [TEXT])
    expect(len(repository.fetched), 2)


@case()
def a_target_changes_under_its_name(repository, client):
    expect(client.init(), 0)
    for each in range(3):
        repository.add_target("targets", "file", b"content %d" % each)
        repository.publish_all()
        expect(client.download("file"), 0)
        expect(client.downloaded(), [b"content %d" % each])
        repository.lie_about("file", b"another %d" % each)
        repository.publish_all()
        client.download("file")
        expect(client.downloaded(), [b"content %d" % each])


@case()
def an_empty_target_is_a_target(repository, client):
    repository.add_target("targets", "empty", b"")
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download("empty"), 0)
    expect(client.downloaded(), [b""])


@case(["../file", "/file", "a//b", "a/./b", "a\\b", ""])
def paths_that_lead_elsewhere_are_refused(repository, client, path):
    repository.add_target("targets", path, TEXT)
    repository.publish_all()
    expect(client.init(), 0)
    expect(client.download(path), 1)
    expect(repository.fetched, [])
    expect(client.downloaded(), [])
