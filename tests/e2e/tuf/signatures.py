"""Signatures, thresholds and root rotations of TUF 1.0 section 5.3 and 6.1."""

import json

from securesystemslib.signer import CryptoSigner

from cases import case, expect
from repository import make_key, rename_key


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
