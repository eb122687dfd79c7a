"""The client workflow of TUF 1.0 section 5.3 to 5.5: requests, signatures, versions, dates."""

import json

from securesystemslib.signer import CryptoSigner

from cases import case, expect
from repository import TOP, days, make_key, rename_key

FIRST = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}


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


# Signatures and thresholds.

@case()
def fewer_signatures_than_the_threshold_are_not_enough(repository, client):
    expect(client.init(), 0)
    repository.root.roles["snapshot"].threshold = 3
    for _ in range(2):
        repository.add_key("snapshot", make_key())
    repository.publish("root", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    repository.keys["snapshot"].pop()
    repository.publish("snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect(client.version("snapshot"), 2)


@case()
def a_threshold_beyond_the_keys_is_never_met(repository, client):
    expect(client.init(), 0)
    repository.root.roles["snapshot"].threshold = 2
    repository.publish("root", "snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect(client.trusted(), {"root": 2, "timestamp": 2})


@case()
def one_key_never_counts_twice(repository, client):
    expect(client.init(), 0)
    repository.root.roles["timestamp"].threshold = 2
    twin = CryptoSigner(repository.keys["timestamp"][0]._private_key)
    twin.public_key.unrecognized_fields["name"] = "the same key by another id"
    rename_key(twin)
    repository.add_key("timestamp", twin)
    repository.publish("root", "timestamp")
    expect(len(json.loads(repository.served("timestamp"))["signatures"]), 2)
    expect(client.refresh(), 1)
    expect(client.trusted(), {"root": 2})


@case()
def two_signatures_by_one_id_are_refused(repository, client):
    expect(client.init(), 0)
    repository.change_served("snapshot", lambda file: file["signatures"].append(
        file["signatures"][0]))
    expect(client.refresh(), 1)
    expect(client.version("snapshot"), None)


@case()
def an_id_that_is_not_its_keys_digest_is_refused(repository, client):
    expect(client.init(), 0)
    signer = make_key()
    signer.public_key.keyid = "ab" * 32
    repository.add_key("root", signer)
    repository.publish("root")
    expect(client.refresh(), 1)
    expect(client.trusted(), {"root": 1})


KINDS = {"ed25519": CryptoSigner.generate_ed25519, "ecdsa": CryptoSigner.generate_ecdsa,
         "rsa": CryptoSigner.generate_rsa}


@case(KINDS)
def each_kind_of_key_is_verified(repository, client, kind):
    expect(client.init(), 0)
    signer = repository.add_key("root", KINDS[kind]())
    repository.root.roles["root"].threshold = 2
    repository.publish("root")
    expect(client.refresh(), 0)
    expect(client.version("root"), 2)
    repository.publish("root")

    def swap_digits(file):
        line = next(s for s in file["signatures"] if s["keyid"] == signer.public_key.keyid)
        line["sig"] = line["sig"][:-8] + line["sig"][-4:] + line["sig"][-8:-4]

    repository.change_served("root", swap_digits)
    expect(client.refresh(), 1)
    expect(client.version("root"), 2)


@case(["", "00", "not hex"])
def a_wrong_signature_beside_enough_right_ones_does_no_harm(repository, client, text):
    expect(client.init(), 0)
    old = repository.keys["timestamp"][0].public_key.keyid
    repository.add_key("timestamp", make_key())
    repository.publish("root", "timestamp")

    def spoil(file):
        next(s for s in file["signatures"] if s["keyid"] == old)["sig"] = text

    repository.change_served("timestamp", spoil)
    expect(client.refresh(), 0)
    expect(client.version("timestamp"), 2)


# Root rotations: (keys, threshold, signers) of each version, and whether the last one is taken.
ROTATIONS = {
    "another key": ([([1], 1, [1]), ([2], 1, [1, 2]), ([2], 1, [2])], True),
    "signatures of strangers": ([([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4])], True),
    "any three of five": ([([0, 1, 2, 3, 4], 3, s) for s in ([0, 2, 4], [4, 1, 0], [1, 2, 3])],
                          True),
    "one of five": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 1])], True),
    "all five": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7])], True),
    "a higher threshold": ([([1, 2], 1, [1]), ([1, 2], 2, [1, 2])], True),
    "a lower threshold": ([([1, 2], 2, [1, 2]), ([1, 2], 1, [1, 2]), ([1, 2], 1, [2])], True),
    "without the old key": ([([1], 1, [1]), ([2], 1, [2, 3])], False),
    "without the new key": ([([1], 1, [1]), ([2], 1, [1, 3])], False),
    "too few of the old": ([([0, 1, 2], 2, [0, 1]), ([2, 3, 4], 2, [2, 3, 4])], False),
    "too few of the new": ([([0, 1, 2], 2, [0, 1]), ([2, 3, 4], 2, [0, 1, 2])], False),
    "the new threshold not met": ([([1, 2], 1, [1]), ([1, 2], 2, [2])], False),
    "the old threshold not met": ([([1, 2], 2, [1, 2]), ([1, 2], 1, [1])], False),
}


