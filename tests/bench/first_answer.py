#!/usr/bin/env python3
"""Starts a name server and writes how long it took to its first answer, in milliseconds, to the file;
then it becomes the server's parent until the server ends.

  first_answer.py ADDRESS FILE COMMAND...
"""
import signal
import socket
import struct
import subprocess
import sys
import time

QUESTION = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\x03www\x07example\x04test\0\0\1\0\1"
EVERY_SECONDS = 0.001

address, file, *command = sys.argv[1:]
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.connect((address, 53))
link.settimeout(EVERY_SECONDS)
began = time.monotonic()
server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
signal.signal(signal.SIGTERM, lambda *_: server.terminate())
while server.poll() is None:
    try:
        link.send(QUESTION)
        link.recv(512)
        with open(file, "w") as out:
            out.write(f"{(time.monotonic() - began) * 1000:.1f} {server.pid}\n")
        break
    except OSError:  # nobody is there yet, or silent
        time.sleep(EVERY_SECONDS)
sys.exit(server.wait())
