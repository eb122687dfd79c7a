"""What a client learns through a router: probes.py serve ADDRESS ADDRESS PORT... | ask LINE...

serve: answers TCP and UDP on these addresses and ports with who asks and what was reached. ask: for each "tcp|udp ADDRESS PORT" the answer or the error, a line each.
"""
import errno
import socket
import sys
import threading


def seen(peer, own):
    # A client's port is anybody's guess, but within the range that a rule tells.
    port = "5000-5003" if 5000 <= peer[1] <= 5003 else "any"
    return f"{peer[0]} port {port} reached {own[0]} port {own[1]}".encode()


def serve_tcp(listener):
    while True:
        connection, peer = listener.accept()
        connection.sendall(seen(peer, connection.getsockname()))
        connection.close()


def serve_udp(datagrams):
    while True:
        _, peer = datagrams.recvfrom(2000)
        datagrams.sendto(seen(peer, datagrams.getsockname()), peer)


def serve(addresses, ports):
    for place in [(address, port) for address in addresses for port in ports]:
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        listener = socket.create_server(place, family=family)
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.bind(place)
        threading.Thread(target=serve_tcp, args=(listener,)).start()
        threading.Thread(target=serve_udp, args=(datagrams,)).start()


def ask(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    sock.settimeout(2)
    try:
        sock.connect((address, port))
        if kind == "udp":
            sock.send(b"who")
        return sock.recv(2000).decode() or "closed"
    except socket.timeout:
        return "silence"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


if sys.argv[1] == "serve":
    serve(sys.argv[2:4], [int(port) for port in sys.argv[4:]])
else:
    for line in sys.argv[2:]:
        kind, address, port = line.split()
        print(line + ":", ask(kind, address, int(port)))