@case(ROTATIONS)
def a_root_follows_by_the_keys_of_both(repository, client, name):
    versions, taken = ROTATIONS[name]
    signers = [CryptoSigner.generate_ed25519() for _ in range(10)]
    repository.restart("root")
    for keys, threshold, signing in versions:
        repository.root.roles["root"].keyids.clear()
        repository.root.roles["root"].threshold = threshold
        for each in keys:
            repository.root.add_key(signers[each].public_key, "root")
        repository.keys["root"] = [signers[each] for each in signing]
        repository.publish("root")
    expect(client.init(), 0)
    expect(client.refresh(), 0 if taken else 1)
    expect(client.version("root"), len(versions) - (not taken))


@case(["timestamp", "snapshot", "targets"])
def the_other_roles_keys_change_by_root(repository, client, role):
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    repository.rotate(role)
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    expect(client.stored(role), repository.served(role))


# Rollback, fast-forward, mix-and-match.

@case()
def an_older_timestamp_is_refused(repository, client):
    expect(client.init(), 0)
    repository.publish("timestamp")
    expect(client.refresh(), 0)
    repository.restart("timestamp")
    repository.publish("timestamp")
    expect(client.refresh(), 1)
    expect(client.version("timestamp"), 2)
    expect(repository.asked[-1], "timestamp.json")


