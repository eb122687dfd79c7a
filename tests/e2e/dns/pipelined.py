#!/usr/bin/python3
"""Asks for addresses of all names at once, in one TCP stream, and writes a line for each answer as it
comes: milliseconds since then, name, code, addresses.

  pipelined.py ADDRESS NAME...
"""
import socket
import struct
import sys
import time

import dns.message
import dns.rcode

address, *names = sys.argv[1:]
questions = {}
for number, name in enumerate(names):
    questions[number] = dns.message.make_query(name, "A")
    questions[number].id = number
packets = [question.to_wire() for question in questions.values()]
with socket.create_connection((address, 53), timeout=10) as link:
    link.sendall(b"".join(struct.pack("!H", len(packet)) + packet for packet in packets))
    began = time.monotonic()
    stream = link.makefile("rb")
    while questions:
        answer = dns.message.from_wire(stream.read(struct.unpack("!H", stream.read(2))[0]))
        question = questions.pop(answer.id)
        if not question.is_response(answer):
            sys.exit(f"not the answer to {question}: {answer}")
        count = sum(len(records) for records in answer.answer)
        print(round((time.monotonic() - began) * 1000), question.question[0].name,
              dns.rcode.to_text(answer.rcode()), count)
