"""Broadcasts with numbers, and who sees them how often: a loop shows itself by copies.
  watch.py send IFACE        an ARP request with the next number every 5 ms, until killed
  watch.py see IFACE FILE    what comes in, until killed: FILE gets "SEEN COPIES" then
  watch.py strike IFACE MAC  UDP to 192.0.2.50:7777, every 2 ms, from 192.0.2.1, until killed"""
import signal, socket, struct, sys, time

ARP, IP = 0x0806, 0x0800
MARK = b"\x0a\x63"  # the numbers are addresses 10.99.N.N, which are nobody's


def opened(interface, kind):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
    link.bind((interface, kind))
    return link, link.getsockname()[4]


def send(interface):
    link, mac = opened(interface, ARP)
    number = 0
    while True:
        number = (number + 1) % 65536
        target = MARK + struct.pack("!H", number)
        link.send(b"\xff" * 6 + mac + struct.pack("!HHHBBH", ARP, 1, IP, 6, 4, 1)
                  + mac + bytes([192, 0, 2, 50]) + bytes(6) + target)
        time.sleep(0.005)


def see(interface, path):
    link, _ = opened(interface, ARP)
    counts = {}

    def tell(*_):
        copies = sum(count - 1 for count in counts.values())
        with open(path, "w") as out:
            out.write(f"{len(counts)} {copies}\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, tell)
    open(path, "w").close()
    while True:
        frame, sender = link.recvfrom(2048)
        if sender[2] == socket.PACKET_OUTGOING or frame[38:40] != MARK:
            continue
        number = frame[38:42]
        counts[number] = counts.get(number, 0) + 1


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def strike(interface, to):
    link, mac = opened(interface, IP)
    udp = struct.pack("!HHHH", 4444, 7777, 12, 0) + b"evil"
    parts = [0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0]
    ends = bytes([192, 0, 2, 1]) + bytes([192, 0, 2, 50])
    header = struct.pack("!BBHHHBBH", *parts) + ends
    parts[7] = checksum(header)
    header = struct.pack("!BBHHHBBH", *parts) + ends
    frame = bytes.fromhex(to.replace(":", "")) + mac + struct.pack("!H", IP) + header + udp
    while True:
        link.send(frame)
        time.sleep(0.002)


{"send": send, "see": see, "strike": strike}[sys.argv[1]](*sys.argv[2:])
