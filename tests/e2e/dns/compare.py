#!/usr/bin/python3
"""Asks two servers of the same zones the same questions and compares what they say, section by
section. Whatever differs must be one of ALLOWED, each with its reason; one that nothing needs any
more fails too.

  compare.py OURS PEER ZONE_FILE...     a server: ADDRESS, A.B.C.D:PORT or [IPv6]:PORT
"""
import collections
import random
import socket
import struct
import sys

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

import corpus

SEED = 2026112901
NOISE = 1500
LONGEST = 1280 - 40 - 8  # the least that carries IPv6 (RFC 8200), without its head and UDP's
AT_ONCE = 32  # a tap and a socket hold as many
SENTINEL = corpus.header(ident=0xeeee) + corpus.ASK


class Server:
    """One server, by UDP and TCP."""

    def __init__(self, text):
        host, port = text, "53"
        if text.startswith("[") or text.count(":") == 1:
            host, _, port = text.rpartition(":")
        host = host.strip("[]")
        self.address = (host, int(port))
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.connect(self.address)
        self.udp.settimeout(10)

    def ask(self, packets):
        """The answers to some datagrams; None for one that gets none: a plain question is sent
        behind them, and servers take datagrams in their order."""
        for packet in packets + [SENTINEL]:
            self.udp.send(packet)
        answers = {}
        while SENTINEL[:2] not in answers:
            received = self.udp.recv(65535)
            answers[received[:2]] = received
        return [answers.get(packet[:2]) for packet in packets]

    def ask_alone(self, packet):
        """The answer to one datagram, None if none comes to three of them. For NSD and packets that
        it may drop: then its answers to what came in with it are no more to be relied on."""
        self.udp.settimeout(0.5)
        for _ in range(3):
            self.udp.send(packet)
            try:
                while True:
                    received = self.udp.recv(65535)
                    if received[:2] == packet[:2]:
                        return received
            except socket.timeout:
                pass
        return None

    def by_tcp(self, packets, cut):
        """The answers to questions that are sent in one stream, in pieces of `cut` bytes."""
        stream = b"".join(struct.pack("!H", len(p)) + p for p in packets)
        with socket.create_connection(self.address, timeout=10) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(stream), cut):
                link.sendall(stream[at:at + cut])
            received = link.makefile("rb")
            answers = {}
            for _ in packets:
                size = struct.unpack("!H", received.read(2))[0]
                answer = received.read(size)
                answers[answer[:2]] = answer  # a server may answer out of turn: RFC 7766
            return [answers[p[:2]] for p in packets]


Told = collections.namedtuple("Told", "rcode flags question answer authority additional edns whole")


def record_set(section):
    """Records without the case of names and without the order in a set; TTLs count."""
    return sorted((str(s.name).lower(), s.rdtype, s.ttl, r.to_digestable(dns.name.root))
                  for s in section for r in s)


def zone_records(paths):
    records = set()
    for path in paths:
        zone = corpus.load(path)
        for name, ttl, data in zone.iterate_rdatas():
            owner = name.derelativize(zone.origin)
            records.add((str(owner).lower(), data.rdtype, ttl, data.to_digestable(zone.origin)))
    return records


def told(packet):
    """What a packet says; None for none. A packet that cannot be read raises."""
    if packet is None:
        return None
    # The library knows few opcodes, and reads UPDATE's sections otherwise.
    flags = struct.unpack("!H", packet[2:4])[0]
    message = dns.message.from_wire(packet[:2] + struct.pack("!H", flags & ~0x7800) + packet[4:])
    edns = None
    if message.edns >= 0:
        edns = (message.edns, message.ednsflags & 0xffff,
                sorted((int(o.otype), o.to_wire()) for o in message.options))
    return Told(message.rcode(), flags & ~0xf,
                [(str(q.name), q.rdclass, q.rdtype) for q in message.question],
                record_set(message.answer), record_set(message.authority),
                record_set(message.additional), edns, message)


# --- What may differ, and why. Each rule gets what was asked, the packet, ours and theirs (None: no
# answer), the fields that differ, and the zones' own data; it says whether the reason holds there.

ALLOWED = []


def allowed(reason):
    def add(rule):
        ALLOWED.append((reason, rule))
        return rule
    return add


