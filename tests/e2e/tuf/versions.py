"""Versions and dates: rollback, fast-forward, mix-and-match, freeze."""

import json

from cases import case, expect
from repository import FIRST, days


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
