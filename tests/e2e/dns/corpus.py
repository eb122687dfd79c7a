"""The questions of the conformance test, made from the zones themselves: every name and every name
between, beside and below it, with every type; and packets that are no proper questions."""
import random
import struct

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.zone

TYPES = ["A", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "AAAA", "SRV", "CAA", "DS", "ANY", "TLSA",
         "TYPE65280", "HINFO", "DNSKEY"]
# What goes with a question: EDNS size (None: no EDNS), DO bit, recursion desired, mixed case.
SHAPES = [(None, False, True, False), (512, False, False, False), (1232, True, True, False),
          (4096, False, True, True), (None, False, False, True), (100, False, True, False)]


def load(path):
    origin = path.rsplit("/", 1)[1][:-len(".zone")]
    return dns.zone.from_file(path, origin=origin, relativize=True)


def is_brim(owner):
    return bool(owner.labels) and owner.labels[0].startswith(b"brim")


def names_of(zone):
    """Every owner, what lies between it and the apex, and one name beside and below each."""
    names = set()
    for owner in zone.nodes:
        if is_brim(owner):
            continue
        name = owner.derelativize(zone.origin)
        while name.is_subdomain(zone.origin):
            names.add(name)
            name = name.parent()
    for name in list(names):
        for label in ("nothing", "*", "zzz.nothing"):
            for base in (name, name.parent()):
                try:
                    names.add(dns.name.from_text(label, base))
                except dns.name.NameTooLong:
                    pass
    return sorted(names)


def mixed_case(name, dice):
    return dns.name.Name([bytes(b ^ 0x20 if 97 <= b | 0x20 <= 122 and dice.random() < 0.5 else b
                                for b in label) for label in name.labels])


def question(name, kind, shape, dice):
    size, dnssec_ok, desired, mixed = shape
    message = dns.message.make_query(
        mixed_case(name, dice) if mixed else name, kind, use_edns=False if size is None else 0,
        payload=size, want_dnssec=dnssec_ok)
    message.flags = dns.flags.RD if desired else 0
    message.id = dice.randrange(65536)
    return message.to_wire()


def questions(zone_files, dice):
    """(what, packet) of every name with every type, each in one shape; then foreign names."""
    names = []
    for path in zone_files:
        names += names_of(load(path))
    names += [dns.name.from_text(n) for n in (".", "test", "com", "www.invalid", "xexample.test",
                                              "example.test.example")]
    turn = 0
    for name in names:
        for kind in TYPES:
            shape = SHAPES[turn % len(SHAPES)]
            turn += 1
            yield f"{name} {kind} {shape}", question(name, kind, shape, dice)
        turn += 1  # or a type would always meet the same shapes


def brims(zone_files, dice):
    """(what, packet) of sets that just fit a datagram or just do not, by what the asker takes."""
    for path in zone_files:
        zone = load(path)
        for owner in filter(is_brim, zone.nodes):
            for size in (None, 512, 1231, 1232, 1233, 4096, 65535):
                packet = question(owner.derelativize(zone.origin), "TXT", (size, 0, 0, 0), dice)
                yield f"{owner} TXT, {size} bytes", packet


def header(flags=0x0100, counts=(1, 0, 0, 0), ident=0x5151):
    return struct.pack("!6H", ident, flags, *counts)


WWW = b"\x03www\x07example\x04test\x00"
ASK = WWW + struct.pack("!2H", 1, 1)


def opt(version=0, size=1232, options=b"", flags=0, owner=b"\0", rcode=0):
    return owner + struct.pack("!2H2B2H", 41, size, rcode, version, flags, len(options)) + options