FIELDS = ("rcode", "flags", "question", "answer", "authority", "additional", "edns")
EDE = 15
REFUSALS = {1, 4, 5, 9, 16}  # FORMERR NOTIMP REFUSED NOTAUTH BADVERS
TARGETS = {dns.rdatatype.NS: "target", dns.rdatatype.MX: "exchange", dns.rdatatype.SRV: "target"}


def differing(ours, theirs):
    return {f for f in FIELDS if getattr(ours, f) != getattr(theirs, f)}


def qtype(answer):
    return answer.question[0][2] if answer.question else None


def targets(answer):
    """The names in an answer whose addresses help."""
    return {str(getattr(r, TARGETS[s.rdtype])).lower()
            for section in (answer.whole.answer, answer.whole.authority)
            for s in section if s.rdtype in TARGETS for r in s}


def helps_truly(answer, data):
    """Additional addresses: of names that are pointed to, as the zones have them."""
    return all(record[0] in targets(answer) and record in data for record in answer.additional)


@allowed("RFC 8914: extended errors are optional")
def extended_error(what, packet, ours, theirs, fields, data):
    kept = [o for o in theirs.edns[2] if o[0] != EDE] if theirs.edns else []
    return fields == {"edns"} and ours.edns == theirs.edns[:2] + (kept,)


@allowed("RFC 1034 4.3.2: addresses are added as useful; ours come from all zones, NSD's minimal")
def more_addresses(what, packet, ours, theirs, fields, data):
    return (fields == {"additional"} and helps_truly(ours, data)
            and set(theirs.additional) <= set(ours.additional))


@allowed("RFC 9471: a referral without all addresses inside the delegation is truncated; NSD 4.6 is "
         "older")
def whole_referral(what, packet, ours, theirs, fields, data):
    if fields - {"flags", "authority", "additional"} or theirs.answer or ours.authority:
        return False
    if ours.flags != theirs.flags | dns.flags.TC or not theirs.authority:
        return False
    cut = theirs.authority[0][0]
    glue = {r for r in data if r[0] in targets(theirs) and ("." + r[0]).endswith("." + cut)
            and r[1] in (dns.rdatatype.A, dns.rdatatype.AAAA)}
    return not glue <= set(theirs.additional)


@allowed("RFC 8482: ANY is answered by one set, of the server's choice")
def any_one_set(what, packet, ours, theirs, fields, data):
    if fields - {"answer", "additional", "flags", "authority"} or qtype(ours) != dns.rdatatype.ANY:
        return False
    if (ours.flags | dns.flags.TC) != (theirs.flags | dns.flags.TC) or ours.authority:
        return False
    return len({r[1] for r in ours.answer}) == 1 and helps_truly(ours, data)


@allowed("RFC 1996, 5936, 1995: neither notified nor transferred; which refusal is free")
def no_transfer(what, packet, ours, theirs, fields, data):
    return what in ("opcode 4", "type 251", "type 252") and fields <= {"rcode", "question"}


@allowed("NSD refuses an rcode in a question, and additional records but OPT; RFC 1035 does not")
def taken_leniently(what, packet, ours, theirs, fields, data):
    rcode, additional = packet[3] & 0xf, packet[10:12] != b"\0\0"
    return theirs.rcode == 1 and ours.rcode not in REFUSALS and (rcode != 0 or additional and (
        what == "an OPT behind a record" or ours.edns is None))


@allowed("RFC 7873 5.4: no question is good with a cookie only, and we have none")
def no_question(what, packet, ours, theirs, fields, data):
    return what == "no question, and EDNS" and ours.rcode == 1 and theirs.rcode == 0


@allowed("the rest of a packet that is refused is free: question, OPT, flags beside QR")
def refused_alike(what, packet, ours, theirs, fields, data):
    return (ours.rcode == theirs.rcode and ours.rcode in REFUSALS
            and fields <= {"question", "edns", "flags"} and ours.flags & dns.flags.QR
            and not ours.flags & (dns.flags.AA | dns.flags.TC | dns.flags.RA))


@allowed("of several faults in one packet the one or the other is told")
def another_fault(what, packet, ours, theirs, fields, data):
    return (what.startswith("noise") and ours.rcode in REFUSALS and theirs.rcode in REFUSALS
            and fields <= {"rcode", "question", "edns", "flags"})


