#!/usr/bin/env python3
"""Becomes the command, which has a serial line as descriptor 9 (a datagram socket, framed as
images/abi/serial_line.h says). On it comes "t=NUMBER" as often as told, at no steady pace, and into the
file a line for each: the number, and when (Unix time); number 0 is the command's start.

  serial_line.py LINES FILE COMMAND...
"""
import os
import socket
import struct
import sys
import time

lines, path, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
said = open(path, "w", buffering=1)
if os.fork() != 0:
    ours.set_inheritable(True)  # the line's other end stays open
    os.dup2(theirs.fileno(), 9)
    said.write(f"0 {time.time():.6f}\n")
    os.execvp(command[0], command)
command_pid = os.getppid()
for number in range(1, lines + 1):
    time.sleep(0.35 + 0.037 * (number % 7))
    if os.getppid() != command_pid:
        break
    line = f"t={number}\n".encode()
    said.write(f"{number} {time.time():.6f}\n")
    ours.send(bytes(12) + struct.pack("!2H", 0x88b5, len(line)) + line)
