"""Sends frames from an interface: inject.py INTERFACE syn|noise COUNT.

syn: SYNs to port 80 of 10.5.0.1 from as many addresses. noise: frames that are broken in many ways,
the same ones in every run.
"""
import random
import socket
import struct
import sys


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def ip4(source, target, protocol, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                         source, target)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def syn(number):
    source = struct.pack("!I", 0x0B000000 + number)
    target = socket.inet_aton("10.5.0.1")
    header = struct.pack("!HHIIBBHHH", 1024 + number % 60000, 80, number, 0, 0x50, 2, 1000, 0, 0)
    pseudo = source + target + struct.pack("!BBH", 0, 6, len(header))
    header = header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:]
    return b"\x08\x00" + ip4(source, target, 6, header)


def noise(choose):
    kind = choose.randrange(4)
    body = choose.randbytes(choose.randrange(0, 1500))
    if kind == 0:
        return struct.pack("!H", choose.choice([0x0800, 0x86DD, 0x0806, 0x8100, 60, 0])) + body
    if kind == 1:
        return b"\x08\x00" + ip4(choose.randbytes(4), choose.randbytes(4),
                                 choose.choice([1, 6, 17, 47, 58]), body[:1460])
    if kind == 2:
        return b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body) % 1400,
                                         choose.choice([0, 6, 17, 43, 44, 51, 58, 60]),
                                         64) + choose.randbytes(32) + body[:1400]
    frame = bytearray(syn(choose.randrange(1 << 20)))
    for _ in range(choose.randrange(1, 5)):
        frame[choose.randrange(len(frame))] = choose.randrange(256)
    return bytes(frame[:choose.randrange(1, len(frame) + 1)])


def main():
    interface, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    choose = random.Random(1)
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((interface, 0))
    for number in range(count):
        behind = syn(number) if kind == "syn" else noise(choose)
        try:
            out.send(b"\xff" * 6 + b"\x02\0\0\0\0\x09" + behind)
        except OSError as error:  # the kernel refuses some lengths; a full queue loses a frame
            if error.errno not in (22, 90, 105):
                raise


main()