@case([False, True])
def an_older_snapshot_is_refused_with_its_timestamp(repository, client, with_digests):
    expect(client.init(), 0)
    repository.with_digests = with_digests
    repository.publish("snapshot", "timestamp")
    expect(client.refresh(), 0)
    repository.restart("snapshot")
    repository.publish("snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect((client.version("timestamp"), client.version("snapshot")), (2, 2))
    expect(repository.asked[-1], "timestamp.json")


@case([False, True])
def older_targets_are_refused_with_their_snapshot(repository, client, with_digests):
    expect(client.init(), 0)
    repository.with_digests = with_digests
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    repository.restart("targets")
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect((client.version("snapshot"), client.version("targets")), (2, 2))


@case()
def a_snapshot_that_lost_a_role_is_refused(repository, client):
    expect(client.init(), 0)
    repository.delegate("targets", "team")
    repository.publish_all()
    expect(client.refresh(), 0)
    del repository.roles["snapshot"].meta["team.json"]
    repository.publish("snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect(client.version("snapshot"), 2)


@case({"timestamp": ["timestamp"], "snapshot": ["snapshot", "timestamp"], "targets": ["snapshot"]})
def a_fast_forward_is_healed_by_new_keys(repository, client, role):
    rotated = {"timestamp": ["timestamp"], "snapshot": ["snapshot", "timestamp"],
               "targets": ["snapshot"]}[role]
    expect(client.init(), 0)
    repository.delegate("targets", "team")
    repository.publish("team")
    repository.roles[role].version = 2**62
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    expect(client.version(role), 2**62 + 1)
    for each in rotated:
        repository.rotate(each)
    repository.restart(role)
    if role == "targets":
        del repository.roles["snapshot"].meta["team.json"]
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    expect(client.stored(role), repository.served(role))


@case()
def an_older_snapshot_of_two_releases_is_not_mixed_in(repository, client):
    expect(client.init(), 0)
    old = repository.served("snapshot")
    repository.publish("targets", "snapshot", "timestamp")
    repository.files[repository.file_name("snapshot")] = old
    expect(client.refresh(), 1)
    expect(client.trusted(), {"root": 1, "timestamp": 2})


# Dates.

@case()
def an_expired_root_is_kept_and_stops_the_refresh(repository, client):
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    repository.root.expires = days(-1)
    repository.publish("root", "timestamp")
    expect(client.refresh(), 1)
    expect(client.trusted(), {**FIRST, "root": 2})
    repository.root.expires = days(30)
    repository.publish("root")
    expect(client.refresh(), 0)
    expect((client.version("root"), client.version("timestamp")), (3, 2))


@case(["timestamp", "snapshot", "targets"])
def what_is_expired_is_not_taken(repository, client, role):
    expect(client.init(), 0)
    expect(client.refresh(), 0)
    repository.roles[role].expires = days(-1)
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.refresh(), 1)
    expect(client.version(role), 1)


@case(["root", "timestamp", "snapshot", "targets"])
def what_was_fresh_expires(repository, client, role):
    expect(client.init(), 0)
    repository.roles[role].expires = days(7)
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(at=days(6)), 0)
    expect(client.refresh(at=days(8)), 1)
    repository.roles[role].expires = days(21)
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(at=days(18)), 0)
    expect(client.version(role), 3)


@case(["timestamp", "snapshot"])
def an_expired_local_file_still_refuses_older_ones(repository, client, role):
    expect(client.init(), 0)
    repository.roles[role].expires = days(7)
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    if role == "snapshot":
        repository.restart("targets")
    else:
        repository.restart("snapshot")
    repository.roles[role].expires = days(21)
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.refresh(at=days(18)), 1)
    expect(client.version("snapshot"), 2)
    expect(client.version("targets"), 2)


# Limits.

def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(4096):
        handler.wfile.write(b" " * 65536)


@case({"2.root.json": 512000, "timestamp.json": 16384, "1.snapshot.json": 2000000,
       "1.targets.json": 5000000})
def a_file_without_end_is_not_read_to_it(repository, client, name):
    expect(client.init(), 0)
    repository.files[name] = endless
    expect(client.refresh(), 1)
    expect(repository.asked[-1], name)


@case()
def a_file_larger_than_its_signed_length_is_not_read(repository, client):
    repository.with_digests = True
    repository.publish("targets", "snapshot", "timestamp")
    expect(client.init(), 0)
    repository.files[repository.file_name("targets")] += b" "
    expect(client.refresh(), 1)
    expect(client.version("targets"), None)


@case([301, 302, 307, 500, 503])
def redirects_and_errors_end_the_refresh(repository, client, status):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Location", repository.url + "/metadata/1.root.json")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    expect(client.init(), 0)
    repository.files["2.root.json"] = answer
    expect(client.refresh(), 1)
    expect(repository.asked, ["2.root.json"])


@case()
def without_consistent_snapshots_names_have_no_versions(repository, client):
    expect(client.init(), 0)
    repository.root.consistent_snapshot = False
    repository.publish("root", "targets", "snapshot", "timestamp")
    expect(client.refresh(), 0)
    expect(repository.asked, ["2.root.json", "3.root.json", "timestamp.json", "snapshot.json",
                              "targets.json"])


@case()
def a_chain_of_roots_is_walked_no_further_than_the_limit(repository, client):
    expect(client.init(), 0)
    for _ in range(260):
        repository.publish("root")
    expect(client.refresh(), 0)
    expect(client.version("root"), 257)
    expect(client.refresh(), 0)
    expect(client.version("root"), 261)
