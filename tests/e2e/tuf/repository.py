"""A TUF repository made by python-tuf, served on loopback, that remembers what it was asked for and
can be told to lie; and tuf-client under test beside it."""

import hashlib
import json
import os
import subprocess
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot,
                              TargetFile, Targets, Timestamp)

TOP = ("root", "timestamp", "snapshot", "targets")
FIRST = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}
NOW = datetime.now(timezone.utc).replace(microsecond=0)

make_key = CryptoSigner.generate_ecdsa


def days(count):
    return NOW + timedelta(days=count)


def rename_key(signer):
    """After a change of the key object: its id is the digest of the whole."""
    canonical = encode_canonical(signer.public_key.to_dict()).encode()
    signer.public_key.keyid = hashlib.sha256(canonical).hexdigest()


class Repository:
    """Values in `roles`, who signs them in `keys`, what is served in `files` and `artifacts`."""

    def __init__(self, server, name):
        self.url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
        self.asked = []      # metadata file names, in order
        self.fetched = []    # target paths below targets/, unquoted, in order
        self.files = {}      # file name -> bytes; or a function that answers the request itself
        self.artifacts = {}  # the same for targets
        self.with_digests = False
        self.roles = {"root": Root(expires=days(30)), "timestamp": Timestamp(expires=days(30)),
                      "snapshot": Snapshot(expires=days(30)), "targets": Targets(expires=days(30))}
        self.keys = {}
        self.published = {}  # role -> how many versions of it there were
        for role in TOP:
            self.add_key(role, make_key())
        self.publish("targets", "snapshot", "timestamp", "root")
        server.repositories[name] = self

    @property
    def root(self):
        return self.roles["root"]

    @property
    def targets(self):
        return self.roles["targets"]

    def add_key(self, role, signer, delegator=None):
        """Lists the key for the role, and signs with it from now on."""
        parent = self.roles[delegator] if delegator else self.root
        parent.add_key(signer.public_key, role)
        self.keys.setdefault(role, []).append(signer)
        return signer

    def rotate(self, role):
        self.root.roles[role].keyids.clear()
        self.keys[role].clear()
        for _ in range(self.root.roles[role].threshold):
            self.add_key(role, make_key())

    def restart(self, role):
        """The next version of the role is 1 again."""
        self.published.pop(role)
        self.roles[role].version = 1

    def file_name(self, role):
        version = self.roles[role].version
        versioned = role == "root" or (self.root.consistent_snapshot and role != "timestamp")
        return (f"{version}." if versioned else "") + quote(role, "") + ".json"

    def publish(self, *roles):
        """Signs the next version of each, in this order; snapshot and timestamp name what came
        before them."""
        for role in roles:
            value = self.roles[role]
            if role in self.published:
                value.version += 1
            self.published[role] = self.published.get(role, 0) + 1
            metadata = Metadata(value)
            for signer in self.keys[role]:
                metadata.sign(signer, append=True)
            self.serve(role, metadata.to_bytes())

    def serve(self, role, data):
        self.files[self.file_name(role)] = data
        digests = {"sha256": hashlib.sha256(data).hexdigest()} if self.with_digests else None
        meta = MetaFile(self.roles[role].version, len(data) if digests else None, digests)
        if role == "snapshot":
            self.roles["timestamp"].snapshot_meta = meta
        elif role not in TOP or role == "targets":
            self.roles["snapshot"].meta[f"{role}.json"] = meta

    def publish_all(self):
        self.publish(*[r for r in self.roles if r not in TOP], "targets", "snapshot", "timestamp")

    def served(self, role):
        return self.files[self.file_name(role)]

    def change_served(self, role, change):
        """Changes the served file as JSON, whatever its signatures then say."""
        document = json.loads(self.served(role))
        change(document)
        self.files[self.file_name(role)] = json.dumps(document).encode()

    def delegate(self, delegator, name, paths=("*",), terminating=False, prefixes=None,
                 expires=None, threshold=1):
        """A role with one key, below another one."""
        parent = self.roles[delegator]
        if parent.delegations is None:
            parent.delegations = Delegations({}, {})
        line = DelegatedRole(name, [], threshold, terminating, None if prefixes else list(paths),
                             prefixes)
        parent.delegations.roles[name] = line
        self.roles.setdefault(name, Targets(expires=expires or days(30)))
        self.add_key(name, make_key(), delegator)

    def add_target(self, role, path, data, algorithms=("sha256",)):
        target = TargetFile.from_data(path, data, list(algorithms))
        self.roles[role].targets[path] = target
        folder, slash, name = path.rpartition("/")
        for digest in target.hashes.values() if self.root.consistent_snapshot else ("",):
            prefix = digest + "." if digest else ""
            self.artifacts[folder + slash + prefix + name] = data
        return target

    def lie_about(self, path, data):
        """What is served for the target is something else."""
        for url in self.artifacts:
            if url.endswith(path.rpartition("/")[2]):
                self.artifacts[url] = data


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        _, name, kind, path = self.path.split("/", 3)
        if kind == "targets":
            path = unquote(path.partition("?")[0])
        repository = self.server.repositories[name]
        known, asked = ((repository.files, repository.asked) if kind == "metadata"
                        else (repository.artifacts, repository.fetched))
        asked.append(path)
        answer = known.get(path)
        if callable(answer):
            answer(self)
        elif answer is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def do_HEAD(self):
        self.do_GET()  # nobody is to ask so: it shows in what was asked for

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that has had enough breaks off


