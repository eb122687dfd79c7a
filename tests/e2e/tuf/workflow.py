"""The client workflow of TUF 1.0 section 5.3 to 5.5: requests, files, forms."""

import json

from cases import case, expect
from repository import FIRST, TOP, make_key, rename_key


@case()
def asks_for_exactly_what_it_needs(repository, client):
    expect(client.init(), 0)
    expect(repository.asked, [])
    expect(client.refresh(), 0)
    expect(repository.asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
    expect(client.trusted(), FIRST)
    repository.asked.clear()
    expect(client.refresh(), 0)
    expect(repository.asked, ["2.root.json", "timestamp.json"])


@case()
def stores_the_bytes_that_were_served(repository, client):
    for role in ("timestamp", "snapshot", "targets"):
        repository.files[repository.file_name(role)] += b" \n"
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    for role in TOP:
        expect(client.stored(role), repository.served(role))


@case()
def a_base_url_may_end_without_a_slash(repository, client):
    expect(client.init(), 0)
    expect(client.run("--metadata-dir", client.metadata_dir, "--metadata-url",
                      repository.url + "/metadata", "refresh"), 0)


@case()
def a_wrong_call_ends_with_one(repository, client):
    for words in (["refresh"], ["--metadata-dir"], ["--metadata-dir", "/", "jump"], ["--what"],
                  ["--metadata-dir", "/nowhere", "--metadata-url", "ftp://a/", "refresh"]):
        expect(client.run(*words), 1)
    expect(client.refresh(), 1)  # there is no root yet
    expect(repository.asked, [])


def without_version(root):
    del root["signed"]["version"]


def with_another_signature(root):
    root["signatures"][0]["sig"] = root["signatures"][0]["sig"][:-4] + "0000"


@case([without_version, with_another_signature])
def a_bad_first_root_asks_nobody(repository, client, change):
    repository.change_served("root", change)
    client.init()
    expect(client.refresh(), 1)
    expect(repository.asked, [])


UNSIGNED = {"root": {"root": 1}, "timestamp": {"root": 2}, "snapshot": {"root": 2, "timestamp": 2},
            "targets": {"root": 2, "timestamp": 2, "snapshot": 2}}


@case(UNSIGNED)
def what_is_not_signed_stops_the_refresh_there(repository, client, role):
    expect(client.init(), 0)
    repository.keys[role].clear()
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect(client.trusted(), UNSIGNED[role])


@case(["root", "snapshot", "targets"])
def a_file_under_another_version_is_refused(repository, client, role):
    expect(client.init(), 0)
    repository.publish("root", "targets", "snapshot", "timestamp")
    repository.publish(role)
    newer = repository.files.pop(repository.file_name(role))
    repository.roles[role].version -= 1
    repository.files[repository.file_name(role)] = newer
    expect(client.refresh(), 1)
    expect(client.trusted(), UNSIGNED[role])


@case()
def a_timestamp_of_the_same_version_changes_nothing(repository, client):
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    before = client.stored("timestamp")
    repository.roles["timestamp"].snapshot_meta.version = 100
    repository.restart("timestamp")
    repository.publish("timestamp")
    expect(client.refresh(), 0)
    expect(repository.asked[-1], "timestamp.json")
    expect(client.stored("timestamp"), before)


@case(["snapshot", "targets"])
def digests_and_lengths_of_metadata_count(repository, client, role):
    repository.with_digests = True
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    repository.publish("targets")
    if role == "targets":
        repository.roles["snapshot"].meta["targets.json"].hashes["sha256"] = "0" * 64
    repository.publish("snapshot")
    if role == "snapshot":
        repository.roles["timestamp"].snapshot_meta.length -= 1
    repository.publish("timestamp")
    expect(client.refresh(), 1)
    expect(client.version("timestamp"), 3)
    expect(client.version(role), 2)


@case()
def unknown_members_are_signed_and_ignored(repository, client):
    expect(client.init(), 0)
    signer = make_key()
    signer.public_key.unrecognized_fields = {"extra": {"a": 1, "é\u2028\U0001f600": ["\n"]},
                                             "keyid_hash_algorithms": ["md5"]}
    rename_key(signer)
    repository.add_key("root", signer)
    repository.root.roles["root"].threshold = 2
    repository.root.roles["root"].unrecognized_fields["more"] = None
    for role in TOP:
        repository.roles[role].unrecognized_fields["x-more"] = {"b": -1, "a": "\x01\"\\/"}
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    expect(client.trusted(), {role: 2 for role in TOP})


@case()
def roles_and_keys_that_nobody_knows_are_ignored(repository, client):
    expect(client.init(), 0)
    signer = make_key()
    signer.public_key.keytype = signer.public_key.scheme = "tomorrow's"
    rename_key(signer)
    repository.root.keys[signer.public_key.keyid] = signer.public_key
    repository.root.roles["timestamp"].keyids.insert(0, signer.public_key.keyid)
    repository.root.roles["timestamp"].keyids.insert(0, "of no key")

    repository.publish("root", "timestamp")
    expect(client.refresh(), 0)
    expect(client.version("root"), 2)


@case({"timestamp": 1, "snapshot": 2, "targets": 2})
def a_file_that_is_not_there_ends_the_refresh(repository, client, role):
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    repository.publish("targets", "snapshot", "timestamp")
    name = repository.file_name(role)
    del repository.files[name]
    expect(client.refresh(), 1)
    expect(repository.asked[-1], name)
    expect(client.version(role), 1)
    expect(client.version("root"), 1)


@case()
def another_type_is_refused_even_if_it_is_signed(repository, client):
    expect(client.init(), 0)
    repository.add_key("snapshot", repository.keys["timestamp"][0])
    repository.roles["snapshot"].meta = {"snapshot.json": repository.roles["snapshot"].meta[
        "targets.json"]}
    repository.publish("root", "snapshot")
    repository.files["timestamp.json"] = repository.served("snapshot")
    expect(client.refresh(), 1)
    expect(client.trusted(), {"root": 2})
