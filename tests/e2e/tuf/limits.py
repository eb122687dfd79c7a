"""How much is read, and how many roots are walked."""

import json

from cases import case, expect


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