class Client:
    """tuf-client with folders of its own."""

    def __init__(self, program, repository):
        self.program = program
        self.repository = repository
        self.folder = tempfile.TemporaryDirectory()
        self.metadata_dir = os.path.join(self.folder.name, "metadata")
        self.target_dir = os.path.join(self.folder.name, "targets")
        os.mkdir(self.metadata_dir)
        os.mkdir(self.target_dir)
        self.said = ""

    def run(self, *arguments, at=None):
        command = [self.program, *arguments]
        if at:
            command = ["faketime", at.strftime("%Y-%m-%d %H:%M:%S"), *command]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=300, env={**os.environ, "TZ": "UTC"})
        self.said = done.stdout.decode(errors="replace")
        return done.returncode

    def init(self, root=None):
        file = os.path.join(self.folder.name, "first.json")
        with open(file, "wb") as out:
            out.write(root or self.repository.files["1.root.json"])
        return self.run("--metadata-dir", self.metadata_dir, "init", file)

    def refresh(self, at=None):
        return self.run("--metadata-url", self.repository.url + "/metadata/",
                        "--metadata-dir", self.metadata_dir, "refresh", at=at)

    def download(self, *names, at=None):
        wanted = [word for name in names for word in ("--target-name", name)]
        return self.run("--metadata-url", self.repository.url + "/metadata/", "--metadata-dir",
                        self.metadata_dir, *wanted, "--target-dir", self.target_dir,
                        "--target-base-url", self.repository.url + "/targets/", "download", at=at)

    def stored(self, role):
        """The bytes, or None."""
        try:
            with open(os.path.join(self.metadata_dir, quote(role, "") + ".json"), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def version(self, role):
        data = self.stored(role)
        return json.loads(data)["signed"]["version"] if data else None

    def trusted(self):
        """{role: version} of all that lies there; anything but metadata shows too."""
        found = {}
        for name in os.listdir(self.metadata_dir):
            with open(os.path.join(self.metadata_dir, name), "rb") as file:
                found[name.removesuffix(".json")] = json.load(file)["signed"]["version"]
        return found

    def downloaded(self):
        """The contents of all files, the oldest first."""
        files = [os.path.join(self.target_dir, name) for name in os.listdir(self.target_dir)]
        contents = []
        for file in sorted(files, key=os.path.getmtime):
            with open(file, "rb") as data:
                contents.append(data.read())
        return contents