class Comparison:
    def __init__(self, data):
        self.data = data
        self.compared = 0
        self.longest = 0  # of our datagrams
        self.used = collections.Counter()
        self.failures = []

    def add(self, what, packet, ours_wire, theirs_wire):
        self.compared += 1
        try:
            ours = told(ours_wire)
        except dns.exception.DNSException as error:
            self.failures.append(f"{what}: ours cannot be read: {error!r}: {ours_wire.hex()}")
            return
        try:
            theirs = told(theirs_wire)
        except dns.exception.DNSException as error:
            self.failures.append(f"{what}: theirs cannot be read: {error!r}: {theirs_wire.hex()}")
            return
        if ours is None and theirs is None:
            return
        both = ours is not None and theirs is not None
        fields = differing(ours, theirs) if both else {"silence"}
        if not fields:
            return
        for reason, rule in ALLOWED:
            if both and rule(what, packet, ours, theirs, fields, self.data):
                self.used[reason] += 1
                return
        self.failures.append(f"{what}: {packet.hex()}\n  ours:   {show(ours)}\n"
                             f"  theirs: {show(theirs)}")

    def must_be_silent(self, what, answer):
        self.compared += 1
        if answer is not None:
            self.failures.append(f"{what}: answered: {answer.hex()}")

    def finish(self):
        for failure in self.failures[:40]:
            print(failure)
        for reason, _ in ALLOWED:
            print(f"{self.used[reason]:6} allowed: {reason}")
            if self.used[reason] == 0:
                self.failures.append(f"nothing needs this any more: {reason}")
                print(self.failures[-1])
        print(f"{self.longest} bytes in our longest datagram")
        if self.longest != LONGEST:
            self.failures.append(f"not {LONGEST}: truncated too early, or too late")
            print(self.failures[-1])
        same = self.compared - sum(self.used.values()) - len(self.failures)
        print(f"{self.compared} compared: {same} the same, {sum(self.used.values())} differ as "
              f"allowed, {len(self.failures)} failures")
        return 1 if self.failures else 0


def show(answer):
    if answer is None:
        return "no answer"
    return str(answer.whole).replace("\n", " | ")


def ask_by_udp(pairs, servers, comparison):
    pairs = list(with_id(pairs))
    for begin in range(0, len(pairs), AT_ONCE):
        some = pairs[begin:begin + AT_ONCE]
        packets = [packet for _, packet in some]
        for pair, *answers in zip(some, *[server.ask(packets) for server in servers]):
            comparison.add(*pair, *answers)
            comparison.longest = max(comparison.longest, len(answers[0]))


def with_id(pairs):
    """Each packet under an id of its own, if it is long enough to have one."""
    for number, (what, packet) in enumerate(pairs):
        yield what, (struct.pack("!H", number) + packet[2:] if len(packet) >= 2 else packet)


def ask_by_tcp(pairs, servers, comparison):
    pairs = list(with_id(pairs))
    for begin in range(0, len(pairs), AT_ONCE):
        some = pairs[begin:begin + AT_ONCE]
        packets = [packet for _, packet in some]
        cut = (1, 2, 3, 7, 40, 1000)[begin // AT_ONCE % 6]
        answers = [server.by_tcp(packets, cut) for server in servers]
        for (what, packet), ours, theirs in zip(some, *answers):
            comparison.add("by TCP: " + what, packet, ours, theirs)


def main():
    servers = [Server(text) for text in sys.argv[1:3]]
    dice = random.Random(SEED)
    comparison = Comparison(zone_records(sys.argv[3:]))
    proper = list(corpus.questions(sys.argv[3:], dice)) + list(corpus.brims(sys.argv[3:], dice))
    ask_by_udp(proper, servers, comparison)
    ask_by_tcp(proper[::3], servers, comparison)
    odd = list(corpus.malformed()) + list(corpus.noise(dice, NOISE))
    ours, theirs = servers
    for what, packet in with_id(odd):
        comparison.add(what, packet, ours.ask([packet])[0], theirs.ask_alone(packet))
    silent = list(with_id(corpus.unanswered()))
    for (what, _), answer in zip(silent, ours.ask([packet for _, packet in silent])):
        comparison.must_be_silent(what, answer)
    return comparison.finish()


sys.exit(main())