def malformed():
    """(what, packet) of what is not a question as RFC 1035 and 6891 want it."""
    whole = header() + ASK
    for size in range(12, len(whole)):
        yield f"cut to {size} bytes", whole[:size]
    for opcode in range(1, 16):
        yield f"opcode {opcode}", header(opcode << 11) + ASK
    for bit in (0x0400, 0x0200, 0x0080, 0x0040, 0x0020, 0x0010, 0x000f, 0x0070):
        yield f"flags {bit:#06x}", header(bit) + ASK
    for klass in (0, 2, 3, 4, 254, 255, 256, 65535):
        yield f"class {klass}", header() + WWW + struct.pack("!2H", 1, klass)
        yield f"class {klass} of a foreign name", header() + b"\x03foo\0" + struct.pack("!2H", 1, klass)
    for kind in (0, 41, 128, 249, 250, 251, 252, 253, 254, 256, 65535):
        yield f"type {kind}", header() + WWW + struct.pack("!2H", kind, 1)
    yield "no question", header(counts=(0, 0, 0, 0))
    yield "no question, and EDNS", header(counts=(0, 0, 0, 1)) + opt()
    yield "two questions", header(counts=(2, 0, 0, 0)) + ASK + ASK
    yield "two questions told, one there", header(counts=(2, 0, 0, 0)) + ASK
    yield "65535 questions", header(counts=(65535, 0, 0, 0)) + ASK
    record = WWW + struct.pack("!2HIH", 1, 1, 60, 4) + b"\xc0\0\2\1"
    yield "an answer in a question", header(counts=(1, 1, 0, 0)) + ASK + record
    yield "an authority in a question", header(counts=(1, 0, 1, 0)) + ASK + record
    yield "an additional that is no OPT", header(counts=(1, 0, 0, 1)) + ASK + record
    yield "an additional told, none there", header(counts=(1, 0, 0, 1)) + ASK
    yield "an answer told, none there", header(counts=(1, 1, 0, 0)) + ASK
    for tail in (b"\0", b"\0" * 11, b"\xff" * 40):
        yield f"{len(tail)} bytes behind it", whole + tail
        yield f"{len(tail)} bytes behind EDNS", header(counts=(1, 0, 0, 1)) + ASK + opt() + tail
    end = struct.pack("!2H", 1, 1)
    yield "a pointer to itself", header() + b"\xc0\x0c" + end
    yield "a pointer round", header() + b"\x03www\xc0\x0c" + end
    yield "a pointer forward", header() + b"\xc0\x20" + end + bytes(16) + WWW
    yield "a pointer into the header", header() + b"\xc0\x00" + end
    yield "a pointer behind the end", header() + b"\xff\xff" + end
    yield "a label of type 01", header() + b"\x41a\0" + end
    yield "a label of type 10", header() + b"\x81a\0" + end
    yield "a name of 256 bytes", header() + b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 3 + b"\0" + end
    yield "a name of 255 bytes", header() + (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0" + end
    yield "128 labels", header() + b"\x01a" * 128 + b"\0" + end
    yield "the root", header() + b"\0" + end
    for version in (1, 2, 255):
        yield f"EDNS version {version}", header(counts=(1, 0, 0, 1)) + ASK + opt(version=version)
    for size in (0, 1, 511, 512, 513, 1231, 1233, 4096, 65535):
        yield f"EDNS size {size}", header(counts=(1, 0, 0, 1)) + ASK + opt(size=size)
    for flags in (0x8000, 0x4000, 0x7fff, 0xffff):
        yield f"EDNS flags {flags:#06x}", header(counts=(1, 0, 0, 1)) + ASK + opt(flags=flags)
    for rcode in (1, 255):
        yield f"EDNS upper rcode {rcode}", header(counts=(1, 0, 0, 1)) + ASK + opt(rcode=rcode)
    for code, data in ((65001, b"abc"), (65001, b""), (8, b"\0\1\x18\0\xc0\0\2"), (12, bytes(40)),
                       (15, b""), (11, b"\0\0")):
        option = struct.pack("!2H", code, len(data)) + data
        yield f"EDNS option {code}", header(counts=(1, 0, 0, 1)) + ASK + opt(options=option)
    yield "an EDNS option cut", header(counts=(1, 0, 0, 1)) + ASK + opt(options=b"\xfd\xe9\0\4ab")
    yield "half an EDNS option", header(counts=(1, 0, 0, 1)) + ASK + opt(options=b"\xfd\xe9\0")
    yield "an OPT of more bytes than come", header(counts=(1, 0, 0, 1)) + ASK + opt()[:-2] + b"\0\7"
    yield "two OPT", header(counts=(1, 0, 0, 2)) + ASK + opt() + opt()
    yield "an OPT of www", header(counts=(1, 0, 0, 1)) + ASK + opt(owner=WWW)
    yield "an OPT as answer", header(counts=(1, 1, 0, 0)) + ASK + opt()
    yield "an OPT as authority", header(counts=(1, 0, 1, 0)) + ASK + opt()
    yield "an OPT behind a record", header(counts=(1, 0, 0, 2)) + ASK + record + opt()


def unanswered():
    """(what, packet) of what must get no answer: answers, or servers would talk for ever, and what
    is too short to tell."""
    for size in range(2, 12):
        yield f"cut to {size} bytes", header()[:size]
    for flags in (0x8000, 0x8180, 0x8400, 0xa800, 0xffff):
        yield f"an answer, flags {flags:#06x}", header(flags) + ASK


def noise(dice, count):
    """(what, packet) of proper questions with some bytes changed, and of bytes by chance; none that
    must be dropped."""
    for turn in range(count):
        packet = bytearray(header(counts=(1, 0, 0, 1)) + ASK + opt())
        for _ in range(dice.randrange(1, 4)):
            packet[dice.randrange(2, len(packet))] = dice.choice((0, 1, 0x3f, 0x40, 0xc0, 0xff,
                                                                  dice.randrange(256)))
        if turn % 4 == 0:
            packet = bytearray(dice.randbytes(dice.randrange(12, 60)))
        packet[2] &= 0x7f
        yield f"noise {turn}: {packet.hex()}", bytes(packet)
