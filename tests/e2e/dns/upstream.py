#!/usr/bin/python3
"""A name server to forward to that does what the first label of the name says, and writes a line for
each question: its number, by which protocol, from which port, with which id and EDNS size.

  upstream.py ADDRESS PORT NUMBER LOG

  plain   answers                        forged  sends three wrong answers before the right one
  mute1   number 1 is silent             lost    all are silent
  fails1  number 1 says SERVFAIL         fails   all say SERVFAIL
  big     TC by UDP, 1500 addresses by TCP       cut  TCP ends in the middle of the answer
  slow    answers after a second by TCP
"""
import socket
import socketserver
import struct
import sys
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

address, port, number = sys.argv[1], int(sys.argv[2]), sys.argv[3]
log = open(sys.argv[4], "a", buffering=1)


def answer_to(query, count=1):
    answer = dns.message.make_response(query, recursion_available=True)
    name = query.question[0].name
    answer.answer.append(dns.rrset.from_text(
        name, 60, "IN", "A", *[f"198.51.{i // 250}.{i % 250}" for i in range(count)]))
    return answer


def word_of(query):
    return query.question[0].name.labels[0].decode().lower().split("-")[0]


def note(query, protocol, source):
    log.write(f"{number} {protocol} {source[1]} {query.id} {query.payload} {query.question[0].name}\n")


def forge(query, source, udp):
    """Another id, another question, another port; none of them may be taken."""
    wrong = answer_to(query)
    wrong.id = query.id ^ 1
    udp.sendto(wrong.to_wire(), source)
    other = answer_to(query)
    other.question = dns.message.make_query("plain.elsewhere.test.", "A").question
    udp.sendto(other.to_wire(), source)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))
        bad = answer_to(query, 2)
        stranger.sendto(bad.to_wire(), source)


class ByUdp(socketserver.BaseRequestHandler):
    def handle(self):
        packet, udp = self.request
        query = dns.message.from_wire(packet)
        note(query, "udp", self.client_address)
        word = word_of(query)
        if word == "lost" or word == "mute1" and number == "1":
            return
        answer = answer_to(query)
        if word == "fails" or word == "fails1" and number == "1":
            answer.answer.clear()
            answer.set_rcode(dns.rcode.SERVFAIL)
        if word == "forged":
            forge(query, self.client_address, udp)
        if word in ("big", "cut"):
            answer.answer.clear()
            answer.flags |= dns.flags.TC
        udp.sendto(answer.to_wire(), self.client_address)


class ByTcp(socketserver.BaseRequestHandler):
    def handle(self):
        link = self.request.makefile("rb")
        size = struct.unpack("!H", link.read(2))[0]
        query = dns.message.from_wire(link.read(size))
        note(query, "tcp", self.client_address)
        word = word_of(query)
        if word == "lost" or word == "mute1" and number == "1":
            return
        if word == "slow":
            time.sleep(1)
        answer = answer_to(query, 1500 if word == "big" else 1).to_wire(max_size=65535)
        if word == "cut":
            answer = answer[:-4]
            self.request.sendall(struct.pack("!H", len(answer) + 4) + answer)
            return
        stream = struct.pack("!H", len(answer)) + answer
        self.request.sendall(stream[:1])
        self.request.sendall(stream[1:])


class Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    allow_reuse_address = True


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


udp = Udp((address, port), ByUdp)
tcp = Tcp((address, port), ByTcp)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
log.write(f"{number} ready\n")
udp.serve_forever()
